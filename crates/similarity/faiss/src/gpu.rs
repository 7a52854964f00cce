//! A copy of an index on a graphics processor. Written after the C interface of FAISS, and not measured.
#![allow(unsafe_code)] // it calls that interface

use std::ffi::c_int;
use std::fmt;
use std::ptr::{self, NonNull};
use std::sync::{Mutex, PoisonError};

use faiss_sys as sys;
use nodupe_core::Rows;

use crate::native::{Failed, Found, Native, check};
use crate::store::Linked;

/// An index in the memory of a graphics processor, and what it computes with.
pub(crate) struct Copy {
    /// FAISS: "GPU indexes are not thread-safe, even for read-only functions": one search at a time. The index is dropped
    /// before the resources, in the order of the fields.
    index: Mutex<Native>,
    _resources: Resources,
}

struct Resources(NonNull<sys::FaissStandardGpuResources>);

// SAFETY: they are tied to a device and not to a thread; after they are made nothing but the index, behind its mutex, uses
// them.
unsafe impl Send for Resources {}
// SAFETY: as above; there is nothing to do with a shared reference to them.
unsafe impl Sync for Resources {}

impl Drop for Resources {
    fn drop(&mut self) {
        // SAFETY: they are live, and the index that used them is gone.
        unsafe { sys::faiss_StandardGpuResources_free(self.0.as_ptr()) }
    }
}

impl Copy {
    fn new(native: &Native, device: u32) -> Result<Self, Failed> {
        let index = native.floats().ok_or_else(|| Failed("bits stay on the processor".to_owned()))?;
        let device = c_int::try_from(device).map_err(|_| Failed("there is no such device".to_owned()))?;
        let mut resources = ptr::null_mut();
        // SAFETY: the pointer is one to write to.
        check(unsafe { sys::faiss_StandardGpuResources_new(&raw mut resources) })?;
        let resources = Resources(NonNull::new(resources).ok_or_else(|| Failed("it made nothing".to_owned()))?);
        let mut copy = ptr::null_mut();
        // SAFETY: resources and index are live, and the pointer is one to write to.
        check(unsafe { sys::faiss_index_cpu_to_gpu(resources.0.as_ptr(), device, index.as_ptr(), &raw mut copy) })?;
        // In C++ a `GpuIndex` is an `Index`, and this interface hands both out as the same pointer.
        let copy = NonNull::new(copy.cast()).ok_or_else(|| Failed("it made nothing".to_owned()))?;
        Ok(Self { index: Mutex::new(Native::of_floats(copy, native)), _resources: resources })
    }

    pub(crate) fn search(&self, queries: Rows<'_>, k: usize) -> Result<Found, Failed> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner).search(queries, k)
    }
}

impl fmt::Debug for Copy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Copy")
    }
}

impl Linked {
    /// Copies the index to a device, if one is asked for. FAISS has no graphs and no bits there: those stay where they are.
    pub(crate) fn copy_to_gpu(&mut self, device: Option<u32>) {
        let copy = device.map(|device| Copy::new(&self.native, device)).transpose();
        self.gpu = copy.unwrap_or_else(|why| {
            tracing::warn!("{} stays on the processor: {why}", self.description.text);
            None
        });
    }
}
