//! Lies about what is near.

use super::*;

lies! {
    an_id_that_is_not_there_is_caught, "search-known-ids", "search-distances", "search-exact" => {
        fn search(index: &NaiveIndex, queries: EmbeddingsRef<'_>, k: usize) -> Result<Neighbors, IndexError> {
            Ok(edited(&index.search(queries, k)?, |list| {
                for neighbor in list.iter_mut().take(1) {
                    neighbor.id = ItemId::from(format!("{}0", neighbor.id));
                }
            }))
        }
    }

    ids_that_are_off_by_one_are_caught, "search-distances", "search-exact", "sequences" => {
        fn search(index: &NaiveIndex, queries: EmbeddingsRef<'_>, k: usize) -> Result<Neighbors, IndexError> {
            let mut ids = Vec::new();
            index.for_each_id(&mut |id| { ids.push(id.clone()); ControlFlow::Continue(()) })?;
            Ok(edited(&index.search(queries, k)?, |list| {
                for neighbor in list {
                    let place = ids.binary_search(&neighbor.id).unwrap();
                    neighbor.id = ids[(place + 1) % ids.len()].clone();
                }
            }))
        }
    }

    one_neighbour_twice_is_caught, "search-known-ids", "search-order", "search-exact" => {
        fn search(index: &NaiveIndex, queries: EmbeddingsRef<'_>, k: usize) -> Result<Neighbors, IndexError> {
            Ok(edited(&index.search(queries, k)?, |list| {
                if let [.., before, last] = &mut list[..] {
                    last.clone_from(before);
                }
            }))
        }
    }

    answers_out_of_order_are_caught, "search-order", "search-exact", "sequences" => {
        fn search(index: &NaiveIndex, queries: EmbeddingsRef<'_>, k: usize) -> Result<Neighbors, IndexError> {
            Ok(edited(&index.search(queries, k)?, |list| if list.len() > 2 { list.swap(1, 2) }))
        }
    }

    ties_in_the_order_of_insertion_are_caught, "search-order", "search-exact", "sequences" => {
        fn search(index: &NaiveIndex, queries: EmbeddingsRef<'_>, k: usize) -> Result<Neighbors, IndexError> {
            // By another order of the ids, at any rate.
            Ok(edited(&index.search(queries, usize::MAX)?, |list| {
                list.sort_by(|a, b| a.distance.total_cmp(&b.distance).then(b.id.cmp(&a.id)));
                list.truncate(k);
            }))
        }
    }

    a_cut_through_ties_that_keeps_any_is_caught, "search-exact" => {
        fn search(index: &NaiveIndex, queries: EmbeddingsRef<'_>, k: usize) -> Result<Neighbors, IndexError> {
            // Ordered by id, but not the first of those that are equally near.
            Ok(edited(&index.search(queries, usize::MAX)?, |list| {
                list.sort_by(|a, b| a.distance.total_cmp(&b.distance).then(b.id.cmp(&a.id)));
                list.truncate(k);
                list.sort_by(|a, b| a.distance.total_cmp(&b.distance).then(a.id.cmp(&b.id)));
            }))
        }
    }

    distances_that_are_not_numbers_are_caught, "search-distances", "search-order" => {
        fn search(index: &NaiveIndex, queries: EmbeddingsRef<'_>, k: usize) -> Result<Neighbors, IndexError> {
            Ok(edited(&index.search(queries, k)?, |list| {
                if let Some(last) = list.last_mut() {
                    last.distance = f32::NAN;
                }
            }))
        }
    }

    distances_of_another_kind_are_caught, "search-distances", "within-complete", "pairs-once" => {
        fn search(index: &NaiveIndex, queries: EmbeddingsRef<'_>, k: usize) -> Result<Neighbors, IndexError> {
            Ok(edited(&index.search(queries, k)?, |list| list.iter_mut().for_each(|n| n.distance = n.distance.sqrt())))
        }
        fn within(index: &NaiveIndex, queries: EmbeddingsRef<'_>, max: f32, limit: usize) -> Result<Neighbors, IndexError> {
            index.search_within(queries, max * max, limit)
        }
        fn pairs(index: &NaiveIndex, max: f32, each: Each<'_>) -> Result<(), IndexError> {
            index.pairs_within(max, &mut |pair| each(Pair { distance: pair.distance * 0.5, ..pair }))
        }
    }

    distances_of_half_precision_are_caught, "search-distances" => {
        fn search(index: &NaiveIndex, queries: EmbeddingsRef<'_>, k: usize) -> Result<Neighbors, IndexError> {
            Ok(edited(&index.search(queries, k)?, |list| {
                for n in list { n.distance += 3e-5 * (1.0 + n.distance); }
            }))
        }
    }

    one_neighbour_too_many_is_caught, "search-count" => {
        fn search(index: &NaiveIndex, queries: EmbeddingsRef<'_>, k: usize) -> Result<Neighbors, IndexError> {
            index.search(queries, k.saturating_add(1))
        }
    }

    one_neighbour_too_few_is_caught, "search-count", "sequences" => {
        fn search(index: &NaiveIndex, queries: EmbeddingsRef<'_>, k: usize) -> Result<Neighbors, IndexError> {
            index.search(queries, k.min(index.len()?.saturating_sub(1)))
        }
    }

    a_capacity_of_k_is_caught, "search-count", "search-empty" => {
        fn search(index: &NaiveIndex, queries: EmbeddingsRef<'_>, k: usize) -> Result<Neighbors, IndexError> {
            let _: Vec<Neighbor> = Vec::with_capacity(k);
            index.search(queries, k)
        }
    }

    a_last_block_that_is_left_out_is_caught, "search-exact", "search-equal" => {
        fn search(index: &NaiveIndex, queries: EmbeddingsRef<'_>, k: usize) -> Result<Neighbors, IndexError> {
            // The vector of the greatest id is never compared.
            let mut last = None;
            index.for_each_id(&mut |id| { last = Some(id.clone()); ControlFlow::Continue(()) })?;
            Ok(edited(&index.search(queries, k.saturating_add(1))?, |list| {
                list.retain(|n| Some(&n.id) != last.as_ref());
                list.truncate(k);
            }))
        }
    }

    an_exact_index_that_misses_is_caught, "search-exact", "sequences" => {
        fn search(index: &NaiveIndex, queries: EmbeddingsRef<'_>, k: usize) -> Result<Neighbors, IndexError> {
            Ok(edited(&index.search(queries, k.saturating_add(1))?, |list| {
                if list.len() > k && k > 2 {
                    list.remove(2);
                }
                list.truncate(k);
            }))
        }
    }

    answers_that_change_from_call_to_call_are_caught, "search-repeatable" => {
        fn search(index: &NaiveIndex, queries: EmbeddingsRef<'_>, k: usize) -> Result<Neighbors, IndexError> {
            static CALLS: AtomicU32 = AtomicU32::new(0);
            let odd = CALLS.fetch_add(1, Relaxed) % 2 == 1;
            Ok(edited(&index.search(queries, k)?, |list| {
                if let (true, Some(last)) = (odd, list.last_mut()) {
                    last.distance += 1e-7;
                }
            }))
        }
    }

    a_query_that_depends_on_its_neighbours_is_caught, "search-repeatable" => {
        fn search(index: &NaiveIndex, queries: EmbeddingsRef<'_>, k: usize) -> Result<Neighbors, IndexError> {
            let single = queries.len() == 1;
            Ok(edited(&index.search(queries, k)?, |list| if single { list.pop(); }))
        }
    }

    a_search_that_is_not_thread_safe_is_caught, "search-threads" => {
        fn search(index: &NaiveIndex, queries: EmbeddingsRef<'_>, k: usize) -> Result<Neighbors, IndexError> {
            static INSIDE: AtomicU32 = AtomicU32::new(0);
            let alone = INSIDE.fetch_add(1, Relaxed) == 0;
            let found = index.search(queries, k);
            std::thread::sleep(std::time::Duration::from_millis(2));
            INSIDE.fetch_sub(1, Relaxed);
            Ok(edited(&found?, |list| if !alone { list.clear(); }))
        }
    }

    a_search_that_does_not_look_at_the_queries_is_caught, "search-wrong-queries" => {
        fn search(index: &NaiveIndex, queries: EmbeddingsRef<'_>, k: usize) -> Result<Neighbors, IndexError> {
            if k == 0 || index.is_empty()? {
                let mut none = Neighbors::new();
                queries.iter().for_each(|_| none.push([], false));
                return Ok(none);
            }
            index.search(queries, k)
        }
    }

    an_empty_index_without_lists_is_caught, "search-empty" => {
        fn search(index: &NaiveIndex, queries: EmbeddingsRef<'_>, k: usize) -> Result<Neighbors, IndexError> {
            let found = index.search(queries, k)?;
            Ok(if index.is_empty()? { Neighbors::new() } else { found })
        }
    }

    a_distance_by_norms_is_caught, "search-extremes" => {
        fn search(index: &NaiveIndex, queries: EmbeddingsRef<'_>, k: usize) -> Result<Neighbors, IndexError> {
            // `|a|² + |b|² - 2ab` is infinity minus infinity where the numbers are large.
            let large = |row: Row<'_>| matches!(row, Row::F32(row) if row.iter().any(|x| x.abs() > 1e20));
            let mut rows = queries.iter();
            Ok(edited(&index.search(queries, k)?, |list| {
                if rows.next().is_some_and(large) {
                    for n in list { n.distance = f32::NAN; }
                }
            }))
        }
    }

    a_boundary_that_is_left_out_is_caught, "within-complete", "pairs-complete", "sequences" => {
        fn within(index: &NaiveIndex, queries: EmbeddingsRef<'_>, max: f32, limit: usize) -> Result<Neighbors, IndexError> {
            let found = index.search_within(queries, max, limit)?;
            Ok(edited(&found, |list| list.retain(|n| n.distance < max)))
        }
        fn pairs(index: &NaiveIndex, max: f32, each: Each<'_>) -> Result<(), IndexError> {
            index.pairs_within(max, &mut |pair| if pair.distance < max { each(pair) } else { ControlFlow::Continue(()) })
        }
    }

    neighbours_beyond_the_distance_are_caught, "within-distance", "within-complete", "sequences" => {
        fn within(index: &NaiveIndex, queries: EmbeddingsRef<'_>, max: f32, limit: usize) -> Result<Neighbors, IndexError> {
            index.search_within(queries, max + 1.0, limit)
        }
    }

    a_limit_that_is_ignored_is_caught, "within-limit", "sequences" => {
        fn within(index: &NaiveIndex, queries: EmbeddingsRef<'_>, max: f32, _: usize) -> Result<Neighbors, IndexError> {
            index.search_within(queries, max, usize::MAX)
        }
    }

    a_limit_that_is_not_told_is_caught, "within-limit", "sequences" => {
        fn within(index: &NaiveIndex, queries: EmbeddingsRef<'_>, max: f32, limit: usize) -> Result<Neighbors, IndexError> {
            let found = index.search_within(queries, max, limit)?;
            let mut silent = Neighbors::new();
            found.iter().for_each(|list| silent.push(list.to_vec(), false));
            Ok(silent)
        }
    }

    a_limit_that_is_told_where_it_just_fits_is_caught, "within-limit", "sequences" => {
        fn within(index: &NaiveIndex, queries: EmbeddingsRef<'_>, max: f32, limit: usize) -> Result<Neighbors, IndexError> {
            let found = index.search_within(queries, max, limit)?;
            let mut eager = Neighbors::new();
            found.iter().for_each(|list| eager.push(list.to_vec(), list.len() == limit));
            Ok(eager)
        }
    }

    a_limit_that_keeps_the_far_ones_is_caught, "within-limit", "sequences" => {
        fn within(index: &NaiveIndex, queries: EmbeddingsRef<'_>, max: f32, limit: usize) -> Result<Neighbors, IndexError> {
            let found = index.search_within(queries, max, usize::MAX)?;
            let mut far = Neighbors::new();
            for list in found.iter() {
                far.push(list[list.len().saturating_sub(limit)..].to_vec(), list.len() > limit);
            }
            Ok(far)
        }
    }

    a_distance_that_is_not_looked_at_is_caught, "within-wrong-distance" => {
        fn within(index: &NaiveIndex, queries: EmbeddingsRef<'_>, max: f32, limit: usize) -> Result<Neighbors, IndexError> {
            index.search_within(queries, max.max(0.0), limit)
        }
    }

    pairs_that_come_twice_are_caught, "pairs-once", "pairs-stop" => {
        fn pairs(index: &NaiveIndex, max: f32, each: Each<'_>) -> Result<(), IndexError> {
            index.pairs_within(max, &mut |pair| { let _ = each(pair); each(pair) })
        }
    }

    pairs_the_other_way_round_are_caught, "pairs-once" => {
        fn pairs(index: &NaiveIndex, max: f32, each: Each<'_>) -> Result<(), IndexError> {
            index.pairs_within(max, &mut |pair| each(Pair { a: pair.b, b: pair.a, ..pair }))
        }
    }

    pairs_of_a_vector_with_itself_are_caught, "pairs-once" => {
        fn pairs(index: &NaiveIndex, max: f32, each: Each<'_>) -> Result<(), IndexError> {
            index.pairs_within(max, &mut |pair| { let _ = each(Pair { b: pair.a, distance: 0.0, ..pair }); each(pair) })
        }
    }

    pairs_that_are_missed_are_caught, "pairs-complete" => {
        fn pairs(index: &NaiveIndex, max: f32, each: Each<'_>) -> Result<(), IndexError> {
            let mut number = 0;
            index.pairs_within(max, &mut |pair| {
                number += 1;
                if number == 4 { ControlFlow::Continue(()) } else { each(pair) }
            })
        }
    }

    pairs_that_do_not_stop_are_caught, "pairs-stop" => {
        fn pairs(index: &NaiveIndex, max: f32, each: Each<'_>) -> Result<(), IndexError> {
            index.pairs_within(max, &mut |pair| { let _ = each(pair); ControlFlow::Continue(()) })
        }
    }
}
