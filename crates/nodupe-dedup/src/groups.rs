//! Clusters of images to groups of files, with the evidence.

use std::collections::HashMap;
use std::path::PathBuf;

use nodupe_core::{EmbeddingSpace, View};
use nodupe_media::{DecodeOptions, Decoder};
use rayon::prelude::*;

use crate::collection::Collection;
use crate::disjoint::DisjointSets;
use crate::embed::Image;
use crate::linkage::{Linkage, NearPair, cluster};
use crate::pairs::NearPairs;
use crate::report::{Evidence, Group, GroupKind, Link, Member};
use crate::walk::File;

/// All that grouping looks at. `files` are in the order of the walk; `unique` are those that stand for all files of their
/// bytes, and images are numbered by their place in it.
pub(crate) struct Found<'a> {
    pub(crate) files: &'a [File],
    pub(crate) first_of_same: &'a [usize],
    pub(crate) unique: &'a [usize],
    pub(crate) images: &'a [Option<Image>],
    pub(crate) collection: &'a Collection,
    pub(crate) near: &'a NearPairs,
}

/// How near is near, and what is made of it.
pub(crate) struct Rule<'a> {
    pub(crate) backend: &'static str,
    pub(crate) space: &'a EmbeddingSpace,
    pub(crate) max_distance: f32,
    pub(crate) linkage: Linkage,
}

/// A pair of images that may become a link.
#[derive(Clone, Copy)]
struct Candidate {
    pair: NearPair,
    view: View,
    same_pixels: bool,
}

/// The groups, by their first file.
pub(crate) fn groups(found: &Found<'_>, rule: &Rule<'_>, decode: &DecodeOptions) -> Vec<Group> {
    let candidates = found.candidates(decode);
    let distance = |a, b| found.collection.distance(rule.space.metric(), a, b);
    let pairs: Vec<NearPair> = found.near.pairs.iter().map(|(pair, _)| *pair).collect();
    let mut clusters = cluster(found.unique.len(), &pairs, rule.max_distance, rule.linkage, distance);

    let mut copies: HashMap<usize, Vec<usize>> = HashMap::new();
    for (file, &first) in found.first_of_same.iter().enumerate().filter(|(file, first)| file != *first) {
        copies.entry(first).or_default().push(file);
    }
    let mut cluster_of = vec![None; found.unique.len()];
    for (number, cluster) in clusters.iter().enumerate() {
        for &image in cluster {
            cluster_of[image as usize] = Some(number);
        }
    }
    // An image that is near no other, and has copies, is a cluster of its own.
    for (image, &file) in found.unique.iter().enumerate() {
        if cluster_of[image].is_none() && found.images[image].is_some() && copies.contains_key(&file) {
            cluster_of[image] = Some(clusters.len());
            clusters.push(vec![image as u32]);
        }
    }
    let mut within: Vec<Vec<Candidate>> = vec![Vec::new(); clusters.len()];
    for candidate in candidates {
        let [a, b] = [candidate.pair.a, candidate.pair.b].map(|image| cluster_of[image as usize]);
        if let Some(cluster) = a.filter(|_| a == b) {
            within[cluster].push(candidate);
        }
    }
    let mut groups: Vec<Group> = clusters
        .par_iter()
        .zip(within)
        .filter_map(|(cluster, candidates)| found.group(cluster, candidates, &copies, rule))
        .collect();
    groups.sort_by(|a, b| a.files.first().map(|file| &file.path).cmp(&b.files.first().map(|file| &file.path)));
    groups
}

