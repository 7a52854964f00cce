//! Programs that are run, and why one failed.

use std::ffi::OsStr;
use std::fmt;
use std::process::{Command, Stdio};

/// What went wrong, for a person.
#[derive(Debug)]
pub(crate) struct Failure(String);

impl Failure {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A command line that is shown when it is run and when it fails.
pub(crate) struct Line {
    command: Command,
    environment: Vec<(&'static str, String)>,
}

/// The Cargo that runs this program.
pub(crate) fn cargo<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Line {
    Line::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())).args(arguments)
}

impl Line {
    pub(crate) fn new(program: impl AsRef<OsStr>) -> Self {
        Self { command: Command::new(program), environment: Vec::new() }
    }

    pub(crate) fn args<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.command.args(arguments);
        self
    }

    pub(crate) fn env(mut self, variable: &'static str, value: &str) -> Self {
        self.command.env(variable, value);
        self.environment.push((variable, value.to_owned()));
        self
    }

    /// Shows the line and runs it; what it prints goes to the terminal.
    pub(crate) fn run(mut self) -> Result<(), Failure> {
        println!("$ {self}");
        let status = self.command.status().map_err(|why| self.failure(&why.to_string()))?;
        if status.success() { Ok(()) } else { Err(self.failure(&status.to_string())) }
    }

    /// Runs it and gives what it wrote to its standard output.
    pub(crate) fn output(mut self) -> Result<String, Failure> {
        let output = self.command.stderr(Stdio::inherit()).output().map_err(|why| self.failure(&why.to_string()))?;
        if !output.status.success() {
            return Err(self.failure(&output.status.to_string()));
        }
        String::from_utf8(output.stdout).map_err(|why| self.failure(&why.to_string()))
    }

    fn failure(&self, why: &str) -> Failure {
        Failure::new(format!("`{self}` failed: {why}"))
    }
}

/// As it would be typed into a shell.
impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (variable, value) in &self.environment {
            write!(f, "{variable}={} ", quoted(value))?;
        }
        let program = self.command.get_program().to_string_lossy();
        f.write_str(if program.ends_with("/cargo") { "cargo" } else { &program })?;
        for argument in self.command.get_args() {
            write!(f, " {}", quoted(&argument.to_string_lossy()))?;
        }
        Ok(())
    }
}

fn quoted(word: &str) -> String {
    if word.is_empty() || word.contains(char::is_whitespace) { format!("'{word}'") } else { word.to_owned() }
}
