//! `u32`: bytes of the packet fetched, shifted, masked and compared (`libxt_u32.c`).

use crate::ruleset::iptables::extension::Extension;
use crate::ruleset::iptables::options::Opt;
use crate::ruleset::iptables::print::push_not;
use crate::ruleset::xt::{Inv, Match, Range, U32Op, U32Test};
use std::fmt::Write;

pub(super) static ALL: &[Extension<Match>] = &[Extension::new("u32", &[Opt::value("u32").not()], |o| {
    Ok(Match::U32(o.need_inv("u32", |text| Reader { text, at: 0 }.tests())?))
})];

/// Tests in a rule, locations in a test, ranges in a test.
const MAX: usize = 10;

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn fault<T>(&self, message: &str) -> Result<T, String> {
        Err(format!("at character {}: {message}", self.at.saturating_add(1)))
    }

    fn skip_blanks(&mut self) {
        let rest = self.rest();
        self.at = self.at.saturating_add(rest.len().saturating_sub(rest.trim_start().len()));
    }

    fn take(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at = self.at.saturating_add(token.len());
        }
        found
    }

    /// A number with C's prefixes.
    fn number(&mut self) -> Result<u32, String> {
        self.skip_blanks();
        let rest = self.rest();
        let hex = rest.strip_prefix("0x").or_else(|| rest.strip_prefix("0X"));
        let (digits, radix, before) = match hex {
            Some(digits) => (digits, 16, 2),
            None if rest.starts_with('0') => (rest, 8, 0),
            None => (rest, 10, 0),
        };
        let length = digits.find(|c: char| !c.is_digit(radix)).unwrap_or(digits.len());
        let Some(value) = digits.get(..length).and_then(|digits| u32::from_str_radix(digits, radix).ok()) else {
            return self.fault("a number below 2^32 is expected");
        };
        self.at = self.at.saturating_add(length).saturating_add(before);
        Ok(value)
    }

    /// Tests joined by `&&`.
    fn tests(mut self) -> Result<Vec<U32Test>, String> {
        let mut tests = Vec::new();
        loop {
            let location = self.location()?;
            let ranges = self.ranges()?;
            tests.push(U32Test { location, ranges });
            if !self.take("&&") {
                break;
            }
            if tests.len() >= MAX {
                return self.fault("more than 10 tests joined by `&&`");
            }
        }
        if self.rest().is_empty() { Ok(tests) } else { self.fault("`&&` or the end is expected") }
    }

    /// A number and operations, up to `=`.
    fn location(&mut self) -> Result<Vec<(U32Op, u32)>, String> {
        let mut location = vec![(U32Op::And, self.number()?)];
        loop {
            self.skip_blanks();
            let op = if self.take("=") {
                return Ok(location);
            } else if self.take("&") {
                U32Op::And
            } else if self.take("<<") {
                U32Op::LeftShift
            } else if self.take(">>") {
                U32Op::RightShift
            } else if self.take("@") {
                U32Op::At
            } else {
                return self.fault("one of `&`, `<<`, `>>`, `@` or `=` is expected");
            };
            if location.len() >= MAX {
                return self.fault("more than 9 operators in a test");
            }
            location.push((op, self.number()?));
        }
    }

    /// Values and ranges between commas, up to `&&` or the end.
    fn ranges(&mut self) -> Result<Vec<Range<u32>>, String> {
        let mut ranges = Vec::new();
        loop {
            let low = self.number()?;
            self.skip_blanks();
            let high = if self.take(":") { self.number()? } else { low };
            ranges.push(Range { low, high });
            self.skip_blanks();
            if !self.take(",") {
                return Ok(ranges);
            }
            if ranges.len() >= MAX {
                return self.fault("more than 10 values or ranges in a test");
            }
        }
    }
}

pub(super) fn print(out: &mut String, tests: &Inv<Vec<U32Test>>) {
    out.push_str(" -m u32");
    push_not(out, tests.not);
    out.push_str(" --u32 \"");
    for (index, test) in tests.value.iter().enumerate() {
        if index > 0 {
            out.push_str("&&");
        }
        for (place, (op, number)) in test.location.iter().enumerate() {
            let op = match op {
                _ if place == 0 => "",
                U32Op::And => "&",
                U32Op::LeftShift => "<<",
                U32Op::RightShift => ">>",
                U32Op::At => "@",
            };
            let _ = write!(out, "{op}{number:#x}");
        }
        for (place, range) in test.ranges.iter().enumerate() {
            let _ = write!(out, "{}{:#x}", if place == 0 { "=" } else { "," }, range.low);
            if range.low != range.high {
                let _ = write!(out, ":{:#x}", range.high);
            }
        }
    }
    out.push('"');
}
