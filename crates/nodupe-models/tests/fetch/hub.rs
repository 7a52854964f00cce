//! The Hugging Face hub, which a server here stands in for.

use std::fs;

use nodupe_models::{FetchError, Hub, Manifest};

use crate::installing::child;
use crate::server::{Server, give, say};
use crate::toy::{Cache, assert_whole, body, checked};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

fn manifest() -> Manifest {
    checked("kind = \"hf\", repo = \"owner/name\", revision = \"main\", file = \"onnx/toy.onnx\"")
}

/// A cache of the hub, laid out as its own programs lay it out.
fn hub_cache(folder: &std::path::Path, bytes: &[u8]) {
    let repo = folder.join("models--owner--name");
    let snapshot = repo.join("snapshots").join(COMMIT).join("onnx");
    fs::create_dir_all(repo.join("refs")).unwrap();
    fs::create_dir_all(&snapshot).unwrap();
    fs::write(repo.join("refs/main"), COMMIT).unwrap();
    fs::write(snapshot.join("toy.onnx"), bytes).unwrap();
}

#[test]
fn a_file_of_the_hub_is_fetched_with_the_token() {
    let server = Server::good(body());
    let hub = Hub::new(server.url("/")).with_token("s3cret");
    assert!(!format!("{hub:?}").contains("s3cret"));
    assert_whole(Cache::new().fetcher().with_hub(hub).fetch(&manifest()));
    let [request] = &server.requests()[..] else { panic!("{:?}", server.requests()) };
    assert_eq!(request.path, "/owner/name/resolve/main/onnx/toy.onnx");
    assert_eq!(request.header("authorization"), Some("Bearer s3cret"));
}

#[test]
fn the_token_is_not_given_to_whom_the_hub_redirects_to() {
    let store = Server::good(body());
    let there = store.url("/blob").replace("127.0.0.1", "localhost");
    let hub = Server::new(move |_, stream| {
        say(stream, format!("HTTP/1.1 302 Found\r\nLocation: {there}\r\nContent-Length: 0\r\n\r\n"));
    });
    let cache = Cache::new();
    assert_whole(cache.fetcher().with_hub(Hub::new(hub.url("")).with_token("s3cret")).fetch(&manifest()));
    assert_eq!(hub.requests()[0].header("authorization"), Some("Bearer s3cret"));
    assert_eq!(store.requests()[0].header("authorization"), None);
}

#[test]
fn a_file_that_wants_a_token_says_so() {
    let server = Server::new(|_, stream| say(stream, "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"));
    let error = Cache::new().fetcher().with_hub(Hub::new(server.url(""))).fetch(&manifest()).unwrap_err();
    assert!(matches!(error, FetchError::Status { status: 401, .. }));
    assert!(error.help().unwrap().contains("HF_TOKEN"));
}

#[test]
fn what_is_in_the_cache_of_the_hub_is_not_fetched() {
    let (cache, server) = (Cache::new(), Server::good(body()));
    let folder = cache.path().join("hub");
    hub_cache(&folder, body());
    let hub = Hub::new(server.url("")).with_cache(&folder);
    assert_whole(cache.fetcher().with_hub(hub.clone()).fetch(&manifest()));
    let at_commit =
        checked(&format!("kind = \"hf\", repo = \"owner/name\", revision = \"{COMMIT}\", file = \"onnx/toy.onnx\""));
    assert_whole(cache.fetcher().again(true).with_hub(hub.clone()).fetch(&at_commit));
    assert!(server.requests().is_empty());
    // Another file under that name is not used.
    hub_cache(&folder, b"of yesterday");
    assert_whole(cache.fetcher().again(true).with_hub(hub).fetch(&manifest()));
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn offline_only_the_cache_serves() {
    let (cache, server) = (Cache::new(), Server::good(body()));
    let folder = cache.path().join("hub");
    let hub = Hub::new(server.url("")).with_cache(&folder).offline(true);
    let fetched = cache.fetcher().with_hub(hub.clone()).fetch(&manifest());
    assert!(matches!(fetched, Err(FetchError::Offline { .. })), "{fetched:?}");
    hub_cache(&folder, body());
    assert_whole(cache.fetcher().with_hub(hub).fetch(&manifest()));
    assert!(server.requests().is_empty());
}

#[test]
fn the_environment_says_which_hub() {
    let (cache, server) = (Cache::new(), Server::new(|request, stream| give(request, stream, body())));
    let home = cache.path().join("huggingface");
    fs::create_dir_all(&home).unwrap();
    fs::write(home.join("token"), "of-the-file\n").unwrap();
    let path = cache.path().join("toy.toml");
    fs::write(&path, manifest().to_toml().unwrap()).unwrap();
    let fetch = |name: &str, more: &[(&str, &str)]| {
        let mut command = child(&cache.path().join(name), &path);
        command.env("HF_ENDPOINT", server.url("")).env("HF_HOME", &home);
        command.envs(more.iter().copied()).output().unwrap()
    };
    let token = |number: usize| server.requests()[number].header("authorization").unwrap().to_owned();
    assert!(fetch("one", &[]).status.success());
    assert_eq!(token(0), "Bearer of-the-file");
    assert!(fetch("two", &[("HF_TOKEN", "of-the-variable")]).status.success());
    assert_eq!(token(1), "Bearer of-the-variable");
    let offline = fetch("three", &[("HF_HUB_OFFLINE", "1")]);
    assert!(!offline.status.success());
    assert!(String::from_utf8_lossy(&offline.stdout).contains("Offline"), "{offline:?}");
    hub_cache(&home.join("hub"), body());
    assert!(fetch("three", &[("HF_HUB_OFFLINE", "1")]).status.success());
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn names_that_lead_out_of_the_cache_or_the_address_are_refused() {
    let server = Server::good(body());
    for (repo, revision, file) in [
        ("owner/..", "main", "a"),
        ("owner/name", "../../x", "a"),
        ("owner/name", "main", "../../etc/passwd"),
        ("owner/name", "main", "a?b=c"),
        ("owner/name@evil", "main", "a"),
        ("/owner", "main", "a"),
    ] {
        let source = format!("kind = \"hf\", repo = \"{repo}\", revision = \"{revision}\", file = \"{file}\"");
        let fetched = Cache::new().fetcher().with_hub(Hub::new(server.url(""))).fetch(&checked(&source));
        assert!(matches!(fetched, Err(FetchError::Source { .. })), "{source}: {fetched:?}");
    }
    assert!(server.requests().is_empty());
}
