//! One direction of a WebSocket: frames in, payload out.

use super::frame::{self, Frame, Header, HeaderReader, Opcode};
use crate::evidence::{Direction, Stamp};
use crate::protocol::Sink;
use crate::protocol::inflate::{Inflated, Inflater, Spent, Wrapping};
use crate::protocol::inside::Inside;
use std::cell::Cell;

/// What a deflated message ends with, though it is not sent (RFC 7692, 7.2.2).
const TAIL: &[u8] = &[0x00, 0x00, 0xff, 0xff];
/// Headers that must fit behind one another before a chunk is taken to begin with one.
const PLAUSIBLE_FRAMES: usize = 3;

thread_local! {
    /// Payload without its mask.
    static PLAIN: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Where bytes are read, and where their contents go.
pub(super) struct Place<'a> {
    pub direction: Direction,
    pub stamp: Stamp,
    pub inside: &'a mut Inside,
    pub sink: &'a mut dyn Sink,
}

impl Place<'_> {
    fn skipped(&mut self, what: &'static str) {
        self.sink.skipped(what, self.stamp);
    }

    fn gap(&mut self, bytes: u64) {
        self.inside.gap(self.direction, bytes, self.stamp, self.sink);
    }
}

/// How the message under way is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Message {
    /// None is under way.
    None,
    /// As it comes.
    Plain,
    /// Inflated.
    Deflated,
    /// Its rest cannot be read.
    Damaged,
}

/// One direction.
pub(super) struct Lane {
    /// Clients mask what they send, servers do not (RFC 6455, 5.1).
    from_client: bool,
    /// Each message is deflated by itself.
    forgets: bool,
    header: HeaderReader,
    frame: Option<Frame>,
    message: Message,
    inflater: Option<Box<Inflater>>,
    /// Not all that messages refer to was seen.
    blind: bool,
    /// What inflaters before this one have cost.
    spent: Spent,
    lost: bool,
    closed: bool,
}

impl Lane {
    /// At the first frame. `forgets` is "no context takeover" of RFC 7692.
    pub fn new(from_client: bool, forgets: bool) -> Self {
        Self {
            from_client,
            forgets,
            header: HeaderReader::default(),
            frame: None,
            message: Message::None,
            inflater: None,
            blind: false,
            spent: Spent::default(),
            lost: false,
            closed: false,
        }
    }

    /// Its side has said goodbye.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Reads bytes.
    pub fn read(&mut self, data: &[u8], place: &mut Place<'_>) {
        let mut rest = data;
        if self.lost {
            if !self.may_begin(rest) {
                return;
            }
            self.lost = false;
        }
        while !rest.is_empty() && !self.closed {
            let Some(mut frame) = self.frame.take() else {
                let (header, behind) = self.header.read(rest);
                rest = behind;
                match header {
                    Header::Cut => return,
                    Header::Whole(frame, _) if self.fits(&frame) => self.begin(frame, place),
                    Header::Whole(..) | Header::Broken => {
                        place.skipped("websocket.frame");
                        return self.lose(place);
                    }
                }
                continue;
            };
            let length = usize::try_from(frame.left).map_or(rest.len(), |left| left.min(rest.len()));
            let (payload, behind) = rest.split_at_checked(length).unwrap_or((rest, &[]));
            if !frame.is_control() {
                self.payload(&frame, payload, place);
            }
            frame.pass(payload.len() as u64);
            self.go_on(frame, place);
            rest = behind;
        }
    }

    /// Passes over bytes that were not captured.
    pub fn gap(&mut self, bytes: u64, place: &mut Place<'_>) {
        if self.lost || self.closed {
            return;
        }
        match self.frame.take() {
            Some(mut frame) if bytes <= frame.left => {
                frame.pass(bytes);
                if !frame.is_control() {
                    self.damage(bytes, place);
                }
                self.go_on(frame, place);
            }
            _ => self.lose(place),
        }
    }

    /// Whether a frame may stand here.
    fn fits(&self, frame: &Frame) -> bool {
        let in_message = self.message != Message::None;
        frame.is_control() || (frame.opcode == Opcode::Continuation) == in_message
    }

