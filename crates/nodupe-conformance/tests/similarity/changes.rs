//! Lies about what an index holds, and about who it is.

use super::*;

lies! {
    an_index_that_takes_another_space_is_caught, "add-another-space" => {
        fn add(index: &mut NaiveIndex, ids: &[ItemId], rows: EmbeddingsRef<'_>) -> Result<(), IndexError> {
            let space = index.space().clone();
            match EmbeddingsRef::new(&space, rows.rows()) {
                Ok(rows) => index.add(ids, rows),
                Err(_) => index.add(ids, rows),
            }
        }
    }

    an_add_that_fails_half_way_is_caught,
    "add-not-finite", "add-not-unit", "add-duplicate-id", "add-present-id", "sequences" => {
        fn add(index: &mut NaiveIndex, ids: &[ItemId], rows: EmbeddingsRef<'_>) -> Result<(), IndexError> {
            if ids.len() != rows.len() || rows.space() != index.space() {
                return index.add(ids, rows);
            }
            for (row, id) in ids.iter().enumerate() {
                let one = rows.slice(row..row + 1).unwrap();
                index.add(std::slice::from_ref(id), one).map_err(|why| match why {
                    IndexError::NotFinite { .. } => IndexError::NotFinite { row },
                    IndexError::NotUnit { length, .. } => IndexError::NotUnit { row, length },
                    IndexError::AlreadyPresent { id } if ids.iter().filter(|other| **other == id).count() > 1 => {
                        IndexError::DuplicateId { id }
                    }
                    why => why,
                })?;
            }
            Ok(())
        }
    }

    an_add_that_drops_rows_without_ids_is_caught, "add-lengths" => {
        fn add(index: &mut NaiveIndex, ids: &[ItemId], rows: EmbeddingsRef<'_>) -> Result<(), IndexError> {
            let both = ids.len().min(rows.len());
            index.add(&ids[..both], rows.slice(0..both).unwrap())
        }
    }

    an_add_that_overwrites_is_caught, "add-present-id", "sequences" => {
        fn add(index: &mut NaiveIndex, ids: &[ItemId], rows: EmbeddingsRef<'_>) -> Result<(), IndexError> {
            index.upsert(ids, rows)
        }
    }

    an_add_that_refuses_nothing_at_all_is_caught, "add-nothing" => {
        fn add(index: &mut NaiveIndex, ids: &[ItemId], rows: EmbeddingsRef<'_>) -> Result<(), IndexError> {
            if ids.is_empty() && rows.is_empty() && rows.space() == index.space() {
                return Err(IndexError::LengthMismatch { ids: 0, rows: 0 });
            }
            index.add(ids, rows)
        }
    }

    a_panic_is_a_violation_and_not_the_end, "add-present-id" => {
        fn add(index: &mut NaiveIndex, ids: &[ItemId], rows: EmbeddingsRef<'_>) -> Result<(), IndexError> {
            assert!(!ids.iter().any(|id| index.contains(id).unwrap()), "there already");
            index.add(ids, rows)
        }
    }

    an_index_that_shows_vectors_only_after_build_is_caught, "add-found-at-once", "upsert-replaces", "search-exact" => {
        fn build(index: &mut NaiveIndex, _: Progress<'_>) -> Result<(), IndexError> {
            BUILT.with_borrow_mut(|built| {
                built.clear();
                index.for_each_id(&mut |id| { built.insert(id.clone()); ControlFlow::Continue(()) })
            })
        }
        fn search(index: &NaiveIndex, queries: EmbeddingsRef<'_>, k: usize) -> Result<Neighbors, IndexError> {
            let found = index.search(queries, k)?;
            Ok(BUILT.with_borrow(|built| edited(&found, |list| list.retain(|n| built.contains(&n.id)))))
        }
    }

    an_index_that_forgets_removals_is_caught, "remove-count", "remove-forgets", "sequences" => {
        fn remove(index: &mut NaiveIndex, ids: &[ItemId]) -> Result<usize, IndexError> {
            Ok(ids.iter().filter(|id| index.contains(id).unwrap()).collect::<HashSet<_>>().len())
        }
    }

    a_remove_that_counts_what_it_was_asked_is_caught, "remove-count", "sequences" => {
        fn remove(index: &mut NaiveIndex, ids: &[ItemId]) -> Result<usize, IndexError> {
            index.remove(ids).map(|_| ids.len())
        }
    }

    an_upsert_that_keeps_the_old_vector_is_caught, "upsert-replaces", "sequences" => {
        fn upsert(index: &mut NaiveIndex, ids: &[ItemId], rows: EmbeddingsRef<'_>) -> Result<(), IndexError> {
            check_add(index.space(), ids, rows, |_| false)?;
            for (row, id) in ids.iter().enumerate() {
                match index.add(std::slice::from_ref(id), rows.slice(row..row + 1).unwrap()) {
                    Err(IndexError::AlreadyPresent { .. }) => {}
                    done => done?,
                }
            }
            Ok(())
        }
    }

    an_upsert_that_adds_a_second_one_is_caught, "upsert-replaces", "sequences" => {
        fn upsert(index: &mut NaiveIndex, ids: &[ItemId], rows: EmbeddingsRef<'_>) -> Result<(), IndexError> {
            check_add(index.space(), ids, rows, |_| false)?;
            let fresh = |id: &ItemId| ItemId::from(format!("{id}'"));
            let there = |id: &ItemId| index.contains(id).unwrap();
            let ids: Vec<ItemId> = ids.iter().map(|id| if there(id) { fresh(id) } else { id.clone() }).collect();
            index.add(&ids, rows)
        }
    }

    an_upsert_that_removes_before_it_checks_is_caught, "add-not-finite", "add-another-space", "add-duplicate-id" => {
        fn upsert(index: &mut NaiveIndex, ids: &[ItemId], rows: EmbeddingsRef<'_>) -> Result<(), IndexError> {
            let first: Vec<ItemId> = ids.iter().take(1).cloned().collect();
            index.remove(&first)?;
            if rows.is_empty() {
                return index.add(ids, rows);
            }
            let mut all = Vec::new();
            index.for_each_id(&mut |id| { all.push(id.clone()); ControlFlow::Continue(()) })?;
            let done = index.upsert(ids, rows);
            if done.is_err() {
                index.remove(&all[..1])?;
            }
            done
        }
    }

    a_wrong_len_is_caught, "ids", "remove-count" => {
        fn len(index: &NaiveIndex) -> usize {
            index.len().unwrap().saturating_sub(1)
        }
    }

    a_contains_that_trims_is_caught, "ids-any-text" => {
        fn contains(index: &NaiveIndex, id: &ItemId) -> bool {
            index.contains(&ItemId::from(id.as_str().trim())).unwrap()
        }
    }

    ids_that_do_not_stop_are_caught, "ids-stop" => {
        fn ids(index: &NaiveIndex, each: &mut dyn FnMut(&ItemId) -> ControlFlow<()>) {
            index.for_each_id(&mut |id| { let _ = each(id); ControlFlow::Continue(()) }).unwrap();
        }
    }

    ids_that_come_twice_are_caught, "ids", "sequences" => {
        fn ids(index: &NaiveIndex, each: &mut dyn FnMut(&ItemId) -> ControlFlow<()>) {
            for _ in 0..2 {
                index.for_each_id(each).unwrap();
            }
        }
    }

    progress_in_percent_is_caught, "build-progress" => {
        fn build(_: &mut NaiveIndex, progress: Progress<'_>) -> Result<(), IndexError> {
            let _ = progress(BuildPhase::Linking, 100.0);
            Ok(())
        }
    }

    a_build_that_does_not_stop_is_caught, "build-cancelled" => {
        fn build(_: &mut NaiveIndex, progress: Progress<'_>) -> Result<(), IndexError> {
            let _ = progress(BuildPhase::Linking, 0.5);
            Ok(())
        }
    }

    a_build_that_stops_half_way_is_caught, "build-cancelled" => {
        fn build(index: &mut NaiveIndex, progress: Progress<'_>) -> Result<(), IndexError> {
            let mut first = None;
            index.for_each_id(&mut |id| { first = Some(id.clone()); ControlFlow::Break(()) })?;
            let Some(first) = first else { return Ok(()) };
            let vector = index.vectors(std::slice::from_ref(&first))?.unwrap();
            index.remove(std::slice::from_ref(&first))?;
            if progress(BuildPhase::Compacting, 0.5).is_break() {
                return Err(IndexError::Cancelled);
            }
            index.add(&[first], vector.view())
        }
    }

    a_last_bit_that_is_lost_is_caught, "vectors" => {
        fn vectors(index: &NaiveIndex, ids: &[ItemId]) -> Result<Option<Embeddings>, IndexError> {
            let vectors = index.vectors(ids)?.unwrap();
            let space = vectors.space().clone();
            let mut floats = Vec::new();
            let mut bytes = Vec::new();
            for row in vectors.view().iter() {
                match row {
                    Row::F32(row) => floats.extend(row.iter().map(|x| f32::from_bits(x.to_bits() & !1))),
                    Row::Bits(row) => bytes.extend(row.iter().map(|x| x & !1)),
                    _ => {}
                }
            }
            let changed = if bytes.is_empty() { Embeddings::from_f32(space, floats) } else { Embeddings::from_bits(space, bytes) };
            changed.map(Some)
        }
    }

    a_sign_of_zero_that_is_lost_is_caught, "vectors" => {
        fn vectors(index: &NaiveIndex, ids: &[ItemId]) -> Result<Option<Embeddings>, IndexError> {
            let vectors = index.vectors(ids)?.unwrap();
            if vectors.space().metric() != Metric::SquaredEuclidean {
                return Ok(Some(vectors));
            }
            let rows = vectors.view().iter().flat_map(|row| match row {
                Row::F32(row) => row.iter().map(|x| x + 0.0).collect::<Vec<f32>>(),
                _ => Vec::new(),
            });
            Embeddings::from_f32(vectors.space().clone(), rows.collect()).map(Some)
        }
    }

    vectors_in_another_order_are_caught, "vectors" => {
        fn vectors(index: &NaiveIndex, ids: &[ItemId]) -> Result<Option<Embeddings>, IndexError> {
            let mut sorted = ids.to_vec();
            sorted.sort();
            index.vectors(&sorted)
        }
    }

    vectors_that_are_there_now_and_then_are_caught, "vectors" => {
        fn vectors(index: &NaiveIndex, ids: &[ItemId]) -> Result<Option<Embeddings>, IndexError> {
            if ids.len().is_multiple_of(2) { index.vectors(ids) } else { Ok(None) }
        }
    }

    vectors_of_nobody_are_caught, "vectors-not-found" => {
        fn vectors(index: &NaiveIndex, ids: &[ItemId]) -> Result<Option<Embeddings>, IndexError> {
            let known: Vec<ItemId> = ids.iter().filter(|id| index.contains(id).unwrap()).cloned().collect();
            index.vectors(&known)
        }
    }

    a_save_without_the_last_row_is_caught, "save-open", "sequences" => {
        fn save(index: &mut NaiveIndex, dir: &Path) -> Result<(), IndexError> {
            let mut last = None;
            index.for_each_id(&mut |id| { last = Some(id.clone()); ControlFlow::Continue(()) })?;
            let mut rest = index.clone();
            rest.remove(&last.into_iter().collect::<Vec<_>>())?;
            rest.save(dir)
        }
    }

    a_save_that_takes_the_vectors_along_is_caught, "save-keeps" => {
        fn save(index: &mut NaiveIndex, dir: &Path) -> Result<(), IndexError> {
            index.save(dir)?;
            *index = NaiveIndex::new(index.space().clone());
            Ok(())
        }
    }

    a_save_that_needs_a_fresh_folder_name_is_caught, "save-open" => {
        fn save(index: &mut NaiveIndex, dir: &Path) -> Result<(), IndexError> {
            index.save(dir)?;
            std::fs::write(dir.join("where"), dir.to_string_lossy().as_bytes()).map_err(IndexError::io(dir))?;
            if index.contains(&ItemId::from("one more"))? {
                std::fs::remove_file(dir.join("rows")).map_err(IndexError::io(dir))?;
            }
            Ok(())
        }
    }

    an_open_that_forgives_missing_rows_is_caught, "open-missing-data", "open-another-dim" => {
        fn open(space: EmbeddingSpace, dir: &Path) -> Result<NaiveIndex, IndexError> {
            NaiveIndex::open(space.clone(), dir).or_else(|_| Ok(NaiveIndex::new(space)))
        }
    }

    an_open_that_panics_is_caught, "open-missing-data", "open-changed-bytes" => {
        fn open(space: EmbeddingSpace, dir: &Path) -> Result<NaiveIndex, IndexError> {
            Ok(NaiveIndex::open(space, dir).unwrap())
        }
    }

    a_snapshot_that_changes_is_caught, "save-keeps" => {
        fn open(space: EmbeddingSpace, dir: &Path) -> Result<NaiveIndex, IndexError> {
            let index = NaiveIndex::open(space, dir)?;
            std::fs::write(dir.join("opened"), "yes").map_err(IndexError::io(dir))?;
            Ok(index)
        }
    }

    a_backend_that_claims_too_much_is_caught, "create" => {
        fn create(space: &EmbeddingSpace) -> Result<NaiveIndex, Unavailable> {
            assert_ne!(space.dim(), 511, "odd dimensions are not for us");
            Ok(NaiveIndex::new(space.clone()))
        }
    }

    a_backend_that_claims_too_little_is_caught, "supports" => {
        fn supports(space: &EmbeddingSpace) -> bool {
            space.metric() != Metric::Hamming
        }
    }

    a_backend_of_another_space_is_caught, "probe" => {
        fn create(space: &EmbeddingSpace) -> Result<NaiveIndex, Unavailable> {
            Ok(NaiveIndex::new(space.clone().with_revision("mine")))
        }
    }

    another_name_is_caught, "name" => {
        const REGISTERED: &'static str = "other";
    }

    an_option_of_another_name_is_caught, "options" => {
        const OPTIONS: &'static [OptionSpec] = &[OptionSpec::text("other.key", "")];
    }

    an_option_that_takes_any_value_is_caught, "options" => {
        const OPTIONS: &'static [OptionSpec] = &[OptionSpec::integer("liar.size", 1, 9, "")];
    }
}
