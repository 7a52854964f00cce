//! Hashes that the Python package `pdqhash` 0.2.8, a binding of Meta's own code, gives to pictures made by formulas.

use nodupe_core::{EmbeddingBackend, ImageBatch, Row, View};
use nodupe_perceptual::{Perceptual, hex};

mod reference;

/// RGB of a picture by column, row, channel, width and height.
type Picture = fn(u32, u32, u32, u32, u32) -> u32;

/// A grid of `N` × `N` patches of pseudo-random colour.
fn blocks<const N: u32, const SEED: u32>(x: u32, y: u32, channel: u32, width: u32, height: u32) -> u32 {
    let mut hash = (x * N / width).wrapping_mul(73_856_093)
        ^ (y * N / height).wrapping_mul(19_349_663)
        ^ (channel + SEED).wrapping_mul(83_492_791);
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(0x5bd1_e995);
    (hash ^ (hash >> 15)) & 255
}

/// Sawtooth waves whose frequency grows to the right and downwards.
fn waves<const SHIFT: u32>(x: u32, y: u32, channel: u32, _: u32, _: u32) -> u32 {
    ((x * x * (3 + channel) + y * y * 5 + x * y * 7) >> SHIFT) & 255
}

fn input(picture: Picture, width: u32, height: u32) -> Vec<u8> {
    let place = |i: u32| (i / 3 % width, i / 3 / width, i % 3);
    let rgb: Vec<u8> =
        (0..width * height * 3).map(place).map(|(x, y, channel)| picture(x, y, channel, width, height) as u8).collect();
    reference::downsampled(&reference::luminance(&rgb), width as usize)
}

#[test]
fn pictures_of_any_size_have_the_hashes_of_the_reference() {
    let known: &[(Picture, u32, u32, u32, &str)] = &[
        (blocks::<23, 1>, 64, 64, 100, "3f926f96a32e42dcb146cf990a276ba6e44a2cc783db5057522d7613af46c3b0"),
        (blocks::<23, 1>, 128, 128, 100, "3b826f2e836ed6d4f1d68fb940af6fa4e46ea8c583934057522d7c11aa4687b1"),
        (blocks::<23, 1>, 375, 500, 100, "3b926b2e836ed6d4f5d68f9942276ba4e46ea8c503d35056522d7c11af6687a1"),
        (blocks::<23, 1>, 500, 375, 100, "3f926b2a836ed6d4f1d68fb9422f6ba0e46ea8c783934056522d7c11af6687a1"),
        (blocks::<37, 7>, 5, 300, 100, "64d99e276e5b91a46cdb318ccb7296259b26695a6cdb01c8c3726b5a96a5c372"),
        (blocks::<37, 7>, 63, 64, 100, "a12331e7ee165764598be0ba8a80b1ae3c683c9b66dd1b18871666dbf7cfc580"),
        (blocks::<37, 7>, 513, 200, 100, "212331c7de3677cd19bbc1b20a8031ae5c603c9f4fdd33182eb674dbf71ec180"),
        (waves::<6>, 127, 129, 100, "380063ff4fff5c00587f51ffd3c05380d30e523fd23e5778d7705670d7205620"),
        (waves::<6>, 512, 512, 100, "feb6ee92de73cce3dc63ec6a9c04bc067c5472867b80618260c2fd5aae329630"),
        (waves::<6>, 1024, 1024, 54, "17b72af455d808ea45458d08454c2390f29033b0339479607f69afe9fde8fff4"),
        (waves::<6>, 5, 5, 0, "c6733c0f398cc3f03c0f6c5bca7391a491a43c0fc6733c0f398cc3f03e0f6c5b"),
        (waves::<9>, 129, 257, 100, "f5e88a85a09fbab161af5552aaad57584117df7caaa90a0ba9a31e5ee1a21e58"),
        (waves::<9>, 640, 480, 100, "1ffffffffffff000c000806481ff07ff8ffc8ff09fc09f809f000f008e000e00"),
        (waves::<9>, 65, 64, 0, "a128210b004b44135196045d165e235faa9bacb740b577ff12e9d7df745f5d57"),
    ];
    let backend = Perceptual::new().unwrap();
    for &(picture, width, height, quality, expected) in known {
        let pixels = input(picture, width, height);
        let batch = ImageBatch::for_spec(backend.input_spec(), &pixels).unwrap();
        let embedded = backend.embed(&batch).unwrap();
        match (&embedded.outcomes()[0], embedded.first_row(0)) {
            (Ok(_), Some(Row::Bits(row))) => {
                assert!(quality > 49, "{expected} was hashed");
                let bits = reference::bits_from(row, expected);
                // The 64×64 pixels are rounded to bytes here and not there.
                assert!(bits <= 6, "{} is {bits} bits from {expected}", hex(row));
            }
            (outcome, _) => assert!(quality <= 49, "{expected}: {outcome:?}"),
        }
    }
}

#[test]
fn views_have_the_dihedral_hashes_of_the_reference() {
    // Meta's `rotate90` is anticlockwise, and its `flipx` exchanges top and bottom.
    let known = [
        (View::Identity, "3f926f96a32e42dcb146cf990a276ba6e44a2cc783db5057522d7613af46c3b0"),
        (View::Rotate90, "79f604d8bc93dd4992179191e27ab87480344da7765c816061fd6e1fbea75329"),
        (View::Rotate180, "6ac7c530f67be876e41125335772c10cb11b866dd68eba7907789cb9fa11291a"),
        (View::Rotate270, "2ca3aa72e9c677e3c7423b39b72b12dcd561e70d23092bca24a8c4a5e3f0f983"),
        (View::FlipHorizontal, "6ac738c7f67b1781e4119acc5f723ef3b11f7992d68e450207782144fa1196e5"),
        (View::FlipVertical, "3f92926da32ebd23b14670660a279459e44ad33883dbefac522d89eeaa463c4f"),
        (View::Transpose, "2ca3559de9c6881cc742c4c6f72fed23d56118f22309d43534a87b5aebf6067c"),
        (View::Transverse, "79f6fb22bc9322b690176e6ca27a47898024b258765c7e9f21fd9160b6a1acd6"),
    ];
    let backend = Perceptual::new().unwrap();
    let pixels = input(blocks::<23, 1>, 64, 64);
    let batch = ImageBatch::for_spec(backend.input_spec(), &pixels).unwrap();
    let embedded = backend.embed_views(&batch, &known.map(|(view, _)| view)).unwrap();
    for ((view, expected), embedded) in known.into_iter().zip(&embedded) {
        let Some(Row::Bits(row)) = embedded.first_row(0) else { panic!("{view} has no hash") };
        let bits = reference::bits_from(row, expected);
        assert!(bits <= 2, "{view}: {} is {bits} bits from {expected}", hex(row));
    }
}
