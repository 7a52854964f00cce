//! `nodupe index`

pub(crate) mod args;
mod change;
mod inspect;
mod query;

use std::process::ExitCode;

use nodupe::core::IndexError;
use nodupe::index::BundleError;
use nodupe::{Indexer, IndexerError};

use crate::args::BackendArgs;
use crate::failure::Failure;
use crate::scan::selection;
use crate::{models, threads};

use self::args::IndexCommand;

pub(crate) fn run(command: &IndexCommand) -> Result<ExitCode, Failure> {
    match command {
        IndexCommand::Build(args) => change::build(args),
        IndexCommand::Add(args) => change::add(args),
        IndexCommand::Remove(args) => change::remove(args),
        IndexCommand::Query(args) => query::run(args),
        IndexCommand::Info(args) => inspect::info(args),
        IndexCommand::Verify(args) => inspect::verify(args),
        IndexCommand::Convert(args) => change::convert(args),
    }
}

/// An indexer with the backends that the command line asks for.
fn indexer<'a>(backend: &BackendArgs) -> Result<Indexer<'a>, Failure> {
    models::check(backend.model.as_deref())?;
    threads::start(backend.threads)?;
    let indexer = Indexer::new().with_options(backend.options());
    Ok(match &backend.embedding {
        Some(preference) => indexer.with_embedding(preference.clone()),
        None => indexer,
    })
}

/// A name or an option that does not exist is wrong usage; everything else is a failure, with what to do about it.
fn failure(error: IndexerError) -> Failure {
    match error {
        IndexerError::Select(error) => selection(error),
        IndexerError::Exists { .. } => {
            let help = "`nodupe index add` adds to it, --force puts the new one in its place";
            Failure::Failed(format!("{error}: {help}").into())
        }
        IndexerError::Bundle(error) => bundle(error),
        IndexerError::Index(error) => bundle(error.into()),
        error => error.into(),
    }
}

/// See [`failure`].
fn bundle(error: BundleError) -> Failure {
    match error {
        BundleError::Index(IndexError::Corrupt { .. }) => {
            Failure::Failed(format!("{error}: delete the index and build it again").into())
        }
        BundleError::Index(IndexError::Unsupported { operation: "vectors", .. }) => {
            Failure::Failed(format!("{error}: build an index from the images with `nodupe index build`").into())
        }
        error => error.into(),
    }
}
