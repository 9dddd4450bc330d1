//! In-band bytestreams (XEP-0047) as they cross one connection.

use super::{IbbPart, IbbTransfer, jid};
use crate::evidence::{Direction, Seen, Stamp};
use crate::protocol::content::{FileContent, FileSpool, Intake};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Sessions followed at a time on one connection; clients use one or two. The oldest gives way.
const MAX_SESSIONS: usize = 64;
/// Bytes kept on one connection of sessions that were opened on another.
const MAX_REST: usize = 4 << 20;

/// Who speaks to whom in a stanza, in which session, and where that was seen.
#[derive(Debug, Clone, Copy)]
pub(super) struct Route<'a> {
    /// Where.
    pub seen: &'a Seen<'a>,
    /// Session id.
    pub sid: &'a str,
    /// Sender of the stanza.
    pub from: Option<&'a str>,
    /// Its addressee.
    pub to: Option<&'a str>,
    /// Where the bytes go.
    pub spool: Option<&'a FileSpool>,
}

/// A transfer that ended, and where it was seen.
#[derive(Debug)]
pub(super) struct Told {
    /// What crossed.
    pub transfer: IbbTransfer,
    /// Direction of the bytes.
    pub direction: Direction,
    /// First frame of the session.
    pub first: Stamp,
    /// Its last frame.
    pub last: Stamp,
}

/// One direction of a session.
#[derive(Debug)]
struct Flow {
    intake: Intake,
    first: u16,
    next: u16,
    /// Blocks missing before the first one that was seen, and behind it.
    missing_before: u64,
    missing: u64,
    started: bool,
    rest: Option<Rest>,
}

/// Blocks of a session that was opened on another connection.
#[derive(Debug, Default)]
struct Rest {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Flow {
    fn new(spool: Option<&FileSpool>) -> Self {
        Self {
            intake: Intake::new(spool),
            first: 0,
            next: 0,
            missing_before: 0,
            missing: 0,
            started: false,
            rest: None,
        }
    }

    /// Takes a block, unless it came before. `room` is what may be kept of those behind the beginning.
    fn take(&mut self, seq: u16, block: &[u8], opened: bool, room: &mut usize) {
        if !self.started {
            self.started = true;
            self.first = seq;
            // Without the opening the first block seen may be any; the numbers began at 0.
            self.missing_before = u64::from(seq);
            self.rest = (!opened && seq > 0).then(Rest::default);
        } else {
            // Half of the number space lies ahead, half behind: what is behind was sent again after a resumption.
            let ahead = seq.wrapping_sub(self.next);
            if ahead >= 0x8000 {
                return;
            }
            self.missing += u64::from(ahead);
        }
        self.next = seq.wrapping_add(1);
        self.intake.push(block);
        self.keep(block, room);
    }

    fn keep(&mut self, block: &[u8], room: &mut usize) {
        let Some(rest) = &mut self.rest else { return };
        match room.checked_sub(block.len()) {
            Some(left) if self.missing == 0 => {
                *room = left;
                rest.bytes.extend_from_slice(block);
                rest.ends.push(rest.bytes.len());
            }
            _ => {
                *room += rest.bytes.len();
                self.rest = None;
            }
        }
    }

    /// What came, whether all of it did, and what joins it with what came elsewhere.
    fn finish(self, opened: bool, closed: bool) -> (FileContent, bool, Option<Box<IbbPart>>) {
        let is_whole = self.missing_before + self.missing == 0;
        match self.rest {
            Some(Rest { bytes, ends }) => {
                let rest = IbbPart::Rest { first: self.first, bytes, ends, closed };
                (self.intake.finish(), false, Some(Box::new(rest)))
            }
            None if opened && is_whole && self.started && !closed => {
                let (content, beginning) = self.intake.finish_part();
                (content, false, Some(Box::new(IbbPart::Beginning { beginning, next: self.next })))
            }
            None => (self.intake.finish(), opened && closed && is_whole, None),
        }
    }
}

/// A session: who opened it is `a`, or who sent first where the opening was not seen.
#[derive(Debug)]
struct Session {
    sid: Box<str>,
    a: Option<Box<str>>,
    b: Option<Box<str>>,
    /// Direction of what a sends.
    direction: Direction,
    first: Stamp,
    last: Stamp,
    opened: bool,
    /// Id of the iq that opened it: an error to it ends it.
    open_id: Option<Box<str>>,
    flows: [Flow; 2],
}

impl Session {
    /// 0 if the route is from a to b, 1 if from b to a.
    fn side(&self, route: Route<'_>) -> Option<usize> {
        if *self.sid != *route.sid {
            None
        } else if same(&self.a, route.from) && same(&self.b, route.to) {
            Some(0)
        } else if same(&self.a, route.to) && same(&self.b, route.from) {
            Some(1)
        } else {
            None
        }
    }

