//! Numbers as Erlang writes them.

use std::fmt::{self, Write};

/// Decimal digits cost the square of the length; longer numbers are written in base 16, as Erlang could read them.
const MAX_DECIMAL_BYTES: usize = 2048;

/// An integer of any size, `magnitude` little-endian.
pub fn write_big_integer(f: &mut impl Write, negative: bool, magnitude: &[u8]) -> fmt::Result {
    if negative {
        f.write_char('-')?;
    }
    if magnitude.len() > MAX_DECIMAL_BYTES {
        f.write_str("16#")?;
        return magnitude.iter().rev().try_for_each(|byte| write!(f, "{byte:02X}"));
    }
    let groups = decimal_groups(magnitude);
    let mut groups = groups.iter().rev();
    write!(f, "{}", groups.next().copied().unwrap_or_default())?;
    groups.try_for_each(|group| write!(f, "{group:0width$}", width = GROUP_DIGITS))
}

const GROUP_DIGITS: usize = 9;
const GROUP: u64 = 1_000_000_000;

/// Groups of nine decimal digits, the lowest first.
fn decimal_groups(magnitude: &[u8]) -> Vec<u64> {
    let mut limbs: Vec<u64> = magnitude
        .chunks(4)
        .map(|limb| limb.iter().rev().fold(0, |value, byte| (value << 8) | u64::from(*byte)))
        .collect();
    let mut groups = Vec::new();
    while limbs.iter().any(|limb| *limb != 0) {
        let mut remainder = 0;
        for limb in limbs.iter_mut().rev() {
            let value = (remainder << 32) | *limb;
            *limb = value / GROUP;
            remainder = value % GROUP;
        }
        while limbs.last() == Some(&0) {
            limbs.pop();
        }
        groups.push(remainder);
    }
    groups
}

/// A float: the fewest digits that read back as the same number, in the notation that is shorter
/// (`io_lib_format:fwrite_g/1`), and always with an exponent where not every integer is a float.
pub fn write_float(f: &mut impl Write, value: f64) -> fmt::Result {
    /// From here on neighbouring floats are more than one apart.
    const FIRST_SPARSE: f64 = 9_007_199_254_740_992.0;

    if !value.is_finite() {
        // Erlang has none; a capture can.
        return write!(f, "{value}");
    }
    if value.is_sign_negative() {
        f.write_char('-')?;
    }
    let value = value.abs();
    let (digits, exponent) = shortest(value);
    if value != 0.0 && (value >= FIRST_SPARSE || plain_width(&digits, exponent) > scientific_width(&digits, exponent)) {
        let (first, others) = digits.split_at_checked(1).unwrap_or((&digits, ""));
        return write!(f, "{first}.{}e{exponent}", if others.is_empty() { "0" } else { others });
    }
    write_plain(f, &digits, exponent)
}

/// The shortest digits that give this number again, and the exponent of the first. Where two are as short and as near,
/// Erlang takes the even one, as Ryu does; Rust's own formatting takes the greater.
fn shortest(value: f64) -> (String, i64) {
    let mut buffer = zmij::Buffer::new();
    let text = buffer.format_finite(value);
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let leading = digits.bytes().take_while(|digit| *digit == b'0').count();
    let significant = digits.trim_matches('0');
    if significant.is_empty() {
        return ("0".to_owned(), 0);
    }
    let exponent = exponent.parse::<i64>().unwrap_or_default() + whole.len() as i64 - 1 - leading as i64;
    (significant.to_owned(), exponent)
}

/// Characters of the number without an exponent.
fn plain_width(digits: &str, exponent: i64) -> i64 {
    let count = digits.len() as i64;
    match exponent {
        ..0 => 1 - exponent + count,
        _ if exponent + 1 >= count => exponent + 3,
        _ => count + 1,
    }
}

/// Characters of the number with an exponent.
fn scientific_width(digits: &str, exponent: i64) -> i64 {
    let mantissa = if digits.len() == 1 { 3 } else { digits.len() as i64 + 1 };
    mantissa + 1 + exponent.to_string().len() as i64
}

fn write_plain(f: &mut impl Write, digits: &str, exponent: i64) -> fmt::Result {
    let zeros = |count: i64| "0".repeat(usize::try_from(count).unwrap_or_default());
    let whole = usize::try_from(exponent + 1).unwrap_or_default();
    match digits.split_at_checked(whole) {
        _ if exponent < 0 => write!(f, "0.{}{digits}", zeros(-exponent - 1)),
        Some((whole, fraction)) if !fraction.is_empty() => write!(f, "{whole}.{fraction}"),
        _ => write!(f, "{digits}{}.0", zeros(exponent + 1 - digits.len() as i64)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn float(value: f64) -> String {
        let mut text = String::new();
        let _ = write_float(&mut text, value);
        text
    }

    #[test]
    fn floats_as_erlang_prints_them() {
        for text in [
            "0.0",
            "-0.0",
            "1.0",
            "10.0",
            "100.0",
            "12345.0",
            "1234567.0",
            "1.0e5",
            "1.0e10",
            "1.0e16",
            "1.5e20",
            "9007199254740991.0",
            "9.007199254740992e15",
            "0.1",
            "0.001",
            "0.0001",
            "1.0e-5",
            "1.234e-4",
            "1.2345e-4",
            "-2.5e-10",
            "5.0e-324",
            "1.7976931348623157e308",
            "1.0e3",
            "1.2e5",
            "1.25e10",
            "99999999.0",
        ] {
            assert_eq!(float(text.parse().unwrap_or(f64::NAN)), text);
        }
    }

    #[test]
    fn big_integers_in_decimal_and_the_biggest_in_hexadecimal() {
        let text = |negative, magnitude: &[u8]| {
            let mut text = String::new();
            let _ = write_big_integer(&mut text, negative, magnitude);
            text
        };
        assert_eq!(text(true, &[0, 0, 0, 0, 0, 0, 0, 0, 1]), "-18446744073709551616");
        assert_eq!(text(false, &[0, 202, 154, 59]), "1000000000");
        assert_eq!(text(false, &[]), "0");
        assert!(text(false, &[0xff; 4096]).starts_with("16#FFFF"));
    }
}