    fn begin(&mut self, frame: Frame, place: &mut Place<'_>) {
        if frame.mask.is_some() != self.from_client {
            place.skipped("websocket.mask");
        }
        match frame.opcode {
            Opcode::Close => self.closed = true,
            Opcode::Message if frame.deflated => {
                self.message = Message::Deflated;
                if self.forgets || self.inflater.is_none() {
                    self.forget();
                    let inflater = match self.blind {
                        false => Inflater::new(Wrapping::Raw).after(self.spent),
                        true => Inflater::resumed(self.spent),
                    };
                    self.inflater = Some(Box::new(inflater));
                }
            }
            Opcode::Message => self.message = Message::Plain,
            Opcode::Continuation | Opcode::Control => {}
        }
        self.go_on(frame, place);
    }

    /// Keeps a frame that has more to come; ends one that has not, and its message.
    fn go_on(&mut self, frame: Frame, place: &mut Place<'_>) {
        if frame.left > 0 {
            self.frame = Some(frame);
        } else if frame.fin && !frame.is_control() {
            if self.message == Message::Deflated {
                self.inflate(TAIL, place);
            }
            self.message = Message::None;
        }
    }

    fn payload(&mut self, frame: &Frame, data: &[u8], place: &mut Place<'_>) {
        let mut plain = PLAIN.take();
        plain.clear();
        let data = if frame.mask.is_some() {
            frame.unmask(data, &mut plain);
            plain.as_slice()
        } else {
            data
        };
        match self.message {
            Message::Plain => place.inside.data(place.direction, data, place.stamp, place.sink),
            Message::Deflated => self.inflate(data, place),
            Message::None | Message::Damaged => {}
        }
        PLAIN.set(plain);
    }

    fn inflate(&mut self, data: &[u8], place: &mut Place<'_>) {
        let Some(inflater) = &mut self.inflater else { return };
        let Place { direction, stamp, inside, sink } = place;
        let inflated = match self.blind {
            false => inflater.inflate(data, |piece| inside.data(*direction, piece, *stamp, *sink)),
            true => inflater.inflate(data, |piece| inside.data_with_holes(*direction, piece, *stamp, *sink)),
        };
        match inflated {
            Inflated::More => {}
            // A final block ends the deflated data, not what later messages may refer to (RFC 7692, 7.2.3.4).
            Inflated::Ended { .. } => {
                self.forget();
                self.blind = !self.forgets;
            }
            Inflated::Limit => {
                place.skipped("websocket.limit");
                self.damage(1, place);
                self.closed = true;
            }
            Inflated::Broken => {
                place.skipped("websocket.deflate");
                self.damage(1, place);
            }
        }
    }

    /// Bytes of a message are missing. The frames go on, and with them the next message.
    fn damage(&mut self, bytes: u64, place: &mut Place<'_>) {
        if self.message == Message::Deflated {
            self.message = Message::Damaged;
            self.forget();
            self.blind = !self.forgets;
        }
        place.gap(bytes);
    }

    fn forget(&mut self) {
        if let Some(inflater) = self.inflater.take() {
            self.spent = inflater.spent();
        }
    }

    fn lose(&mut self, place: &mut Place<'_>) {
        place.skipped("websocket.gap");
        self.lost = true;
        self.frame = None;
        self.header.clear();
        self.forget();
        self.blind = !self.forgets;
        self.message = Message::None;
        place.gap(1);
    }

    /// Whether a chunk plausibly begins with the first frame of a message: its header and those behind it fit the
    /// direction, and text begins as XML or JSON does.
    fn may_begin(&self, data: &[u8]) -> bool {
        let mut rest = data;
        for seen in 0..PLAUSIBLE_FRAMES {
            let Header::Whole(frame, length) = frame::read(rest) else { return seen > 0 && rest.len() < 14 };
            if frame.mask.is_some() != self.from_client || (seen == 0 && frame.opcode == Opcode::Continuation) {
                return false;
            }
            let payload = rest.get(length..).unwrap_or_default();
            if frame.opcode == Opcode::Message && !frame.deflated {
                let mut first = Vec::new();
                frame.unmask(payload.get(..1).unwrap_or_default(), &mut first);
                if !matches!(first.as_slice(), [b'<' | b'{' | b'[' | b' ']) {
                    return false;
                }
            }
            match usize::try_from(frame.left).ok().and_then(|left| payload.get(left..)) {
                None | Some([]) => return true,
                Some(behind) => rest = behind,
            }
        }
        true
    }
}