    /// What has crossed. The opener's direction is told even if empty: empty files are files.
    fn report(self, closed: bool, out: &mut Vec<Told>) {
        let [there, back] = self.flows;
        let (a, b) = (self.a.map(String::from), self.b.map(String::from));
        let mut tell = |flow: Flow, direction, from, to| {
            let missing_blocks = flow.missing_before + flow.missing;
            let (content, complete, part) = flow.finish(self.opened, closed);
            let transfer = IbbTransfer { sid: self.sid.to_string(), from, to, content, complete, missing_blocks, part };
            out.push(Told { transfer, direction, first: self.first, last: self.last });
        };
        if there.started || !back.started {
            tell(there, self.direction, a.clone(), b.clone());
        }
        if back.started {
            tell(back, self.direction.reversed(), b, a);
        }
    }
}

/// A party may be unknown (no binding was seen), or by its bare JID only (of a resumed session): then the other party
/// and the id must do.
fn same(known: &Option<Box<str>>, given: Option<&str>) -> bool {
    known.as_deref().zip(given).is_none_or(|(known, given)| jid::agree(known, given))
}

/// All sessions of a connection, oldest first.
#[derive(Debug)]
pub(super) struct Sessions {
    open: Vec<Session>,
    /// Space for decoded blocks.
    block: Vec<u8>,
    /// What may still be kept of sessions that were opened elsewhere.
    room: usize,
}

impl Default for Sessions {
    fn default() -> Self {
        Self { open: Vec::new(), block: Vec::new(), room: MAX_REST }
    }
}

/// How a block was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// Well.
    Yes,
    /// It is not Base64: it counts as missing.
    NotBase64,
}

impl Sessions {
    /// `<open/>`: a session begins. One of the same name between the same two that is still there is told as it is.
    pub fn open(&mut self, route: Route<'_>, id: Option<&str>, out: &mut Vec<Told>) {
        if let Some((index, _)) = self.find(route) {
            let known = self.open.get(index).is_some_and(|session| session.opened && !session.has_data());
            if known {
                return;
            }
            self.open.remove(index).report(false, out);
        }
        self.add(route, true, id, out);
    }

    /// `<data/>`: `text` is its Base64, as on the wire.
    pub fn data(&mut self, route: Route<'_>, seq: u16, text: &str, out: &mut Vec<Told>) -> Taken {
        let (index, side) = match self.find(route) {
            Some(place) => place,
            None => (self.add(route, false, None, out), 0),
        };
        let taken = decode(text, &mut self.block);
        let Some(session) = self.open.get_mut(index) else { return Taken::Yes };
        session.last = route.seen.last;
        session.learn(route, side);
        let opened = session.opened;
        let Some(flow) = session.flows.get_mut(side) else { return Taken::Yes };
        if taken == Taken::Yes {
            flow.take(seq, &self.block, opened, &mut self.room);
        } else {
            flow.started = true;
        }
        taken
    }

    /// `<close/>`: the session ends, in both directions.
    pub fn close(&mut self, route: Route<'_>, out: &mut Vec<Told>) {
        if let Some((index, _)) = self.find(route) {
            let mut session = self.open.remove(index);
            session.last = route.seen.last;
            session.report(true, out);
        }
    }

    /// An iq was answered with an error: if it was to open a session, there is none.
    pub fn refused(&mut self, id: &str) {
        self.open.retain(|session| session.open_id.as_deref() != Some(id) || session.has_data());
    }

    /// The connection ends: what is unfinished is told as it is.
    pub fn finish(&mut self, out: &mut Vec<Told>) {
        for session in self.open.drain(..) {
            session.report(false, out);
        }
    }

    fn find(&self, route: Route<'_>) -> Option<(usize, usize)> {
        let place = |(index, session): (usize, &Session)| session.side(route).map(|side| (index, side));
        self.open.iter().enumerate().find_map(place)
    }

    fn add(&mut self, route: Route<'_>, opened: bool, id: Option<&str>, out: &mut Vec<Told>) -> usize {
        if self.open.len() >= MAX_SESSIONS {
            self.open.remove(0).report(false, out);
        }
        self.open.push(Session {
            sid: route.sid.into(),
            a: route.from.map(Into::into),
            b: route.to.map(Into::into),
            direction: route.seen.direction,
            first: route.seen.first,
            last: route.seen.last,
            opened,
            open_id: id.map(Into::into),
            flows: [Flow::new(route.spool), Flow::new(route.spool)],
        });
        self.open.len() - 1
    }
}

impl Session {
    fn has_data(&self) -> bool {
        self.flows.iter().any(|flow| flow.started)
    }

    /// Keeps who the two are, once that is known, and their full JIDs.
    fn learn(&mut self, route: Route<'_>, side: usize) {
        let (a, b) = if side == 0 { (route.from, route.to) } else { (route.to, route.from) };
        for (known, told) in [(&mut self.a, a), (&mut self.b, b)] {
            if told.is_some_and(|told| known.as_deref().is_none_or(|known| known.len() < told.len())) {
                *known = told.map(Into::into);
            }
        }
    }
}

/// Decodes Base64 with white space in it or not.
pub(super) fn decode(text: &str, block: &mut Vec<u8>) -> Taken {
    block.clear();
    if STANDARD.decode_vec(text, block).is_ok() {
        return Taken::Yes;
    }
    block.clear();
    let dense: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    match STANDARD.decode_vec(dense, block) {
        Ok(()) => Taken::Yes,
        Err(_) => Taken::NotBase64,
    }
}
