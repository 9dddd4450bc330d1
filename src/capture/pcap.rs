//! Classic pcap: a file header, then records, each with a header of 16 bytes and the frame.
//!
//! Follows draft-ietf-opsawg-pcap, and for what is older or never was written down the behaviour of libpcap and
//! Wireshark: times in nanoseconds by their own magic number, the "modified" format of Alexey Kuznetzov's patches
//! (24-byte record headers, or 28), Nokia's 20-byte headers, and the lengths that versions before 2.4 swapped.
//! The file header is read by `pcap-file`; records are read here, since its reader refuses frames that a snapshot
//! length cut, and stops for good at the first record that is wrong.

use super::notes::Notes;
use super::order::ByteOrder;
use super::parse::{Lost, RawFrame, RecordParser, Recovery, Step};
use super::resync::{Search, Unit, Window, grouped, search};
use pcap_file::pcap::PcapHeader;
use pcap_file::{Endianness, TsResolution};

/// Bytes of the file header.
pub(super) const FILE_HEADER: usize = 24;
/// A frame that any tool writes: Wireshark's and tcpdump's limit.
const USUAL_FRAME: u32 = 262_144;
/// A frame larger than this is a damaged length: no link carries it, and it would have to be held in memory.
const MAX_FRAME: u32 = 16 << 20;
/// Magic number of the modified format.
const MODIFIED: u32 = 0xa1b2_cd34;
/// Bytes of record headers: as everybody writes them; modified; modified once more; Nokia's.
const STANDARD_HEADER: usize = 16;
const MODIFIED_HEADERS: [usize; 3] = [24, 28, 16];
const OTHER_HEADERS: [usize; 3] = [24, 28, 20];
/// After damage, a time must be this near to the last good one to be believed: a year.
const NEAR_NS: u64 = 366 * 86_400 * 1_000_000_000;

/// How versions before 2.4 order the two lengths of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lengths {
    CapturedFirst,
    OriginalFirst,
    /// Version 2.3 was written both ways: the captured length is the smaller one.
    Either,
}

/// What the file header tells.
#[derive(Debug, Clone, Copy)]
struct Layout {
    order: ByteOrder,
    fraction_ns: i64,
    header_len: usize,
    modified: bool,
    lengths: Lengths,
    link: u16,
}

/// The fields of a record header that all layouts share.
#[derive(Debug, Clone, Copy)]
struct RecordHeader {
    seconds: u32,
    fraction: u32,
    captured: u32,
    original: u32,
}

impl RecordHeader {
    /// As nearly every record is: whole, and of a usual size. Such a header is believed without a look at the next.
    #[inline]
    fn is_usual(&self) -> bool {
        self.captured == self.original && self.captured != 0 && self.captured <= USUAL_FRAME
    }

    /// What makes the header impossible.
    fn absurdity(&self) -> Option<String> {
        if self.captured > MAX_FRAME {
            let bytes = grouped(self.captured.into());
            return Some(format!("record of {bytes} bytes, more than any link carries"));
        }
        let zeros = (self.seconds, self.fraction, self.captured, self.original) == (0, 0, 0, 0);
        zeros.then(|| "zeros where a record should be".to_owned())
    }
}

