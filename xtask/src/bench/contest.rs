//! The measurement itself: vectors, truth, rounds.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::arguments::{Arguments, Given, Kind};
use super::machine;
use super::page::{self, About, Section};
use super::peers::Peers;
use super::summary::Summary;
use super::table::{CONFIGURATIONS, Engine, Pairs};
use crate::command::{Failure, Line, cargo};
use crate::workspace::Workspace;

/// Vectors of one kind, ready to be measured.
struct Vectors {
    kind: Kind,
    given: Given,
    /// Where they are from, for the page.
    source: String,
    rows: Option<usize>,
    truth: PathBuf,
    /// What the truth was told of itself.
    told: Value,
}

/// What runs them.
struct Contest<'a> {
    arguments: &'a Arguments,
    /// The measuring program.
    program: PathBuf,
    peers: Option<Peers>,
    /// A folder of ours below Cargo's.
    folder: PathBuf,
}

/// One index, and the program with its arguments.
struct Entry {
    name: String,
    arguments: Vec<String>,
    is_peer: bool,
    /// Whether it is asked for pairs as well.
    pairs: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let workspace = Workspace::load()?;
    let folder = workspace.target.join("bench-similarity");
    fs::create_dir_all(&folder).map_err(|why| Failure::new(format!("{}: {why}", folder.display())))?;
    let program = build(arguments, &workspace)?;
    let python = arguments.python.as_deref();
    let peers = if arguments.no_peers { None } else { Some(Peers::find(python, &workspace.root, &folder)?) };
    let contest = Contest { arguments, program, peers, folder };
    let mut loads: Vec<f64> = machine::load().into_iter().collect();
    let mut sections = Vec::new();
    let mut lines = Vec::new();
    for kind in [Kind::Floats, Kind::Bits] {
        let Some(vectors) = contest.vectors(kind)? else { continue };
        let (measured, failed) = contest.rounds(&vectors, &mut loads)?;
        sections.push(Section {
            kind,
            dim: vectors.given.dim,
            rows: vectors.told["rows"].as_u64().unwrap_or_default(),
            queries: vectors.told["queries"].as_u64().unwrap_or_default(),
            k: vectors.told["k"].as_u64().unwrap_or_default(),
            pairs: vectors.told["pairs"].as_u64(),
            radius: arguments.pairs,
            source: vectors.source,
            indexes: Summary::all(&measured),
            failed,
        });
        lines.extend(measured);
    }
    let about = About {
        command: arguments.shown.clone(),
        date: machine::date(),
        machine: machine::described(),
        loads,
        versions: contest.versions()?,
        threads: arguments.threads,
        rounds: arguments.rounds,
        passes: arguments.passes,
    };
    let out = arguments.out.clone().unwrap_or_else(|| workspace.root.join("docs/benchmarks"));
    page::write(&out, &about, &sections, &lines)
}

/// Builds the measuring program with what it is to measure.
fn build(arguments: &Arguments, workspace: &Workspace) -> Result<PathBuf, Failure> {
    let mut features: Vec<String> = arguments.features.iter().map(|feature| format!("nodupe/{feature}")).collect();
    let makes_floats = arguments.floats.is_none() && arguments.hashes.is_none() && arguments.only != Some(Kind::Bits);
    if makes_floats && !arguments.synthetic {
        // Those of the default features need none, others are a matter of --features.
        let feature = match arguments.embedding.as_deref() {
            None | Some("tract-cpu") => Some("tract"),
            Some("ort-cpu") => Some("ort"),
            Some("candle") => Some("candle"),
            _ => None,
        };
        features.extend(feature.map(|feature| format!("nodupe/{feature}")));
    }
    let line = cargo(["build", "--release", "--package", "nodupe-benches", "--bin", "similarity"]);
    let line = if features.is_empty() { line } else { line.args(["--features", &features.join(",")]) };
    line.run()?;
    Ok(workspace.target.join("release").join(format!("similarity{}", std::env::consts::EXE_SUFFIX)))
}

