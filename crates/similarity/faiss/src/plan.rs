//! Which index of FAISS: what a description says, and what is chosen where nothing is said.

use nodupe_core::{EmbeddingSpace, Metric};

use crate::native::Native;

/// Up to here everything is looked at: linking a graph takes longer than exact search of all vectors around each other
/// (measured for `nodupe-hnsw`), and FAISS's own advice for few searches is `Flat`.
const FEW_FLOATS: usize = 50_000;
/// The same for bits, which are compared that much faster one by one.
const FEW_BITS: usize = 500_000;
/// Up to here a graph, which FAISS advises wherever memory is no concern; beyond, its building on two cores takes the better
/// part of an hour and inverted lists are filled in minutes.
const GRAPH: usize = 1_000_000;
/// A coarse quantiser of more lists than this is itself searched by a graph: `IVF65536_HNSW32` is FAISS's advice from a
/// million vectors on.
const PLAIN_LISTS: usize = 8_192;
const MAX_LISTS: usize = 65_536;
/// Below so many vectors for each centroid FAISS warns that training is poor (`min_points_per_centroid`).
const POINTS_A_CENTROID: usize = 39;

/// No number in a description may be higher: the lists of an inverted file, most of all.
const MAX_NUMBER: usize = 1 << 20;
const MAX_BITS: usize = 16;
const LINKS: std::ops::RangeInclusive<usize> = 2..=256;
const MAX_LENGTH: usize = 100;

/// What the user wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Choice {
    Auto,
    Given(Description),
}

/// What an index does with its vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Holds them as they are and looks at all.
    Flat,
    /// Holds them as they are, in a graph.
    Graph,
    /// Holds them as they are, in inverted lists.
    Lists,
    /// Anything else: it may hold what it rounded them to.
    Quantised,
}

/// A description for the factory that has been looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Description {
    pub(crate) text: String,
    pub(crate) kind: Kind,
    /// Centroids that are trained; 0 where nothing is.
    pub(crate) centroids: usize,
    /// Vectors below which it is not made and everything is looked at.
    pub(crate) needed: usize,
    /// Inverted lists; 0 where there are none.
    pub(crate) lists: usize,
}

impl Choice {
    pub(crate) fn parse(text: &str, space: &EmbeddingSpace) -> Result<Self, String> {
        let text = text.trim();
        if text.eq_ignore_ascii_case("auto") {
            return Ok(Self::Auto);
        }
        let description = Description::parse(text, space)?;
        // FAISS has the last word: what it cannot make it refuses with an exception.
        Native::new(space, text).map_err(|why| why.to_string())?;
        Ok(Self::Given(description))
    }

    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Auto => "auto",
            Self::Given(description) => &description.text,
        }
    }

    /// What to make of so many vectors.
    pub(crate) fn for_len(&self, len: usize, space: &EmbeddingSpace) -> Description {
        match self {
            Self::Auto => automatic(len, space),
            Self::Given(description) => description.clone(),
        }
    }
}

/// By the number of vectors, after FAISS's "Guidelines to choose an index" (wiki): everything is looked at where that is
/// quick, a graph where memory allows, and from a million vectors on inverted lists, 4 to 16 times as many as the root of
/// the number of vectors. Nothing is quantised: that loses what only the user can say is not needed.
fn automatic(len: usize, space: &EmbeddingSpace) -> Description {
    let is_bits = space.metric() == Metric::Hamming;
    let few = if is_bits { FEW_BITS } else { FEW_FLOATS };
    let lists = (4 * len.isqrt()).next_power_of_two().clamp(1_024, MAX_LISTS);
    let (text, kind, lists) = match (len, is_bits) {
        (_, false) if len <= few => ("Flat".to_owned(), Kind::Flat, 0),
        (_, true) if len <= few => ("BFlat".to_owned(), Kind::Flat, 0),
        (_, false) if len <= GRAPH => ("HNSW32".to_owned(), Kind::Graph, 0),
        (_, true) if len <= GRAPH => ("BHNSW32".to_owned(), Kind::Graph, 0),
        (_, false) if lists <= PLAIN_LISTS => (format!("IVF{lists},Flat"), Kind::Lists, lists),
        (_, false) => (format!("IVF{lists}_HNSW32,Flat"), Kind::Lists, lists),
        (_, true) => (format!("BIVF{lists}"), Kind::Lists, lists),
    };
    Description { text, kind, centroids: lists, needed: POINTS_A_CENTROID * lists, lists }
}