impl Layout {
    /// Reads a file header.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let mut head = *bytes.first_chunk::<FILE_HEADER>()?;
        let magic = *head.first_chunk::<4>()?;
        let modified = u32::from_le_bytes(magic) == MODIFIED || u32::from_be_bytes(magic) == MODIFIED;
        if modified {
            // Same header behind another magic number: the parser knows the standard one.
            let standard = 0xa1b2_c3d4_u32;
            let standard =
                if u32::from_le_bytes(magic) == MODIFIED { standard.to_le_bytes() } else { standard.to_be_bytes() };
            head.first_chunk_mut::<4>()?.copy_from_slice(&standard);
        }
        let (_, header) = PcapHeader::from_slice(&head).ok()?;
        let lengths = match (header.version_major, header.version_minor) {
            (2, 0..=2) => Lengths::OriginalFirst,
            (2, 3) => Lengths::Either,
            _ => Lengths::CapturedFirst,
        };
        Some(Self {
            order: if header.endianness == Endianness::Little { ByteOrder::Little } else { ByteOrder::Big },
            fraction_ns: if header.ts_resolution == TsResolution::NanoSecond { 1 } else { 1000 },
            header_len: STANDARD_HEADER,
            modified,
            lengths,
            // The upper bits tell the length of the frame check sequence.
            link: u32::from(header.datalink) as u16,
        })
    }

    /// The record layout that the first records fit: magic numbers were reused by incompatible formats.
    fn with_records(self, window: &Window<'_>, first: usize) -> Self {
        let candidates = if self.modified { MODIFIED_HEADERS } else { OTHER_HEADERS };
        let usual = Self { header_len: if self.modified { MODIFIED_HEADERS[0] } else { STANDARD_HEADER }, ..self };
        if usual.good_records(window, first).is_some() {
            return usual;
        }
        let others = candidates.into_iter().map(|header_len| Self { header_len, ..self });
        others.into_iter().find(|other| other.good_records(window, first).is_some_and(|n| n > 2)).unwrap_or(usual)
    }

    /// How many of the first records make sense, four if that is all there are; `None` if one does not. With a wrong
    /// layout two may fit by accident, when a few bytes are missing between them.
    fn good_records(&self, window: &Window<'_>, first: usize) -> Option<usize> {
        let mut at = first;
        for good in 0..4 {
            if good > 1 && window.last && at == window.bytes.len() {
                return Some(4);
            }
            match self.unit(window, at, None) {
                Unit::Next(next) => at = next,
                Unit::No => return None,
                Unit::Short | Unit::Certain => return Some(good),
            }
        }
        Some(4)
    }

    #[inline]
    fn header(&self, bytes: &[u8], at: usize) -> Option<RecordHeader> {
        let raw = bytes.get(at..)?;
        if raw.len() < self.header_len {
            return None;
        }
        let [seconds, fraction, captured, original] = self.order.four_u32(raw.first_chunk::<16>()?);
        let swapped = match self.lengths {
            Lengths::CapturedFirst => false,
            Lengths::OriginalFirst => true,
            Lengths::Either => captured > original,
        };
        let (captured, original) = if swapped { (original, captured) } else { (captured, original) };
        Some(RecordHeader { seconds, fraction, captured, original })
    }

    /// Cannot overflow: 2^32 seconds are less than half of what an `i64` holds in nanoseconds.
    #[inline]
    fn time_ns(&self, header: &RecordHeader) -> i64 {
        i64::from(header.seconds) * 1_000_000_000 + i64::from(header.fraction) * self.fraction_ns
    }

    /// Whether a header makes sense when nothing before it can be trusted.
    fn unit(&self, window: &Window<'_>, at: usize, near_ns: Option<i64>) -> Unit {
        let Some(header) = self.header(window.bytes, at) else { return Unit::Short };
        let in_second = i64::from(header.fraction) * self.fraction_ns < 1_000_000_000;
        let lengths =
            (1..=USUAL_FRAME).contains(&header.captured) && (header.captured..=MAX_FRAME).contains(&header.original);
        let near = near_ns.is_none_or(|near| self.time_ns(&header).abs_diff(near) < NEAR_NS);
        if in_second && lengths && near {
            Unit::Next(at + self.header_len + header.captured as usize)
        } else {
            Unit::No
        }
    }
}

/// Reads the records of one file.
pub(super) struct PcapParser {
    layout: Layout,
    last_ns: Option<i64>,
    lost: Option<Lost>,
}

impl PcapParser {
    /// For an input that begins with a pcap file header; `None` if it does not.
    pub(super) fn new(window: &Window<'_>) -> Option<Self> {
        let layout = Layout::parse(window.bytes)?.with_records(window, FILE_HEADER);
        Some(Self { layout, last_ns: None, lost: None })
    }

    /// Whether bytes too few to tell could be the front of a file header.
    pub(super) fn may_begin(bytes: &[u8]) -> bool {
        let mut head = [0; FILE_HEADER];
        head.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        (4..FILE_HEADER).contains(&bytes.len()) && Layout::parse(&head).is_some()
    }

