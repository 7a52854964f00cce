//! Who a backend is and where it runs.

use std::fmt;
use std::str::FromStr;

/// The package that a backend comes from; [`package!`](crate::package) fills it in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Package {
    /// The Cargo package.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
}

impl Package {
    /// Use [`package!`](crate::package), which asks Cargo.
    pub const fn new(name: &'static str, version: &'static str) -> Self {
        Self { name, version }
    }
}

/// The package of the crate that this is written in.
#[macro_export]
macro_rules! package {
    () => {
        $crate::Package::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
    };
}

/// Where a backend computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
#[non_exhaustive]
pub enum Device {
    /// The processor: `cpu`.
    #[default]
    Cpu,
    /// An NVIDIA GPU, by its number: `cuda:0`.
    Cuda(u32),
    /// An Apple GPU, by its number: `metal:0`.
    Metal(u32),
    /// Another machine: `remote`.
    Remote,
}

impl Device {
    /// Whether this is a graphics processor.
    pub const fn is_gpu(self) -> bool {
        matches!(self, Self::Cuda(_) | Self::Metal(_))
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(number) => write!(f, "cuda:{number}"),
            Self::Metal(number) => write!(f, "metal:{number}"),
            Self::Remote => f.write_str("remote"),
        }
    }
}

/// A text that names no device.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no device: write cpu, cuda, cuda:N, metal, metal:N or remote")]
pub struct UnknownDevice {
    /// The text.
    pub text: String,
}

impl FromStr for Device {
    type Err = UnknownDevice;

    fn from_str(text: &str) -> Result<Self, UnknownDevice> {
        let unknown = || UnknownDevice { text: text.to_owned() };
        let (kind, number) = text.split_once(':').unwrap_or((text, "0"));
        let number = number.parse().map_err(|_| unknown())?;
        match kind {
            "cuda" => Ok(Self::Cuda(number)),
            "metal" => Ok(Self::Metal(number)),
            "cpu" if text == kind => Ok(Self::Cpu),
            "remote" if text == kind => Ok(Self::Remote),
            _ => Err(unknown()),
        }
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Device {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Who a backend is: what reports and manifests say of it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct BackendInfo {
    /// The name that it is registered and chosen by: lower case, digits, `-`.
    pub name: &'static str,
    /// The package that it comes from.
    pub package: Package,
    /// Where it computes.
    pub device: Device,
}

impl BackendInfo {
    /// A backend that runs on the processor.
    ///
    /// ```
    /// use nodupe_core::{BackendInfo, Device, package};
    /// let info = BackendInfo::new("mine", package!()).on(Device::Cuda(0));
    /// assert_eq!(info.device.to_string(), "cuda:0");
    /// ```
    pub const fn new(name: &'static str, package: Package) -> Self {
        Self { name, package, device: Device::Cpu }
    }

    /// The same on another device.
    #[must_use]
    pub const fn on(mut self, device: Device) -> Self {
        self.device = device;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_read_as_they_are_written() {
        for device in [Device::Cpu, Device::Cuda(0), Device::Cuda(3), Device::Metal(1), Device::Remote] {
            assert_eq!(device.to_string().parse(), Ok(device));
        }
        assert_eq!("cuda".parse(), Ok(Device::Cuda(0)));
        for text in ["", "gpu", "cpu:1", "cuda:", "cuda:x", "cuda:-1", "CPU"] {
            assert!(text.parse::<Device>().is_err(), "{text}");
        }
    }
}
