//! What `cargo xtask bench similarity` can be told.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::str::FromStr;

use crate::command::Failure;

pub(super) const HELP: &str = "\
cargo xtask bench similarity [OPTIONS]

Measures every similarity backend and its peers (faiss-cpu, hnswlib, usearch) on the same vectors, in turns, and writes
docs/benchmarks/similarity.{md,svg,json}.

  --vectors FILE --queries FILE --dim N            floats: rows of little-endian f32 of unit length
  --hashes FILE --hash-queries FILE --bits N       hashes: rows of packed bits
  --photos FOLDER       without files: what to make both of [default: $NODUPE_PHOTOS]
  --synthetic           without photographs: random vectors, and the page says so
  --embedding NAME      what makes floats of photographs [default: tract-cpu, with the first installed model]
  --only floats|bits    one of the two
  --count N             how many vectors to make, or to take from the files [default: 100000, or all]
  --k N                 neighbours that are asked for [default: 10]
  --pairs RADIUS        the distance of the pairs of hashes, in bits [default: 31]
  --threads N           to build and to search on [default: all cores]
  --rounds N            turns, each of which builds every index anew [default: 3]
  --passes N            searches for all queries in a turn [default: 5]
  --indexes NAMES       only those whose name contains one of NAMES, separated by commas
  --features LIST       features of the facade beside the default ones, for backends that those leave out
  --python PROGRAM      a Python that has the peers [default: a virtual environment that is made by pip]
  --no-peers            our own alone
  --out FOLDER          where the page goes [default: docs/benchmarks]";

#[derive(Debug, PartialEq)]
pub(super) struct Arguments {
    pub(super) floats: Option<Given>,
    pub(super) hashes: Option<Given>,
    pub(super) photos: Option<PathBuf>,
    pub(super) synthetic: bool,
    pub(super) embedding: Option<String>,
    pub(super) only: Option<Kind>,
    pub(super) count: Option<usize>,
    pub(super) k: usize,
    pub(super) pairs: u32,
    pub(super) threads: usize,
    pub(super) rounds: usize,
    pub(super) passes: usize,
    pub(super) indexes: Vec<String>,
    pub(super) features: Vec<String>,
    pub(super) python: Option<PathBuf>,
    pub(super) no_peers: bool,
    pub(super) out: Option<PathBuf>,
    /// The command without paths, for the page.
    pub(super) shown: String,
}

/// Vectors in files.
#[derive(Debug, PartialEq)]
pub(super) struct Given {
    pub(super) vectors: PathBuf,
    pub(super) queries: PathBuf,
    pub(super) dim: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Floats,
    Bits,
}

impl Arguments {
    pub(super) fn parse(words: &[&str]) -> Result<Self, Failure> {
        let mut parsed = Self {
            floats: None,
            hashes: None,
            photos: std::env::var_os("NODUPE_PHOTOS").map(PathBuf::from),
            synthetic: false,
            embedding: None,
            only: None,
            count: None,
            k: 10,
            pairs: 31,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            rounds: 3,
            passes: 5,
            indexes: Vec::new(),
            features: Vec::new(),
            python: None,
            no_peers: false,
            out: None,
            shown: "cargo xtask bench similarity".to_owned(),
        };
        let (mut floats, mut hashes) = ([None; 3], [None; 3]);
        let mut words = words.iter().copied();
        while let Some(word) = words.next() {
            let _ = write!(parsed.shown, " {word}");
            match word {
                "--synthetic" => parsed.synthetic = true,
                "--no-peers" => parsed.no_peers = true,
                _ => {
                    let value =
                        words.next().ok_or_else(|| Failure::new(format!("{word} wants a value, or is unknown")))?;
                    let _ = write!(parsed.shown, " {}", shown(word, value));
                    match word {
                        "--vectors" => floats[0] = Some(value),
                        "--queries" => floats[1] = Some(value),
                        "--dim" => floats[2] = Some(value),
                        "--hashes" => hashes[0] = Some(value),
                        "--hash-queries" => hashes[1] = Some(value),
                        "--bits" => hashes[2] = Some(value),
                        _ => parsed.set(word, value)?,
                    }
                }
            }
        }
        parsed.floats = given(floats, "--vectors, --queries and --dim")?;
        parsed.hashes = given(hashes, "--hashes, --hash-queries and --bits")?;
        Ok(parsed)
    }

