//! Literals to bytes, by the type that stands on their left.

use super::{Lower, Result};
use crate::ruleset::nft::Value;
use crate::ruleset::nft::ast::{BinaryOp, Expr, ExprKind};
use crate::ruleset::nft::types::Type;

impl Lower<'_> {
    /// A single value.
    pub(super) fn value(&self, expr: &Expr, of: Type) -> Result<Value> {
        let value = match &expr.kind {
            ExprKind::Symbol(word) | ExprKind::Text(word) => self.word(word, of),
            ExprKind::Number(digits) => self.digits(digits, of),
            ExprKind::Ipv4(address, _) if of == Type::Ipv4Addr => Some(address.octets().to_vec()),
            ExprKind::Ipv6(address, _) if of == Type::Ipv6Addr => Some(address.octets().to_vec()),
            ExprKind::Mac(address, _) => Some(address.to_vec()),
            ExprKind::Time(text) => milliseconds(text).and_then(|span| of.number(span)),
            ExprKind::Group(inner) => return self.value(inner, of),
            ExprKind::Binary { op, left, right } => return self.computed(*op, left, right, of),
            ExprKind::List(parts) if of.is_bitmask() => return self.bits(parts, of),
            _ => None,
        };
        value.ok_or_else(|| {
            let words: Vec<&str> = of.words().iter().map(|(word, _)| *word).take(12).collect();
            let expected = if words.is_empty() {
                format!("a value of {of:?}")
            } else {
                format!("one of {}…, or a number", words.join(", "))
            };
            self.fault(expr.pos, format!("{} does not fit here: expected {expected}", shown(expr)))
        })
    }

    fn word(&self, word: &str, of: Type) -> Option<Value> {
        if of == Type::IfIndex {
            // The replayed host has these three.
            let number = match word {
                "lo" => 1,
                "eth0" => 2,
                "eth1" => 3,
                _ => return of.symbol(word).or_else(|| of.number(u128::from(u32::MAX))),
            };
            return of.number(number);
        }
        if of == Type::Hour {
            return clock(word).and_then(|seconds| of.number(seconds));
        }
        if of == Type::Moment {
            return moment(word).and_then(|nanoseconds| of.number(nanoseconds));
        }
        if of == Type::Day {
            let named = of
                .words()
                .iter()
                .find(|(day, _)| day.to_lowercase().starts_with(&word.to_lowercase()) && word.len() >= 3);
            return named.and_then(|(_, number)| of.number(u128::from(*number))).or_else(|| self.digits(word, of));
        }
        of.symbol(word).or_else(|| self.digits(word, of))
    }

    fn digits(&self, digits: &str, of: Type) -> Option<Value> {
        if of == Type::Ipv4Addr || of == Type::Ipv6Addr {
            return of.number(parse_number(digits)?);
        }
        if of == Type::CtLabel {
            // The number of a bit.
            return of.number(1u128.checked_shl(u32::try_from(parse_number(digits)?).ok()?)?);
        }
        if matches!(of, Type::Span) {
            // Bare numbers of spans are seconds.
            return of.number(parse_number(digits)?.checked_mul(1_000)?);
        }
        of.number(parse_number(digits)?)
    }

    /// `a | b`, `a & b`, `a << 3` of constants.
    fn computed(&self, op: BinaryOp, left: &Expr, right: &Expr, of: Type) -> Result<Value> {
        let left = self.value(left, of)?;
        if matches!(op, BinaryOp::ShiftLeft | BinaryOp::ShiftRight) {
            let by = self.value(right, Type::Integer(32))?;
            let by = by.iter().fold(0u32, |number, byte| number << 8 | u32::from(*byte));
            let number = left.iter().fold(0u128, |number, byte| number << 8 | u128::from(*byte));
            let shifted = if op == BinaryOp::ShiftLeft { number.checked_shl(by) } else { number.checked_shr(by) };
            return of.number(shifted.unwrap_or(0)).ok_or_else(|| self.fault(right.pos, "shifted out of its type"));
        }
        let right = self.value(right, of)?;
        let combine = |(a, b): (&u8, &u8)| match op {
            BinaryOp::And => a & b,
            BinaryOp::Or => a | b,
            _ => a ^ b,
        };
        Ok(left.iter().zip(&right).map(combine).collect())
    }

    /// Flags joined by commas.
    pub(super) fn bits(&self, parts: &[Expr], of: Type) -> Result<Value> {
        let mut all = vec![0; of.bytes() as usize];
        for part in parts {
            let value = self.value(part, of)?;
            all.iter_mut().zip(&value).for_each(|(all, bits)| *all |= bits);
        }
        Ok(all)
    }

    /// First and last value of a literal, a range or a prefix.
    pub(super) fn bounds(&self, expr: &Expr, of: Type) -> Result<(Value, Value)> {
        match &expr.kind {
            ExprKind::Range(low, high) => {
                let bounds = (self.value(low, of)?, self.value(high, of)?);
                if bounds.0 > bounds.1 {
                    return Err(self.fault(expr.pos, "the range ends before it begins"));
                }
                Ok(bounds)
            }
            ExprKind::Prefix(address, bits) => {
                let value = self.value(address, of)?;
                let mask = prefix_mask(value.len(), *bits);
                let low: Value = value.iter().zip(&mask).map(|(byte, mask)| byte & mask).collect();
                let high = low.iter().zip(&mask).map(|(byte, mask)| byte | !mask).collect();
                Ok((low, high))
            }
            ExprKind::SymbolPrefix(name) => Ok(name_prefix(name.as_bytes())),
            ExprKind::Text(text) if of == Type::IfName && text.ends_with('*') && !text.ends_with("\\*") => {
                Ok(name_prefix(text.trim_end_matches('*').as_bytes()))
            }
            _ => self.value(expr, of).map(|value| (value.clone(), value)),
        }
    }
}

