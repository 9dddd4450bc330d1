//! Numbers as people read them.

use crate::evidence::format_time;

/// `1,234,567`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 frame`, `2,000 frames`.
pub fn counted(number: u64, one: &str) -> String {
    let end = if number == 1 { "" } else { "s" };
    format!("{} {one}{end}", count(number))
}

/// `512 B`, `3.4 KiB`, `1.2 GiB`.
pub fn bytes(number: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if number < 1024 {
        return format!("{number} B");
    }
    let mut value = number as f64 / 1024.0;
    let mut units = UNITS.iter();
    let mut unit = units.next().copied().unwrap_or_default();
    // From 1023.95 on, one decimal would round up to 1024.0.
    while value >= 1023.95 {
        let Some(next) = units.next() else { break };
        value /= 1024.0;
        unit = next;
    }
    format!("{value:.1} {unit}")
}

/// `12 ms`, `3.4 s`, `42 min 13 s`, `3 h 5 min`, `12 d 4 h`.
pub fn duration(ns: u64) -> String {
    let seconds = ns / 1_000_000_000;
    match seconds {
        0 => format!("{} ms", ns / 1_000_000),
        1..60 => format!("{:.1} s", (ns / 100_000_000) as f64 / 10.0),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

/// `2026-03-01 10:02:11`, in UTC.
pub fn moment(time_ns: i64) -> String {
    let full = format_time(time_ns);
    match full.split_once('.') {
        Some((seconds, _)) => seconds.replace('T', " "),
        None => full,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!([count(7), count(999), count(1000), count(1_234_567)], ["7", "999", "1,000", "1,234,567"]);
        assert_eq!(
            [bytes(1023), bytes(1024), bytes(1_048_575), bytes(u64::MAX)],
            ["1023 B", "1.0 KiB", "1.0 MiB", "16.0 EiB"]
        );
        assert_eq!(duration(12_345_678), "12 ms");
        assert_eq!(duration(3_456_000_000), "3.4 s");
        assert_eq!(duration(2_533_000_000_000), "42 min 13 s");
        assert_eq!(counted(1, "frame"), "1 frame");
        assert_eq!(moment(1_772_359_331_123_456_789), "2026-03-01 10:02:11");
    }
}
