//! Labelled sets: which files show the same.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::EvalError;

/// What `labels.json` holds.
#[derive(Debug, Serialize, Deserialize)]
struct Document {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    set: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
    groups: Vec<Vec<PathBuf>>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    transforms: BTreeMap<PathBuf, String>,
}

/// A file of a labelled set.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LabelledFile {
    /// Where it is, from the folder of the labels.
    pub path: PathBuf,
    /// Which group it is in, by its number.
    pub group: usize,
    /// What made it of the first file of its group, where that is known.
    pub transform: Option<String>,
}

/// A labelled set: groups of files that show the same. A group of one is a stranger to all others.
///
/// Its file is JSON: `{"groups": [["a.jpg", "b.jpg"], …]}` with paths from the folder that the file is in, and where they are known
/// `"transforms": {"b.jpg": "crop", …}` (what made a file of the first one of its group), `"set"` (a name) and `"seed"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Labels {
    root: PathBuf,
    name: String,
    seed: Option<u64>,
    files: Vec<LabelledFile>,
    /// The place of the first file of each group, and behind the last.
    starts: Vec<usize>,
    by_name: HashMap<std::ffi::OsString, Vec<u32>>,
}

impl Labels {
    /// Reads labels.
    ///
    /// # Errors
    /// [`EvalError::Io`], [`EvalError::Json`], and [`EvalError::Labels`] where a file is in two groups or there is none.
    pub fn open(file: impl AsRef<Path>) -> Result<Self, EvalError> {
        let file = file.as_ref();
        let text = fs::read(file).map_err(|error| EvalError::io(file, error))?;
        let document: Document = serde_json::from_slice(&text).map_err(|source| EvalError::Json {
            path: file.to_owned(),
            what: "a labelled set: {\"groups\": [[paths…], …]}",
            source,
        })?;
        let root = file.parent().map(Path::to_owned).unwrap_or_default();
        // A set that has no name is called by its file, or where that is called labels.json by its folder.
        let stem = file.file_stem().filter(|stem| *stem != "labels").or_else(|| root.file_name());
        let name =
            document.set.unwrap_or_else(|| stem.unwrap_or(OsStr::new("labelled")).to_string_lossy().into_owned());
        let labels = Self::new(root, name, document.seed, document.groups, document.transforms);
        labels.map_err(|detail| EvalError::Labels { path: file.to_owned(), detail })
    }

    pub(crate) fn new(
        root: PathBuf,
        name: String,
        seed: Option<u64>,
        groups: Vec<Vec<PathBuf>>,
        mut transforms: BTreeMap<PathBuf, String>,
    ) -> Result<Self, String> {
        let (mut files, mut starts) = (Vec::new(), vec![0]);
        for (group, paths) in groups.into_iter().enumerate() {
            for (place, path) in paths.into_iter().enumerate() {
                let transform = transforms.remove(&path).filter(|_| place > 0);
                files.push(LabelledFile { path, group, transform });
            }
            starts.push(files.len());
        }
        if files.is_empty() {
            return Err("there is no file in any group".to_owned());
        }
        let mut by_name: HashMap<_, Vec<u32>> = HashMap::new();
        for (number, file) in (0..).zip(&files) {
            by_name.entry(file.path.file_name().unwrap_or_default().to_owned()).or_default().push(number);
        }
        for bearers in by_name.values() {
            for (place, &one) in bearers.iter().enumerate() {
                if bearers[..place].iter().any(|&other| files[other as usize].path == files[one as usize].path) {
                    return Err(format!("{} is there twice", files[one as usize].path.display()));
                }
            }
        }
        Ok(Self { root, name, seed, files, starts, by_name })
    }

    pub(crate) fn write(&self, file: &Path) -> Result<(), EvalError> {
        let groups =
            (0..self.groups()).map(|group| self.files_of(group).iter().map(|file| file.path.clone()).collect());
        let transforms = self.files.iter().filter_map(|file| Some((file.path.clone(), file.transform.clone()?)));
        let document = Document {
            set: Some(self.name.clone()),
            seed: self.seed,
            groups: groups.collect(),
            transforms: transforms.collect(),
        };
        let text = serde_json::to_vec(&document).map_err(|source| EvalError::Json {
            path: file.to_owned(),
            what: "labels that can be written",
            source,
        })?;
        fs::write(file, text).map_err(|error| EvalError::io(file, error))
    }

    /// What the set is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it was made with, where that is known.
    pub fn seed(&self) -> Option<u64> {
        self.seed
    }

    /// Every file, group by group.
    pub fn files(&self) -> &[LabelledFile] {
        &self.files
    }

