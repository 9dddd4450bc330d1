//! pcapng: a sequence of blocks, each with its type and its length before and after the body.
//!
//! Follows draft-ietf-opsawg-pcapng. Frames come from enhanced, simple and obsolete packet blocks; comments, names and
//! TLS secrets are kept; other blocks are passed over. A file may hold several sections, each with its own byte order
//! and interfaces. Frames are numbered as Wireshark numbers them: journal, custom and system call records have a
//! number too. Blocks are read here and not by `pcap-file`: that takes all times for nanoseconds, and a block it does
//! not like ends its reading.

mod blocks;
mod interface;
mod options;

use super::notes::Notes;
use super::order::ByteOrder;
use super::parse::{Lost, RecordParser, Recovery, Step};
use super::resync::{Search, Unit, Window, grouped, search};
use blocks::{BlockKind, Packet};
use interface::Interface;

/// Bytes of a block without a body.
const EMPTY_BLOCK: usize = 12;
/// A block larger than this is a damaged length: it would have to be held in memory. The largest of practical use
/// hold a packet or the names and secrets of a capture.
const MAX_BLOCK: u32 = 16 << 20;
/// Interfaces of a section that are remembered: a capture of all interfaces of a machine has dozens.
const MAX_INTERFACES: usize = 65_536;

/// A block that lies whole in the window, with lengths that agree.
struct RawBlock<'a> {
    kind: BlockKind,
    body: &'a [u8],
    /// Offset of the body, and of what follows the block.
    body_at: usize,
    end: usize,
}

