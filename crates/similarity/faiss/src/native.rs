//! An index of FAISS behind a safe face: the one file that calls its C interface.
//!
//! Every function of that interface catches C++ exceptions and answers a code; what the last exception said is kept for
//! each thread. Lengths are checked here, so that no pointer is read or written beyond what it points to.
#![allow(unsafe_code)] // this is the file of it

use std::ffi::{CStr, CString, c_char, c_int};
use std::fmt;
use std::num::NonZeroUsize;
use std::path::Path;
use std::ptr::{self, NonNull};

use faiss_sys as sys;
use nodupe_core::{EmbeddingSpace, Metric, Row, Rows};

/// What FAISS said of a call that failed.
#[derive(Debug, thiserror::Error)]
#[error("FAISS: {0}")]
pub(crate) struct Failed(pub(crate) String);

type Result<T> = std::result::Result<T, Failed>;

/// An index of FAISS: a mapping of rows 0, 1, 2, … in the order in which they were added.
pub(crate) struct Native {
    raw: Raw,
    metric: Metric,
    /// Components, or bits.
    dim: usize,
}

enum Raw {
    Floats(NonNull<sys::FaissIndex>),
    Bits(NonNull<sys::FaissIndexBinary>),
}

// SAFETY: FAISS ties no index to a thread: its objects are plain memory and have no thread-local state.
unsafe impl Send for Native {}
// SAFETY: through `&self` only functions that are `const` in C++ are called. FAISS documents that searches of one index by
// several threads are safe as long as nobody changes it (wiki, "Threads and asynchronous calls": "CPU indices are thread-safe
// for concurrent searches, and other operations that do not change the index"), and `&mut self` keeps changes apart. The
// parameters of a search are set when an index is made or opened (`set`, by `&mut self`), not from call to call. What FAISS
// does write then are its global counters of statistics, which nothing here reads.
unsafe impl Sync for Native {}

/// What a search found: of query `i` the entries `ends[i - 1]..ends[i]`.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) ends: Vec<usize>,
    /// Rows, -1 where fewer were found than were asked for.
    pub(crate) labels: Vec<i64>,
    /// Distances in the metric of the space, as far as FAISS's arithmetic goes.
    pub(crate) distances: Vec<f32>,
}

impl Found {
    pub(crate) fn of(&self, query: usize) -> impl DoubleEndedIterator<Item = (i64, f32)> {
        let start = query.checked_sub(1).map_or(0, |before| self.ends[before]);
        let range = start..self.ends[query];
        self.labels[range.clone()].iter().copied().zip(self.distances[range].iter().copied())
    }
}

/// Room for one row.
#[derive(Debug, Clone)]
pub(crate) enum Buffer {
    F32(Vec<f32>),
    Bits(Vec<u8>),
}

impl Buffer {
    pub(crate) fn new(space: &EmbeddingSpace) -> Self {
        match space.metric() {
            Metric::Hamming => Self::Bits(vec![0; space.dim() / 8]),
            _ => Self::F32(vec![0.0; space.dim()]),
        }
    }

    pub(crate) fn row(&self) -> Row<'_> {
        match self {
            Self::F32(row) => Row::F32(row),
            Self::Bits(row) => Row::Bits(row),
        }
    }
}

impl Native {
    /// An empty index that the factory of FAISS makes of a description.
    pub(crate) fn new(space: &EmbeddingSpace, description: &str) -> Result<Self> {
        let text = CString::new(description).map_err(|_| Failed("a description holds no NUL".to_owned()))?;
        let dim = c_int::try_from(space.dim()).map_err(|_| Failed("too many components".to_owned()))?;
        let raw = match space.metric() {
            Metric::Hamming => {
                let mut index = ptr::null_mut();
                // SAFETY: the text ends with NUL, and the pointer is one to write to.
                check(unsafe { sys::faiss_index_binary_factory(&raw mut index, dim, text.as_ptr()) })?;
                Raw::Bits(some(index)?)
            }
            metric => {
                let mut index = ptr::null_mut();
                let metric = native_metric(metric);
                // SAFETY: as above.
                check(unsafe { sys::faiss_index_factory(&raw mut index, dim, text.as_ptr(), metric) })?;
                Raw::Floats(some(index)?)
            }
        };
        Ok(Self { raw, metric: space.metric(), dim: space.dim() })
    }

