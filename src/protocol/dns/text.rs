//! Names and record data as text: lower case, no final dot, nothing that a terminal would act on.

use super::wire::MAX_DATA_TEXT;
use domain::base::iana::Rtype;
use domain::base::name::{Label, ParsedName};
use domain::base::opt::UnknownOptData;
use domain::base::wire::ParseError;
use domain::base::{ParsedRecord, UnknownRecordData};
use domain::rdata::AllRecordData;
use std::fmt::{self, Write};

/// Text that stops growing at a limit, so that formatting cannot cost more than the limit. Control characters come
/// out as `\ddd`.
pub(super) struct Bounded {
    text: String,
    limit: usize,
}

impl Bounded {
    pub(super) fn new(limit: usize) -> Self {
        Self { text: String::new(), limit }
    }

    pub(super) fn into_text(self) -> Box<str> {
        self.text.into_boxed_str()
    }

    fn push(&mut self, piece: &str) -> fmt::Result {
        if self.text.len() + piece.len() > self.limit {
            let room = piece.floor_char_boundary(self.limit.saturating_sub(self.text.len()));
            self.text.push_str(piece.get(..room).unwrap_or_default());
            return Err(fmt::Error);
        }
        self.text.push_str(piece);
        Ok(())
    }
}

impl Write for Bounded {
    fn write_str(&mut self, piece: &str) -> fmt::Result {
        if !piece.chars().any(char::is_control) {
            return self.push(piece);
        }
        let mut buffer = [0; 4];
        for character in piece.chars() {
            if character.is_control() {
                self.push(&format!("\\{:03}", u32::from(character)))?;
            } else {
                self.push(character.encode_utf8(&mut buffer))?;
            }
        }
        Ok(())
    }
}

/// Labels joined by dots, in lower case, the root as a single dot; dots, backslashes and what does not print are escaped (RFC 4343, 2.1).
pub(super) fn write_name<'a>(out: &mut Bounded, labels: impl Iterator<Item = &'a Label>) -> fmt::Result {
    let mut labels = labels.filter(|label| !label.is_root()).peekable();
    if labels.peek().is_none() {
        return out.push(".");
    }
    for (index, label) in labels.enumerate() {
        if index > 0 {
            out.push(".")?;
        }
        let bytes = label.as_slice();
        match std::str::from_utf8(bytes) {
            Ok(text)
                if bytes
                    .iter()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(byte)) =>
            {
                out.push(text)?;
            }
            _ => bytes.iter().try_for_each(|&byte| write_label_byte(out, byte))?,
        }
    }
    Ok(())
}

fn write_label_byte(out: &mut Bounded, byte: u8) -> fmt::Result {
    match byte {
        b'.' | b'\\' => write!(out, "\\{}", char::from(byte)),
        0x21..=0x7e => out.push(char::from(byte.to_ascii_lowercase()).encode_utf8(&mut [0; 4])),
        _ => write!(out, "\\{byte:03}"),
    }
}

type Data<'a> = AllRecordData<&'a [u8], ParsedName<&'a [u8]>>;

/// The data of a record as in a zone file, and what is wrong with it. Wrong data comes out in the form of RFC 3597.
pub(super) fn record_text(record: &ParsedRecord<'_, [u8]>) -> (Box<str>, Option<ParseError>) {
    // Dynamic updates (RFC 2136) leave the data of any type empty.
    if record.rdlen() == 0 {
        return (Box::default(), None);
    }
    let mut out = Bounded::new(MAX_DATA_TEXT);
    let defect = match record.to_any_record::<Data<'_>>() {
        Ok(parsed) => {
            let _ = write_data(&mut out, parsed.data());
            None
        }
        Err(defect) => {
            if let Ok(Some(raw)) = record.to_record::<UnknownRecordData<&[u8]>>() {
                let _ = write_hex(&mut out, raw.data().data());
            }
            Some(defect)
        }
    };
    (out.into_text(), defect)
}

fn write_data(out: &mut Bounded, data: &Data<'_>) -> fmt::Result {
    match data {
        Data::Cname(data) => write_name(out, data.cname().iter()),
        Data::Dname(data) => write_name(out, data.dname().iter()),
        Data::Ns(data) => write_name(out, data.nsdname().iter()),
        Data::Ptr(data) => write_name(out, data.ptrdname().iter()),
        Data::Mx(data) => {
            write!(out, "{} ", data.preference())?;
            write_name(out, data.exchange().iter())
        }
        Data::Srv(data) => {
            write!(out, "{} {} {} ", data.priority(), data.weight(), data.port())?;
            write_name(out, data.target().iter())
        }
        Data::Soa(data) => {
            write_name(out, data.mname().iter())?;
            out.push(" ")?;
            write_name(out, data.rname().iter())?;
            let timers = [data.refresh(), data.retry(), data.expire(), data.minimum()];
            write!(out, " {}", data.serial())?;
            timers.iter().try_for_each(|timer| write!(out, " {}", timer.as_secs()))
        }
        Data::Null(data) => write_hex(out, data.data()),
        Data::Unknown(data) => write_hex(out, data.data()),
        other => write!(out, "{other}"),
    }
}

/// `\# length hex` (RFC 3597, 5).
fn write_hex(out: &mut Bounded, bytes: &[u8]) -> fmt::Result {
    write!(out, "\\# {} ", bytes.len())?;
    bytes.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
}

/// An EDNS option as `NAME value`, the value in hex unless it has a better form.
pub(super) fn option_text(option: &UnknownOptData<&[u8]>) -> String {
    let mut out = Bounded::new(256);
    let _ = write_option(&mut out, option.code().to_int(), option.data());
    out.text
}

fn write_option(out: &mut Bounded, code: u16, data: &[u8]) -> fmt::Result {
    let name = match code {
        3 => "NSID",
        8 => "ECS",
        9 => "EXPIRE",
        10 => "COOKIE",
        11 => "KEEPALIVE",
        12 => "PADDING",
        13 => "CHAIN",
        14 => "KEYTAG",
        15 => "EDE",
        _ => "",
    };
    match (name, data) {
        ("ECS", [0, family @ (1 | 2), source, _scope, address @ ..]) => write_subnet(out, *family, *source, address),
        ("EDE", [high, low, text @ ..]) => {
            let text = String::from_utf8_lossy(text);
            write!(out, "EDE {} {text}", u16::from_be_bytes([*high, *low]))
        }
        ("PADDING", data) => write!(out, "PADDING {}", data.len()),
        ("", data) => {
            write!(out, "OPT{code} ")?;
            data.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
        }
        (name, data) => {
            write!(out, "{name} ")?;
            data.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
        }
    }
}

/// Client subnet (RFC 7871, 6): the address is cut to the bytes that the prefix needs.
fn write_subnet(out: &mut Bounded, family: u8, prefix: u8, address: &[u8]) -> fmt::Result {
    let mut bytes = [0u8; 16];
    bytes.iter_mut().zip(address).for_each(|(byte, given)| *byte = *given);
    let address: std::net::IpAddr = match (family, bytes) {
        (1, [a, b, c, d, ..]) => [a, b, c, d].into(),
        (_, bytes) => bytes.into(),
    };
    write!(out, "ECS {address}/{prefix}")
}

/// `true` for types that may be asked for or answered anywhere: those that have a name of their own.
pub(super) fn is_known_type(rtype: Rtype) -> bool {
    rtype.to_mnemonic().is_some()
}