impl Found<'_> {
    /// The near pairs, with those of identical pixels found out: pixels are compared where what the backend was given is
    /// equal, since else they cannot be.
    fn candidates(&self, decode: &DecodeOptions) -> Vec<Candidate> {
        let equal = |pair: &NearPair| {
            let [a, b] = [pair.a, pair.b].map(|image| self.images[image as usize]);
            a.zip(b).is_some_and(|(a, b)| {
                let same_size = (a.info.width, a.info.height) == (b.info.width, b.info.height);
                a.input == b.input && same_size
            })
        };
        let pairs = || self.near.pairs.iter().copied();
        let mut asked: Vec<u32> =
            pairs().filter(|(pair, _)| equal(pair)).flat_map(|(pair, _)| [pair.a, pair.b]).collect();
        asked.sort_unstable();
        asked.dedup();
        let digests: HashMap<u32, [u8; 32]> = asked
            .into_par_iter()
            .map_init(
                || Decoder::new(decode.clone()),
                |decoder, image| {
                    let path = &self.files[self.unique[image as usize]].path;
                    decoder.pixel_digest(path).ok().map(|digest| (image, digest))
                },
            )
            .flatten()
            .collect();
        pairs()
            .map(|(pair, view)| {
                let same_pixels =
                    equal(&pair) && digests.get(&pair.a).zip(digests.get(&pair.b)).is_some_and(|(a, b)| a == b);
                Candidate { pair, view, same_pixels }
            })
            .collect()
    }

    /// The group of a cluster; `None` where fewer than two files are in it.
    fn group(
        &self,
        cluster: &[u32],
        mut candidates: Vec<Candidate>,
        copies: &HashMap<usize, Vec<usize>>,
        rule: &Rule<'_>,
    ) -> Option<Group> {
        let mut members: Vec<(usize, Image)> = Vec::new();
        for &image in cluster {
            let (file, known) = (self.unique[image as usize], self.images[image as usize]?);
            members.push((file, known));
            members.extend(copies.get(&file).into_iter().flatten().map(|&copy| (copy, known)));
        }
        if members.len() < 2 {
            return None;
        }
        members.sort_unstable_by_key(|(file, _)| *file);
        let place = |file: usize| members.binary_search_by_key(&file, |(file, _)| *file).unwrap_or_default();
        let link = |a: usize, b: usize, similarity, evidence| {
            let (a, b) = (place(a), place(b));
            Link { a: a.min(b), b: a.max(b), similarity, evidence }
        };

        let mut links = Vec::with_capacity(members.len() - 1);
        for &image in cluster {
            let first = self.unique[image as usize];
            let same = copies.get(&first).into_iter().flatten();
            links.extend(same.map(|&copy| link(first, copy, 1.0, Evidence::ExactBytes)));
        }
        // Kruskal: the strongest link that still connects two parts, until there is one part.
        candidates.sort_by(|a, b| b.same_pixels.cmp(&a.same_pixels).then(a.pair.distance.total_cmp(&b.pair.distance)));
        let mut parts = DisjointSets::new(cluster.len());
        for Candidate { pair, view, same_pixels } in candidates {
            let [a, b] = [pair.a, pair.b].map(|image| cluster.binary_search(&image).unwrap_or_default() as u32);
            if !parts.join(a, b) {
                continue;
            }
            let [a, b] = [pair.a, pair.b].map(|image| self.unique[image as usize]);
            links.push(if same_pixels {
                link(a, b, 1.0, Evidence::ExactPixels)
            } else {
                let evidence = Evidence::Embedding { backend: rule.backend, view, distance: pair.distance };
                link(a, b, rule.space.similarity(pair.distance), evidence)
            });
        }
        links.sort_by_key(|link| (link.a, link.b));

        let exact = links.iter().all(|link| link.evidence.is_exact());
        Some(Group {
            kind: if exact { GroupKind::Exact } else { GroupKind::Near },
            min_similarity: if exact { 1.0 } else { self.min_similarity(cluster, rule) },
            files: members
                .into_iter()
                .map(|(file, image)| Member {
                    path: self.files[file].path.clone(),
                    bytes: self.files[file].bytes,
                    image: image.info,
                })
                .collect(),
            links,
        })
    }

    fn min_similarity(&self, cluster: &[u32], rule: &Rule<'_>) -> f32 {
        let pairs =
            cluster.iter().enumerate().flat_map(|(place, &a)| cluster[place + 1..].iter().map(move |&b| (a, b)));
        let furthest = pairs.map(|(a, b)| self.collection.distance(rule.space.metric(), a, b)).fold(0.0, f32::max);
        rule.space.similarity(furthest)
    }
}

/// Paths of the images that stand for all files of their bytes.
pub(crate) fn paths(files: &[File], unique: &[usize]) -> Vec<PathBuf> {
    unique.iter().map(|&file| files[file].path.clone()).collect()
}
