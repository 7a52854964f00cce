//! What is installed while something goes wrong, or while others install it too.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nodupe_models::{Digest, FetchError, Fetcher, Manifest, Model, ModelLibrary};

use crate::server::{Server, give, head, say};
use crate::toy::{Cache, assert_whole, at, body, manifest};

/// This program once more, which fetches a model of its own into `cache`.
pub(crate) fn child(cache: &Path, manifest: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--ignored", "--exact", "--nocapture", "installing::as_a_child"]);
    command.env("TOY_CACHE", cache).env("TOY_MANIFEST", manifest);
    // What the machine has must not matter.
    for name in ["HF_ENDPOINT", "HF_HOME", "HF_TOKEN", "HF_HUB_OFFLINE", "NODUPE_PIP"] {
        command.env_remove(name);
    }
    command
}

#[test]
#[ignore = "a part of other tests, which run it as a child"]
fn as_a_child() {
    let Some(cache) = std::env::var_os("TOY_CACHE") else { return };
    let manifest = fs::read_to_string(std::env::var_os("TOY_MANIFEST").unwrap()).unwrap();
    let fetched = Fetcher::new(cache).fetch(&Manifest::parse(&manifest).unwrap());
    println!("{fetched:?}");
    assert_whole(fetched);
}

/// The toy with a second file, which comes from `url` too.
fn of_two_files(revision: &str, server: &Server) -> Manifest {
    let text = at(&server.url("/toy.onnx")).to_toml().unwrap();
    let second = format!(
        r#"
        [[artifact]]
        format = "safetensors"
        file = "toy.safetensors"
        precision = "f32"
        [[download]]
        from = {{ kind = "url", url = "{}" }}
        file = "toy.safetensors"
        digest = "{}"
    "#,
        server.url("/toy.safetensors"),
        Digest::sha256(revision.as_bytes())
    );
    Manifest::parse(&(text.replace("revision = \"1\"", &format!("revision = \"{revision}\"")) + &second)).unwrap()
}

