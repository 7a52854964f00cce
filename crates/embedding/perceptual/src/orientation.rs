//! The hashes of the eight orientations from one transform.

use nodupe_core::View;

use crate::transform::Coefficients;

/// A view in the domain of frequencies: mirroring an axis changes the signs of its odd frequencies, and exchanging the
/// axes of the image exchanges those of the coefficients. Every view is some mirrors, then perhaps an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Turn {
    mirror_x: bool,
    mirror_y: bool,
    exchange: bool,
}

impl Turn {
    pub(crate) const IDENTITY: Self = Self::new(false, false, false);

    const fn new(mirror_x: bool, mirror_y: bool, exchange: bool) -> Self {
        Self { mirror_x, mirror_y, exchange }
    }

    /// `None` for a view that is no orientation.
    pub(crate) fn of(view: View) -> Option<Self> {
        Some(match view {
            View::Identity => Self::IDENTITY,
            View::Rotate90 => Self::new(false, true, true),
            View::Rotate180 => Self::new(true, true, false),
            View::Rotate270 => Self::new(true, false, true),
            View::FlipHorizontal => Self::new(true, false, false),
            View::FlipVertical => Self::new(false, true, false),
            View::Transpose => Self::new(false, false, true),
            View::Transverse => Self::new(true, true, true),
            _ => return None,
        })
    }

    /// A number below 4 that is the same for turns that give the same coefficients in another order.
    pub(crate) fn signs(self) -> usize {
        usize::from(self.mirror_x) + 2 * usize::from(self.mirror_y)
    }

    /// The coefficients of the turned image.
    pub(crate) fn apply(self, coefficients: &Coefficients) -> Coefficients {
        // Index 0 is frequency 1: the even indices are the odd frequencies.
        let sign = |mirror: bool, index: usize| if mirror && index.is_multiple_of(2) { -1.0 } else { 1.0 };
        let at = |v: usize, h: usize| coefficients[v][h] * (sign(self.mirror_y, v) * sign(self.mirror_x, h));
        if self.exchange {
            std::array::from_fn(|v| std::array::from_fn(|h| at(h, v)))
        } else {
            std::array::from_fn(|v| std::array::from_fn(|h| at(v, h)))
        }
    }
}
