//! Libraries that are not there, are none, or are another one. A process has one ONNX Runtime, so each case is a process of
//! its own: this test program, told to run one test and where to look.
#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use nodupe_conformance::provided;
use nodupe_core::{Options, Reason, Unavailable};
use nodupe_ort::{LIBRARY_VARIABLE, REGISTRATION, Runtime};
use tempfile::TempDir;

mod graph;

const OPTION: &str = "ort-cpu.library";
/// Set in child processes: a folder to work in.
const CHILD: &str = "NODUPE_TEST_CHILD";

/// Runs the test `name` again in a process that has no library but what `variable` says and what `prepare` puts into the
/// folder, which is also that process's cache; in that process gives the folder.
fn alone(name: &str, variable: Option<&Path>, prepare: impl FnOnce(&Path)) -> Option<PathBuf> {
    if let Some(folder) = env::var_os(CHILD) {
        return Some(folder.into());
    }
    let folder = TempDir::new().unwrap();
    prepare(folder.path());
    let mut child = Command::new(env::current_exe().unwrap());
    child.args(["--exact", name, "--nocapture"]).env(CHILD, folder.path()).env_remove(LIBRARY_VARIABLE);
    child.env("XDG_CACHE_HOME", folder.path()).env("HOME", folder.path()).env_remove("LD_LIBRARY_PATH");
    if let Some(library) = variable {
        child.env(LIBRARY_VARIABLE, library);
    }
    let output = child.output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}");
    assert!(!said.contains("panicked"), "{said}");
    assert!(said.contains("1 passed"), "{said}");
    None
}

/// The library that the machine provides for tests.
fn real() -> Option<PathBuf> {
    let path = env::var_os(LIBRARY_VARIABLE).map(PathBuf::from).or_else(|| {
        let runtimes = nodupe_models::installed_runtimes();
        runtimes.into_iter().find(|runtime| runtime.package == "onnxruntime").map(|runtime| runtime.library)
    });
    provided(path.ok_or("there is no ONNX Runtime"), "run `cargo xtask setup`")
}

/// What only the parent can know; children are given it.
fn in_parent<T: Default>(find: impl FnOnce() -> Option<T>) -> Option<T> {
    if env::var_os(CHILD).is_some() { Some(T::default()) } else { find() }
}

fn model(folder: &Path) -> Options {
    graph::options(&graph::install(&folder.join("toy"), "u8", 3, &graph::means("n")))
}

fn create(options: &Options) -> Result<(), Unavailable> {
    (REGISTRATION.create)(options).map(drop)
}

#[test]
fn without_a_library_the_reason_says_what_fetches_one() {
    let Some(folder) = alone("without_a_library_the_reason_says_what_fetches_one", None, |_| ()) else { return };
    let options = model(&folder);
    for answer in [(REGISTRATION.probe)(&options), create(&options), create(&options)] {
        let Err(why) = answer else {
            println!("skipped: the loader of this system knows an ONNX Runtime, which cannot be taken away");
            return;
        };
        assert_eq!(why.reason, Reason::LibraryNotFound, "{why}");
        assert_eq!(why.help.as_deref(), Some("run `nodupe runtimes fetch`"));
    }
    assert!(Runtime::loaded().is_none());
}

/// Half a library that the loader maps would end the process where its other half is touched.
#[test]
fn a_fetched_library_that_was_damaged_is_a_reason_and_not_the_end_of_the_process() {
    let name = "a_fetched_library_that_was_damaged_is_a_reason_and_not_the_end_of_the_process";
    let fetched = |library: PathBuf| {
        let found = nodupe_models::installed_runtimes().into_iter().find(|runtime| runtime.library == library);
        provided(found.ok_or("ONNX Runtime was not fetched"), "run `cargo xtask setup`")
    };
    let Some(runtime) = in_parent(|| Some(Some(fetched(real()?)?))) else { return };
    let damage = |folder: &Path| {
        let Some(runtime) = runtime else { return };
        let copy = folder.join("nodupe/runtimes").join(runtime.folder().file_name().unwrap());
        fs::create_dir_all(&copy).unwrap();
        for entry in fs::read_dir(runtime.folder()).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), copy.join(entry.file_name())).unwrap();
        }
        let path = copy.join(runtime.library.file_name().unwrap());
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    };
    let Some(folder) = alone(name, None, damage) else { return };
    let why = create(&model(&folder)).unwrap_err();
    assert_eq!(why.reason, Reason::LibraryNotFound);
    assert!(why.detail.contains("not as it was when it was fetched"), "{why}");
    assert_eq!(why.help.as_deref(), Some("run `nodupe runtimes fetch`"));
}

#[test]
fn a_library_that_is_named_and_not_there_is_not_replaced_by_another() {
    let name = "a_library_that_is_named_and_not_there_is_not_replaced_by_another";
    let Some(folder) = alone(name, Some(Path::new("/nowhere/libonnxruntime.so")), |_| ()) else { return };
    let by_variable = model(&folder);
    let by_option = by_variable.clone().with(OPTION, "./elsewhere.so");
    for (options, named) in [(by_variable, LIBRARY_VARIABLE), (by_option, OPTION)] {
        for answer in [(REGISTRATION.probe)(&options), create(&options)] {
            let why = answer.unwrap_err();
            assert_eq!(why.reason, Reason::LibraryNotFound, "{why}");
            assert!(why.detail.contains(named) && why.detail.contains("is not there"), "{why}");
        }
    }
    let empty = model(&folder).with(OPTION, "");
    assert_eq!(create(&empty).unwrap_err().reason, Reason::Options);
}

