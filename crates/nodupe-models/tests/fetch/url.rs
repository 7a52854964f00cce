//! Files on the web.

use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nodupe_models::{Digest, FetchError, Patience};
use proptest::prelude::*;

use crate::server::{Server, give, head, say};
use crate::toy::{Cache, Log, assert_whole, at, body, manifest, patience};

/// Gives the first half, then closes.
fn half(request: &crate::server::Request, stream: &mut std::net::TcpStream) {
    head(request, stream, body());
    say(stream, &body()[..body().len() / 2]);
}

/// Serves `half` the first time and `then` each later time.
fn half_then(then: impl Fn(&crate::server::Request, &mut std::net::TcpStream) + Send + Sync + 'static) -> Server {
    let asked = AtomicUsize::new(0);
    Server::new(move |request, stream| match asked.fetch_add(1, Ordering::SeqCst) {
        0 => half(request, stream),
        _ => then(request, stream),
    })
}

/// Says these bytes and nothing else.
fn saying(bytes: impl AsRef<[u8]> + Send + Sync + 'static) -> Server {
    Server::new(move |_, stream| say(stream, bytes.as_ref()))
}

#[test]
fn a_file_is_fetched_once_and_again_when_asked_to() {
    let (server, cache, log) = (Server::good(body()), Cache::new(), Log::default());
    let manifest = at(&server.url("/toy.onnx"));
    let fetcher = cache.fetcher().with_progress(&log);
    assert_whole(fetcher.fetch(&manifest));
    assert_eq!(*log.begun.lock().unwrap(), [("toy.onnx".to_owned(), Some(body().len() as u64))]);
    assert_eq!(*log.bytes.lock().unwrap(), body().len() as u64);
    assert_whole(fetcher.fetch(&manifest));
    assert_eq!(server.requests().len(), 1);
    assert_whole(fetcher.again(true).fetch(&manifest));
    assert_eq!(server.requests().len(), 2);
    assert_eq!(cache.kept(), 0);
    assert_eq!(cache.names(), [".lock-toy", "toy"]);
}

#[test]
fn a_fetch_that_broke_off_goes_on_where_it_stopped() {
    let (server, cache) = (half_then(|request, stream| give(request, stream, body())), Cache::new());
    let (manifest, half) = (at(&server.url("/toy.onnx")), body().len() / 2);
    let broken = cache.fetcher().fetch(&manifest);
    assert!(
        matches!(broken, Err(FetchError::Truncated { bytes, expected, .. }) if bytes == half as u64 && expected == body().len() as u64)
    );
    assert_eq!(cache.kept(), half as u64);
    let log = Log::default();
    assert_whole(cache.fetcher().with_progress(&log).fetch(&manifest));
    assert_eq!(server.requests()[1].from(), Some(half));
    assert_eq!(*log.bytes.lock().unwrap(), body().len() as u64);
    assert_eq!(cache.kept(), 0);
}

#[test]
fn one_fetch_asks_again_as_long_as_something_comes() {
    let piece = body().len() / 4 + 1;
    let server = Server::new(move |request, stream| {
        head(request, stream, body());
        let from = request.from().unwrap_or(0);
        say(stream, &body()[from..(from + piece).min(body().len())]);
    });
    let (cache, mut patience) = (Cache::new(), patience());
    patience.attempts = 4;
    assert_whole(cache.fetcher().with_patience(patience).fetch(&at(&server.url("/"))));
    assert_eq!(server.requests().len(), 4);
}

#[test]
fn nobody_is_asked_again_who_gives_nothing() {
    let (server, cache) = (Server::new(|request, stream| head(request, stream, body())), Cache::new());
    let fetched = cache.fetcher().with_patience(Patience::default()).fetch(&at(&server.url("/")));
    assert!(matches!(fetched, Err(FetchError::Truncated { bytes: 0, .. })), "{fetched:?}");
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_server_that_cannot_go_on_gives_the_whole_file() {
    let whole = |_: &_, stream: &mut _| {
        say(stream, format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body().len()));
        say(stream, body());
    };
    let (server, cache) = (half_then(whole), Cache::new());
    let manifest = at(&server.url("/"));
    assert!(cache.fetcher().fetch(&manifest).is_err());
    assert_whole(cache.fetcher().fetch(&manifest));
    assert!(server.requests()[1].from().is_some());
}

#[test]
fn a_server_that_goes_on_elsewhere_or_not_at_all_is_asked_for_the_whole_file() {
    for wrong in
        ["206 Partial Content\r\nContent-Range: bytes 7-9/10", "206 Partial Content", "416 Range Not Satisfiable"]
    {
        let server = half_then(move |request, stream| match request.from() {
            Some(_) => say(stream, format!("HTTP/1.1 {wrong}\r\nContent-Length: 3\r\n\r\nabc")),
            None => give(request, stream, body()),
        });
        let (cache, manifest) = (Cache::new(), at(&server.url("/")));
        assert!(cache.fetcher().fetch(&manifest).is_err());
        assert_whole(cache.fetcher().fetch(&manifest));
        assert_eq!(server.requests().len(), 3);
    }
}