    fn set(&mut self, word: &str, value: &str) -> Result<(), Failure> {
        let list = || value.split(',').map(str::to_owned).collect();
        match word {
            "--photos" => self.photos = Some(value.into()),
            "--embedding" => self.embedding = Some(value.to_owned()),
            "--only" => self.only = Some(kind(value)?),
            "--count" => self.count = Some(number(word, value)?),
            "--k" => self.k = number(word, value)?,
            "--pairs" => self.pairs = value.parse().map_err(|_| Failure::new("--pairs wants a number of bits"))?,
            "--threads" => self.threads = number(word, value)?,
            "--rounds" => self.rounds = number(word, value)?,
            "--passes" => self.passes = number(word, value)?,
            "--indexes" => self.indexes = list(),
            "--features" => self.features = list(),
            "--python" => self.python = Some(value.into()),
            "--out" => self.out = Some(value.into()),
            _ => return Err(Failure::new(format!("unknown: {word}\n\n{HELP}"))),
        }
        Ok(())
    }

    /// Whether an index is to be measured.
    pub(super) fn wants(&self, name: &str) -> bool {
        self.indexes.is_empty() || self.indexes.iter().any(|wanted| name.contains(wanted.as_str()))
    }
}

/// A path of this machine says nothing to others.
fn shown<'a>(word: &str, value: &'a str) -> &'a str {
    match word {
        "--vectors" | "--queries" | "--hashes" | "--hash-queries" => "FILE",
        "--photos" | "--out" => "FOLDER",
        "--python" => "PROGRAM",
        _ => value,
    }
}

/// All three or none.
fn given(words: [Option<&str>; 3], names: &str) -> Result<Option<Given>, Failure> {
    match words {
        [None, None, None] => Ok(None),
        [Some(vectors), Some(queries), Some(dim)] => {
            Ok(Some(Given { vectors: vectors.into(), queries: queries.into(), dim: number("a dimension", dim)? }))
        }
        _ => Err(Failure::new(format!("{names} go together"))),
    }
}

fn kind(word: &str) -> Result<Kind, Failure> {
    match word {
        "floats" => Ok(Kind::Floats),
        "bits" => Ok(Kind::Bits),
        _ => Err(Failure::new(format!("--only wants floats or bits, not {word}"))),
    }
}

fn number(what: &str, word: &str) -> Result<usize, Failure> {
    let number = usize::from_str(word).ok().filter(|&number| number > 0);
    number.ok_or_else(|| Failure::new(format!("{what} wants a number over 0, not {word}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_has_no_paths() {
        let words =
            ["--vectors", "/a", "--queries", "/b", "--dim", "8", "--python", "/p", "--rounds", "2", "--synthetic"];
        let parsed = Arguments::parse(&words).unwrap();
        assert_eq!(parsed.floats, Some(Given { vectors: "/a".into(), queries: "/b".into(), dim: 8 }));
        assert_eq!((parsed.hashes, parsed.rounds, parsed.synthetic), (None, 2, true));
        assert_eq!(
            parsed.shown,
            "cargo xtask bench similarity --vectors FILE --queries FILE --dim 8 --python PROGRAM --rounds 2 --synthetic"
        );
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for words in [
            &["--vectors", "/a"][..],
            &["--rounds", "0"],
            &["--threads"],
            &["--only", "words"],
            &["--unknown", "1"],
            &["stray"],
        ] {
            assert!(Arguments::parse(words).is_err(), "{words:?}");
        }
    }

    #[test]
    fn indexes_are_chosen_by_a_part_of_their_name() {
        let parsed = Arguments::parse(&["--indexes", "hnsw,Flat"]).unwrap();
        assert!(
            parsed.wants("nodupe hnsw") && parsed.wants("faiss-cpu IVF,Flat") && !parsed.wants("nodupe bruteforce")
        );
    }
}
