//! What the process takes of memory, as Linux counts it; nothing on other systems.

/// Bytes of memory that is no file's: what the process holds itself.
pub(crate) fn anonymous() -> Option<u64> {
    field(&std::fs::read_to_string("/proc/self/status").ok()?, "RssAnon")
}

/// The most bytes that the process had in memory so far, files included.
pub(crate) fn peak() -> Option<u64> {
    field(&std::fs::read_to_string("/proc/self/status").ok()?, "VmHWM")
}

/// `RssAnon:    1234 kB`
fn field(status: &str, name: &str) -> Option<u64> {
    let value = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    Some(value.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_read_in_bytes() {
        let status = "VmHWM:\t    2048 kB\nRssAnon:\t     100 kB\nThreads:\t1\n";
        assert_eq!((field(status, "VmHWM"), field(status, "RssAnon")), (Some(2 << 20), Some(102_400)));
        assert_eq!((field(status, "Vm"), field(status, "Threads")), (None, None));
    }
}