#[test]
fn what_cannot_be_told_from_another_file_is_not_gone_on_from() {
    for validator in ["", "ETag: W/\"one\"\r\n"] {
        let server = Server::new(move |_, stream| {
            say(stream, format!("HTTP/1.1 200 OK\r\n{validator}Content-Length: {}\r\n\r\n", body().len()));
            say(stream, &body()[..100]);
        });
        let (cache, manifest) = (Cache::new(), at(&server.url("/")));
        assert!(cache.fetcher().fetch(&manifest).is_err());
        assert!(cache.fetcher().fetch(&manifest).is_err());
        assert_eq!(server.requests()[1].from(), None);
    }
}

#[test]
fn a_server_that_says_nothing_more_is_given_up() {
    let silent = Server::new(|_, _| thread::sleep(Duration::from_secs(30)));
    let stalled = Server::new(|request, stream| {
        half(request, stream);
        thread::sleep(Duration::from_secs(30));
    });
    for (server, kept) in [(silent, 0), (stalled, body().len() / 2)] {
        let (cache, began) = (Cache::new(), Instant::now());
        let fetched = cache.fetcher().fetch(&at(&server.url("/")));
        assert!(
            matches!(fetched, Err(FetchError::Timeout { after, .. }) if after == patience().silence),
            "{fetched:?}"
        );
        assert!(began.elapsed() < Duration::from_secs(10));
        assert_eq!(cache.kept(), kept as u64);
    }
}

#[test]
fn a_server_that_is_slow_but_not_silent_is_waited_for() {
    let server = Server::new(|request, stream| {
        head(request, stream, body());
        for piece in body().chunks(body().len() / 8) {
            say(stream, piece);
            thread::sleep(Duration::from_millis(150));
        }
    });
    assert_whole(Cache::new().fetcher().fetch(&at(&server.url("/"))));
}

#[test]
fn a_file_that_is_longer_than_stated_is_not_read_to_its_end() {
    let endless = || {
        Server::new(|_, stream| {
            say(stream, "HTTP/1.1 200 OK\r\n\r\n");
            // Until nobody listens any more.
            while std::io::Write::write_all(stream, &[0; 1 << 10]).is_ok() {}
        })
    };
    let bytes = format!(", bytes = 1000, digest = \"{}\"", Digest::sha256(body()));
    let manifest = |server: &Server| manifest(&format!("kind = \"url\", url = \"{}\"", server.url("/")), &bytes);
    let cache = Cache::new();
    let fetched = cache.fetcher().fetch(&manifest(&endless()));
    assert!(matches!(fetched, Err(FetchError::TooLarge { max: 1000, .. })), "{fetched:?}");
    assert_eq!(cache.kept(), 0);
    // Where the length is said beforehand nothing is read.
    let fetched = cache.fetcher().fetch(&manifest(&Server::good(body())));
    assert!(matches!(fetched, Err(FetchError::WrongLength { expected: 1000, .. })), "{fetched:?}");
}

