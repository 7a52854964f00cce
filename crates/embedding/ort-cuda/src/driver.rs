//! The CUDA driver: whether there is one, how new it is, and how many devices it finds. It is asked before anything else is
//! loaded, in some milliseconds, and alone knows why there is no device.

use std::fs;
use std::path::Path;

use nodupe_core::{Reason, Unavailable};

/// What the driver calls itself.
const LIBRARY: &str = if cfg!(windows) { "nvcuda.dll" } else { "libcuda.so.1" };

const NEEDS: &str =
    "it needs an NVIDIA GPU, a driver for CUDA 12 (525.60 or newer), and `nodupe runtimes fetch onnxruntime-gpu`";

/// A driver that has started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Driver {
    /// The newest version of CUDA that it serves: major and minor.
    pub(crate) cuda: (u32, u32),
    /// Number of devices, at least one.
    pub(crate) devices: u32,
}

impl Driver {
    /// Asks the driver.
    ///
    /// # Errors
    /// With [`Reason::NoDevice`] where nothing speaks for a device, [`Reason::Driver`] where the driver of one is missing or
    /// does not start.
    pub(crate) fn find() -> Result<Self, Unavailable> {
        if cfg!(target_vendor = "apple") {
            return Err(Unavailable::new(
                Reason::UnsupportedTarget,
                "no CUDA driver: there is none for Apple's systems",
            ));
        }
        let answer = call::ask(LIBRARY).map_err(|error| missing(error, device_in_sight()))?;
        judged(answer)
    }

    /// Whether it serves programs that were built for this major version of CUDA.
    ///
    /// # Errors
    /// With [`Reason::Driver`].
    pub(crate) fn check(&self, needed: u32, by: &str) -> Result<(), Unavailable> {
        let (major, minor) = self.cuda;
        if major >= needed {
            return Ok(());
        }
        let detail = format!("the NVIDIA driver serves CUDA {major}.{minor}, and {by} needs CUDA {needed}");
        Err(Unavailable::new(Reason::Driver, detail).with_help("install a newer NVIDIA driver"))
    }
}

/// What the driver answered: the status of `cuInit`, the version as `1000 × major + 10 × minor`, the number of devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Answer {
    status: i32,
    version: i32,
    devices: i32,
}

/// `CUDA_ERROR_NO_DEVICE`
const NO_DEVICE: i32 = 100;

fn judged(Answer { status, version, devices }: Answer) -> Result<Driver, Unavailable> {
    let version = u32::try_from(version).unwrap_or_default();
    match (status, u32::try_from(devices).unwrap_or_default()) {
        (0, 0) | (NO_DEVICE, _) => {
            let detail = "no CUDA device: the NVIDIA driver finds none";
            Err(Unavailable::new(Reason::NoDevice, detail).with_help("CUDA_VISIBLE_DEVICES may hide them"))
        }
        (0, devices) => Ok(Driver { cuda: (version / 1000, version % 1000 / 10), devices }),
        (status, _) => {
            let detail = format!("the NVIDIA driver does not start: cuInit answered {status}");
            Err(Unavailable::new(Reason::Driver, detail).with_help("run `nvidia-smi`, which says more"))
        }
    }
}

/// The driver cannot be loaded. Where there is no device either, that is how the machine is; otherwise it can be mended.
fn missing(error: libloading::Error, device: bool) -> Unavailable {
    if device {
        let detail = format!("no CUDA driver: {LIBRARY} cannot be loaded, though there is an NVIDIA device");
        return Unavailable::new(Reason::Driver, detail).with_help("install the NVIDIA driver").with_source(error);
    }
    let detail = format!("no CUDA driver ({LIBRARY} is not installed) and no NVIDIA device");
    // What the loader said repeats it.
    Unavailable::new(Reason::NoDevice, detail).with_help(NEEDS)
}

/// Whether Linux lists a display controller or accelerator of NVIDIA on the PCI bus. Elsewhere nobody looks.
fn device_in_sight() -> bool {
    let devices = fs::read_dir("/sys/bus/pci/devices").into_iter().flatten().flatten();
    devices.into_iter().any(|device| is_nvidia_gpu(&device.path()))
}

