//! The library of ONNX Runtime: where it is looked for, and how it comes into this process, once.

use std::env;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use nodupe_core::{BoxError, OptionSpec, Options, Reason, Unavailable};
use ort::LoadDynamicError;
use ort::environment::Environment;
use ort::logging::LogLevel;

/// The environment variable that names the library, as for every program that uses the crate `ort`.
pub const LIBRARY_VARIABLE: &str = "ORT_DYLIB_PATH";

/// What the system calls the library; its loader looks in the places that it is set up for.
const SYSTEM_NAMES: &[&str] = if cfg!(windows) {
    &["onnxruntime.dll"]
} else if cfg!(target_vendor = "apple") {
    &["libonnxruntime.dylib"]
} else {
    &["libonnxruntime.so", "libonnxruntime.so.1"]
};

/// The library of ONNX Runtime, loaded. One process has one: it stays until the process ends.
#[derive(Debug, Clone)]
pub struct Runtime {
    environment: Environment,
    library: PathBuf,
}

static LOADED: Mutex<Option<Runtime>> = Mutex::new(None);

impl Runtime {
    /// The runtime of this process, where one was loaded by this crate.
    pub fn loaded() -> Option<Self> {
        LOADED.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What sessions are made in. A program that uses `ort` beside this crate makes its own in it too: `ort` allows one
    /// environment a process.
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// The file that was loaded, or the name under which the system found it.
    pub fn library(&self) -> &Path {
        &self.library
    }
}

/// Where the library is looked for: the option of a backend, [`LIBRARY_VARIABLE`], what `nodupe runtimes fetch` brought,
/// and the system. Who names a library gets that one or an error; where nobody does, the first that can be loaded serves.
#[derive(Debug, Clone)]
pub struct Search {
    /// The library that was named, and by what.
    named: Option<(PathBuf, &'static str)>,
    /// The names of fetched packages, the first preferred.
    packages: &'static [&'static str],
    /// A file that must lie beside the library.
    companion: Option<&'static str>,
}

impl Search {
    /// The search of a backend whose option `option` names a library, and which takes fetched runtimes of these packages,
    /// the first ones first.
    ///
    /// # Errors
    /// With [`Reason::Options`] where the option has a value that it cannot have.
    pub fn new(options: &Options, option: &OptionSpec, packages: &'static [&'static str]) -> Result<Self, Unavailable> {
        let given: Option<PathBuf> = options.get(option).map_err(|error| {
            Unavailable::new(Reason::Options, format!("{} names no library", option.key)).with_source(error)
        })?;
        let variable = env::var_os(LIBRARY_VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from);
        let named = match (given, variable) {
            (Some(path), _) if path.as_os_str().is_empty() => {
                return Err(Unavailable::new(Reason::Options, format!("{} is empty", option.key)));
            }
            (Some(path), _) => Some((path, option.key)),
            (None, Some(path)) => Some((path, LIBRARY_VARIABLE)),
            (None, None) => None,
        };
        Ok(Self { named, packages, companion: None })
    }

    /// The same that passes over libraries in files which do not have the file `name` beside them: an execution provider.
    #[must_use]
    pub fn with_companion(mut self, name: &'static str) -> Self {
        self.companion = Some(name);
        self
    }

