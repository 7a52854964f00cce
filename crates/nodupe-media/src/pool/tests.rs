//! Decoders that panic, loop and are slow, put in the place of real ones.

use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::AtomicUsize;

use nodupe_core::{Channels, View};

use super::*;
use crate::Limits;
use crate::picture::{Given, Header, Picture, Request, zeroed};

/// What a file wants of its decoder is written in it, after the magic bytes of a JPEG.
fn open<'a>(request: &Request<'a>) -> Result<Box<dyn Picture + 'a>, Failure> {
    match &request.bytes[3..] {
        b"panic early" => panic!("as the file says"),
        wish => Ok(Box::new(Wish(wish))),
    }
}

struct Wish<'a>(&'a [u8]);

static AT_ONCE: AtomicUsize = AtomicUsize::new(0);
static MOST_AT_ONCE: AtomicUsize = AtomicUsize::new(0);

impl Picture for Wish<'_> {
    fn header(&self) -> Header {
        let memory = if self.0.starts_with(b"large") { 30 << 20 } else { 10 };
        Header { width: 4, height: 4, orientation: View::Identity, memory }
    }

    fn read(self: Box<Self>, buffer: &mut Vec<u8>) -> Result<Given, Failure> {
        zeroed(buffer, 16);
        match self.0 {
            b"panic" => panic!("{}", format!("as the file says: {:?}", self.0)),
            b"loop" => loop {
                thread::sleep(Duration::from_hours(1));
            },
            b"late" => thread::sleep(Duration::from_millis(2500)),
            b"large, counted" => {
                MOST_AT_ONCE.fetch_max(AT_ONCE.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                thread::sleep(Duration::from_millis(5));
                AT_ONCE.fetch_sub(1, Ordering::SeqCst);
            }
            _ => {}
        }
        Ok(Given::whole(Channels::Luma))
    }
}

struct Files {
    folder: tempfile::TempDir,
    paths: Vec<PathBuf>,
}

impl Files {
    fn new(wishes: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let write = |(at, wish): (usize, &&str)| {
            let path = folder.path().join(at.to_string());
            fs::write(&path, [b"\xff\xd8\xff", wish.as_bytes()].concat()).unwrap();
            path
        };
        let paths = wishes.iter().enumerate().map(write).collect();
        Self { folder, paths }
    }

    /// The outcomes by position: `ok`, or the kind of error and what is known of it.
    fn outcomes(&self, options: PoolOptions) -> BTreeMap<usize, String> {
        // Long enough for a busy machine to come to a file that is fine.
        self.outcomes_within(Some(Duration::from_millis(600)), options)
    }

    fn outcomes_within(&self, deadline: Option<Duration>, options: PoolOptions) -> BTreeMap<usize, String> {
        let limits = Limits::default().with_deadline(deadline);
        let decode = DecodeOptions::default().with_limits(limits);
        let options = options.with_decode(decode);
        let pool = DecodePool { options, open, grace: Duration::from_millis(400) };
        let mut outcomes = BTreeMap::new();
        for (position, outcome) in pool.decode(InputSpec::luma(2, 2), self.paths.clone()) {
            let outcome = match outcome {
                Ok(_) => "ok".to_owned(),
                Err(MediaError::LimitExceeded { limit, path, .. }) => {
                    assert_eq!(path, self.paths[position]);
                    limit.to_string()
                }
                Err(MediaError::Decode { source, .. }) => source.to_string(),
                Err(error) => panic!("{error:?}"),
            };
            assert_eq!(outcomes.insert(position, outcome), None, "two outcomes of {position}");
        }
        assert!(self.folder.path().exists());
        outcomes
    }
}

fn listed(outcomes: &BTreeMap<usize, String>) -> Vec<&str> {
    assert!(outcomes.keys().copied().eq(0..outcomes.len()));
    outcomes.values().map(String::as_str).collect()
}

#[test]
fn a_decoder_that_panics_costs_its_file_and_nothing_else() {
    let files = Files::new(&["fine", "panic", "fine", "panic early", "fine"]);
    let outcomes = files.outcomes_within(None, PoolOptions::default().with_threads(1));
    assert_eq!(
        listed(&outcomes),
        ["ok", "it panicked: as the file says: [112, 97, 110, 105, 99]", "ok", "it panicked: as the file says", "ok"]
    );
}

#[test]
fn a_decoder_that_does_not_come_back_is_left_behind_and_the_rest_is_decoded() {
    let mut wishes = vec!["fine"; 40];
    (wishes[0], wishes[8], wishes[39]) = ("loop", "loop", "loop");
    let files = Files::new(&wishes);
    for threads in [1, 3] {
        let outcomes = files.outcomes(PoolOptions::default().with_threads(threads));
        let expected: Vec<_> = wishes.iter().map(|wish| if *wish == "loop" { "milliseconds" } else { "ok" }).collect();
        assert_eq!(listed(&outcomes), expected);
    }
}

#[test]
fn when_no_thread_is_left_the_run_ends_and_says_so_for_every_file() {
    let mut wishes = vec!["loop"; 5];
    wishes.extend(["fine"; 4]);
    let files = Files::new(&wishes);
    // Two threads and two that replace them are lost at the first four.
    let outcomes = files.outcomes(PoolOptions::default().with_threads(2).with_abandon_limit(2));
    assert_eq!(listed(&outcomes), [["milliseconds"; 4].as_slice(), &["abandoned-threads"; 5]].concat());
}

#[test]
fn a_decoder_that_comes_back_too_late_is_not_heard() {
    let files = Files::new(&["late", "late", "fine", "fine"]);
    let outcomes = files.outcomes(PoolOptions::default().with_threads(2));
    assert_eq!(listed(&outcomes), ["milliseconds", "milliseconds", "ok", "ok"]);
}

#[test]
fn a_decoder_that_holds_the_whole_budget_and_does_not_come_back_blocks_nobody() {
    let files = Files::new(&["loop", "large", "large", "fine"]);
    let outcomes = files.outcomes(PoolOptions::default().with_threads(2).with_memory_budget(5));
    assert_eq!(listed(&outcomes), ["milliseconds", "ok", "ok", "ok"]);
}

#[test]
fn images_that_do_not_fit_into_the_budget_together_are_decoded_after_each_other() {
    let files = Files::new(&["large, counted"; 24]);
    for (budget, most) in [(70 << 20, 2), (1 << 20, 1)] {
        MOST_AT_ONCE.store(0, Ordering::SeqCst);
        let options = PoolOptions::default().with_threads(6).with_memory_budget(budget);
        let pool = DecodePool { options, open, grace: GRACE };
        let outcomes = pool.decode(InputSpec::luma(2, 2), files.paths.clone());
        assert_eq!(outcomes.filter(|(_, outcome)| outcome.is_ok()).count(), 24);
        assert_eq!(MOST_AT_ONCE.load(Ordering::SeqCst), most);
    }
}

#[test]
fn an_iterator_of_paths_that_panics_ends_the_run() {
    let files = Files::new(&["fine"; 3]);
    let mut paths = files.paths.clone().into_iter();
    let broken = std::iter::from_fn(move || Some(paths.next().unwrap()));
    let pool = DecodePool { options: PoolOptions::default().with_threads(2), open, grace: GRACE };
    assert_eq!(pool.decode(InputSpec::luma(2, 2), broken).count(), 3);
}
