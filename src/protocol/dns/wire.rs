//! Bytes of a DNS message to [`DnsMessage`] (RFC 1035, 4; RFC 6891; record types as the `domain` crate knows them).
//!
//! What stands before a defect is kept, and the defect is named.

use super::event::{DnsFlags, DnsMessage, DnsQuestion, DnsRecord, Edns};
use super::text::{Bounded, option_text, record_text, write_name};
use domain::base::iana::Rtype;
use domain::base::message::RecordSection;
use domain::base::name::ParsedName;
use domain::base::opt::{Opt, UnknownOptData};
use domain::base::{Message, ParsedRecord};
use std::borrow::Cow;

/// Length of the header: nothing shorter is a message.
pub const HEADER_BYTES: usize = 12;
/// Questions kept of a message. Resolvers send one; multicast DNS joins a few dozen.
pub const MAX_QUESTIONS: usize = 64;
/// Records kept of a message: answers to look-ups have fewer; a zone transfer repeats messages of hundreds.
pub const MAX_RECORDS: usize = 256;
/// Text kept of one record's data: an RSA key of 4,096 bits fits.
pub const MAX_DATA_TEXT: usize = 1024;
/// Options kept of one OPT record: a dozen are defined.
const MAX_OPTIONS: usize = 16;

/// The fixed part of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Transaction id.
    pub id: u16,
    /// QR to RCODE.
    pub flags: DnsFlags,
    /// Questions, answers, authority and additional records that are said to follow.
    pub counts: [u16; 4],
}

impl Header {
    /// The header of a message; `None` if it is shorter than that.
    pub fn parse(data: &[u8]) -> Option<Self> {
        let mut fields = data.first_chunk::<HEADER_BYTES>()?.chunks_exact(2).filter_map(|field| {
            let field = field.first_chunk::<2>()?;
            Some(u16::from_be_bytes(*field))
        });
        let mut field = || fields.next().unwrap_or_default();
        Some(Self { id: field(), flags: DnsFlags(field()), counts: [field(), field(), field(), field()] })
    }

    /// `true` if so many questions and records can lie in a message of `bytes` bytes: a question takes five bytes
    /// at least, a record eleven.
    pub fn fits(&self, bytes: usize) -> bool {
        let [questions, records @ ..] = self.counts.map(usize::from);
        let needed = HEADER_BYTES + questions * 5 + records.iter().sum::<usize>() * 11;
        needed <= bytes
    }
}

/// Reads a message. Never fails: a defect ends up in [`DnsMessage::error`].
pub fn parse(data: &[u8]) -> DnsMessage {
    let mut message = DnsMessage { bytes: u32::try_from(data.len()).unwrap_or(u32::MAX), ..DnsMessage::default() };
    let Some(header) = Header::parse(data) else {
        message.error = Some(Cow::Borrowed("shorter than a header"));
        return message;
    };
    message.id = header.id;
    message.flags = header.flags;
    message.rcode = header.flags.0 & 0xf;
    if let Err(defect) = read_sections(data, &mut message) {
        message.error = Some(defect);
    }
    message
}

fn read_sections(data: &[u8], message: &mut DnsMessage) -> Result<(), Cow<'static, str>> {
    let wire = Message::from_slice(data).map_err(|_| "shorter than a header")?;
    let mut questions = wire.question();
    for question in questions.by_ref() {
        let question = question.map_err(|defect| format!("question: {defect}"))?;
        if message.questions.len() == MAX_QUESTIONS {
            message.left_out += 1;
            continue;
        }
        message.questions.push(DnsQuestion {
            name: name_text(question.qname()),
            rtype: question.qtype().to_int(),
            class: question.qclass().to_int(),
        });
    }
    let mut sections = Sections::default();
    let mut section = questions.next_section().map_err(|defect| format!("question: {defect}"))?;
    for which in ["answer", "authority", "additional"] {
        sections.read(&mut section, message, which)?;
        let end = section.pos();
        match section.next_section().map_err(|defect| format!("{which}: {defect}"))? {
            Some(next) => section = next,
            None => {
                message.trailing_bytes = u32::try_from(data.len().saturating_sub(end)).unwrap_or(u32::MAX);
                break;
            }
        }
    }
    match sections.defect {
        Some(defect) => Err(defect),
        None => Ok(()),
    }
}

/// Progress through the three sections of records.
#[derive(Default)]
struct Sections {
    kept: usize,
    /// The first record whose data is not what its type demands. Records after it can still be found.
    defect: Option<Cow<'static, str>>,
}

impl Sections {
    fn read(
        &mut self,
        section: &mut RecordSection<'_, [u8]>,
        message: &mut DnsMessage,
        which: &'static str,
    ) -> Result<(), Cow<'static, str>> {
        for record in section.by_ref() {
            let record = record.map_err(|defect| format!("{which}: {defect}"))?;
            if record.rtype() == Rtype::OPT {
                self.read_edns(&record, message);
            } else if self.kept == MAX_RECORDS {
                message.left_out += 1;
            } else {
                self.kept += 1;
                let record = self.read_record(&record);
                match which {
                    "answer" => message.answers.push(record),
                    "authority" => message.authority.push(record),
                    _ => message.additional.push(record),
                }
            }
        }
        Ok(())
    }

    fn read_record(&mut self, record: &ParsedRecord<'_, [u8]>) -> DnsRecord {
        let (data, defect) = record_text(record);
        if let Some(defect) = defect {
            self.defect.get_or_insert_with(|| format!("{} data: {defect}", record.rtype()).into());
        }
        DnsRecord {
            owner: name_text(&record.owner()),
            rtype: record.rtype().to_int(),
            class: record.class().to_int(),
            ttl: record.ttl().as_secs(),
            data,
            data_bytes: record.rdlen(),
        }
    }

    /// OPT puts other meanings into class and TTL (RFC 6891, 6.1.2). A second OPT is an error of the sender: the
    /// first counts.
    fn read_edns(&mut self, record: &ParsedRecord<'_, [u8]>, message: &mut DnsMessage) {
        if message.edns.is_some() {
            self.defect.get_or_insert(Cow::Borrowed("more than one OPT record"));
            return;
        }
        let [extended_rcode, version, flags, _] = record.ttl().as_secs().to_be_bytes();
        message.rcode |= u16::from(extended_rcode) << 4;
        let mut options = Vec::new();
        match record.to_record::<Opt<&[u8]>>() {
            Ok(Some(opt)) => {
                let all = opt.data().iter::<UnknownOptData<&[u8]>>();
                options.extend(all.flatten().take(MAX_OPTIONS).map(|option| option_text(&option)));
            }
            Ok(None) => {}
            Err(defect) => {
                self.defect.get_or_insert_with(|| format!("OPT data: {defect}").into());
            }
        }
        message.edns = Some(Edns { udp_size: record.class().to_int(), version, dnssec_ok: flags & 0x80 != 0, options });
    }
}

fn name_text(name: &ParsedName<&[u8]>) -> Box<str> {
    // A name has at most 255 bytes, each of which may take four characters.
    let mut text = Bounded::new(1024);
    let _ = write_name(&mut text, name.iter());
    text.into_text()
}