    /// Name of the format.
    pub(super) fn format(&self) -> &'static str {
        match self.layout {
            Layout { modified: true, .. } => "pcap-modified",
            Layout { fraction_ns: 1, .. } => "pcap-ns",
            _ => "pcap",
        }
    }

    fn frame(&mut self, header: &RecordHeader, offset: usize) -> Step {
        let time_ns = self.layout.time_ns(header);
        self.last_ns = Some(time_ns);
        let RecordHeader { captured: captured_len, original: original_len, .. } = *header;
        Step::Frame(RawFrame { time_ns, link: self.layout.link, offset, captured_len, original_len })
    }

    /// Judges a header that is not like others. `None`: the damage is noted, go on from `at`.
    fn judge(&mut self, header: &RecordHeader, window: &Window<'_>, at: &mut usize, notes: &mut Notes) -> Option<Step> {
        if self.adopt_file_header(window, at, notes) {
            return None;
        }
        let here = window.base + *at as u64;
        if let Some(cause) = header.absurdity() {
            self.lost = Some(Lost::at(here, cause));
            return None;
        }
        let data = *at + self.layout.header_len;
        let end = data + header.captured as usize;
        let len = window.bytes.len();
        if !window.last && end + self.layout.header_len > len {
            return Some(Step::More(end + self.layout.header_len - *at));
        }
        if end <= len && self.may_follow(window, end) {
            *at = end;
            return Some(self.frame(header, data));
        }
        // Its length leads nowhere. A header inside of what it claims tells that the length is wrong, unless the
        // header is whole in itself: then the file was cut, and what lies inside is somebody's payload.
        let inside = if header.is_usual() { Search::Nothing } else { self.search(window, *at + 1, end.min(len)) };
        match inside {
            Search::Found(found) => {
                let cause = format!("record of {} bytes that no other follows", grouped(header.captured.into()));
                notes.skipped(here, &cause, window.base + found as u64);
                *at = found;
                None
            }
            Search::Unsure(_) => Some(Step::More(len - *at + 1)),
            Search::Nothing if end <= len => {
                *at = end;
                Some(self.frame(header, data))
            }
            Search::Nothing => {
                notes.cut(window, *at, "a record", end);
                Some(Step::End)
            }
        }
    }

    /// Whether a record may begin at an offset, or the file may end there.
    fn may_follow(&self, window: &Window<'_>, at: usize) -> bool {
        self.layout.header(window.bytes, at).is_none_or(|next| next.absurdity().is_none())
    }

    /// Files put together with `cat`: a file header where a record should be.
    fn adopt_file_header(&mut self, window: &Window<'_>, at: &mut usize, notes: &mut Notes) -> bool {
        let Some(layout) = window.bytes.get(*at..).and_then(Layout::parse) else { return false };
        if layout.order.u16_at(window.bytes, *at + 4) != Some(2) {
            return false; // a record of the year 2055, not version 2
        }
        notes.damage(window.base + *at as u64, "another capture file begins here; it was read on");
        *at += FILE_HEADER;
        self.layout = layout.with_records(window, *at);
        true
    }

    fn search(&self, window: &Window<'_>, from: usize, until: usize) -> Search {
        search(window, from..until, |at| self.layout.unit(window, at, self.last_ns))
    }
}

impl RecordParser for PcapParser {
    #[inline]
    fn step(&mut self, window: &Window<'_>, at: &mut usize, notes: &mut Notes) -> Step {
        loop {
            if self.lost.is_some() {
                let found = self.search(window, *at, window.bytes.len());
                match Lost::recover(&mut self.lost, found, window, at, notes) {
                    Recovery::GoOn => {}
                    Recovery::Step(step) => return step,
                }
            }
            let Some(header) = self.layout.header(window.bytes, *at) else {
                return match (window.last, window.bytes.len() == *at) {
                    (false, _) => Step::More(self.layout.header_len.max(FILE_HEADER)),
                    (true, true) => Step::End,
                    (true, false) => {
                        notes.cut(window, *at, "a record header", *at + self.layout.header_len);
                        Step::End
                    }
                };
            };
            let data = *at + self.layout.header_len;
            let end = data + header.captured as usize;
            if header.is_usual() {
                if end <= window.bytes.len() {
                    *at = end;
                    return self.frame(&header, data);
                }
                if !window.last {
                    return Step::More(end - *at);
                }
            }
            if let Some(step) = self.judge(&header, window, at, notes) {
                return step;
            }
        }
    }
}
