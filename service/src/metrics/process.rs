//! What the kernel tells about this process: nothing where there is no `/proc`.

use std::fs;

/// Units of `utime` and `stime`. The kernel gives them to programs in hundredths of a second
/// whatever its own clock does (`USER_HZ`, see proc(5)); only Alpha and Itanium differ.
const TICKS_PER_SECOND: f64 = 100.0;

/// The figures.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ProcessFigures {
    pub(super) resident_bytes: i64,
    pub(super) cpu_seconds: f64,
    pub(super) threads: i64,
    pub(super) open_files: Option<i64>,
}

impl ProcessFigures {
    /// Reads them: two small files and a folder that the kernel makes up on the spot.
    pub(super) fn read() -> Option<Self> {
        let status = fs::read_to_string("/proc/self/status").ok()?;
        let stat = fs::read_to_string("/proc/self/stat").ok()?;
        let mut figures = Self::parse(&status, &stat)?;
        figures.open_files = fs::read_dir("/proc/self/fd")
            .ok()
            .and_then(|files| i64::try_from(files.count()).ok());
        Some(figures)
    }

    fn parse(status: &str, stat: &str) -> Option<Self> {
        let field = |name: &str| -> Option<i64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse().ok()
        };
        // The second field is the name of the program in parentheses, which may hold anything.
        let (_name, rest) = stat.rsplit_once(')')?;
        // Of the fields behind it utime is the 12th and stime the 13th: 14 and 15 in proc(5).
        let mut ticks = rest.split_whitespace().skip(11).map(str::parse::<f64>);
        let user = ticks.next()?.ok()?;
        let system = ticks.next()?.ok()?;
        Some(Self {
            resident_bytes: field("VmRSS:")?.checked_mul(1024)?,
            cpu_seconds: (user + system) / TICKS_PER_SECOND,
            threads: field("Threads:")?,
            open_files: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_the_kernel_are_read() {
        let status = "Name:\tserinus\nVmRSS:\t   12345 kB\nThreads:\t7\n";
        let stat = "1 (a) b) S 1 1 1 0 -1 4194560 9 8 7 6 250 50 3 2 20 0 7 0 99 1 1";
        let figures = ProcessFigures::parse(status, stat).unwrap();
        assert_eq!(figures.resident_bytes, 12_345 * 1024);
        assert!((figures.cpu_seconds - 3.0).abs() < 1e-9);
        assert_eq!(figures.threads, 7);
        assert_eq!(ProcessFigures::parse("", stat), None);
        assert_eq!(ProcessFigures::parse(status, "1 (a"), None);
    }

    #[test]
    fn this_process_has_memory_threads_and_files() {
        let figures = ProcessFigures::read().unwrap();
        assert!(figures.resident_bytes > 100_000);
        assert!(figures.threads >= 1);
        assert!(figures.open_files.unwrap() >= 3);
    }
}