    /// Where every file is, in the order of [`files`](Self::files).
    pub fn paths(&self) -> Vec<PathBuf> {
        self.files.iter().map(|file| self.root.join(&file.path)).collect()
    }

    /// Number of groups, those of one file included.
    pub fn groups(&self) -> usize {
        self.starts.len() - 1
    }

    /// The files of a group, the original first; none where there is no such group.
    pub fn files_of(&self, group: usize) -> &[LabelledFile] {
        &self.files[self.range_of(group)]
    }

    /// Number of pairs of files that show the same.
    pub fn positives(&self) -> u64 {
        (0..self.groups()).map(|group| pairs_of(self.range_of(group).len() as u64)).sum()
    }

    /// The file that a path of somebody's report means: that path, from the folder of the labels or from where we are; or else the
    /// file of that name whose path ends most like it. `None` where there is no such file, or more than one.
    pub fn find(&self, path: &Path) -> Option<usize> {
        let bearers = self.by_name.get(path.file_name()?)?;
        let file = |number: u32| &self.files[number as usize].path;
        let is_it = |number: &&u32| file(**number) == path || self.root.join(file(**number)) == path;
        if let Some(exact) = bearers.iter().find(is_it) {
            return Some(*exact as usize);
        }
        let alike = |number: u32| {
            let (ours, theirs) = (self.root.join(file(number)), path);
            ours.components().rev().zip(theirs.components().rev()).take_while(|(a, b)| a == b).count()
        };
        let most = bearers.iter().map(|&number| alike(number)).max()?;
        let mut best = bearers.iter().filter(|&&number| alike(number) == most);
        best.next().filter(|_| best.next().is_none()).map(|&number| number as usize)
    }

    pub(crate) fn range_of(&self, group: usize) -> std::ops::Range<usize> {
        let end = self.starts.get(group + 1).copied();
        end.map_or(0..0, |end| self.starts[group]..end)
    }
}

/// Pairs among `n` things.
pub(crate) fn pairs_of(n: u64) -> u64 {
    n * n.saturating_sub(1) / 2
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Groups of files by their names, with transforms after a colon.
    pub(crate) fn labels(groups: &[&[&str]]) -> Labels {
        let mut transforms = BTreeMap::new();
        let path = |text: &&str| {
            let (path, transform) = text.split_once(':').unwrap_or((text, ""));
            if !transform.is_empty() {
                transforms.insert(PathBuf::from(path), transform.to_owned());
            }
            PathBuf::from(path)
        };
        let mut path = path;
        let groups = groups.iter().map(|group| group.iter().map(&mut path).collect()).collect();
        Labels::new("set".into(), "test".into(), Some(1), groups, transforms).unwrap()
    }

    #[test]
    fn labels_are_read_as_they_were_written() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("labels.json");
        let mut written = labels(&[&["a.jpg", "b.jpg:crop"], &["c.jpg"]]);
        written.root = folder.path().to_owned();
        written.write(&file).unwrap();
        assert_eq!(Labels::open(&file).unwrap(), written);
        assert_eq!(written.positives(), 1);
    }

    #[test]
    fn a_plain_set_is_called_after_its_folder_and_nonsense_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let set = folder.path().join("holiday");
        fs::create_dir(&set).unwrap();
        let file = set.join("labels.json");
        fs::write(&file, r#"{"groups": [["a.jpg", "b.jpg"]]}"#).unwrap();
        let labels = Labels::open(&file).unwrap();
        assert_eq!((labels.name(), labels.seed(), labels.paths()[1].clone()), ("holiday", None, set.join("b.jpg")));
        for (text, wanted) in [
            (r#"{"groups": [["a.jpg"], ["a.jpg"]]}"#, "twice"),
            (r#"{"groups": []}"#, "no file"),
            (r#"[["a.jpg"]]"#, "not a labelled set"),
        ] {
            fs::write(&file, text).unwrap();
            let error = Labels::open(&file).unwrap_err().to_string();
            assert!(error.contains(wanted), "{error}");
        }
        assert!(matches!(Labels::open(set.join("none.json")), Err(EvalError::Io { .. })));
    }

    #[test]
    fn a_file_is_found_by_its_path_or_by_what_its_path_ends_with() {
        let labels = labels(&[&["one/a.jpg", "two/a.jpg"], &["two/b.jpg"]]);
        let find = |path: &str| labels.find(Path::new(path));
        assert_eq!((find("one/a.jpg"), find("set/two/a.jpg")), (Some(0), Some(1)));
        assert_eq!((find("/elsewhere/two/a.jpg"), find("b.jpg"), find("/x/b.jpg")), (Some(1), Some(2), Some(2)));
        assert_eq!((find("a.jpg"), find("c.jpg"), find("..")), (None, None, None));
    }
}
