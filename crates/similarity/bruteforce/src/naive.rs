//! What the sweeps must give, by loops over everything: for tests.

use std::cmp::Ordering;
use std::ops::ControlFlow;

use proptest::prelude::*;

use crate::sweep::{self, Rows};
use crate::top_k::Hit;

/// An order of slots that is not theirs: ties that are broken by slot, or not at all, are seen.
pub(crate) fn order(a: u32, b: u32) -> Ordering {
    (a % 7, b).cmp(&(b % 7, a))
}

/// Checks both sweeps over `rows`, of which every fifth is dead, against `distance` (of a query and a slot) and
/// `between` (of two slots), on as many `threads`.
pub(crate) fn check<R: Rows>(
    rows: &R,
    queries: &[R::Element],
    (limit, max_distance, threads): (usize, f32, usize),
    distance: impl Fn(usize, usize) -> f32,
    between: impl Fn(usize, usize) -> f32,
) -> Result<(), TestCaseError> {
    let live = |slot: u32| slot % 5 != 3;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();

    let found = pool.install(|| sweep::nearest(rows, queries, limit, max_distance, &live, &order));
    prop_assert_eq!(found.len(), queries.len() / rows.width());
    for (q, found) in found.iter().enumerate() {
        let hits = (0..rows.len()).map(|slot| Hit { slot: slot as u32, distance: distance(q, slot) });
        let mut expected: Vec<Hit> = hits.filter(|hit| live(hit.slot) && hit.distance <= max_distance).collect();
        expected.sort_by(|a, b| a.distance.total_cmp(&b.distance).then(order(a.slot, b.slot)));
        expected.truncate(limit);
        prop_assert_eq!(found, &expected, "query {}", q);
    }

    let mut found = Vec::new();
    let end = pool.install(|| {
        sweep::pairs(rows, max_distance, &live, None, &mut |left, right| {
            found.push((left, right));
            ControlFlow::Continue(())
        })
    });
    prop_assert!(end.is_continue());
    let block = |slot: u32| slot as usize / R::BLOCK;
    let sequence = |&(left, right): &(u32, Hit)| (block(left), block(right.slot), left, right.slot);
    prop_assert!(found.is_sorted_by_key(sequence), "pairs are out of order");
    found.sort_by_key(|&(left, right)| (left, right.slot));
    let mut expected = Vec::new();
    for left in (0..rows.len() as u32).filter(|&slot| live(slot)) {
        for slot in (left + 1..rows.len() as u32).filter(|&slot| live(slot)) {
            let distance = between(left as usize, slot as usize);
            if distance <= max_distance {
                expected.push((left, Hit { slot, distance }));
            }
        }
    }
    prop_assert_eq!(found, expected);
    Ok(())
}