#[test]
fn a_file_that_is_no_library_and_a_library_that_is_another_one_are_told_apart() {
    let name = "a_file_that_is_no_library_and_a_library_that_is_another_one_are_told_apart";
    let Some(folder) = alone(name, None, |_| ()) else { return };
    let text = folder.join("libonnxruntime.so");
    fs::write(&text, "It was a dark and stormy night").unwrap();
    let why = create(&model(&folder).with(OPTION, text.to_str().unwrap())).unwrap_err();
    assert_eq!(why.reason, Reason::LibraryNotFound, "{why}");
    assert!(why.detail.contains("cannot be loaded") && why.source.is_some(), "{why}");
    if cfg!(target_os = "linux") {
        let why = create(&model(&folder).with(OPTION, "libc.so.6")).unwrap_err();
        assert_eq!(why.reason, Reason::WrongVersion, "{why}");
        assert!(why.detail.contains("is not ONNX Runtime"), "{why}");
    }
}

#[test]
fn another_library_than_the_loaded_one_is_refused_and_the_same_by_another_name_is_not() {
    let Some(library) = in_parent(real) else { return };
    let name = "another_library_than_the_loaded_one_is_refused_and_the_same_by_another_name_is_not";
    let Some(folder) = alone(name, Some(&library), |_| ()) else { return };
    // A failure before leaves nothing behind.
    let text = folder.join("text.so");
    fs::write(&text, "no library").unwrap();
    let other = model(&folder).with(OPTION, text.to_str().unwrap());
    assert_eq!(create(&other).unwrap_err().reason, Reason::LibraryNotFound);
    create(&model(&folder)).unwrap();
    let loaded = Runtime::loaded().unwrap();
    let library = loaded.library();
    assert!(library.is_absolute());
    for answer in [(REGISTRATION.probe)(&other), create(&other)] {
        let why = answer.unwrap_err();
        assert_eq!(why.reason, Reason::Options, "{why}");
        assert!(why.detail.contains("text.so") && why.detail.contains(&*library.to_string_lossy()), "{why}");
    }
    #[cfg(unix)]
    {
        let link = folder.join("link.so");
        std::os::unix::fs::symlink(library, &link).unwrap();
        create(&model(&folder).with(OPTION, link.to_str().unwrap())).unwrap();
    }
}

#[test]
fn the_option_is_stronger_than_the_variable() {
    let Some(library) = in_parent(real) else { return };
    let name = "the_option_is_stronger_than_the_variable";
    let nowhere = Some(Path::new("/nowhere/libonnxruntime.so"));
    let prepare = |folder: &Path| fs::write(folder.join("library"), library.to_str().unwrap()).unwrap();
    let Some(folder) = alone(name, nowhere, prepare) else { return };
    let library = fs::read_to_string(folder.join("library")).unwrap();
    create(&model(&folder).with(OPTION, library)).unwrap();
}

#[test]
fn a_library_that_was_fetched_is_found_in_the_cache() {
    let Some(library) = in_parent(real) else { return };
    let prepare = |folder: &Path| {
        let fetched = folder.join("nodupe/runtimes/onnxruntime-1.0.0");
        fs::create_dir_all(&fetched).unwrap();
        fs::copy(library, fetched.join("fetched.so")).unwrap();
        let receipt = "package = \"onnxruntime\"\nversion = \"1.0.0\"\nlibrary = \"fetched.so\"\n[files]\n";
        fs::write(fetched.join("runtime.toml"), receipt).unwrap();
    };
    let Some(folder) = alone("a_library_that_was_fetched_is_found_in_the_cache", None, prepare) else { return };
    (REGISTRATION.probe)(&model(&folder)).unwrap();
    assert!(Runtime::loaded().is_none(), "the probe loads what it can see");
    create(&model(&folder)).unwrap();
    assert!(Runtime::loaded().unwrap().library().ends_with("fetched.so"));
}

#[test]
fn a_runtime_that_is_too_old_is_told_by_its_version() {
    const OLD: &str = r#"
        #[repr(C)]
        pub struct Base(extern "C" fn(u32) -> *const u8, extern "C" fn() -> *const u8);
        extern "C" fn api(_: u32) -> *const u8 { std::ptr::null() }
        extern "C" fn version() -> *const u8 { c"1.10.0".as_ptr().cast() }
        static BASE: Base = Base(api, version);
        #[unsafe(no_mangle)]
        pub extern "C" fn OrtGetApiBase() -> &'static Base { &BASE }
    "#;
    let prepare = |folder: &Path| {
        fs::write(folder.join("old.rs"), OLD).unwrap();
        let mut compiler = Command::new(env::var_os("RUSTC").unwrap_or("rustc".into()));
        compiler.args(["--edition=2024", "--crate-type=cdylib", "-o", "old.so", "old.rs"]).current_dir(folder);
        // Where tests run without a compiler the child finds no library.
        let _ = compiler.status();
    };
    let Some(folder) = alone("a_runtime_that_is_too_old_is_told_by_its_version", None, prepare) else { return };
    let library = folder.join("old.so");
    if provided(library.exists().then_some(()).ok_or("there is no rustc"), "install a Rust toolchain").is_none() {
        return;
    }
    let why = create(&model(&folder).with(OPTION, library.to_str().unwrap())).unwrap_err();
    assert_eq!(why.reason, Reason::WrongVersion, "{why}");
    assert!(why.detail.contains("is ONNX Runtime 1.10.0, and 1.17 or newer is needed"), "{why}");
}