impl Description {
    /// Refuses what FAISS would not survive (a division by nothing, more memory than there is) and what cannot serve here.
    fn parse(text: &str, space: &EmbeddingSpace) -> Result<Self, String> {
        if text.is_empty() || text.len() > MAX_LENGTH {
            return Err(format!("a description has 1 to {MAX_LENGTH} letters"));
        }
        if let Some(other) = text.chars().find(|c| !c.is_ascii_alphanumeric() && !",_+()".contains(*c)) {
            return Err(format!("`{other}` is not in any description"));
        }
        for word in ["IDMap", "Lattice", "NSG", "Dedup"] {
            if text.contains(word) {
                return Err(format!("{word} does not serve here"));
            }
        }
        let mut numbers = Vec::new();
        let mut rest = text;
        let mut before = "";
        while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
            let (word, after) = rest.split_at(start);
            let end = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
            let (digits, after) = after.split_at(end);
            let unit = match after.as_bytes().first() {
                Some(b'k') => 1 << 10,
                Some(b'M') => 1 << 20,
                _ => 1,
            };
            let number: usize = digits.parse().map_err(|_| format!("{digits} is too much"))?;
            let number = number.saturating_mul(unit);
            let word = word.trim_start_matches(['k', 'M']);
            check_number(before, word, number, space)?;
            numbers.push((before, word, number));
            before = word;
            rest = after;
        }
        if space.metric() == Metric::Hamming {
            return Self::parse_bits(text, &numbers);
        }
        let kind = match text.split_once(',').unwrap_or((text, "")) {
            ("Flat", "") => Kind::Flat,
            (graph, "" | "Flat") if is_named(graph, "HNSW") => Kind::Graph,
            (lists, "Flat") if lists.split_once("_HNSW").map_or(lists, |split| split.0).starts_with("IVF") => {
                Kind::Lists
            }
            _ => Kind::Quantised,
        };
        let lists = numbers.iter().find(|(_, word, _)| word.ends_with("IVF")).map_or(0, |found| found.2);
        let mut centroids = lists;
        for (place, (_, word, number)) in numbers.iter().enumerate() {
            let has_bits = numbers.get(place + 1).is_some_and(|(_, next, _)| *next == "x");
            if word.ends_with('x') {
                centroids = centroids.max(1 << number);
            } else if word.contains('Q') && !word.contains("SQ") && !has_bits {
                centroids = centroids.max(256);
            }
        }
        let of_parts = if kind == Kind::Quantised { space.dim() } else { 1 };
        let needed = (POINTS_A_CENTROID * centroids).max(of_parts);
        Ok(Self { text: text.to_owned(), kind, centroids, needed, lists })
    }

    fn parse_bits(text: &str, numbers: &[(&str, &str, usize)]) -> Result<Self, String> {
        let words: Vec<&str> = numbers.iter().map(|(_, word, _)| *word).collect();
        // FAISS reads the beginning and does not look at what follows.
        let ends = text.ends_with(|c: char| c.is_ascii_digit());
        let (kind, lists) = match (words.as_slice(), numbers) {
            ([], _) if text == "BFlat" => (Kind::Flat, 0),
            (["BHNSW"], _) if ends => (Kind::Graph, 0),
            (["BIVF"] | ["BIVF", "_HNSW"], [(_, _, lists), ..]) if ends => (Kind::Lists, *lists),
            (["BHash"] | ["BHash", "x"], _) if ends => (Kind::Quantised, 0),
            _ => {
                return Err(
                    "of bits there are BFlat, BHNSW32, BIVF1024, BIVF4096_HNSW32, BHash16 and BHash4x16".to_owned()
                );
            }
        };
        Ok(Self { text: text.to_owned(), kind, centroids: lists, needed: (POINTS_A_CENTROID * lists).max(1), lists })
    }
}

