//! What the process has allocated, and what the system has given it for that.
//!
//! What is allocated is counted to the byte, and the same on every machine. What is resident is promised only
//! where the scripts have found an allocator that gives back: one may keep what was freed for as long as it
//! likes, and glibc's keeps most of what lies below a piece that lives on.

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

    /// Whether no more is allocated, and none resident, than `before`.
    pub(crate) fn is_back_at(self, before: Self, slack: Slack) -> bool {
        let Slack { allocated, resident } = slack;
        let allocated = self.allocated <= before.allocated + 1024 * allocated;
        let resident = resident.zip(self.resident).zip(before.resident);
        allocated && resident.is_none_or(|((slack, now), before)| now <= before + 1024 * slack)
    }
}

/// What may be allocated once and kept, in MiB, and what of it may be resident, where that is promised.
#[derive(Clone, Copy)]
pub(crate) struct Slack {
    pub(crate) allocated: usize,
    pub(crate) resident: Option<usize>,
}

impl fmt::Display for Slack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "within {} MiB allocated", self.allocated)?;
        match self.resident {
            Some(resident) => write!(f, " and {resident} MiB resident"),
            None => Ok(()),
        }
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