fn is_nvidia_gpu(device: &Path) -> bool {
    let says =
        |file: &str, start: &str| fs::read_to_string(device.join(file)).is_ok_and(|text| text.starts_with(start));
    says("vendor", "0x10de") && says("class", "0x03")
}

/// The calls themselves.
#[allow(unsafe_code, reason = "a C library, loaded at run time")]
mod call {
    use std::ffi::c_int;

    use libloading::{Error, Library, Symbol};

    use super::Answer;

    /// Loads the driver and asks it. `extern "system"` is what `CUDAAPI` means: stdcall on Windows, C elsewhere.
    pub(super) fn ask(library: &str) -> Result<Answer, Error> {
        // SAFETY: loading runs the initialisers of a library. This one is named as the system's own driver, which every
        // CUDA program loads; who can put another one there can run code anyway.
        let driver = unsafe { Library::new(library) }?;
        // SAFETY: the signatures are those of `cuda.h` (CUDA driver API, since version 2.2): `CUresult` and `int` are
        // `c_int`. The symbols do not outlive `driver`.
        let (init, version, count) = unsafe {
            let init: Symbol<'_, unsafe extern "system" fn(flags: u32) -> c_int> = driver.get(b"cuInit\0")?;
            let version: Symbol<'_, unsafe extern "system" fn(*mut c_int) -> c_int> =
                driver.get(b"cuDriverGetVersion\0")?;
            let count: Symbol<'_, unsafe extern "system" fn(*mut c_int) -> c_int> =
                driver.get(b"cuDeviceGetCount\0")?;
            (init, version, count)
        };
        let mut answer = Answer { status: 0, version: 0, devices: 0 };
        // SAFETY: `cuInit` takes no flags but 0; the others write one int each through pointers that are valid for that
        // long. A status other than 0 leaves the int alone.
        unsafe {
            answer.status = init(0);
            version(&raw mut answer.version);
            if answer.status == 0 {
                answer.status = count(&raw mut answer.devices);
            }
        }
        // A driver that has started stays: threads of it may run.
        std::mem::forget(driver);
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(answer: Answer) -> Reason {
        judged(answer).unwrap_err().reason
    }

    #[test]
    fn each_way_of_having_no_device_has_its_reason() {
        assert_eq!(reason(Answer { status: 0, version: 12040, devices: 0 }), Reason::NoDevice);
        assert_eq!(reason(Answer { status: 100, version: 12040, devices: 0 }), Reason::NoDevice);
        // `CUDA_ERROR_SYSTEM_DRIVER_MISMATCH`
        let mismatch = judged(Answer { status: 803, version: 12040, devices: 0 }).unwrap_err();
        assert_eq!(mismatch.reason, Reason::Driver);
        assert!(mismatch.detail.contains("803"), "{mismatch}");
    }

    #[test]
    fn a_driver_that_is_too_old_is_told_by_the_versions_of_cuda() {
        let driver = judged(Answer { status: 0, version: 11080, devices: 2 }).unwrap();
        assert_eq!(driver, Driver { cuda: (11, 8), devices: 2 });
        assert!(driver.check(11, "it").is_ok());
        let why = driver.check(12, "the library").unwrap_err();
        assert_eq!(why.reason, Reason::Driver);
        assert_eq!(why.detail, "the NVIDIA driver serves CUDA 11.8, and the library needs CUDA 12");
    }

    #[test]
    fn without_a_driver_the_reason_is_whether_there_is_a_device() {
        let error = || call::ask("libno-such-driver.so.1").unwrap_err();
        let (fact, mendable) = (missing(error(), false), missing(error(), true));
        assert_eq!((fact.reason, mendable.reason), (Reason::NoDevice, Reason::Driver));
        assert!(fact.detail.starts_with("no CUDA driver") && mendable.detail.starts_with("no CUDA driver"));
    }

    #[test]
    fn a_library_that_is_no_driver_is_not_asked() {
        if cfg!(target_os = "linux") {
            assert!(call::ask("libc.so.6").is_err());
        }
    }
}
