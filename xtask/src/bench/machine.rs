//! What it was measured on, without names, and when.

use std::fmt::Write as _;
use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

/// Instruction sets that the inner loops of vector libraries use, as Linux names them.
const INSTRUCTION_SETS: &[&str] = &[
    "avx",
    "avx2",
    "fma",
    "avx512f",
    "avx512bw",
    "avx512_vnni",
    "avx512_vpopcntdq",
    "amx_tile",
    "asimd",
    "asimddp",
    "sve",
];

/// `Intel(R) Xeon(R) Processor, 2 cores, 16 GiB of memory, linux x86_64; avx2, fma`
pub(super) fn described() -> String {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let mut text = field(&cpus, "model name").unwrap_or("a processor").to_owned();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let _ = write!(text, ", {cores} cores");
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib = field(&memory, "MemTotal").and_then(|value| value.split(' ').next()?.parse::<u64>().ok());
    if let Some(kib) = kib {
        let _ = write!(text, ", {} GiB of memory", (kib + (1 << 19)) >> 20);
    }
    let _ = write!(text, ", {} {}", std::env::consts::OS, std::env::consts::ARCH);
    let flags = field(&cpus, "flags").or_else(|| field(&cpus, "Features")).unwrap_or_default();
    let flags: Vec<&str> = flags.split(' ').filter(|flag| INSTRUCTION_SETS.contains(flag)).collect();
    if !flags.is_empty() {
        let _ = write!(text, "; {}", flags.join(", "));
    }
    text
}

/// The value of the first line `name   : value`.
fn field<'a>(lines: &'a str, name: &str) -> Option<&'a str> {
    let mut fields = lines.lines().filter_map(|line| line.split_once(':'));
    fields.find(|(key, _)| key.trim() == name).map(|(_, value)| value.trim())
}

/// Processes that want to run, on average over the last minute, where the system tells it.
pub(super) fn load() -> Option<f64> {
    fs::read_to_string("/proc/loadavg").ok()?.split(' ').next()?.parse().ok()
}

/// Today in UTC: `2026-01-31`.
pub(super) fn date() -> String {
    let days = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() / 86_400);
    let (year, month, day) = civil(days);
    format!("{year}-{month:02}-{day:02}")
}

/// The day that is so many days after 1970-01-01: Howard Hinnant's `civil_from_days`, for days that are not before it.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day_of_year - (153 * shifted + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_dates() {
        assert_eq!([civil(0), civil(59), civil(11_016)], [(1970, 1, 1), (1970, 3, 1), (2000, 2, 29)]);
        assert_eq!([civil(20_453), civil(20_454)], [(2025, 12, 31), (2026, 1, 1)]);
    }

    #[test]
    fn a_field_is_read_by_its_whole_name() {
        let lines = "model\t\t: 85\nmodel name\t: Some Processor\nflags\t\t: fpu avx2\nmodel name\t: Another\n";
        assert_eq!((field(lines, "model name"), field(lines, "model")), (Some("Some Processor"), Some("85")));
        assert_eq!(field(lines, "name"), None);
    }
}
