//! Henry Spencer's V8 regular expressions, as l7-filter's kernel module compiles them (`regexp.c`), in the syntax of the
//! `regex` crate.
//!
//! Before it compiles, `libipt_layer7` decodes `\xHH` and folds case, so that a decoded byte may be an operator, and a
//! NUL ends the expression. The language then has `| * + ? ( ) [ ] ^ $ .`; a backslash takes the next byte literally, but
//! not within brackets; `{n}` and `\d` mean what they spell. One pass over the bytes with a stack of open groups: no
//! recursion.

use std::fmt::Write;

/// `NSUBEXP`: groups, the whole match included.
const MAX_GROUPS: usize = 10;

/// An expression for the `regex` crate.
#[derive(Debug)]
pub(super) struct Translated {
    pub expression: String,
    /// What the kernel module would make of it beyond that.
    pub notes: Vec<String>,
}

/// Column and what is wrong there.
pub(super) type Wrong = (u32, String);

/// What is known of an open group, and of the branch that is being read.
struct Open {
    column: u32,
    /// Each branch so far takes at least a byte.
    group_has_width: bool,
    branch_has_width: bool,
}

impl Open {
    fn new(column: u32) -> Self {
        Self { column, group_has_width: true, branch_has_width: false }
    }

    fn end_branch(&mut self) {
        self.group_has_width &= self.branch_has_width;
        self.branch_has_width = false;
    }
}

/// A byte of the decoded expression with its column as written.
type Byte = (u8, u32);

/// Decodes and folds (`pre_process`), up to a NUL.
fn decode(source: &str, notes: &mut Vec<String>) -> Vec<Byte> {
    let mut found = Vec::with_capacity(source.len());
    let mut rest = source.as_bytes();
    let mut column = 1u32;
    while let Some((&byte, after)) = rest.split_first() {
        let (byte, taken) = match rest {
            [b'\\', b'x', high, low, ..] => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => (high << 4 | low, 4),
                _ => (byte, 1),
            },
            _ => (byte, 1),
        };
        if byte == 0 {
            notes.push(format!("the NUL at column {column} ends the expression for the kernel module"));
            break;
        }
        if taken == 4 && b"$()*+.?[\\]^|".contains(&byte) {
            notes.push(format!("`{}` at column {column} is written in hexadecimal, but is an operator", byte as char));
        }
        found.push((byte.to_ascii_lowercase(), column));
        // The bytes of a character beyond ASCII share its column.
        let is_new = |next: &u8| next & 0xc0 != 0x80;
        column += if taken == 4 { 4 } else { u32::from(after.first().is_none_or(is_new)) };
        rest = rest.get(taken..).unwrap_or_default();
    }
    notes.truncate(8);
    found
}

fn hex(byte: u8) -> Option<u8> {
    u8::try_from(char::from(byte).to_digit(16)?).ok()
}

/// Translates an expression, or says what the kernel module refuses.
pub(super) fn translate(source: &str) -> Result<Translated, Wrong> {
    let mut notes = Vec::new();
    let bytes = decode(source, &mut notes);
    let mut bytes = bytes.iter().copied().peekable();
    let mut out = String::from("(?s-u)");
    let mut groups = 1;
    let mut stack = Groups { outer: Vec::new(), inner: Open::new(1) };
    while let Some((byte, column)) = bytes.next() {
        let has_width = match byte {
            b'|' => {
                out.push('|');
                stack.inner.end_branch();
                continue;
            }
            b'(' => {
                groups += 1;
                out.push_str("(?:");
                stack.outer.push(std::mem::replace(&mut stack.inner, Open::new(column)));
                continue;
            }
            b')' => {
                let Some(outer) = stack.outer.pop() else {
                    return Err((column, "expected `(` before this `)`".to_string()));
                };
                out.push(')');
                stack.inner.end_branch();
                std::mem::replace(&mut stack.inner, outer).group_has_width
            }
            b'^' => push(&mut out, r"\A", false),
            b'$' => push(&mut out, r"\z", false),
            b'.' => push(&mut out, ".", true),
            b'[' => {
                class(&mut bytes, &mut out, column)?;
                true
            }
            b'*' | b'+' | b'?' => {
                return Err((column, format!("expected something to repeat before `{}`", byte as char)));
            }
            b'\\' => match bytes.next() {
                Some((escaped, _)) => literal(&mut out, escaped),
                None => return Err((column, r"expected a character after `\`".to_string())),
            },
            other => literal(&mut out, other),
        };
        let has_width = repeat(&mut bytes, &mut out, has_width)?;
        stack.inner.branch_has_width |= has_width;
    }
    if !stack.outer.is_empty() {
        return Err((stack.inner.column, "expected `)` for this `(`".to_string()));
    }
    if groups > MAX_GROUPS {
        notes.push(format!(
            "the kernel module compiles at most {} groups: there this pattern matches nothing",
            MAX_GROUPS - 1
        ));
    }
    Ok(Translated { expression: out, notes })
}

/// Open groups, the outermost of which is the whole expression.
struct Groups {
    outer: Vec<Open>,
    inner: Open,
}

fn push(out: &mut String, text: &str, has_width: bool) -> bool {
    out.push_str(text);
    has_width
}

fn literal(out: &mut String, byte: u8) -> bool {
    let _ = write!(out, r"\x{byte:02x}");
    true
}

type Bytes<'a> = std::iter::Peekable<std::iter::Copied<std::slice::Iter<'a, Byte>>>;

/// An operator of repetition after an atom (`regpiece`); says whether the whole takes at least a byte.
fn repeat(bytes: &mut Bytes<'_>, out: &mut String, has_width: bool) -> Result<bool, Wrong> {
    let is_operator = |byte: &Byte| matches!(byte.0, b'*' | b'+' | b'?');
    let Some((operator, column)) = bytes.next_if(is_operator) else { return Ok(has_width) };
    if !has_width && operator != b'?' {
        return Err((column, format!("what `{}` repeats could be empty", operator as char)));
    }
    out.push(operator as char);
    match bytes.peek() {
        Some(next) if is_operator(next) => Err((next.1, "expected no second `*`, `+` or `?`".to_string())),
        _ => Ok(operator == b'+'),
    }
}

/// What is in brackets. `]` and `-` are literal if they come first; there are no escapes and no named classes.
fn class(bytes: &mut Bytes<'_>, out: &mut String, column: u32) -> Result<(), Wrong> {
    let open = || (column, "expected `]` for this `[`".to_string());
    out.push_str(if bytes.next_if(|byte| byte.0 == b'^').is_some() { "[^" } else { "[" });
    let mut before = None;
    if let Some((byte, _)) = bytes.next_if(|byte| matches!(byte.0, b']' | b'-')) {
        literal(out, byte);
        before = Some(byte);
    }
    loop {
        let (byte, at) = bytes.next().ok_or_else(open)?;
        if byte == b']' {
            break;
        }
        if byte != b'-' || bytes.peek().is_none_or(|next| next.0 == b']') {
            literal(out, byte);
            before = Some(byte);
            continue;
        }
        // After a whole range a further dash begins where the range ended.
        let (end, _) = bytes.next().ok_or_else(open)?;
        let start = before.unwrap_or(b'-');
        if start > end {
            return Err((at, "expected a range that goes up".to_string()));
        }
        let _ = write!(out, r"\x{start:02x}-\x{end:02x}");
        before = Some(end);
    }
    out.push(']');
    Ok(())
}