/// Names that begin so, as first and last of 16 bytes.
fn name_prefix(name: &[u8]) -> (Value, Value) {
    let fill = |with: u8| {
        let mut value = name.to_vec();
        value.resize(16, with);
        value
    };
    (fill(0), fill(0xff))
}

/// A mask of leading bits.
pub(super) fn prefix_mask(bytes: usize, bits: u32) -> Value {
    (0..bytes as u32)
        .map(|at| {
            let left = bits.saturating_sub(at * 8).min(8);
            u8::MAX.checked_shl(8 - left).unwrap_or(0)
        })
        .collect()
}

/// Decimal, hexadecimal with 0x, octal with 0.
pub(super) fn parse_number(digits: &str) -> Option<u128> {
    match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(hex) => u128::from_str_radix(hex, 16).ok(),
        None if digits.len() > 1 && digits.starts_with('0') => u128::from_str_radix(digits, 8).ok(),
        None => digits.parse().ok(),
    }
}

/// `1h30m`, `10s`, `100ms` in milliseconds.
fn milliseconds(text: &str) -> Option<u128> {
    let mut total: u128 = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|letter: char| !letter.is_ascii_digit())?;
        let (number, unit) = rest.split_at_checked(digits)?;
        let letters = unit.find(|letter: char| letter.is_ascii_digit()).unwrap_or(unit.len());
        let (unit, after) = unit.split_at_checked(letters)?;
        let factor = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            "w" => 604_800_000,
            _ => return None,
        };
        total = total.checked_add(number.parse::<u128>().ok()?.checked_mul(factor)?)?;
        rest = after;
    }
    Some(total)
}

/// `18:00` or `18:00:30` in seconds of the day.
fn clock(text: &str) -> Option<u128> {
    let mut parts = text.split(':').map(|part| part.parse::<u128>().ok());
    let (hours, minutes) = (parts.next()??, parts.next()??);
    let seconds = parts.next().unwrap_or(Some(0))?;
    (hours < 24 && minutes < 60 && seconds < 60).then_some(hours * 3_600 + minutes * 60 + seconds)
}

/// `2026-01-31 18:00:00` (UTC) or `2026-01-31` in nanoseconds since 1970.
fn moment(text: &str) -> Option<u128> {
    let (date, time) = text.split_once(' ').unwrap_or((text, "00:00:00"));
    let date: jiff::civil::Date = date.parse().ok()?;
    let seconds = i64::try_from(clock(time)?).ok()?;
    let midnight = date.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_second();
    u128::try_from(midnight.checked_add(seconds)?).ok()?.checked_mul(1_000_000_000)
}

/// A literal as it stands in messages.
pub(super) fn shown(expr: &Expr) -> String {
    match &expr.kind {
        ExprKind::Symbol(text)
        | ExprKind::Text(text)
        | ExprKind::Number(text)
        | ExprKind::Time(text)
        | ExprKind::Ipv4(_, text)
        | ExprKind::Ipv6(_, text)
        | ExprKind::Mac(_, text) => format!("{text:?}"),
        ExprKind::SymbolPrefix(text) => format!("\"{text}*\""),
        ExprKind::Set(_) => "a set".to_owned(),
        ExprKind::Verdict(_) => "a verdict".to_owned(),
        _ => "this expression".to_owned(),
    }
}
