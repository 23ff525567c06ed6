//! What the process has allocated, and what the system has given it for that.
//!
//! Promises are about what is allocated: it is counted to the byte, and the same on every machine. What is
//! resident is told beside it: an allocator may keep what was freed for as long as it likes, and glibc's
//! keeps most of what lies below a piece that lives on.

use std::alloc::System;
use std::fmt;

use cap::Cap;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

/// At one moment, in KiB.
#[derive(Clone, Copy)]
pub(crate) struct Memory {
    allocated: usize,
    resident: Option<usize>,
}

impl Memory {
    pub(crate) fn now() -> Self {
        Self { allocated: ALLOCATOR.allocated() / 1024, resident: resident() }
    }

    /// Whether no more is allocated than `before`, but for these MiB.
    pub(crate) fn is_back_at(self, before: Self, slack: usize) -> bool {
        self.allocated <= before.allocated + 1024 * slack
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} KiB allocated", self.allocated)?;
        match self.resident {
            Some(resident) => write!(f, " ({} MiB resident)", resident / 1024),
            None => Ok(()),
        }
    }
}

/// `None` where `/proc` does not say.
fn resident() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}