#[test]
fn another_revision_replaces_the_old_one_only_when_all_of_it_is_there() {
    let cache = Cache::new();
    let good = Server::new(|request, stream| match &*request.path {
        "/toy.onnx" => give(request, stream, body()),
        _ => give(request, stream, b"1"),
    });
    let old = cache.fetcher().fetch(&of_two_files("1", &good)).unwrap();
    let half = Server::new(|request, stream| match &*request.path {
        "/toy.onnx" => give(request, stream, body()),
        _ => say(stream, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"),
    });
    let fetched = cache.fetcher().fetch(&of_two_files("2", &half));
    assert!(matches!(fetched, Err(FetchError::Status { status: 404, .. })), "{fetched:?}");
    old.verify().unwrap();
    assert_eq!(Model::open(old.folder()).unwrap(), old);
    assert_eq!(cache.names(), [".lock-toy", "toy"]);
    let new = Server::new(|request, stream| match &*request.path {
        "/toy.onnx" => give(request, stream, body()),
        _ => give(request, stream, b"2"),
    });
    let new = cache.fetcher().fetch(&of_two_files("2", &new)).unwrap();
    new.verify().unwrap();
    assert_eq!(Model::open(old.folder()).unwrap().manifest().revision, "2");
}

#[test]
fn a_process_that_is_killed_leaves_the_old_model_and_what_has_come() {
    let cache = Cache::new();
    assert_whole(cache.fetcher().fetch(&at(&Server::good(body()).url("/"))));
    let stalls = Server::new(|request, stream| {
        head(request, stream, body());
        if request.from().is_some() {
            return say(stream, &body()[request.from().unwrap()..]);
        }
        say(stream, &body()[..body().len() / 2]);
        thread::sleep(Duration::from_mins(1));
    });
    let text = at(&stalls.url("/")).to_toml().unwrap().replace("revision = \"1\"", "revision = \"2\"");
    let path = cache.path().join("toy.toml");
    fs::write(&path, &text).unwrap();
    let mut running = child(cache.path(), &path).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let began = Instant::now();
    while cache.kept() < body().len() as u64 / 2 {
        assert!(began.elapsed() < Duration::from_secs(30));
        thread::sleep(Duration::from_millis(20));
    }
    running.kill().unwrap();
    running.wait().unwrap();
    assert!(cache.names().contains(&".new-toy".to_owned()));
    let library = ModelLibrary::new([cache.path().join("models")]);
    assert_eq!(library.installed().len(), 1);
    library.find(Some("toy")).unwrap().verify().unwrap();
    assert_whole(cache.fetcher().fetch(&Manifest::parse(&text).unwrap()));
    assert!(stalls.requests()[1].from().is_some());
    assert_eq!(cache.names(), [".lock-toy", "toy"]);
}

#[test]
fn several_fetch_one_model_at_once_and_it_is_fetched_once() {
    let (server, cache) = (Server::good(body()), Cache::new());
    let manifest = at(&server.url("/"));
    thread::scope(|scope| {
        let all: Vec<_> = (0..6).map(|_| scope.spawn(|| cache.fetcher().fetch(&manifest))).collect();
        for one in all {
            assert_whole(one.join().unwrap());
        }
    });
    assert_eq!(server.requests().len(), 1);
    assert_eq!(cache.names(), [".lock-toy", "toy"]);
}

#[test]
fn models_that_share_a_file_are_fetched_at_once() {
    let (server, cache) = (Server::good(body()), Cache::new());
    let manifests = ["one", "two", "three"].map(|id| {
        let text = at(&server.url("/")).to_toml().unwrap().replace("id = \"toy\"", &format!("id = \"{id}\""));
        Manifest::parse(&text).unwrap()
    });
    thread::scope(|scope| {
        let all: Vec<_> = manifests.iter().map(|one| scope.spawn(|| cache.fetcher().fetch(one))).collect();
        for one in all {
            assert_whole(one.join().unwrap());
        }
    });
}

#[test]
fn a_model_that_is_not_as_it_should_be_is_fetched_again() {
    let (server, cache) = (Server::good(body()), Cache::new());
    let manifest = at(&server.url("/"));
    let model = cache.fetcher().fetch(&manifest).unwrap();
    fs::write(model.folder().join("toy.onnx"), "changed").unwrap();
    assert_whole(cache.fetcher().fetch(&manifest));
    fs::remove_file(model.folder().join("model.toml")).unwrap();
    assert_whole(cache.fetcher().fetch(&manifest));
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn an_artifact_that_is_not_the_one_of_the_catalogue_is_refused() {
    let (server, cache) = (Server::good(body()), Cache::new());
    let mut manifest = at(&server.url("/"));
    manifest.artifacts[0].digest = Some(Digest::blake3(b"another"));
    let fetched = cache.fetcher().fetch(&manifest);
    assert!(matches!(fetched, Err(FetchError::WrongDigest { what, .. }) if what == "toy.onnx"));
    assert_eq!(cache.names(), [".lock-toy"]);
}

#[test]
fn a_model_that_nobody_publishes_says_what_to_bring() {
    let cache = Cache::new();
    let wanted = manifest("kind = \"file\", what = \"the toy, from the attic\"", "");
    let fetched = cache.fetcher().fetch(&wanted);
    assert!(matches!(fetched, Err(FetchError::NeedsFile { what, .. }) if what == "the toy, from the attic"));
    let mine = crate::toy::write(cache.path().join("mine.bin"), body());
    assert_whole(cache.fetcher().with_from(mine).fetch(&wanted));
    let mut nowhere = wanted;
    nowhere.downloads.clear();
    assert!(matches!(Cache::new().fetcher().fetch(&nowhere), Err(FetchError::Source { .. })));
}

#[test]
fn weights_that_cannot_be_converted_are_told() {
    let cache = Cache::new();
    let mut wanted = manifest("kind = \"file\", what = \"weights\"", "");
    wanted.architecture = Some("no-such-network".to_owned());
    wanted.downloads[0].convert = true;
    let mine = crate::toy::write(cache.path().join("mine.bin"), body());
    let fetched = cache.fetcher().with_from(mine).fetch(&wanted);
    assert!(matches!(fetched, Err(FetchError::Conversion { .. })), "{fetched:?}");
    assert_eq!(cache.names(), [".lock-toy"]);
}

#[test]
fn a_cache_that_cannot_be_written_is_told() {
    let cache = Cache::new();
    let file = crate::toy::write(cache.path().join("file"), "");
    let server = Server::good(body());
    let fetched = Fetcher::new(file.join("cache")).fetch(&at(&server.url("/")));
    assert!(matches!(fetched, Err(FetchError::Io { .. })), "{fetched:?}");
    assert!(server.requests().is_empty());
}
