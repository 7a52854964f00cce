//! What the backend can be told.

use nodupe_core::{OptionSpec, Options, Reason, Unavailable};

/// How many bins each channel is counted in: 2 to 256, 32 where nothing is said.
pub const BINS: OptionSpec = OptionSpec::integer("histogram.bins", 2, 256, "bins a channel (default 32)");

/// What [`BINS`] is where nothing is said, and what the default threshold was measured with.
pub(crate) const DEFAULT_BINS: u16 = 32;

pub(crate) fn bins(options: &Options) -> Result<u16, Unavailable> {
    let bins = options.get(&BINS).map_err(|why| Unavailable::new(Reason::Options, why.to_string()))?;
    Ok(bins.unwrap_or(DEFAULT_BINS))
}
