//! `nodupe models`

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use indicatif::HumanBytes;
use nodupe::EmbeddingSpace;
use nodupe::models::{Download, Manifest, Model, ModelError, ModelLibrary, cache_dir, catalogue, entry};
use serde::Serialize;

use crate::args::{ModelsAddArgs, ModelsCommand, ModelsListArgs, ModelsNamedArgs, ModelsVerifyArgs};
use crate::failure::{Failure, say_error};
use crate::json;
use crate::path::{JsonPath, shown, shown_text};
use crate::say::say;

pub(crate) fn run(command: &ModelsCommand) -> Result<ExitCode, Failure> {
    match command {
        ModelsCommand::List(args) => list(args),
        ModelsCommand::Info(args) => info(args),
        ModelsCommand::Path(args) => path(args),
        ModelsCommand::Verify(args) => verify(args),
        #[cfg(feature = "fetch")]
        ModelsCommand::Fetch(args) => crate::fetch::models(args),
        ModelsCommand::Add(args) => add(args),
    }
}

/// Whether the model that is asked for is there: said before backends are tried, since it is the same for each.
pub(crate) fn check(name: Option<&str>) -> Result<(), Failure> {
    match name {
        Some(name) => ModelLibrary::from_env().find(Some(name)).map(|_| ()).map_err(failure),
        None => Ok(()),
    }
}

/// What is wrong with a model, and the command that helps. A model that there is not is wrong usage.
pub(crate) fn failure(error: ModelError) -> Failure {
    let usage = matches!(error, ModelError::Unknown { .. });
    let failure: Box<dyn std::error::Error> = match error.command() {
        Some(command) => format!("{error}: run `{command}`").into(),
        None => Box::new(error),
    };
    if usage { Failure::Usage(failure) } else { Failure::Failed(failure) }
}

/// A model that is known, installed or both.
struct Known<'a> {
    id: &'a str,
    manifest: Option<&'a Manifest>,
    installed: Option<&'a Result<Model, ModelError>>,
}

impl Known<'_> {
    fn state(&self) -> &'static str {
        match self.installed {
            Some(Ok(model)) if model.is_outdated() => "outdated",
            Some(Ok(_)) => "installed",
            Some(Err(_)) => "broken",
            None => "absent",
        }
    }
}

/// Those of the catalogue in its order, then the user's own.
fn known(installed: &BTreeMap<String, Result<Model, ModelError>>) -> Vec<Known<'_>> {
    let of_catalogue = catalogue().iter().map(|entry| {
        let found = installed.get(&entry.id);
        let manifest = found.and_then(|model| model.as_ref().ok()).map_or(entry, Model::manifest);
        Known { id: &entry.id, manifest: Some(manifest), installed: found }
    });
    let own = installed.iter().filter(|(id, _)| entry(id).is_none()).map(|(id, model)| Known {
        id,
        manifest: model.as_ref().ok().map(Model::manifest),
        installed: Some(model),
    });
    of_catalogue.chain(own).collect()
}

