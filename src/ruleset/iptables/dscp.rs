//! Names and numbers of the type-of-service octet (`dscp_helper.c`, `tos_values.c`).

use super::values;

/// Classes of differentiated services.
const CLASSES: &[(&str, u8)] = &[
    ("CS0", 0x00),
    ("CS1", 0x08),
    ("CS2", 0x10),
    ("CS3", 0x18),
    ("CS4", 0x20),
    ("CS5", 0x28),
    ("CS6", 0x30),
    ("CS7", 0x38),
    ("BE", 0x00),
    ("AF11", 0x0a),
    ("AF12", 0x0c),
    ("AF13", 0x0e),
    ("AF21", 0x12),
    ("AF22", 0x14),
    ("AF23", 0x16),
    ("AF31", 0x1a),
    ("AF32", 0x1c),
    ("AF33", 0x1e),
    ("AF41", 0x22),
    ("AF42", 0x24),
    ("AF43", 0x26),
    ("EF", 0x2e),
];

/// Names of RFC 1349.
const TYPES: &[(&str, u8)] = &[
    ("Minimize-Delay", 0x10),
    ("Maximize-Throughput", 0x08),
    ("Maximize-Reliability", 0x04),
    ("Minimize-Cost", 0x02),
    ("Normal-Service", 0x00),
];

/// A class by name.
pub(super) fn class(text: &str) -> Result<u8, String> {
    values::word_of(text, CLASSES)
}

/// `value[/mask]`, or a name, whose mask leaves the two bits of congestion notification out.
pub(super) fn tos(text: &str, default_mask: u8) -> Result<(u8, u8), String> {
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        return match text.split_once('/') {
            Some((value, mask)) => Ok((values::u8(value)?, values::u8(mask)?)),
            None => Ok((values::u8(text)?, default_mask)),
        };
    }
    values::word_of(text, TYPES).map(|value| (value, 0x3f))
}