    /// Whether a library can be had, told without loading one where files say enough. Where they do not, the loader of the
    /// system is asked, and what it finds stays loaded: [`load`](Self::load) would load the same.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn probe(&self) -> Result<(), Unavailable> {
        if Runtime::loaded().is_some() {
            return self.load().map(drop);
        }
        match self.candidates()?.0.first() {
            Some(candidate) if is_file_path(&candidate.path) => Ok(()),
            _ => self.load().map(drop),
        }
    }

    /// The library, loaded now or before.
    ///
    /// # Errors
    /// With [`Reason::LibraryNotFound`] where there is none or what was found cannot be loaded, [`Reason::WrongVersion`]
    /// where it is another library or too old, and [`Reason::Options`] where another one is loaded already than the one
    /// that was named.
    pub fn load(&self) -> Result<Runtime, Unavailable> {
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = &*loaded {
            self.same(runtime)?;
            self.check_companion(runtime.library())?;
            return Ok(runtime.clone());
        }
        let (candidates, mut first_failure) = self.candidates()?;
        for candidate in candidates {
            let path = &candidate.path;
            match self.check_fetched(&candidate).and_then(|()| load(path)) {
                Ok(runtime) => return Ok(loaded.insert(runtime).clone()),
                Err(why) => {
                    tracing::debug!(path = %path.display(), %why, "no ONNX Runtime here");
                    // That the system knows no such name is what everybody has; a file that is there and cannot be loaded is not.
                    if self.named.is_some() || is_file_path(path) || why.reason != Reason::LibraryNotFound {
                        first_failure.get_or_insert(why);
                    }
                }
            }
        }
        Err(first_failure.unwrap_or_else(|| self.none()))
    }

    /// What to try, in this order, and what is wrong with the first one that is not among them.
    fn candidates(&self) -> Result<(Vec<Candidate>, Option<Unavailable>), Unavailable> {
        let installed = nodupe_models::installed_runtimes();
        if let Some((path, by)) = &self.named {
            let found = if is_file_path(path) {
                let absolute = std::path::absolute(path).unwrap_or_else(|_| path.clone());
                if !absolute.is_file() {
                    let state = if absolute.exists() { "no regular file" } else { "not there" };
                    let detail = format!("{}, which {by} names, is {state}", path.display());
                    let help = format!("correct {by}, or leave it out and {}", self.help());
                    return Err(Unavailable::new(Reason::LibraryNotFound, detail).with_help(help));
                }
                self.check_companion(&absolute)?;
                absolute
            } else {
                path.clone()
            };
            let fetched = installed.into_iter().find(|runtime| runtime.library == found);
            return Ok((vec![Candidate { path: found, fetched }], None));
        }
        let of = |package: &'static str| installed.iter().filter(move |runtime| runtime.package == package);
        let (mut candidates, mut lacking) = (Vec::new(), None);
        for runtime in self.packages.iter().copied().flat_map(of) {
            match self.check_companion(&runtime.library) {
                Ok(()) => {
                    candidates.push(Candidate { path: runtime.library.clone(), fetched: Some(runtime.clone()) });
                }
                Err(why) => drop(lacking.get_or_insert(why)),
            }
        }
        let system = |name: &&str| Candidate { path: PathBuf::from(name), fetched: None };
        candidates.extend(SYSTEM_NAMES.iter().map(system));
        Ok((candidates, lacking))
    }

    /// The loader of the system trusts a file, and a damaged one ends the process: what was fetched is compared with the
    /// digests that were taken then.
    fn check_fetched(&self, candidate: &Candidate) -> Result<(), Unavailable> {
        let verified = candidate.fetched.as_ref().map_or(Ok(()), nodupe_models::Runtime::verify);
        verified.map_err(|source| {
            let detail = format!("{} is not as it was when it was fetched", candidate.path.display());
            Unavailable::new(Reason::LibraryNotFound, detail).with_help(self.help()).with_source(source)
        })
    }

    /// What the system finds by name lies where only its loader knows.
    fn check_companion(&self, library: &Path) -> Result<(), Unavailable> {
        match self.companion {
            Some(name) if is_file_path(library) && !library.with_file_name(name).is_file() => {
                let detail = format!("{} has no {name} beside it", library.display());
                Err(Unavailable::new(Reason::LibraryNotFound, detail).with_help(self.help()))
            }
            _ => Ok(()),
        }
    }

    /// Whether what is loaded is what was named.
    fn same(&self, runtime: &Runtime) -> Result<(), Unavailable> {
        let Some((path, by)) = &self.named else { return Ok(()) };
        let real = |path: &Path| path.canonicalize().ok();
        if path == runtime.library() || real(path).is_some_and(|path| Some(path) == real(runtime.library())) {
            return Ok(());
        }
        let (named, loaded) = (path.display(), runtime.library().display());
        let detail = format!("{by} names {named}, and this process has loaded {loaded} already: a process has one");
        Err(Unavailable::new(Reason::Options, detail).with_help("name the same library for every backend"))
    }

    fn none(&self) -> Unavailable {
        let detail = "ONNX Runtime is not installed: neither fetched nor known to the system";
        Unavailable::new(Reason::LibraryNotFound, detail).with_help(self.help())
    }

    fn help(&self) -> String {
        match self.packages.first() {
            Some(&package) if package != "onnxruntime" => format!("run `nodupe runtimes fetch {package}`"),
            _ => "run `nodupe runtimes fetch`".to_owned(),
        }
    }
}

/// A library to try: a path, or a name that the system looks for.
struct Candidate {
    path: PathBuf,
    /// What the cache says of it, where it was fetched.
    fetched: Option<nodupe_models::Runtime>,
}

/// Whether this means a file, rather than a name that the system looks for.
fn is_file_path(path: &Path) -> bool {
    path.is_absolute() || path.components().count() > 1
}

fn load(path: &Path) -> Result<Runtime, Unavailable> {
    let builder = quietly(|| ort::init_from(path)).map_err(|panic| unloadable(path, panic))?;
    let builder = builder.map_err(|error| match error {
        LoadDynamicError::Dlopen { error, .. } => unloadable(path, error.into()),
        LoadDynamicError::BadVersion { version_str, .. } => {
            let least = ort::MINOR_VERSION;
            let detail = format!("{} is ONNX Runtime {version_str}, and 1.{least} or newer is needed", path.display());
            Unavailable::new(Reason::WrongVersion, detail).with_help("run `nodupe runtimes fetch`")
        }
        error => {
            let detail = format!("{} is not ONNX Runtime", path.display());
            Unavailable::new(Reason::WrongVersion, detail).with_source(error)
        }
    })?;
    let environment =
        quietly(|| builder.with_name("nodupe").with_telemetry(false).with_logger(crate::log::logger()).build())
            .map_err(|panic| unloadable(path, panic))?
            .map_err(|error| {
                let detail = format!("{} does not start", path.display());
                Unavailable::new(Reason::Other, detail).with_source(error)
            })?;
    environment.set_log_level(LogLevel::Warning);
    tracing::debug!(library = %path.display(), info = ort::info(), "loaded ONNX Runtime");
    Ok(Runtime { environment, library: path.to_owned() })
}

fn unloadable(path: &Path, source: BoxError) -> Unavailable {
    let detail = format!("{} cannot be loaded", path.display());
    Unavailable::new(Reason::LibraryNotFound, detail).with_source(source)
}

/// Calls into `ort`, some of whose checks panic: a library that lies about itself must not end the program.
pub(crate) fn quietly<T>(call: impl FnOnce() -> T) -> Result<T, BoxError> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|panic| {
        let said = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
        format!("the binding of ONNX Runtime panicked: {}", said.unwrap_or("without a word")).into()
    })
}