/// What the bytes at an offset are.
enum Framing<'a> {
    Block(RawBlock<'a>),
    /// A block whose second length differs, though another block follows where the first one says.
    WrongTrailer(RawBlock<'a>),
    /// A block, but it needs so many bytes.
    Needs(usize),
    Bad(String),
}

/// Reads the blocks of one input.
pub(in crate::capture) struct PcapngParser {
    order: ByteOrder,
    interfaces: Vec<Interface>,
    /// Simple packet blocks have no time: they get that of the frame before.
    last_ns: i64,
    lost: Option<Lost>,
    /// Packets whose interface is not described were reported, in this section.
    told_of_unknown: bool,
}

impl PcapngParser {
    /// For an input that begins with a section header block; `None` if it does not.
    pub(in crate::capture) fn new(window: &Window<'_>) -> Option<Self> {
        let order = blocks::section_order(window.bytes, 0)?;
        Some(Self { order, interfaces: Vec::new(), last_ns: 0, lost: None, told_of_unknown: false })
    }

    /// Whether bytes too few to tell could be the front of a section header.
    pub(in crate::capture) fn may_begin(bytes: &[u8]) -> bool {
        bytes.len() < EMPTY_BLOCK && blocks::is_section(bytes, 0)
    }

    /// The block at an offset. `order` is that of the section, or of the header if a section begins here.
    #[inline]
    fn framing<'a>(&self, window: &Window<'a>, at: usize) -> Framing<'a> {
        let Some((order, number, length)) = self.block_head(window.bytes, at) else {
            return match blocks::is_section(window.bytes, at) && at + EMPTY_BLOCK <= window.bytes.len() {
                true => Framing::Bad("section header without a byte order".to_owned()),
                false => Framing::Needs(EMPTY_BLOCK),
            };
        };
        if !(EMPTY_BLOCK as u32..=MAX_BLOCK).contains(&length) {
            return Framing::Bad(format!("block of {} bytes", grouped(length.into())));
        }
        let end = at + length as usize;
        let body_at = at + 8;
        let Some(trailer) = order.u32_at(window.bytes, end - 4) else { return Framing::Needs(length as usize) };
        let Some(body) = window.bytes.get(body_at..end - 4) else { return Framing::Needs(length as usize) };
        let block = RawBlock { kind: BlockKind::from_number(number), body, body_at, end };
        if trailer == length {
            return Framing::Block(block);
        }
        match self.unit(window, end) {
            Unit::Next(_) | Unit::Certain => Framing::WrongTrailer(block),
            _ if end == window.bytes.len() && window.last => Framing::WrongTrailer(block),
            Unit::Short if !window.last => Framing::Needs(window.bytes.len() - at + 1),
            _ => Framing::Bad(format!("block lengths differ: {length} before, {trailer} after")),
        }
    }

    /// Byte order, type and length of the block at an offset; `None` if they are not there, or a section's byte order
    /// cannot be told.
    #[inline]
    fn block_head(&self, bytes: &[u8], at: usize) -> Option<(ByteOrder, u32, u32)> {
        let number = self.order.u32_at(bytes, at)?;
        let order = if number == blocks::SECTION_HEADER { blocks::section_order(bytes, at)? } else { self.order };
        Some((order, number, order.u32_at(bytes, at + 4)?))
    }

    /// Whether a block makes sense when nothing before it can be trusted: a known type, and lengths that agree.
    fn unit(&self, window: &Window<'_>, at: usize) -> Unit {
        let Some((order, number, length)) = self.block_head(window.bytes, at) else {
            let whole = at + EMPTY_BLOCK <= window.bytes.len();
            return if whole { Unit::No } else { Unit::Short };
        };
        let known = !matches!(BlockKind::from_number(number), BlockKind::Unknown);
        if !known || length % 4 != 0 || !(EMPTY_BLOCK as u32..=MAX_BLOCK).contains(&length) {
            return Unit::No;
        }
        let end = at + length as usize;
        match order.u32_at(window.bytes, end - 4) {
            Some(trailer) if trailer != length => Unit::No,
            Some(_) if number == blocks::SECTION_HEADER => Unit::Certain,
            Some(_) => Unit::Next(end),
            None => Unit::Short,
        }
    }

    fn search(&self, window: &Window<'_>, from: usize, until: usize) -> Search {
        search(window, from..until, |at| self.unit(window, at))
    }

    /// The input ends within a block. If its own fields bear out its length, it was cut; else the length may be
    /// damaged, and what it seems to swallow is searched. `None`: go on from `at`.
    fn at_the_end(&mut self, window: &Window<'_>, at: &mut usize, needs: usize, notes: &mut Notes) -> Option<Step> {
        let here = window.base + *at as u64;
        let body = window.bytes.get(*at + 8..).unwrap_or_default();
        let credible = match self.block_head(window.bytes, *at) {
            Some((_, number, length)) => blocks::bears_out(BlockKind::from_number(number), length, body, self.order),
            None => true,
        };
        if !credible && let Search::Found(found) = self.search(window, *at + 1, window.bytes.len()) {
            let cause = format!("block of {} bytes in a file that ends before", grouped(needs as u64));
            notes.skipped(here, &cause, window.base + found as u64);
            *at = found;
            return None;
        }
        notes.cut(window, *at, "a block", *at + needs);
        Some(Step::End)
    }

    /// Takes in a block. `Some` if it holds a frame.
    #[inline]
    fn block(&mut self, block: &RawBlock<'_>, offset: u64, notes: &mut Notes) -> Option<Step> {
        match block.kind {
            BlockKind::EnhancedPacket => self.packet(blocks::enhanced(block.body, self.order), block, offset, notes),
            BlockKind::SimplePacket => {
                let snaplen = self.interfaces.first().map_or(0, |interface| interface.snaplen);
                self.packet(blocks::simple(block.body, self.order, snaplen), block, offset, notes)
            }
            BlockKind::ObsoletePacket => self.packet(blocks::obsolete(block.body, self.order), block, offset, notes),
            _ => {
                self.other(block, offset, notes);
                None
            }
        }
    }

    fn packet(&mut self, packet: Option<Packet>, block: &RawBlock<'_>, offset: u64, notes: &mut Notes) -> Option<Step> {
        let Some(packet) = packet else {
            notes.number += 1;
            notes.damage(offset, "packet block whose packet does not fit into it");
            return None;
        };
        let Some(interface) = self.interfaces.get(packet.interface as usize) else {
            notes.number += 1;
            if !std::mem::replace(&mut self.told_of_unknown, true) {
                let number = packet.interface;
                notes.damage(offset, format!("packets of interface {number}, which is not described, are left out"));
            }
            return None;
        };
        if let Some(ticks) = packet.ticks {
            self.last_ns = interface.time_ns(ticks);
        }
        let options = block.body.get(packet.options_at..).unwrap_or_default();
        if !options.is_empty() {
            let number = notes.number + 1;
            options::comments(options, self.order, |text| notes.comment(Some(number), text));
        }
        Some(Step::Frame(packet.frame(self.last_ns, interface.link, block.body_at)))
    }

    fn other(&mut self, block: &RawBlock<'_>, offset: u64, notes: &mut Notes) {
        let body = block.body;
        let options_at = match block.kind {
            BlockKind::SectionHeader => {
                if let Some(order) = ByteOrder::of_section(body) {
                    self.order = order;
                }
                self.interfaces.clear();
                self.told_of_unknown = false;
                16
            }
            BlockKind::InterfaceDescription => {
                self.interface(body, offset, notes);
                8
            }
            BlockKind::InterfaceStatistics => 12,
            BlockKind::NameResolution => blocks::names(body, self.order, notes),
            BlockKind::DecryptionSecrets => blocks::secrets(body, self.order, notes),
            BlockKind::FrameLike => {
                notes.number += 1;
                return;
            }
            _ => return,
        };
        let options = body.get(options_at..).unwrap_or_default();
        options::comments(options, self.order, |text| notes.comment(None, text));
    }

    fn interface(&mut self, body: &[u8], offset: u64, notes: &mut Notes) {
        if self.interfaces.len() >= MAX_INTERFACES {
            return notes.damage(offset, "more interfaces than are remembered");
        }
        // Even a description that is cut short takes its number: packets name interfaces by their place.
        if body.len() < 8 {
            notes.damage(offset, "interface description of less than 8 bytes");
        }
        self.interfaces.push(Interface::parse(body, self.order));
    }
}

impl RecordParser for PcapngParser {
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
            if window.last && *at >= window.bytes.len() {
                return Step::End;
            }
            let here = window.base + *at as u64;
            let block = match self.framing(window, *at) {
                Framing::Block(block) => block,
                Framing::WrongTrailer(block) => {
                    notes.damage(here, "block whose second length is wrong; another block follows, so it was read");
                    block
                }
                Framing::Needs(bytes) if !window.last => return Step::More(bytes),
                Framing::Needs(bytes) => match self.at_the_end(window, at, bytes, notes) {
                    Some(step) => return step,
                    None => continue,
                },
                Framing::Bad(cause) => {
                    self.lost = Some(Lost::at(here, cause));
                    *at += 1; // a search from here would find the same block again
                    continue;
                }
            };
            *at = block.end;
            if let Some(step) = self.block(&block, here, notes) {
                return step;
            }
        }
    }
}
