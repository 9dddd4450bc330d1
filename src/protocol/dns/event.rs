//! What the DNS decoders report.

use crate::evidence::Stamp;
use domain::base::iana::{OptRcode, Rtype};
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// DNS over UDP or TCP, multicast DNS and LLMNR.
#[derive(Debug, Clone)]
pub enum DnsEvent {
    /// A query, an answer, or both. Sighted in the asking direction if there is a query, else in the answering one;
    /// `last` is the frame of the answer if there is one.
    Exchange(Box<DnsExchange>),
}

/// Which of the protocols that share the message format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DnsService {
    /// Between a client and a server that it chose.
    Unicast,
    /// Multicast DNS (RFC 6762).
    Mdns,
    /// Link-local multicast name resolution (RFC 4795).
    Llmnr,
}

/// A query with its answer, as far as each was seen.
#[derive(Debug, Clone)]
pub struct DnsExchange {
    /// What was asked; `None` if the answer came without a query. Shared by all exchanges of one query.
    pub query: Option<Arc<DnsMessage>>,
    /// What was answered; `None` if no answer came. Of messages that could not be read, this or `query` holds what
    /// could be read, by the QR bit.
    pub answer: Option<Arc<DnsMessage>>,
    /// Where the query ends.
    pub asked: Option<Stamp>,
    /// Where the answer ends.
    pub answered: Option<Stamp>,
    /// Answers to the same query before this one: more than none is a transfer (AXFR), a repetition, or a forgery.
    pub earlier_answers: u32,
    /// Which protocol.
    pub service: DnsService,
}

impl DnsExchange {
    /// The message that tells what it is about: the query, or else the answer.
    pub fn subject(&self) -> Option<&DnsMessage> {
        self.query.as_deref().or(self.answer.as_deref())
    }

    /// Time from query to answer; `None` if either is missing or time ran backwards.
    pub fn round_trip_ns(&self) -> Option<u64> {
        let elapsed = self.answered?.time_ns.checked_sub(self.asked?.time_ns)?;
        u64::try_from(elapsed).ok()
    }
}

/// One message (RFC 1035, 4.1), names in lower case without the final dot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DnsMessage {
    /// Transaction id.
    pub id: u16,
    /// QR to CD, as in the header.
    pub flags: DnsFlags,
    /// Response code, with the upper bits from EDNS.
    pub rcode: u16,
    /// Questions, at most [`super::wire::MAX_QUESTIONS`].
    pub questions: Vec<DnsQuestion>,
    /// Records of the answer section. Of all sections together, at most [`super::wire::MAX_RECORDS`].
    pub answers: Vec<DnsRecord>,
    /// Records of the authority section.
    pub authority: Vec<DnsRecord>,
    /// Records of the additional section, but for OPT.
    pub additional: Vec<DnsRecord>,
    /// EDNS (RFC 6891).
    pub edns: Option<Edns>,
    /// Questions and records that were there but are not kept.
    pub left_out: u32,
    /// What could not be read; what stands before it was kept.
    pub error: Option<Cow<'static, str>>,
    /// Length of the message in bytes.
    pub bytes: u32,
    /// Bytes behind the last record, which no section counts.
    pub trailing_bytes: u32,
}

impl DnsMessage {
    /// Name of the first question, empty if there is none.
    pub fn name(&self) -> &str {
        self.questions.first().map(|question| &*question.name).unwrap_or_default()
    }

    /// The response code as text: `NOERROR`, `NXDOMAIN`, or the number.
    pub fn rcode_name(&self) -> String {
        OptRcode::masked_from_int(self.rcode).to_string()
    }

    /// The operation as text: `QUERY`, `NOTIFY`, `UPDATE`, or the number.
    pub fn opcode_name(&self) -> String {
        match self.flags.opcode() {
            0 => "QUERY".to_owned(),
            1 => "IQUERY".to_owned(),
            2 => "STATUS".to_owned(),
            4 => "NOTIFY".to_owned(),
            5 => "UPDATE".to_owned(),
            6 => "DSO".to_owned(),
            other => format!("OPCODE{other}"),
        }
    }
}