fn list(args: &ModelsListArgs) -> Result<ExitCode, Failure> {
    let library = ModelLibrary::from_env();
    let installed = library.installed().into_iter().collect();
    let known = known(&installed);
    let mut out = io::stdout().lock();
    if args.json {
        let models = known.iter().map(model).collect();
        json::print(&mut out, &Document { version: json::VERSION, models })?;
        return Ok(ExitCode::SUCCESS);
    }
    writeln!(out, "{:<20} {:<10} {:>5}  {:<22} about", "model", "", "dim", "licence")?;
    for known in &known {
        let (dim, licence, about) = match (known.manifest, known.installed) {
            (Some(manifest), _) => {
                (manifest.output.dim.to_string(), shown_text(&manifest.licence.name), shown_text(&manifest.description))
            }
            (None, Some(Err(error))) => (String::new(), String::new(), shown_text(&error.to_string())),
            (None, _) => (String::new(), String::new(), String::new()),
        };
        let state = if known.installed.is_some() { known.state() } else { "" };
        writeln!(out, "{:<20} {state:<10} {dim:>5}  {licence:<22} {about}", known.id)?;
    }
    if installed.is_empty() {
        writeln!(out, "\nNone is installed. The first is a good start: nodupe models fetch {}", first())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn first() -> &'static str {
    catalogue().first().map_or("", |entry| &entry.id)
}

fn info(args: &ModelsNamedArgs) -> Result<ExitCode, Failure> {
    let library = ModelLibrary::from_env();
    let found = library.find(Some(&args.model));
    let manifest = match (&found, entry(&args.model)) {
        (Ok(model), _) => model.manifest(),
        (Err(ModelError::NotInstalled { .. }), Some(entry)) => entry,
        _ => return found.map(|_| ExitCode::SUCCESS).map_err(failure),
    };
    let mut out = io::stdout().lock();
    if args.json {
        let known = Known { id: &manifest.id, manifest: Some(manifest), installed: found.is_ok().then_some(&found) };
        let models = vec![model(&known)];
        json::print(&mut out, &Document { version: json::VERSION, models })?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut line = |name: &str, value: &str| writeln!(out, "{name:<13} {}", shown_text(value));
    line("model", &format!("{} (revision {})", manifest.id, manifest.revision))?;
    line("about", &manifest.description)?;
    line("licence", &manifest.licence.name)?;
    if let Some(note) = &manifest.licence.note {
        line("", note)?;
    }
    line("images", &format!("{} ({})", manifest.input_spec(), fit(manifest)))?;
    line("space", &manifest.space()?.to_string())?;
    if let Some(threshold) = manifest.matching().default_threshold {
        line("threshold", &threshold.to_string())?;
    }
    for artifact in &manifest.artifacts {
        line(artifact.format.name(), &format!("{} ({})", artifact.file, artifact.precision.name()))?;
    }
    for download in &manifest.downloads {
        line("source", &source(download))?;
    }
    match &found {
        Ok(model) if model.is_outdated() => {
            let renew = format!("{}; outdated: nodupe models fetch {} renews it", shown(model.folder()), manifest.id);
            line("installed", &renew)?;
        }
        Ok(model) => line("installed", &shown(model.folder()))?,
        Err(_) => line("installed", &format!("no; nodupe models fetch {} brings it", manifest.id))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn fit(manifest: &Manifest) -> String {
    use nodupe::core::Fit;
    match manifest.input.fit {
        Fit::Stretch => "stretched".to_owned(),
        Fit::ShortestEdge { edge } => format!("shortest edge {edge}, centre cropped"),
        Fit::Letterbox { .. } => "letterboxed".to_owned(),
        _ => String::new(),
    }
}

fn source(download: &Download) -> String {
    use nodupe::models::Source;
    let from = match &download.from {
        Source::Pip { package, version, member } => format!("{member} of the Python package {package} {version}"),
        Source::Hf { repo, revision, file } => format!("{file} of {repo} at {revision} on the Hugging Face hub"),
        Source::Url { url } => url.clone(),
        Source::File { what } => what.clone(),
        _ => download.from.kind().to_owned(),
    };
    match download.bytes {
        Some(bytes) => format!("{from}, {}", HumanBytes(bytes)),
        None => from,
    }
}

fn path(args: &ModelsNamedArgs) -> Result<ExitCode, Failure> {
    let model = ModelLibrary::from_env().find(Some(&args.model)).map_err(failure)?;
    let mut out = io::stdout().lock();
    if args.json {
        json::print(&mut out, &JsonPath(model.folder()))?;
    } else {
        // As it is, whatever bytes it has: this is for programs too.
        out.write_all(model.folder().as_os_str().as_encoded_bytes())?;
        writeln!(out)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn add(args: &ModelsAddArgs) -> Result<ExitCode, Failure> {
    let cache = cache_dir().ok_or(ModelError::NoCache)?;
    let model = ModelLibrary::add(&args.folder, &cache.join("models"), args.replace).map_err(failure)?;
    writeln!(io::stdout(), "{}: {}", model.manifest().id, shown(model.folder()))?;
    Ok(ExitCode::SUCCESS)
}

fn verify(args: &ModelsVerifyArgs) -> Result<ExitCode, Failure> {
    let library = ModelLibrary::from_env();
    let models = if args.models.is_empty() {
        library.installed()
    } else {
        args.models.iter().map(|name| (name.clone(), library.find(Some(name)))).collect()
    };
    let mut code = ExitCode::SUCCESS;
    let mut out = io::stdout().lock();
    for (id, model) in models {
        match model.and_then(|model| model.verify().map(|()| model)) {
            Ok(model) => {
                let unchecked = model.manifest().artifacts.iter().filter(|artifact| artifact.digest.is_none()).count();
                let note = if unchecked > 0 { format!(" ({unchecked} without a digest)") } else { String::new() };
                writeln!(out, "{id}: every file is as its manifest says{note}")?;
                if model.is_outdated() {
                    writeln!(out, "{id}: it is outdated: nodupe models fetch {} renews it", model.manifest().id)?;
                }
            }
            Err(error) => {
                code = ExitCode::FAILURE;
                say_error(&id, &error);
                if let Some(entry) = entry(&id) {
                    say(format_args!("  run `nodupe models fetch --again {}`", entry.id));
                }
            }
        }
    }
    Ok(code)
}

#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    models: Vec<ModelJson<'a>>,
}

#[derive(Serialize)]
struct ModelJson<'a> {
    id: &'a str,
    state: &'static str,
    error: Option<String>,
    folder: Option<JsonPath<'a>>,
    space: Option<EmbeddingSpace>,
    manifest: Option<&'a Manifest>,
}

fn model<'a>(known: &Known<'a>) -> ModelJson<'a> {
    let folder = known.installed.and_then(|model| model.as_ref().ok()).map(Model::folder);
    ModelJson {
        id: known.id,
        state: known.state(),
        error: known.installed.and_then(|model| model.as_ref().err()).map(ToString::to_string),
        folder: folder.map(|folder: &'a Path| JsonPath(folder)),
        space: known.manifest.and_then(|manifest| manifest.space().ok()),
        manifest: known.manifest,
    }
}
