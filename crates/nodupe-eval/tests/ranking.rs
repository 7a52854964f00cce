//! Vectors to rankings, by an exact index.
#![allow(clippy::unwrap_used, reason = "what helps tests is one of them")]

use nodupe_conformance::reference::NaiveIndex;
use nodupe_core::{EmbeddingSpace, Embeddings};
use nodupe_eval::{EvalError, Labels, Ranking, Vectors, rank};
use serde_json::json;

/// Labels of groups of so many files.
fn labels(groups: &[usize]) -> Labels {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("labels.json");
    let name = |group: usize, place: usize| format!("{group}-{place}.jpg");
    let groups: Vec<Vec<String>> =
        groups.iter().enumerate().map(|(group, &files)| (0..files).map(|place| name(group, place)).collect()).collect();
    let transforms: serde_json::Map<_, _> =
        groups.iter().flat_map(|group| &group[1..]).map(|path| (path.clone(), json!("edit"))).collect();
    std::fs::write(&file, json!({"groups": groups, "transforms": transforms}).to_string()).unwrap();
    Labels::open(&file).unwrap()
}

fn ranked(labels: &Labels, vectors: &Vectors, space: &EmbeddingSpace) -> Ranking {
    let mut ranking = rank(labels, vectors, &mut NaiveIndex::new(space.clone()), &|| false).unwrap();
    for similarities in [&mut ranking.copies, &mut ranking.strangers] {
        similarities.sort_unstable_by(|a, b| b.total_cmp(a));
    }
    ranking
}

/// Eight bits an image, in one or more views.
fn of_bits(images: &[&[Option<u8>]]) -> (EmbeddingSpace, Vectors) {
    let space = EmbeddingSpace::hamming("toy", 8).unwrap();
    let mut vectors = Vectors::new(&space, images[0].len());
    for views in images {
        let rows = |bits: &Option<u8>| Embeddings::from_bits(space.clone(), bits.iter().copied().collect()).unwrap();
        vectors.push(&views.iter().map(rows).collect::<Vec<_>>()).unwrap();
    }
    (space, vectors)
}

#[test]
fn a_ranking_is_as_by_hand() {
    let bits = [0b0000_0000, 0b0000_0001, 0b1111_0000, 0b1111_0011, 0b0000_0011].map(|bits| [Some(bits)]);
    let bits: Vec<&[Option<u8>]> = bits.iter().map(|bits| &bits[..]).collect();
    let (space, vectors) = of_bits(&bits);
    let ranking = ranked(&labels(&[2, 2, 1]), &vectors, &space);
    assert_eq!((ranking.positives, &ranking.copies[..]), (2, &[0.875, 0.75][..]));
    assert_eq!(ranking.strangers, [0.875, 0.75, 0.5, 0.5, 0.375, 0.375, 0.25, 0.25]);
    assert_eq!(ranking.complete_from, None);
    // The copy of the first is as near to a stranger as to its original.
    assert_eq!((ranking.nearest.found, ranking.nearest.of), (3, 4));
    assert_eq!((ranking.by_transform["edit"].of, &ranking.by_transform["edit"].known[..]), (2, &[0.875, 0.75][..]));
    let curve = ranking.curve();
    // Of two pairs of 0.875 one is right, and so is one of two of 0.75.
    assert!((curve.micro_average_precision() - 0.5).abs() < 1e-12);
    assert!(ranking.sample.iter().all(|similarity| ranking.strangers.contains(similarity)));
    assert!(ranking.sample.len() > 1000);
}

#[test]
fn a_pair_is_as_alike_as_the_view_that_shows_it_best() {
    let one = |bits| [Some(bits), Some(255 - bits)];
    let (space, vectors) = of_bits(&[&one(0), &one(255), &one(15)]);
    let ranking = ranked(&labels(&[2, 1]), &vectors, &space);
    assert_eq!((&ranking.copies[..], &ranking.strangers[..]), (&[1.0][..], &[0.5, 0.5][..]));
}

#[test]
fn an_image_without_an_embedding_is_not_found_and_counts() {
    let (space, vectors) = of_bits(&[&[Some(0)], &[None], &[Some(0)], &[Some(255)]]);
    let ranking = ranked(&labels(&[3, 1]), &vectors, &space);
    assert_eq!((ranking.positives, &ranking.copies[..]), (3, &[1.0][..]));
    assert_eq!((ranking.nearest.found, ranking.nearest.of), (2, 3));
    let found = ranking.curve().at_precision(1.0).unwrap();
    assert!((found.recall - 1.0 / 3.0).abs() < 1e-12);
}

#[test]
fn down_to_where_a_ranking_says_no_stranger_is_missing() {
    let space = EmbeddingSpace::cosine("toy", 2).unwrap();
    let mut vectors = Vectors::new(&space, 1);
    let vector = |image: usize| {
        let angle = (image * image) as f32 * 0.013;
        [angle.cos(), angle.sin()]
    };
    let count = 300;
    for image in 0..count {
        vectors.push(&[Embeddings::from_f32(space.clone(), vector(image).to_vec()).unwrap()]).unwrap();
    }
    let ranking = ranked(&labels(&[1; 300]), &vectors, &space);
    let complete_from = ranking.complete_from.unwrap();
    let pairs = (0..count).flat_map(|a| (a + 1..count).map(move |b| (vector(a), vector(b))));
    let alike = pairs.map(|(a, b)| a[0] * b[0] + a[1] * b[1]).filter(|&similarity| similarity > complete_from + 1e-5);
    let there = ranking.strangers.iter().filter(|&&similarity| similarity > complete_from + 1e-5).count();
    assert_eq!(there, alike.count());
    assert!(there > 1000 && ranking.strangers.len() < count * (count - 1) / 2, "{there}");
}

#[test]
fn ranking_stops_when_it_is_asked_to() {
    let (space, vectors) = of_bits(&[&[Some(0)], &[Some(1)]]);
    let stopped = rank(&labels(&[2]), &vectors, &mut NaiveIndex::new(space), &|| true);
    assert!(matches!(stopped, Err(EvalError::Interrupted)));
}