/// The second 16 bits of the header.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DnsFlags(pub u16);

impl DnsFlags {
    /// `true` for answers.
    pub fn is_response(self) -> bool {
        self.0 & 0x8000 != 0
    }

    /// Operation: 0 is a query.
    pub fn opcode(self) -> u8 {
        (self.0 >> 11 & 0xf) as u8
    }

    /// The answer was cut to fit.
    pub fn is_truncated(self) -> bool {
        self.0 & 0x0200 != 0
    }

    /// The resolver vouches for DNSSEC.
    pub fn is_authentic_data(self) -> bool {
        self.0 & 0x0020 != 0
    }
}

impl fmt::Display for DnsFlags {
    /// Mnemonics of the bits that are set, e.g. `qr rd ra`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const NAMES: [(u16, &str); 8] = [
            (0x8000, "qr"),
            (0x0400, "aa"),
            (0x0200, "tc"),
            (0x0100, "rd"),
            (0x0080, "ra"),
            (0x0040, "z"),
            (0x0020, "ad"),
            (0x0010, "cd"),
        ];
        let mut gap = "";
        for (bit, name) in NAMES {
            if self.0 & bit != 0 {
                write!(f, "{gap}{name}")?;
                gap = " ";
            }
        }
        Ok(())
    }
}

/// One question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnsQuestion {
    /// Name asked for.
    pub name: Box<str>,
    /// Type asked for, by number.
    pub rtype: u16,
    /// Class; in multicast DNS the top bit asks for a unicast answer.
    pub class: u16,
}

impl DnsQuestion {
    /// Mnemonic of the type: `SRV`, or `TYPE4711`.
    pub fn type_name(&self) -> String {
        type_name(self.rtype)
    }
}

/// One resource record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnsRecord {
    /// Name that the record belongs to.
    pub owner: Box<str>,
    /// Type by number.
    pub rtype: u16,
    /// Class; in multicast DNS the top bit flushes caches.
    pub class: u16,
    /// Time to live in seconds.
    pub ttl: u32,
    /// Data as in a zone file, names without the final dot, cut at [`super::wire::MAX_DATA_TEXT`] bytes.
    pub data: Box<str>,
    /// Length of the data on the wire.
    pub data_bytes: u16,
}

impl DnsRecord {
    /// Mnemonic of the type: `SRV`, or `TYPE4711`.
    pub fn type_name(&self) -> String {
        type_name(self.rtype)
    }

    /// The address of an A or AAAA record.
    pub fn address(&self) -> Option<std::net::IpAddr> {
        matches!(self.rtype, 1 | 28).then(|| self.data.parse().ok()).flatten()
    }
}

impl fmt::Display for DnsRecord {
    /// `owner ttl TYPE data`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} {}", self.owner, self.ttl, Rtype::from_int(self.rtype), self.data)
    }
}

/// Extension mechanisms (RFC 6891).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edns {
    /// Largest datagram that the sender takes.
    pub udp_size: u16,
    /// Version, 0.
    pub version: u8,
    /// The sender wants DNSSEC records.
    pub dnssec_ok: bool,
    /// Options as `NAME value`, e.g. `ECS 192.0.2.0/24`.
    pub options: Vec<String>,
}

impl fmt::Display for Edns {
    /// `size=1232 do NSID …`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "size={}", self.udp_size)?;
        if self.version != 0 {
            write!(f, " version={}", self.version)?;
        }
        if self.dnssec_ok {
            f.write_str(" do")?;
        }
        self.options.iter().try_for_each(|option| write!(f, "; {option}"))
    }
}

/// Mnemonic of a record type: `SRV`, or `TYPE4711`.
pub fn type_name(rtype: u16) -> String {
    Rtype::from_int(rtype).to_string()
}
