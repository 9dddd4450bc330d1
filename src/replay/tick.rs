//! The kernel's clock of ticks, in capture time. Extensions that count jiffies round to it.

/// `CONFIG_HZ` of the kernels that distributions ship.
pub(super) const HZ: i64 = 250;

/// Ticks since 1970 at a time.
pub(super) fn ticks(now_ns: i64) -> i64 {
    now_ns.div_euclid(1_000_000_000 / HZ)
}

/// `msecs_to_jiffies`: rounded up.
pub(super) fn of_milliseconds(milliseconds: u32) -> i64 {
    (i64::from(milliseconds) * HZ + 999) / 1000
}
