//! Runtimes out of wheels.

use std::fs;

use nodupe_models::{FetchError, RUNTIME_VERSION, runtimes_in};

use crate::toy::{Cache, names, write};
use crate::wheels::wheel;

/// What the wheels of Linux have, in small.
const LIBRARY: (&str, &[u8]) = ("onnxruntime/capi/libonnxruntime.so.1.23.2", b"the library");
const SHARED: (&str, &[u8]) = ("onnxruntime/capi/libonnxruntime_providers_shared.so", b"of the providers");
const CUDA: (&str, &[u8]) = ("onnxruntime/capi/libonnxruntime_providers_cuda.so", b"a provider");
const REST: [(&str, &[u8]); 4] = [
    ("onnxruntime/__init__.py", b"raise SystemExit"),
    ("onnxruntime/capi/onnxruntime_pybind11_state.cpython-312-x86_64-linux-gnu.so", b"for Python alone"),
    ("onnxruntime/capi/build_and_package_info.py", b"raise SystemExit"),
    ("onnxruntime/other/libonnxruntime.so", b"elsewhere"),
];

#[test]
fn the_libraries_of_a_runtime_are_unpacked_and_nothing_else() {
    let cache = Cache::new();
    let bytes = wheel(&[&[LIBRARY, SHARED, CUDA], &REST[..]].concat());
    let path = write(cache.path().join("onnxruntime_gpu-1.23.2.whl"), bytes);
    let runtime = cache.fetcher().with_from(&path).fetch_runtime("onnxruntime-gpu").unwrap();
    runtime.verify().unwrap();
    assert_eq!((&*runtime.package, &*runtime.version), ("onnxruntime-gpu", RUNTIME_VERSION));
    assert_eq!(fs::read(&runtime.library).unwrap(), LIBRARY.1);
    let files = ["libonnxruntime.so.1.23.2", "libonnxruntime_providers_cuda.so", "libonnxruntime_providers_shared.so"];
    assert_eq!(names(runtime.folder()), [&files[..], &["runtime.toml"]].concat());
    assert_eq!(runtimes_in(&cache.path().join("runtimes")), std::slice::from_ref(&runtime));
    // One that is there is left alone, one that changed is replaced.
    fs::remove_file(&path).unwrap();
    cache.fetcher().with_from(&path).fetch_runtime("onnxruntime-gpu").unwrap();
    fs::write(&runtime.library, "changed").unwrap();
    assert!(matches!(cache.fetcher().with_from(&path).fetch_runtime("onnxruntime-gpu"), Err(FetchError::Io { .. })));
    write(path.clone(), wheel(&[LIBRARY]));
    let again = cache.fetcher().with_from(&path).fetch_runtime("onnxruntime-gpu").unwrap();
    again.verify().unwrap();
    assert_eq!(names(again.folder()).len(), 2);
}

#[test]
fn the_names_of_other_systems_are_known() {
    for (library, other) in [
        ("onnxruntime.dll", "onnxruntime_providers_shared.dll"),
        ("libonnxruntime.1.23.2.dylib", "onnxruntime_pybind11_state.so"),
    ] {
        let files = [library, other].map(|name| format!("onnxruntime/capi/{name}"));
        let cache = Cache::new();
        let bytes = wheel(&files.each_ref().map(|name| (&**name, &b"bytes"[..])));
        let path = write(cache.path().join("a.whl"), bytes);
        let runtime = cache.fetcher().with_from(path).fetch_runtime("onnxruntime").unwrap();
        assert!(runtime.library.ends_with(library));
        assert_eq!(runtime.folder().join(other).exists(), !other.contains("pybind11"));
    }
}

#[test]
fn a_wheel_of_something_else_is_no_runtime() {
    let cache = Cache::new();
    let fetch = |bytes: Vec<u8>| {
        let path = write(cache.path().join("a.whl"), bytes);
        cache.fetcher().with_from(path).fetch_runtime("onnxruntime")
    };
    assert!(matches!(fetch(wheel(&REST)), Err(FetchError::NoMember { .. })));
    assert!(matches!(fetch(b"nothing".to_vec()), Err(FetchError::Archive { .. })));
    assert!(matches!(cache.fetcher().fetch_runtime("../evil"), Err(FetchError::UnknownRuntime { .. })));
    assert!(runtimes_in(&cache.path().join("runtimes")).is_empty());
}
