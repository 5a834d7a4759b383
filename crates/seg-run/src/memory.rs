use std::fs;

/// Resident memory of this process, from the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rss {
    /// Bytes now.
    pub now: u64,
    /// The most there ever were, or since [`Rss::reset_peak`].
    pub peak: u64,
}

impl Rss {
    /// Reads both figures; zeros where the kernel does not tell.
    pub fn read() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        Self { now: field(&status, "VmRSS:"), peak: field(&status, "VmHWM:") }
    }

    /// Lets the peak start anew from what is resident now, where the kernel allows it.
    pub fn reset_peak() {
        // An older kernel or a container may refuse: then the peak stays what it was, which is only larger.
        if let Err(error) = fs::write("/proc/self/clear_refs", "5") {
            tracing::debug!(%error, "the kernel keeps the peak of resident memory");
        }
    }
}

/// Bytes of memory that this machine, or the group of processes that this one belongs to, may use.
pub fn total_memory() -> u64 {
    let machine = field(&fs::read_to_string("/proc/meminfo").unwrap_or_default(), "MemTotal:");
    let group =
        fs::read_to_string("/sys/fs/cgroup/memory.max").ok().and_then(|s| s.trim().parse::<u64>().ok());
    group.map_or(machine, |limit| limit.min(machine))
}

/// A line such as `VmRSS:   1234 kB` in bytes.
fn field(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.split_whitespace().next()).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0)
        * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_tells_what_is_resident() {
        let rss = Rss::read();
        assert!(rss.now > 0 && rss.peak >= rss.now / 2 && total_memory() > rss.now, "{rss:?}");
        assert_eq!(field("VmHWM:\t    12 kB\n", "VmHWM:"), 12 * 1024);
    }
}