    /// Reads what [`write`](Self::write) wrote. FAISS trusts what a file says: whoever calls has seen its digest.
    pub(crate) fn read(space: &EmbeddingSpace, path: &Path) -> Result<Self> {
        let path = file_name(path)?;
        let raw = if space.metric() == Metric::Hamming {
            let mut index = ptr::null_mut();
            // SAFETY: the name ends with NUL, and the pointer is one to write to.
            check(unsafe { sys::faiss_read_index_binary_fname(path.as_ptr(), 0, &raw mut index) })?;
            Raw::Bits(some(index)?)
        } else {
            let mut index = ptr::null_mut();
            // SAFETY: as above.
            check(unsafe { sys::faiss_read_index_fname(path.as_ptr(), 0, &raw mut index) })?;
            Raw::Floats(some(index)?)
        };
        let index = Self { raw, metric: space.metric(), dim: space.dim() };
        // SAFETY: they are getters of a live index.
        let (dim, metric) = unsafe {
            match index.raw {
                Raw::Floats(raw) => (sys::faiss_Index_d(raw.as_ptr()), sys::faiss_Index_metric_type(raw.as_ptr())),
                Raw::Bits(raw) => (sys::faiss_IndexBinary_d(raw.as_ptr()), native_metric(space.metric())),
            }
        };
        if usize::try_from(dim) != Ok(space.dim()) || metric != native_metric(space.metric()) {
            return Err(Failed(format!("the file holds vectors of {dim} components under metric {metric}")));
        }
        Ok(index)
    }

    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let path = file_name(path)?;
        // SAFETY: the index is live and the name ends with NUL.
        check(unsafe {
            match self.raw {
                Raw::Floats(raw) => sys::faiss_write_index_fname(raw.as_ptr(), path.as_ptr()),
                Raw::Bits(raw) => sys::faiss_write_index_binary_fname(raw.as_ptr(), path.as_ptr()),
            }
        })
    }

    /// A copy with everything that is in it; some kinds of index cannot be copied.
    pub(crate) fn copy(&self) -> Result<Self> {
        let raw = match self.raw {
            Raw::Floats(raw) => {
                let mut index = ptr::null_mut();
                // SAFETY: the index is live, and the pointer is one to write to.
                check(unsafe { sys::faiss_clone_index(raw.as_ptr(), &raw mut index) })?;
                Raw::Floats(some(index)?)
            }
            Raw::Bits(raw) => {
                let mut index = ptr::null_mut();
                // SAFETY: as above.
                check(unsafe { sys::faiss_clone_index_binary(raw.as_ptr(), &raw mut index) })?;
                Raw::Bits(some(index)?)
            }
        };
        Ok(Self { raw, ..*self })
    }

    /// Number of rows.
    pub(crate) fn len(&self) -> usize {
        // SAFETY: a getter of a live index.
        let len = unsafe {
            match self.raw {
                Raw::Floats(raw) => sys::faiss_Index_ntotal(raw.as_ptr()),
                Raw::Bits(raw) => sys::faiss_IndexBinary_ntotal(raw.as_ptr()),
            }
        };
        usize::try_from(len).unwrap_or(0)
    }

    /// Whether it takes rows without being trained first.
    pub(crate) fn is_trained(&self) -> bool {
        // SAFETY: a getter of a live index.
        let trained = unsafe {
            match self.raw {
                Raw::Floats(raw) => sys::faiss_Index_is_trained(raw.as_ptr()),
                Raw::Bits(raw) => sys::faiss_IndexBinary_is_trained(raw.as_ptr()),
            }
        };
        trained != 0
    }

    pub(crate) fn train(&mut self, rows: Rows<'_>) -> Result<()> {
        let count = self.count(rows)?;
        // SAFETY: `count` is the number of whole rows of this index's length that lie behind the pointer.
        check(unsafe {
            match (&self.raw, rows) {
                (Raw::Floats(raw), Rows::F32 { data, .. }) => {
                    sys::faiss_Index_train(raw.as_ptr(), count, data.as_ptr())
                }
                (Raw::Bits(raw), Rows::Bits { data, .. }) => {
                    sys::faiss_IndexBinary_train(raw.as_ptr(), count, data.as_ptr())
                }
                _ => return Err(other_rows()),
            }
        })
    }

    /// Appends rows. What a call that fails leaves is unknown: the index is to be dropped.
    pub(crate) fn add(&mut self, rows: Rows<'_>) -> Result<()> {
        let count = self.count(rows)?;
        // SAFETY: as in `train`.
        check(unsafe {
            match (&self.raw, rows) {
                (Raw::Floats(raw), Rows::F32 { data, .. }) => sys::faiss_Index_add(raw.as_ptr(), count, data.as_ptr()),
                (Raw::Bits(raw), Rows::Bits { data, .. }) => {
                    sys::faiss_IndexBinary_add(raw.as_ptr(), count, data.as_ptr())
                }
                _ => return Err(other_rows()),
            }
        })
    }

    /// The `k` nearest rows of each query, as far as this kind of index finds them; `k` is at least 1.
    pub(crate) fn search(&self, queries: Rows<'_>, k: usize) -> Result<Found> {
        let count = self.count(queries)?;
        let queries_len = usize::try_from(count).unwrap_or(0);
        let all = queries_len.checked_mul(k).ok_or_else(|| Failed("too many neighbours".to_owned()))?;
        let k = i64::try_from(k.max(1)).map_err(|_| Failed("too many neighbours".to_owned()))?;
        let mut labels = vec![-1; all];
        let distances = match (&self.raw, queries) {
            (Raw::Floats(raw), Rows::F32 { data, .. }) => {
                let mut distances = vec![f32::NAN; all];
                // SAFETY: `count` rows of this index's length lie behind the pointer of queries, and `count * k` numbers
                // behind those of the answer.
                check(unsafe {
                    let (near, rows) = (distances.as_mut_ptr(), labels.as_mut_ptr());
                    sys::faiss_Index_search(raw.as_ptr(), count, data.as_ptr(), k, near, rows)
                })?;
                for near in &mut distances {
                    *near = self.distance(*near);
                }
                distances
            }
            (Raw::Bits(raw), Rows::Bits { data, .. }) => {
                let mut distances = vec![0i32; all];
                // SAFETY: as above.
                check(unsafe {
                    let (near, rows) = (distances.as_mut_ptr(), labels.as_mut_ptr());
                    sys::faiss_IndexBinary_search(raw.as_ptr(), count, data.as_ptr(), k, near, rows)
                })?;
                distances.into_iter().map(|near| near as f32).collect()
            }
            _ => return Err(other_rows()),
        };
        let k = usize::try_from(k).unwrap_or(0);
        Ok(Found { ends: (1..=queries_len).map(|query| query * k).collect(), labels, distances })
    }

    /// All rows that are nearer than `distance` to each query, in no order. Not every kind of index can.
    pub(crate) fn range(&self, queries: Rows<'_>, distance: f32) -> Result<Found> {
        let count = self.count(queries)?;
        let mut result = ptr::null_mut();
        // SAFETY: the pointer is one to write to.
        check(unsafe { sys::faiss_RangeSearchResult_new(&raw mut result, count) })?;
        let result = RangeResult(some(result)?);
        // SAFETY: `count` rows of this index's length lie behind the pointer; the result was made for as many.
        check(unsafe {
            match (&self.raw, queries) {
                (Raw::Floats(raw), Rows::F32 { data, .. }) => {
                    let radius = if self.metric == Metric::Cosine { 1.0 - distance } else { distance };
                    sys::faiss_Index_range_search(raw.as_ptr(), count, data.as_ptr(), radius, result.0.as_ptr())
                }
                (Raw::Bits(raw), Rows::Bits { data, .. }) => {
                    // The cast keeps what is too much at the top.
                    let radius = distance.ceil() as c_int;
                    sys::faiss_IndexBinary_range_search(raw.as_ptr(), count, data.as_ptr(), radius, result.0.as_ptr())
                }
                _ => return Err(other_rows()),
            }
        })?;
        let (mut limits, mut labels, mut distances) = (ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
        // SAFETY: getters of a live result; the pointers are ones to write to.
        unsafe {
            sys::faiss_RangeSearchResult_lims(result.0.as_ptr(), &raw mut limits);
            sys::faiss_RangeSearchResult_labels(result.0.as_ptr(), &raw mut labels, &raw mut distances);
        }
        let queries_len = usize::try_from(count).unwrap_or(0);
        // SAFETY: "size (nq + 1)", says its header, and it was made for that many.
        let limits = unsafe { slice(limits, queries_len + 1) };
        let ends: Vec<usize> = limits.iter().skip(1).copied().collect();
        let all = ends.last().copied().unwrap_or(0);
        // SAFETY: the last limit is how many there are of either; they live until `result` is dropped.
        let (labels, distances) = unsafe { (slice(labels, all).to_vec(), slice(distances, all)) };
        let near = |near: &f32| if self.metric == Metric::Hamming { *near } else { self.distance(*near) };
        Ok(Found { ends, labels, distances: distances.iter().map(near).collect() })
    }

    /// The row of a number: bit for bit as it was added, or, of a quantised index, what it was rounded to.
    pub(crate) fn row(&self, row: usize, out: &mut Buffer) -> Result<()> {
        if row >= self.len() {
            return Err(Failed(format!("there is no row {row}")));
        }
        let row = i64::try_from(row).map_err(|_| other_rows())?;
        // SAFETY: the row is there, and the buffer has the length of one.
        check(unsafe {
            match (&self.raw, out) {
                (Raw::Floats(raw), Buffer::F32(out)) if out.len() == self.dim => {
                    sys::faiss_Index_reconstruct(raw.as_ptr(), row, out.as_mut_ptr())
                }
                (Raw::Bits(raw), Buffer::Bits(out)) if out.len() == self.dim / 8 => {
                    sys::faiss_IndexBinary_reconstruct(raw.as_ptr(), row, out.as_mut_ptr())
                }
                _ => return Err(other_rows()),
            }
        })
    }

    /// Sets a parameter of the index by the name that FAISS has for it (`nprobe`, `efSearch`, `efConstruction`). One that this
    /// kind of index does not have is no error.
    pub(crate) fn set(&mut self, name: &CStr, value: usize) {
        match self.raw {
            Raw::Floats(raw) => {
                let mut space = ptr::null_mut();
                // SAFETY: the pointer is one to write to; the index is live; the space is freed once.
                unsafe {
                    if check(sys::faiss_ParameterSpace_new(&raw mut space)).is_ok() && !space.is_null() {
                        sys::faiss_ParameterSpace_set_index_parameter(space, raw.as_ptr(), name.as_ptr(), value as f64);
                        sys::faiss_ParameterSpace_free(space);
                    }
                }
            }
            // Of binary indexes the C interface has this one.
            Raw::Bits(raw) if name == c"nprobe" => {
                // SAFETY: the cast answers null where the index is of another kind.
                unsafe {
                    let lists = sys::faiss_IndexBinaryIVF_cast(raw.as_ptr());
                    if !lists.is_null() {
                        sys::faiss_IndexBinaryIVF_set_nprobe(lists, value);
                    }
                }
            }
            Raw::Bits(_) => {}
        }
    }

    /// Lets an inverted file note where each row is, without which [`row`](Self::row) does not find it. Other kinds know.
    pub(crate) fn note_places(&mut self) -> Result<()> {
        // SAFETY: the casts answer null where the index is of another kind.
        check(unsafe {
            match self.raw {
                Raw::Floats(raw) => {
                    let lists = sys::faiss_IndexIVF_cast(raw.as_ptr());
                    if lists.is_null() { 0 } else { sys::faiss_IndexIVF_make_direct_map(lists, 1) }
                }
                Raw::Bits(raw) => {
                    let lists = sys::faiss_IndexBinaryIVF_cast(raw.as_ptr());
                    if lists.is_null() { 0 } else { sys::faiss_IndexBinaryIVF_make_direct_map(lists, 1) }
                }
            }
        })
    }

    /// The distance of what FAISS computes: of unit vectors it computes the inner product.
    fn distance(&self, near: f32) -> f32 {
        if self.metric == Metric::Cosine { 1.0 - near } else { near }
    }

    /// How many rows of this index's length there are.
    fn count(&self, rows: Rows<'_>) -> Result<i64> {
        let (width, len) = match rows {
            Rows::F32 { data, .. } => (self.dim, data.len()),
            Rows::Bits { data, .. } => (self.dim / 8, data.len()),
            _ => return Err(other_rows()),
        };
        if width == 0 || !len.is_multiple_of(width) {
            return Err(other_rows());
        }
        i64::try_from(len / width).map_err(|_| other_rows())
    }

    #[cfg(feature = "gpu")]
    pub(crate) fn floats(&self) -> Option<NonNull<sys::FaissIndex>> {
        match self.raw {
            Raw::Floats(raw) => Some(raw),
            Raw::Bits(_) => None,
        }
    }

    /// Takes an index of floats that FAISS made.
    #[cfg(feature = "gpu")]
    pub(crate) fn of_floats(raw: NonNull<sys::FaissIndex>, like: &Self) -> Self {
        Self { raw: Raw::Floats(raw), ..*like }
    }
}

