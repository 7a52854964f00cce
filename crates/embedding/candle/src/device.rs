//! Where a backend computes: each place is a registration of its own.

use nodupe_core::{Device, Options, Reason, Unavailable};

/// Where a backend computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Cpu,
    #[cfg(feature = "cuda")]
    Cuda,
    #[cfg(feature = "metal")]
    Metal,
}

impl Place {
    /// The name of the backend that computes here.
    pub(crate) const fn backend(self) -> &'static str {
        match self {
            Self::Cpu => "candle",
            #[cfg(feature = "cuda")]
            Self::Cuda => "candle-cuda",
            #[cfg(feature = "metal")]
            Self::Metal => "candle-metal",
        }
    }

    /// The device that the options mean: the first of its kind unless they name one.
    pub(crate) fn device(self, options: &Options) -> Result<Device, Unavailable> {
        match (self, options.device()) {
            (Self::Cpu, None | Some(Device::Cpu)) => Ok(Device::Cpu),
            #[cfg(feature = "cuda")]
            (Self::Cuda, named @ (None | Some(Device::Cuda(_)))) => Ok(named.unwrap_or(Device::Cuda(0))),
            #[cfg(feature = "metal")]
            (Self::Metal, named @ (None | Some(Device::Metal(_)))) => Ok(named.unwrap_or(Device::Metal(0))),
            (_, Some(other)) => {
                let detail = format!("{} does not compute on {other}", self.backend());
                Err(Unavailable::new(Reason::Options, detail))
            }
        }
    }
}

/// Whether the device is there, told without opening it.
pub(crate) fn probe(device: Device) -> Result<(), Unavailable> {
    match device {
        #[cfg(feature = "cuda")]
        Device::Cuda(number) => {
            let count = candle_core::cuda::cudarc::driver::CudaContext::device_count().map_err(|source| {
                Unavailable::new(Reason::Driver, "the CUDA driver does not answer")
                    .with_help("install or update the NVIDIA driver; `nvidia-smi` shows whether it works")
                    .with_source(source)
            })?;
            is_below(number, u32::try_from(count).unwrap_or(0), device)
        }
        #[cfg(feature = "metal")]
        Device::Metal(number) => {
            let count = candle_metal_kernels::metal::Device::all().len();
            is_below(number, u32::try_from(count).unwrap_or(u32::MAX), device)
        }
        _ => Ok(()),
    }
}

/// Opens a device for candle.
pub(crate) fn open(device: Device) -> Result<candle_core::Device, Unavailable> {
    // candle panics on a Metal device that is not there.
    probe(device)?;
    match device {
        #[cfg(feature = "cuda")]
        Device::Cuda(number) => candle_core::Device::new_cuda(number as usize).map_err(|why| refused(device, why)),
        #[cfg(feature = "metal")]
        Device::Metal(number) => candle_core::Device::new_metal(number as usize).map_err(|why| refused(device, why)),
        _ => Ok(candle_core::Device::Cpu),
    }
}

#[cfg(any(feature = "cuda", feature = "metal"))]
fn is_below(number: u32, count: u32, device: Device) -> Result<(), Unavailable> {
    if number < count {
        return Ok(());
    }
    Err(Unavailable::new(Reason::NoDevice, format!("there is no {device}: devices of this kind here: {count}")))
}

#[cfg(any(feature = "cuda", feature = "metal"))]
fn refused(device: Device, source: candle_core::Error) -> Unavailable {
    Unavailable::new(Reason::Driver, format!("{device} cannot be opened")).with_source(source)
}
