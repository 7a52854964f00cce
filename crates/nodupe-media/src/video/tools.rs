//! The programs `ffmpeg` and `ffprobe`: where they are, and that they run.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use super::process::{Budget, Outcome, Process};
use crate::error::Failure;

/// The programs that decode videos.
///
/// The environment variables `NODUPE_FFMPEG` and `NODUPE_FFPROBE` name them, otherwise they are looked for in `PATH`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VideoTools {
    ffmpeg: PathBuf,
    ffprobe: PathBuf,
    version: String,
}

/// Why videos cannot be decoded on this machine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VideoToolsError {
    /// A program is not there.
    #[error("{program} was not found: install ffmpeg, which brings it, or set {variable} to where it is", program = program.display())]
    NotFound {
        /// What was looked for.
        program: PathBuf,
        /// The environment variable that names it.
        variable: &'static str,
    },
    /// A program is there, and does not run or is something else.
    #[error("{program} does not work: {said}; install ffmpeg 4.4 or newer, or set {variable} to where it is", program = program.display())]
    Unusable {
        /// The program.
        program: PathBuf,
        /// The environment variable that names it.
        variable: &'static str,
        /// What the system said, or the program.
        said: String,
    },
}

const FFMPEG: (&str, &str) = ("ffmpeg", "NODUPE_FFMPEG");
const FFPROBE: (&str, &str) = ("ffprobe", "NODUPE_FFPROBE");
/// What a program may take to say its version: loading it from a cold disk takes seconds.
const PATIENCE: Duration = Duration::from_secs(20);

impl VideoTools {
    /// The programs of this machine, looked for once in the life of this process.
    ///
    /// # Errors
    /// Which of them is missing, and what to do.
    pub fn get() -> Result<&'static Self, &'static VideoToolsError> {
        static FOUND: OnceLock<Result<VideoTools, VideoToolsError>> = OnceLock::new();
        FOUND.get_or_init(Self::find).as_ref()
    }

    /// The programs of this machine, looked for now.
    ///
    /// # Errors
    /// Which of them is missing, and what to do.
    pub fn find() -> Result<Self, VideoToolsError> {
        let named = |(program, variable): (&str, &str)| {
            env::var_os(variable).filter(|name| !name.is_empty()).unwrap_or_else(|| program.into())
        };
        Self::new(named(FFMPEG), named(FFPROBE))
    }

    /// These programs: paths, or names that are looked for in `PATH`.
    ///
    /// # Errors
    /// Which of them is missing, and what to do.
    pub fn new(ffmpeg: impl Into<PathBuf>, ffprobe: impl Into<PathBuf>) -> Result<Self, VideoToolsError> {
        let (ffmpeg, ffprobe) = (ffmpeg.into(), ffprobe.into());
        let version = version(&ffmpeg, FFMPEG)?;
        self::version(&ffprobe, FFPROBE)?;
        Ok(Self { ffmpeg, ffprobe, version })
    }

    /// The version of `ffmpeg` as it says it: `5.1.6-0+deb12u1`.
    pub fn version(&self) -> &str {
        &self.version
    }

    pub(crate) fn ffmpeg(&self) -> Command {
        bare(&self.ffmpeg)
    }

    pub(crate) fn ffprobe(&self) -> Command {
        bare(&self.ffprobe)
    }

    /// Frames are put out as they come, each once: how this is said to this version.
    pub(crate) fn passthrough(&self) -> [&'static str; 2] {
        let is_old = self.version.starts_with("4.") || self.version.starts_with("5.0");
        [if is_old { "-vsync" } else { "-fps_mode" }, "passthrough"]
    }
}

/// Why a program that ran before cannot be started.
pub(crate) fn lost(command: &Command, error: &io::Error) -> Failure {
    let program = PathBuf::from(command.get_program());
    Failure::NoVideoTools(VideoToolsError::Unusable { program, variable: FFMPEG.1, said: error.to_string() })
}

/// How `path` is told to the programs: whatever it looks like, it is a file.
pub(crate) fn input(path: &Path) -> OsString {
    let mut input = OsString::from("file:");
    input.push(path);
    input
}

fn bare(program: &Path) -> Command {
    let mut command = Command::new(program);
    // Which would have it write a file.
    command.env_remove("FFREPORT").env("AV_LOG_FORCE_NOCOLOR", "1").arg("-hide_banner").stdin(Stdio::null());
    command
}

fn version(program: &Path, (name, variable): (&str, &'static str)) -> Result<String, VideoToolsError> {
    let unusable = |said: String| VideoToolsError::Unusable { program: program.to_owned(), variable, said };
    let mut command = bare(program);
    command.arg("-version");
    let mut process = Process::start(&mut command, 4 << 10, OsStr::new("")).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => VideoToolsError::NotFound { program: program.to_owned(), variable },
        _ => unusable(error.to_string()),
    })?;
    let mut budget = Budget::new(Some(PATIENCE), None, None);
    let said = match process.piece(&mut budget) {
        Outcome::Piece(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Outcome::End => return Err(unusable("it says nothing".to_owned())),
        Outcome::Over(_) => return Err(unusable("it does not answer".to_owned())),
        Outcome::Failed(error) => return Err(unusable(error.to_string())),
    };
    let mut words = said.split_whitespace();
    match (words.next(), words.next(), words.next()) {
        (Some(program), Some("version"), Some(version)) if program == name => Ok(version.to_owned()),
        _ => Err(unusable(format!("it does not say that it is {name}"))),
    }
}