impl Contest<'_> {
    /// The vectors of one kind with their truth; `None` where they are not wanted.
    fn vectors(&self, kind: Kind) -> Result<Option<Vectors>, Failure> {
        let arguments = self.arguments;
        let (given, name) = match kind {
            Kind::Floats => (&arguments.floats, "floats"),
            Kind::Bits => (&arguments.hashes, "bits"),
        };
        let is_wanted = arguments.only.is_none_or(|only| only == kind);
        let (given, source, rows) = match given {
            _ if !is_wanted => return Ok(None),
            Some(Given { vectors, queries, dim }) => {
                let given = Given { vectors: vectors.clone(), queries: queries.clone(), dim: *dim };
                (given, "Vectors from files".to_owned(), arguments.count)
            }
            None if arguments.floats.is_some() || arguments.hashes.is_some() => return Ok(None),
            None => {
                let (given, source) = self.make(kind, &self.folder.join(name))?;
                (given, source, None)
            }
        };
        let truth = self.folder.join(format!("truth-{name}"));
        let mut vectors = Vectors { kind, given, source, rows, truth, told: Value::Null };
        let line = Line::new(&self.program).args(["truth"]).args(vectors.arguments());
        let line = line.args(["--k", &arguments.k.to_string(), "--threads", &arguments.threads.to_string(), "--out"]);
        let line = line.args([&vectors.truth]);
        let line = if kind == Kind::Bits { line.args(["--pairs", &arguments.pairs.to_string()]) } else { line };
        println!("{name}: the true neighbours, by exact search");
        vectors.told = json_lines(&line.output()?)?.pop().unwrap_or_default();
        Ok(Some(vectors))
    }

    /// Makes vectors, or takes those that were made before.
    fn make(&self, kind: Kind, out: &Path) -> Result<(Given, String), Failure> {
        let arguments = self.arguments;
        let line = Line::new(&self.program).args(["make", "--out"]).args([out]);
        let line = line.args(["--count", &arguments.count.unwrap_or(100_000).to_string()]);
        let line = if kind == Kind::Bits { line.args(["--bits"]) } else { line };
        let line = match &arguments.embedding {
            Some(embedding) if kind == Kind::Floats => line.args(["--embedding", embedding]),
            _ => line,
        };
        let line = match &arguments.photos {
            _ if arguments.synthetic => line.args(["--synthetic"]),
            Some(photos) => line.args(["--photos"]).args([photos]),
            None => {
                let wanted = "vectors are made of photographs: name a folder by --photos or NODUPE_PHOTOS, or take \
                              --vectors FILE or --synthetic";
                return Err(Failure::new(wanted));
            }
        };
        line.run()?;
        let path = out.join("made.json");
        let failure = |why: String| Failure::new(format!("{}: {why}", path.display()));
        let made = fs::read_to_string(&path).map_err(|why| failure(why.to_string()))?;
        let made: Value = serde_json::from_str(&made).map_err(|why| failure(why.to_string()))?;
        let dim = made["dim"].as_u64().ok_or_else(|| failure("it says no dimension".to_owned()))?;
        let given = Given { vectors: out.join("vectors"), queries: out.join("queries"), dim: dim as usize };
        Ok((given, format!("Vectors made of {}", made["kind"].as_str().unwrap_or("something"))))
    }

    /// Everything that is measured of the vectors: of each index lines of JSON, and the indexes that failed with the reason.
    fn rounds(&self, vectors: &Vectors, loads: &mut Vec<f64>) -> Result<(Vec<Value>, Vec<String>), Failure> {
        let mut entries = self.entries(vectors)?;
        let (mut lines, mut failed) = (Vec::new(), Vec::new());
        for round in 1..=self.arguments.rounds {
            let mut out = Vec::new();
            for entry in &entries {
                println!("round {round} of {}: {}", self.arguments.rounds, entry.name);
                match self.measure(entry, vectors, round) {
                    Ok(measured) => out.extend(measured),
                    Err(failure) => {
                        println!("skipped: {failure}");
                        failed.push(entry.name.clone());
                    }
                }
                loads.extend(machine::load());
            }
            entries.retain(|entry| !failed.contains(&entry.name));
            // What comes later meets a warmer machine: turn and turn about.
            entries.reverse();
            lines.extend(out);
        }
        Ok((lines, failed))
    }

    fn entries(&self, vectors: &Vectors) -> Result<Vec<Entry>, Failure> {
        let shape = Line::new(&self.program).args(["list"]).args(vectors.shape());
        let built_in = shape.output()?;
        let mut unnamed: Vec<&str> = built_in.lines().collect();
        let mut entries = Vec::new();
        for configuration in CONFIGURATIONS {
            let sweep = configuration.sweep.into_iter().flat_map(|sweep| ["--sweep", sweep]).map(str::to_owned);
            let mut arguments: Vec<String> = sweep.collect();
            let (is_peer, pairs) = match configuration.engine {
                Engine::Ours { kind: Some(kind), .. } if kind != vectors.kind => continue,
                Engine::Ours { backend, set, .. } => {
                    if !built_in.lines().any(|name| name == backend) {
                        println!("skipped: {} is not built in, or holds no such vectors", configuration.name());
                        continue;
                    }
                    unnamed.retain(|name| *name != backend);
                    arguments.extend(["--backend".to_owned(), backend.to_owned()]);
                    arguments.extend(set.iter().flat_map(|option| ["--set".to_owned(), (*option).to_owned()]));
                    (false, vectors.kind == Kind::Bits)
                }
                Engine::Peer { library, kind, pairs } => {
                    if kind != vectors.kind || !self.peers.as_ref().is_some_and(|peers| peers.has(library)) {
                        continue;
                    }
                    arguments.extend(["--library", library, "--index", configuration.label].map(str::to_owned));
                    arguments.extend((pairs == Pairs::Alone).then(|| "--pairs-alone".to_owned()));
                    (true, pairs != Pairs::No)
                }
            };
            entries.push(Entry { name: configuration.name(), arguments, is_peer, pairs });
        }
        for backend in unnamed {
            let arguments = vec!["--backend".to_owned(), backend.to_owned()];
            let pairs = vectors.kind == Kind::Bits;
            entries.push(Entry { name: format!("nodupe {backend}"), arguments, is_peer: false, pairs });
        }
        entries.retain(|entry| self.arguments.wants(&entry.name));
        Ok(entries)
    }

    /// Builds and searches in a process of its own. Every thread pool that a library may have is as large as the others.
    fn measure(&self, entry: &Entry, vectors: &Vectors, round: usize) -> Result<Vec<Value>, Failure> {
        let threads = self.arguments.threads.to_string();
        let line = match &self.peers {
            Some(peers) if entry.is_peer => peers.line(),
            _ => Line::new(&self.program).args(["measure"]),
        };
        let line = line.env("RAYON_NUM_THREADS", &threads).env("OMP_NUM_THREADS", &threads);
        let line = line.env("OPENBLAS_NUM_THREADS", &threads).args(&entry.arguments).args(vectors.arguments());
        let line = line.args(["--truth"]).args([&vectors.truth]).args(["--threads", &threads]);
        let line = line.args(["--passes", &self.arguments.passes.to_string()]);
        let line = line.args(["--scratch"]).args([self.folder.join("scratch")]);
        let line = if entry.pairs { line.args(["--pairs", &self.arguments.pairs.to_string()]) } else { line };
        let mut lines = json_lines(&line.output()?)?;
        for line in &mut lines {
            line["name"] = entry.name.clone().into();
            line["round"] = round.into();
            let rate = line.pointer("/queries_per_s/median").and_then(Value::as_f64);
            if let (Some(recall), Some(rate)) = (line["recall"].as_f64(), rate) {
                println!("  {} recall {recall:.4}, {rate:.0} queries/s", line["setting"].as_str().unwrap_or_default());
            }
        }
        Ok(lines)
    }

    /// Of whatever took part.
    fn versions(&self) -> Result<Vec<(String, String)>, Failure> {
        let rustc = Line::new("rustc").args(["--version"]).output()?;
        let rustc = rustc.split_whitespace().nth(1).unwrap_or("of some version").to_owned();
        let commit = Line::new("git").args(["rev-parse", "--short", "HEAD"]).output();
        let commit = commit.map_or_else(|_| "of no commit".to_owned(), |commit| commit.trim().to_owned());
        let ours = [("nodupe".to_owned(), commit), ("rustc".to_owned(), rustc)];
        let theirs = self.peers.iter().flat_map(|peers| peers.versions.iter().cloned());
        Ok(ours.into_iter().chain(theirs).collect())
    }
}

impl Vectors {
    fn shape(&self) -> Vec<String> {
        let bits = (self.kind == Kind::Bits).then(|| "--bits".to_owned());
        ["--dim".to_owned(), self.given.dim.to_string()].into_iter().chain(bits).collect()
    }

    fn arguments(&self) -> Vec<String> {
        let path = |path: &Path| path.to_string_lossy().into_owned();
        let mut arguments = self.shape();
        arguments.extend(["--vectors".to_owned(), path(&self.given.vectors)]);
        arguments.extend(["--queries".to_owned(), path(&self.given.queries)]);
        arguments.extend(self.rows.into_iter().flat_map(|rows| ["--rows".to_owned(), rows.to_string()]));
        arguments
    }
}

fn json_lines(text: &str) -> Result<Vec<Value>, Failure> {
    let lines = text.lines().map(serde_json::from_str);
    lines.collect::<Result<_, _>>().map_err(|why| Failure::new(format!("what was measured is no JSON: {why}")))
}
