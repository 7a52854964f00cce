//! What LMDB and arroy say, as errors of an index.

use std::any::Any;
use std::path::Path;

use heed::MdbError;
use nodupe_core::{IndexError, Reason, Unavailable};

use crate::backend::NAME;

/// Says which file a failure is about.
pub(crate) trait At<T> {
    fn at(self, path: &Path) -> Result<T, IndexError>;
}

impl<T> At<T> for heed::Result<T> {
    fn at(self, path: &Path) -> Result<T, IndexError> {
        self.map_err(|why| of_heed(path, why))
    }
}

impl<T> At<T> for arroy::Result<T> {
    fn at(self, path: &Path) -> Result<T, IndexError> {
        use arroy::Error as E;
        self.map_err(|why| match why {
            E::Heed(why) => of_heed(path, why),
            E::Io(why) => IndexError::io(path)(why),
            E::BuildCancelled => IndexError::Cancelled,
            E::DatabaseFull => IndexError::Full { limit: u32::MAX as usize },
            E::InvalidVecDimension { .. }
            | E::UnmatchingDistance { .. }
            | E::MissingMetadata(_)
            | E::NeedBuild(_)
            | E::MissingKey { .. } => IndexError::corrupt(path, why.to_string()),
            why => IndexError::Backend { backend: NAME, source: why.into() },
        })
    }
}

fn of_heed(path: &Path, why: heed::Error) -> IndexError {
    let resources = |detail: String, help: &'static str| {
        IndexError::from(Unavailable::new(Reason::Resources, detail).with_help(help))
    };
    let file = path.display();
    match why {
        heed::Error::Io(why) if why.kind() == std::io::ErrorKind::OutOfMemory => resources(
            format!("there are not enough addresses to map {file}"),
            "raise the limit (`ulimit -v`), or set a smaller `annoy.map-size`",
        ),
        heed::Error::Io(why) => IndexError::io(path)(why),
        heed::Error::Mdb(MdbError::MapFull) => {
            let help = "open it with a larger `annoy.map-size`; `build` and saving again make room in it, too";
            resources(format!("{file} has grown to its map size"), help)
        }
        heed::Error::Mdb(MdbError::MapResized) => resources(
            format!("another process has let {file} grow beyond the map size of this one"),
            "open it again with a larger `annoy.map-size`",
        ),
        heed::Error::Mdb(MdbError::ReadersFull) => {
            resources(format!("too many threads read {file} at once"), "search on fewer threads or in fewer processes")
        }
        heed::Error::Mdb(
            why @ (MdbError::Invalid
            | MdbError::Corrupted
            | MdbError::PageNotFound
            | MdbError::VersionMismatch
            | MdbError::Incompatible
            | MdbError::BadValSize),
        ) => IndexError::corrupt(path, why.to_string()),
        heed::Error::Decoding(why) => IndexError::corrupt(path, why.to_string()),
        why => IndexError::Backend { backend: NAME, source: why.into() },
    }
}

/// What is left of a panic below: arroy takes for granted what is in the database.
pub(crate) fn of_panic(path: &Path, panic: &(dyn Any + Send)) -> IndexError {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
    IndexError::corrupt(path, format!("the forest cannot be read: {text}"))
}
