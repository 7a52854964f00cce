#![doc = include_str!("../README.md")]
#![deny(unsafe_code)] // two argued exceptions: `product` calls a library on raw pointers, `popcount` picks instructions
#![cfg_attr(not(test), expect(dead_code, reason = "the backend that calls the kernels comes with the core crate"))]

mod bits;
mod exact;
mod matrix;
#[cfg(test)]
mod naive;
mod popcount;
mod product;
mod sweep;
mod top_k;
