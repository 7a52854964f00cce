//! Bytes that somebody has tampered with: an error or a backend, never a panic.

mod toy;

use std::panic::catch_unwind;

use proptest::prelude::*;
use prost::Message;

use toy::{create, toy};

fn survives(bytes: &[u8]) -> bool {
    catch_unwind(|| drop(create(bytes))).is_ok()
}

#[test]
fn a_file_that_ends_early_at_any_byte_causes_no_panic() {
    let whole = toy().encode_to_vec();
    for end in 0..whole.len() {
        assert!(survives(&whole[..end]), "{end} bytes of {}", whole.len());
    }
}

#[test]
fn any_one_bit_that_is_flipped_causes_no_panic() {
    let whole = toy().encode_to_vec();
    for bit in 0..8 * whole.len() {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(survives(&bytes), "bit {bit}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn bytes_that_are_changed_moved_or_doubled_cause_no_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in any::<(prop::sample::Index, prop::sample::Index)>(),
        to in any::<prop::sample::Index>(),
    ) {
        let mut bytes = toy().encode_to_vec();
        for (place, value) in changes {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        let (a, b) = (cut.0.index(bytes.len()), cut.1.index(bytes.len()));
        let piece = bytes[a.min(b)..a.max(b)].to_vec();
        let to = to.index(bytes.len());
        bytes.splice(to..to, piece);
        prop_assert!(survives(&bytes));
    }
}
