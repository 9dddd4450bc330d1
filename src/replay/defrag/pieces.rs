//! Pieces of a datagram by their place: `inet_frag_queue_insert`.

use std::collections::BTreeMap;

/// Which places are taken.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// Runs of pieces that followed each other: start and end. A piece that fills a gap is a run of its own, even if it
    /// touches others, as in the kernel; that decides what a duplicate is.
    runs: BTreeMap<u32, u32>,
}

/// How a piece lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// On no other.
    Free,
    /// Within a run.
    Duplicate,
    /// Partly over others.
    Overlap,
}

impl Places {
    /// Takes a place, if it is free. `start` is before `end`.
    pub fn take(&mut self, start: u32, end: u32) -> Place {
        match self.runs.last_entry() {
            Some(mut last) if *last.get() < end => {
                if start < *last.get() {
                    return Place::Overlap;
                }
                if start == *last.get() {
                    last.insert(end);
                    return Place::Free;
                }
            }
            _ => {
                // Runs lie apart, so only the last that begins before the piece's end can touch it.
                let touched = self.runs.range(..end).next_back().filter(|(_, run_end)| **run_end > start);
                if let Some((run_start, run_end)) = touched {
                    let within = *run_start <= start && end <= *run_end;
                    return if within { Place::Duplicate } else { Place::Overlap };
                }
            }
        }
        self.runs.insert(start, end);
        Place::Free
    }
}
