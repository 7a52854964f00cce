//! What is said while something is fetched.

/// Is told how a fetch goes, and may end it.
///
/// `()` is told and says nothing.
pub trait FetchProgress: Sync {
    /// `what` begins, `total` bytes where that is known. Each file begins once, and once more where a server makes it
    /// start over; what is already there from an earlier attempt is the first [`advance`](Self::advance).
    fn begin(&self, what: &str, total: Option<u64>) {
        let _ = (what, total);
    }

    /// `bytes` more of what began last.
    fn advance(&self, bytes: u64) {
        let _ = bytes;
    }

    /// Whether to stop: asked many times a second while bytes come, and at the latest when a server that says nothing is
    /// given up. What has come stays, and the next fetch goes on from there.
    fn is_cancelled(&self) -> bool {
        false
    }
}

impl FetchProgress for () {}
