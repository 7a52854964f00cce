//! Cargo lets a package claim a `links` name only with a build script. There is nothing to build.

fn main() {}
