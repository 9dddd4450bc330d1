//! A progress bar on standard error, if that is a terminal and the work is long.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Shows bytes read of bytes in all.
pub struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// A bar, or nothing at all if `hidden`. indicatif draws only on a terminal.
    pub fn new(hidden: bool) -> Self {
        let target = if hidden { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr_with_hz(10) };
        let bar = ProgressBar::with_draw_target(None, target);
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {bytes}/{total_bytes} {bytes_per_sec}, {eta} to go") {
            bar.set_style(style);
        }
        Self { bar }
    }

    /// So far.
    pub fn update(&self, done: u64, total: Option<u64>) {
        if let Some(total) = total {
            self.bar.set_length(total);
        }
        self.bar.set_position(done);
    }

    /// The work is done: the bar goes.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
