//! The workspace as Cargo sees it: its packages, what they depend on, their features.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::command::{Failure, cargo};

pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    /// Where Cargo puts what it builds.
    pub(crate) target: PathBuf,
    pub(crate) packages: Vec<Package>,
}

pub(crate) struct Package {
    pub(crate) name: String,
    /// Its folder, from the root of the workspace.
    pub(crate) folder: PathBuf,
    /// The root file of its library, from the root of the workspace.
    pub(crate) library: Option<PathBuf>,
    pub(crate) is_published: bool,
    /// Whether building it needs more than Rust: `package.metadata.nodupe.native = true` in its manifest.
    pub(crate) is_native: bool,
    /// Features of it that need more than Rust to build: `package.metadata.nodupe.native-features`.
    pub(crate) native_features: Vec<String>,
    pub(crate) features: BTreeMap<String, Vec<String>>,
    pub(crate) dependencies: Vec<Dependency>,
}

pub(crate) struct Dependency {
    /// The package, whatever it is renamed to.
    pub(crate) package: String,
    pub(crate) is_dev: bool,
    pub(crate) is_optional: bool,
}

impl Workspace {
    /// Asks Cargo.
    pub(crate) fn load() -> Result<Self, Failure> {
        let json = cargo(["metadata", "--no-deps", "--format-version", "1"]).output()?;
        let metadata = serde_json::from_str(&json).map_err(|why| Failure::new(format!("cargo metadata: {why}")))?;
        Self::from_metadata(&metadata).ok_or_else(|| Failure::new("cargo metadata is not what this program knows"))
    }

    /// Reads the output of `cargo metadata --no-deps`.
    pub(crate) fn from_metadata(metadata: &Value) -> Option<Self> {
        let root = PathBuf::from(metadata["workspace_root"].as_str()?);
        let packages = metadata["packages"].as_array()?;
        let packages = packages.iter().map(|package| Package::from_metadata(package, &root)).collect::<Option<_>>()?;
        let target = metadata["target_directory"].as_str().map_or_else(|| root.join("target"), PathBuf::from);
        Some(Self { root, target, packages })
    }

    pub(crate) fn package(&self, name: &str) -> Option<&Package> {
        self.packages.iter().find(|package| package.name == name)
    }

    /// `--exclude` for the packages that need more than Rust, and `--features` for every feature that does not.
    pub(crate) fn pure_rust(&self) -> Vec<String> {
        let (native, pure): (Vec<_>, Vec<_>) = self.packages.iter().partition(|package| package.is_native);
        let features = pure.iter().flat_map(|package| {
            let features = package.features.keys().filter(|feature| !self.is_native(package, feature));
            features.map(|feature| format!("{}/{feature}", package.name))
        });
        let features = features.collect::<Vec<_>>().join(",");
        let excluded = native.iter().flat_map(|package| ["--exclude".to_owned(), package.name.clone()]);
        excluded.chain(["--features".to_owned(), features]).collect()
    }

    /// Whether a feature turns on a package that needs more than Rust.
    pub(crate) fn is_native(&self, package: &Package, feature: &str) -> bool {
        let is_declared = package.native_features.iter().any(|native| native == feature);
        let enabled = package.features.get(feature).into_iter().flatten();
        is_declared || enabled.into_iter().any(|enabled| self.is_native_entry(package, feature, enabled))
    }

    /// One of the entries of a feature: `dep:package`, `package/feature`, `package?/feature` or another feature.
    fn is_native_entry(&self, package: &Package, feature: &str, enabled: &str) -> bool {
        if let Some(dependency) = enabled.strip_prefix("dep:") {
            return self.package(dependency).is_some_and(|package| package.is_native);
        }
        if let Some((dependency, feature)) = enabled.split_once('/') {
            let dependency = self.package(dependency.trim_end_matches('?'));
            return dependency.is_some_and(|package| package.is_native || self.is_native(package, feature));
        }
        enabled != feature && self.is_native(package, enabled)
    }
}

impl Package {
    fn from_metadata(package: &Value, root: &Path) -> Option<Self> {
        let below_root = |path: &Value| Some(Path::new(path.as_str()?).strip_prefix(root).ok()?.to_owned());
        let is_library = |target: &&Value| {
            let kinds = target["kind"].as_array().into_iter().flatten();
            kinds.into_iter().any(|kind| matches!(kind.as_str(), Some("lib" | "proc-macro")))
        };
        let library = package["targets"].as_array()?.iter().find(is_library);
        let features = package["features"].as_object()?.iter().map(|(feature, enabled)| {
            let enabled = enabled.as_array().into_iter().flatten();
            (feature.clone(), enabled.filter_map(|name| name.as_str().map(str::to_owned)).collect())
        });
        let native_features = package["metadata"]["nodupe"]["native-features"].as_array().into_iter().flatten();
        let dependencies = package["dependencies"].as_array()?.iter().map(Dependency::from_metadata);
        Some(Self {
            name: package["name"].as_str()?.to_owned(),
            folder: below_root(&package["manifest_path"])?.parent()?.to_owned(),
            library: library.and_then(|target| below_root(&target["src_path"])),
            is_published: package["publish"].as_array().is_none_or(|registries| !registries.is_empty()),
            is_native: package["metadata"]["nodupe"]["native"].as_bool().unwrap_or(false),
            native_features: native_features.filter_map(|name| name.as_str().map(str::to_owned)).collect(),
            features: features.collect(),
            dependencies: dependencies.collect::<Option<_>>()?,
        })
    }
}

impl Dependency {
    fn from_metadata(dependency: &Value) -> Option<Self> {
        Some(Self {
            package: dependency["name"].as_str()?.to_owned(),
            is_dev: dependency["kind"].as_str() == Some("dev"),
            is_optional: dependency["optional"].as_bool()?,
        })
    }
}