impl Drop for Native {
    fn drop(&mut self) {
        // SAFETY: it is live, and nobody else has it.
        unsafe {
            match self.raw {
                Raw::Floats(raw) => sys::faiss_Index_free(raw.as_ptr()),
                Raw::Bits(raw) => sys::faiss_IndexBinary_free(raw.as_ptr()),
            }
        }
    }
}

impl fmt::Debug for Native {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Native").field("dim", &self.dim).field("len", &self.len()).finish_non_exhaustive()
    }
}

struct RangeResult(NonNull<sys::FaissRangeSearchResult>);

impl Drop for RangeResult {
    fn drop(&mut self) {
        // SAFETY: it is live, and nobody else has it.
        unsafe { sys::faiss_RangeSearchResult_free(self.0.as_ptr()) }
    }
}

#[cfg_attr(target_os = "macos", link(name = "omp"))]
#[cfg_attr(not(target_os = "macos"), link(name = "gomp"))]
unsafe extern "C" {
    fn omp_get_max_threads() -> c_int;
    fn omp_set_num_threads(threads: c_int);
}

/// Does the work on at most so many threads of OpenMP; `None`: on as many as that has by itself. OpenMP keeps the number for
/// each thread that calls, so that others are not touched.
pub(crate) fn with_threads<T>(threads: Option<NonZeroUsize>, work: impl FnOnce() -> T) -> T {
    struct Back(c_int);
    impl Drop for Back {
        fn drop(&mut self) {
            // SAFETY: it sets a number of the calling thread.
            unsafe { omp_set_num_threads(self.0) }
        }
    }
    let threads = threads.and_then(|threads| c_int::try_from(threads.get()).ok());
    let _back = threads.map(|threads| {
        // SAFETY: they get and set a number of the calling thread.
        unsafe {
            let before = Back(omp_get_max_threads());
            omp_set_num_threads(threads);
            before
        }
    });
    work()
}