#[test]
fn a_length_that_is_a_lie_gives_no_model() {
    let (cache, url) = (Cache::new(), |server: &Server| at(&server.url("/")));
    for length in ["3", "-1", "18446744073709551616", "18446744073709551615", "abc"] {
        let server =
            saying([format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n").as_bytes(), body()].concat());
        let fetched = cache.fetcher().fetch(&url(&server));
        assert!(fetched.is_err(), "{length}: {fetched:?}");
        assert_eq!(cache.names(), [".lock-toy"]);
    }
    let short = saying(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcdef");
    assert!(matches!(cache.fetcher().fetch(&url(&short)), Err(FetchError::WrongDigest { .. })));
}

#[test]
fn another_file_is_refused_and_nothing_of_it_is_kept() {
    let (cache, server) = (Cache::new(), saying("HTTP/1.1 200 OK\r\nETag: \"x\"\r\nContent-Length: 5\r\n\r\nother"));
    let fetched = cache.fetcher().fetch(&at(&server.url("/")));
    assert!(
        matches!(fetched, Err(FetchError::WrongDigest { expected, found, .. }) if expected == Digest::sha256(body()) && found == Digest::sha256(b"other"))
    );
    assert_eq!(cache.kept(), 0);
    assert_eq!(cache.names(), [".lock-toy"]);
    // And the right one is fetched afterwards.
    assert_whole(cache.fetcher().fetch(&at(&Server::good(body()).url("/"))));
}

#[test]
fn a_status_is_told() {
    for status in [404, 403, 500, 503] {
        let server = saying(format!("HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n"));
        let fetched = Cache::new().fetcher().fetch(&at(&server.url("/a?secret=1")));
        assert!(
            matches!(&fetched, Err(FetchError::Status { status: found, url }) if *found == status && !url.contains("secret")),
            "{fetched:?}"
        );
    }
}

#[test]
fn redirects_are_followed_but_not_for_ever() {
    let loops = saying("HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n");
    let fetched = Cache::new().fetcher().fetch(&at(&loops.url("/")));
    assert!(matches!(fetched, Err(FetchError::Answer { .. })), "{fetched:?}");
    assert!(loops.requests().len() < 20);
    let server = Server::new(|request, stream| match &*request.path {
        "/there" => give(request, stream, body()),
        _ => say(stream, "HTTP/1.1 302 Found\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n"),
    });
    assert_whole(Cache::new().fetcher().fetch(&at(&server.url("/here"))));
    for nowhere in ["ftp://127.0.0.1/", "file:///etc/passwd", "", "http://"] {
        let server = saying(format!("HTTP/1.1 302 Found\r\nLocation: {nowhere}\r\nContent-Length: 0\r\n\r\n"));
        assert!(Cache::new().fetcher().fetch(&at(&server.url("/"))).is_err());
    }
}

#[test]
fn what_is_no_http_is_an_error() {
    let endless_header = || {
        let mut bytes = b"HTTP/1.1 200 OK\r\nX: ".to_vec();
        bytes.resize(1 << 20, b'x');
        bytes
    };
    let answers: [Vec<u8>; 8] = [
        b"".to_vec(),
        b"hello\r\n\r\n".to_vec(),
        vec![0xff; 5000],
        b"HTTP/1.1 abc\r\n\r\n".to_vec(),
        b"HTTP/1.1 200 OK\r\nContent-Length 3\r\n\r\nabc".to_vec(),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n".to_vec(),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc".to_vec(),
        endless_header(),
    ];
    for answer in answers {
        let start = String::from_utf8_lossy(&answer[..answer.len().min(60)]).into_owned();
        let cache = Cache::new();
        let fetched = cache.fetcher().fetch(&at(&saying(answer).url("/")));
        assert!(fetched.is_err(), "{start}");
        assert_eq!(cache.names(), [".lock-toy"]);
    }
}

#[test]
fn chunks_are_read() {
    let mut answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for chunk in body().chunks(70_000) {
        answer.extend(format!("{:x}\r\n", chunk.len()).as_bytes());
        answer.extend(chunk);
        answer.extend(b"\r\n");
    }
    answer.extend(b"0\r\n\r\n");
    assert_whole(Cache::new().fetcher().fetch(&at(&saying(answer).url("/"))));
}

#[test]
fn nobody_there_is_told() {
    // A port that was free a moment ago.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let fetched = Cache::new().fetcher().fetch(&at(&format!("http://127.0.0.1:{port}/")));
    assert!(matches!(fetched, Err(FetchError::Network { .. })), "{fetched:?}");
    // Who does not speak TLS is not spoken to without.
    let server = Server::good(body());
    let fetched = Cache::new().fetcher().fetch(&at(&server.url("/").replace("http:", "https:")));
    assert!(matches!(fetched, Err(FetchError::Network { .. })), "{fetched:?}");
    for nonsense in ["", "nonsense", "file:///etc/passwd", "ftp://127.0.0.1/", "http://[", "http://a b/"] {
        assert!(Cache::new().fetcher().fetch(&at(nonsense)).is_err(), "{nonsense}");
    }
}

#[test]
fn a_fetch_is_cancelled_and_gone_on_with() {
    let (server, cache) = (Server::good(body()), Cache::new());
    let manifest = at(&server.url("/"));
    let stopping = Log { stop_after: Some(1), ..Log::default() };
    let stopped = cache.fetcher().with_progress(&stopping).fetch(&manifest);
    assert!(matches!(stopped, Err(FetchError::Cancelled)), "{stopped:?}");
    let kept = cache.kept();
    assert!(kept > 0 && kept < body().len() as u64, "{kept}");
    assert_eq!(cache.names(), [".lock-toy"]);
    assert_whole(cache.fetcher().fetch(&manifest));
    assert_eq!(server.requests()[1].from(), Some(usize::try_from(kept).unwrap()));
}

#[test]
fn a_manifest_that_does_not_say_which_file_is_meant_is_refused_unasked() {
    let server = Server::good(body());
    let manifest = manifest(&format!("kind = \"url\", url = \"{}\"", server.url("/")), "");
    assert!(matches!(Cache::new().fetcher().fetch(&manifest), Err(FetchError::NoDigest { .. })));
    assert!(server.requests().is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Wherever connections break off, going on ends with the whole file, byte for byte.
    #[test]
    fn a_file_is_whole_wherever_connections_broke_off(cuts in prop::collection::vec(0..body().len(), 0..6)) {
        let left = std::sync::Mutex::new(cuts.clone());
        let server = Server::new(move |request, stream| {
            let Some(cut) = left.lock().unwrap().pop() else { return give(request, stream, body()) };
            head(request, stream, body());
            let from = request.from().unwrap_or(0);
            say(stream, &body()[from..cut.max(from)]);
        });
        let (cache, manifest) = (Cache::new(), at(&server.url("/")));
        let mut fetched = cache.fetcher().fetch(&manifest);
        for _ in cuts {
            if fetched.is_err() {
                fetched = cache.fetcher().fetch(&manifest);
            }
        }
        assert_whole(fetched);
    }
}
