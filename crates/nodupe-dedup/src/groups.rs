//! Clusters of images to groups of files, with the evidence.

use std::collections::HashMap;
use std::path::Path;

use nodupe_media::VideoInfo;
use rayon::prelude::*;

use crate::cascade::{TierPair, standing};
use crate::disjoint::DisjointSets;
use crate::embed::Image;
use crate::keep::KeepRules;
use crate::linkage::{Linkage, cluster};
use crate::report::{Evidence, Group, GroupKind, Link, MediaInfo, Member};
use crate::tier::{Tier, ratio};
use crate::walk::File;

/// All that grouping looks at. `files` are in the order of the walk; `unique` are those that stand for all files of their
/// bytes, and images are numbered by their place in it.
pub(crate) struct Found<'a> {
    pub(crate) files: &'a [File],
    pub(crate) first_of_same: &'a [usize],
    pub(crate) unique: &'a [usize],
    pub(crate) images: &'a [Option<Image>],
    /// Those that are videos.
    pub(crate) videos: &'a HashMap<u32, VideoInfo>,
    pub(crate) tiers: &'a [Tier<'a>],
    /// Each pair once, the smaller number first.
    pub(crate) pairs: &'a [TierPair],
    /// For each image the one that stands for it; itself unless it is settled.
    pub(crate) settled: &'a [u32],
    /// What says which file of a group to keep.
    pub(crate) keep: &'a KeepRules,
}

/// The groups, by their first file.
pub(crate) fn groups(found: &Found<'_>, linkage: Linkage) -> Vec<Group> {
    let stands = |image: u32| found.settled[image as usize] == image;
    let pairs = standing(found.pairs, found.settled);
    let mut clusters = cluster(found.unique.len(), &pairs, 1.0, linkage, |a, b| ratio(found.tiers, a, b));

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
    // An image that is near no other, and has copies, is a cluster of its own; so is one that stands for others.
    let mut is_followed = vec![false; found.unique.len()];
    let followers = || found.settled.iter().enumerate().filter(|(image, first)| *image != **first as usize);
    for (_, &first) in followers() {
        is_followed[first as usize] = true;
    }
    for (image, &file) in found.unique.iter().enumerate() {
        let is_alone = cluster_of[image].is_none() && stands(image as u32) && found.media(image as u32).is_some();
        if is_alone && (is_followed[image] || copies.contains_key(&file)) {
            cluster_of[image] = Some(clusters.len());
            clusters.push(vec![image as u32]);
        }
    }
    for (image, &first) in followers() {
        cluster_of[image] = cluster_of[first as usize];
        if let Some(cluster) = cluster_of[image] {
            clusters[cluster].push(image as u32);
        }
    }
    for cluster in &mut clusters {
        cluster.sort_unstable();
    }
    let mut within: Vec<Vec<TierPair>> = vec![Vec::new(); clusters.len()];
    for &candidate in found.pairs {
        let [a, b] = [candidate.pair.a, candidate.pair.b].map(|image| cluster_of[image as usize]);
        if let Some(cluster) = a.filter(|_| a == b) {
            within[cluster].push(candidate);
        }
    }
    let mut groups: Vec<Group> = clusters
        .par_iter()
        .zip(within)
        .filter_map(|(cluster, candidates)| found.group(cluster, candidates, &copies))
        .collect();
    groups.sort_by(|a, b| a.files.first().map(|file| &file.path).cmp(&b.files.first().map(|file| &file.path)));
    groups
}

impl Found<'_> {
    /// What is known of the image or the video of that number.
    fn media(&self, number: u32) -> Option<MediaInfo> {
        let image = self.images[number as usize].map(|image| MediaInfo::Image(image.info));
        image.or_else(|| self.videos.get(&number).cloned().map(MediaInfo::Video))
    }

    /// The group of a cluster; `None` where fewer than two files are in it.
    fn group(
        &self,
        cluster: &[u32],
        mut candidates: Vec<TierPair>,
        copies: &HashMap<usize, Vec<usize>>,
    ) -> Option<Group> {
        let mut members: Vec<(usize, u32)> = Vec::new();
        for &image in cluster {
            let (file, known) = (self.unique[image as usize], image);
            members.push((file, known));
            members.extend(copies.get(&file).into_iter().flatten().map(|&copy| (copy, known)));
        }
        if members.len() < 2 {
            return None;
        }
        members.sort_unstable_by_key(|(file, _)| *file);
        let place = |file: usize| members.binary_search_by_key(&file, |(file, _)| *file).unwrap_or_default();
        let link = |a: usize, b: usize, similarity, confidence, evidence| {
            let (a, b) = (place(a), place(b));
            Link { a: a.min(b), b: a.max(b), similarity, confidence, evidence }
        };

        let mut links = Vec::with_capacity(members.len() - 1);
        for &image in cluster {
            let first = self.unique[image as usize];
            let same = copies.get(&first).into_iter().flatten();
            links.extend(same.map(|&copy| link(first, copy, 1.0, 1.0, Evidence::ExactBytes)));
        }
        // Kruskal: the strongest link that still connects two parts, until there is one part.
        candidates.sort_by(|a, b| a.pair.distance.total_cmp(&b.pair.distance));
        let mut parts = DisjointSets::new(cluster.len());
        for TierPair { pair, tier } in candidates {
            let [a, b] = [pair.a, pair.b].map(|image| cluster.binary_search(&image).unwrap_or_default() as u32);
            if !parts.join(a, b) {
                continue;
            }
            let [a, b] = [pair.a, pair.b].map(|image| self.unique[image as usize]);
            let found_by = tier.and_then(|tier| self.tiers.get(tier));
            links.push(found_by.map_or_else(
                || link(a, b, 1.0, 1.0, Evidence::ExactPixels),
                |tier| {
                    let (similarity, evidence) = tier.evidence(pair.a, pair.b);
                    link(a, b, similarity, (1.0 - pair.distance).clamp(0.0, 1.0), evidence)
                },
            ));
        }
        links.sort_by_key(|link| (link.a, link.b));

        let exact = links.iter().all(|link| link.evidence.is_exact());
        let files: Vec<Member> = members
            .iter()
            .map(|&(file, image)| {
                let File { path, bytes } = &self.files[file];
                Some(Member { path: path.clone(), bytes: *bytes, media: self.media(image)? })
            })
            .collect::<Option<_>>()?;
        Some(Group {
            kind: if exact { GroupKind::Exact } else { GroupKind::Near },
            weakest: if exact { None } else { weakest(&links) },
            id: id(&self.files[members[0].0].path),
            min_similarity: links.iter().map(|link| link.similarity).fold(1.0, f32::min),
            keep: self.keep.choose(&files),
            files,
            links,
        })
    }
}

fn weakest(links: &[Link]) -> Option<usize> {
    let sure = |link: &usize| links[*link].confidence;
    (0..links.len()).min_by(|a, b| sure(a).total_cmp(&sure(b)))
}

/// What names a group from run to run.
fn id(path: &Path) -> String {
    blake3::hash(path.as_os_str().as_encoded_bytes()).to_hex()[..16].to_owned()
}