fn native_metric(metric: Metric) -> sys::FaissMetricType {
    match metric {
        Metric::Cosine => sys::FaissMetricType_METRIC_INNER_PRODUCT,
        _ => sys::FaissMetricType_METRIC_L2,
    }
}

fn some<T>(pointer: *mut T) -> Result<NonNull<T>> {
    NonNull::new(pointer).ok_or_else(|| Failed("it made nothing".to_owned()))
}

fn other_rows() -> Failed {
    Failed("rows of another kind or length".to_owned())
}

/// # Safety
/// `len` values lie behind the pointer, unless it is null, and nobody changes them.
unsafe fn slice<'a, T>(pointer: *const T, len: usize) -> &'a [T] {
    // SAFETY: as the caller says.
    if pointer.is_null() { &[] } else { unsafe { std::slice::from_raw_parts(pointer, len) } }
}

#[cfg(unix)]
fn file_name(path: &Path) -> Result<CString> {
    use std::os::unix::ffi::OsStrExt as _;
    CString::new(path.as_os_str().as_bytes()).map_err(|_| Failed("a path holds no NUL".to_owned()))
}

#[cfg(not(unix))]
fn file_name(path: &Path) -> Result<CString> {
    let path = path.to_str().ok_or_else(|| Failed("FAISS opens paths of Unicode alone".to_owned()))?;
    CString::new(path).map_err(|_| Failed("a path holds no NUL".to_owned()))
}

/// What a code says, with the text of the exception that this thread saw last.
pub(crate) fn check(code: c_int) -> Result<()> {
    if code == 0 {
        return Ok(());
    }
    // SAFETY: the text, where there is one, ends with NUL and lives until the next exception of this thread.
    let text = unsafe {
        let text: *const c_char = sys::faiss_get_last_error();
        if text.is_null() { None } else { Some(CStr::from_ptr(text).to_string_lossy().into_owned()) }
    };
    Err(Failed(text.unwrap_or_else(|| format!("code {code}"))))
}