/// Whether a text is the word and a number, or none.
fn is_named(text: &str, word: &str) -> bool {
    text.strip_prefix(word).is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Checks the number after a word; `before` is the word before that.
fn check_number(before: &str, word: &str, number: usize, space: &EmbeddingSpace) -> Result<(), String> {
    let dim = space.dim();
    let most = if word.ends_with("HNSW") {
        if !LINKS.contains(&number) {
            return Err(format!("HNSW has {} to {} links", LINKS.start(), LINKS.end()));
        }
        *LINKS.end()
    } else if word.ends_with("OPQ") && number > 0 && !dim.is_multiple_of(number) {
        return Err(format!("{number} parts of {dim} components are not alike"));
    } else if (word == "_" && before.ends_with("OPQ"))
        || word.ends_with("PCA")
        || word.ends_with("PCAR")
        || word.ends_with("PCAW")
        || word.ends_with("PCAWR")
    {
        dim
    } else if word.ends_with('x') && before.ends_with("Hash") {
        32
    } else if word.ends_with('x') {
        MAX_BITS
    } else if word.ends_with("Hash") {
        64
    } else if word.contains('Q') || word.contains("Residual") || word.ends_with("ITQ") {
        dim
    } else {
        MAX_NUMBER
    };
    if (1..=most).contains(&number) { Ok(()) } else { Err(format!("the number after `{word}` must be 1 to {most}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn floats() -> EmbeddingSpace {
        EmbeddingSpace::cosine("toy", 64).unwrap()
    }

    fn given(text: &str, space: &EmbeddingSpace) -> Result<Description, String> {
        match Choice::parse(text, space)? {
            Choice::Given(description) => Ok(description),
            Choice::Auto => Err("auto".to_owned()),
        }
    }

    #[test]
    fn descriptions_are_understood() {
        let bits = EmbeddingSpace::hamming("toy", 256).unwrap();
        for (text, space, kind, centroids) in [
            ("Flat", &floats(), Kind::Flat, 0),
            ("HNSW", &floats(), Kind::Graph, 0),
            ("HNSW16,Flat", &floats(), Kind::Graph, 0),
            ("HNSW16,SQ8", &floats(), Kind::Quantised, 0),
            ("IVF1024,Flat", &floats(), Kind::Lists, 1_024),
            ("IVF1k,Flat", &floats(), Kind::Lists, 1_024),
            ("IVF4096_HNSW32,Flat", &floats(), Kind::Lists, 4_096),
            ("IVF64,PQ8", &floats(), Kind::Quantised, 256),
            ("IVF64,PQ8x4fs", &floats(), Kind::Quantised, 64),
            ("PQ16x4", &floats(), Kind::Quantised, 16),
            ("OPQ8_32,IVF64,PQ8", &floats(), Kind::Quantised, 256),
            ("PCA32,IVF64,Flat", &floats(), Kind::Quantised, 64),
            ("SQ8", &floats(), Kind::Quantised, 0),
            ("BFlat", &bits, Kind::Flat, 0),
            ("BHNSW32", &bits, Kind::Graph, 0),
            ("BIVF1024", &bits, Kind::Lists, 1_024),
            ("BIVF64_HNSW16", &bits, Kind::Lists, 64),
            ("BHash4x16", &bits, Kind::Quantised, 0),
        ] {
            let found = given(text, space).unwrap();
            assert_eq!((found.kind, found.centroids), (kind, centroids), "{text}");
        }
    }

    #[test]
    fn descriptions_that_are_none_are_refused_and_nothing_crashes() {
        let bits = EmbeddingSpace::hamming("toy", 256).unwrap();
        for text in [
            "",
            "flat",
            "Flat\0",
            "HNSW0",
            "HNSW1",
            "HNSW32,PQ0",
            "HNSW99999",
            "IVF0,Flat",
            "IVF,Flat",
            "IVF1024",
            "IVF99999999999999999999,Flat",
            "IVF9M,Flat",
            "PQ0",
            "PQ7",
            "PQ65",
            "PQ8x0",
            "PQ8x30",
            "PCA0,Flat",
            "PCA65,Flat",
            "OPQ7,Flat",
            "OPQ0,Flat",
            "IDMap,Flat",
            "SQ5",
            "IVF16,PQ8+0",
            "IVF4(IVF4,Flat",
            "SQ0",
            "RR0,Flat",
            "LSQ0x4",
            "RQ4x0",
            "Residual0x4,Flat",
            "ITQ0,LSH",
            "LSH0x",
            "BFlat",
            "BIVF16",
            "IMI2x0,Flat",
            "Pad0,Flat",
        ] {
            assert!(given(text, &floats()).is_err(), "{text}");
        }
        for text in
            ["Flat", "HNSW32", "BHNSW", "BHNSW1", "BHNSW32x", "BIVF0", "BIVF16_HNSW0", "BHash0", "BHash4x0", "BHash"]
        {
            assert!(given(text, &bits).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_chosen_grows_with_the_number_of_vectors() {
        let bits = EmbeddingSpace::hamming("toy", 256).unwrap();
        let texts = |space: &EmbeddingSpace| {
            [0, 50_000, 50_001, 600_000, 2_000_000, 30_000_000, usize::MAX]
                .map(|len| automatic(len, space).text)
                .join(" ")
        };
        assert_eq!(texts(&floats()), "Flat Flat HNSW32 HNSW32 IVF8192,Flat IVF32768_HNSW32,Flat IVF65536_HNSW32,Flat");
        assert_eq!(texts(&bits), "BFlat BFlat BFlat BHNSW32 BIVF8192 BIVF32768 BIVF65536");
        for len in [0, 60_000, 5_000_000] {
            for space in [&floats(), &bits] {
                let own = automatic(len, space);
                assert_eq!(Description::parse(&own.text, space).unwrap().kind, own.kind);
            }
        }
    }
}
