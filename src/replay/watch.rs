//! Which packets are the evidence of which findings. All candidates share this; it does not depend on rules.
//!
//! A finding is watched from its first evidence frame to its last, within the conversation of each. Its stream is kept
//! meanwhile, up to a limit, to see later whether a signature was in it that no single packet held.

use super::flows::{FlowId, Part};
use crate::evidence::{CaptureId, Stamp};
use crate::report::FindingRecord;
use foldhash::fast::RandomState;
use std::collections::HashMap;

/// Bytes of a finding's stream that are kept: a stanza is far shorter, and a file's signature is at its beginning.
const STREAM_BYTES: usize = 64 << 10;
/// Bytes kept for all findings together.
const ALL_STREAMS_BYTES: usize = 64 << 20;

/// Findings of one conversation that are watched between their frames at a time; of further ones only the evidence frames.
const MAX_OPEN: usize = 64;

/// A packet's part in a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// Index of the packet in its batch.
    pub packet: u32,
    /// Index of the finding.
    pub finding: u32,
    /// It is one of the evidence frames; else it lies between them, in their conversation.
    pub evidence: bool,
}

/// A finding that is looked out for.
#[derive(Debug, Clone, Default)]
pub struct Watched {
    /// Conversation of its first evidence frame.
    pub flow: Option<FlowId>,
    /// When its last evidence frame came.
    pub last: Option<Stamp>,
    /// Evidence frames met so far.
    pub met: u32,
    /// Evidence frames in all.
    frames: u32,
    /// Payload of its conversation from first to last evidence frame, by direction; packets' payloads one after the other.
    pub stream: [Vec<u8>; 2],
    /// Where the packets of each stream end.
    pub ends: [Vec<usize>; 2],
}

impl Watched {
    /// `true` if bytes are in a stream, and only across the borders of packets.
    pub fn is_split(&self, find: impl Fn(&[u8]) -> bool) -> bool {
        let streams = self.stream.iter().zip(&self.ends);
        streams.into_iter().any(|(stream, ends)| {
            let mut start = 0;
            let mut packets = ends.iter().map(|end| {
                let packet = stream.get(start..*end).unwrap_or_default();
                start = *end;
                packet
            });
            find(stream) && !packets.any(&find)
        })
    }
}

/// Finds evidence in packets as they come.
#[derive(Debug, Default)]
pub struct Watch {
    /// Evidence frames by capture, ascending, with the finding.
    frames: Vec<Vec<(u64, u32)>>,
    /// How far each capture has come in its list.
    cursors: Vec<usize>,
    /// Findings between their first and last evidence frame.
    open: HashMap<FlowId, Vec<u32>, RandomState>,
    watched: Vec<Watched>,
    kept: usize,
}

impl Watch {
    /// Looks out for findings; `captures` are the names by capture number.
    pub fn new(findings: &[FindingRecord], captures: &[String]) -> Self {
        let numbers: HashMap<&str, usize> = captures.iter().enumerate().map(|(at, name)| (name.as_str(), at)).collect();
        let mut watch = Self { frames: vec![Vec::new(); captures.len()], ..Self::default() };
        for (index, finding) in (0u32..).zip(findings) {
            let mut frames = finding.frames.clone();
            frames.sort_unstable();
            frames.dedup();
            let place = numbers.get(finding.capture.as_str()).and_then(|at| watch.frames.get_mut(*at));
            let count = place.map_or(0, |place| {
                place.extend(frames.iter().map(|frame| (*frame, index)));
                frames.len() as u32
            });
            watch.watched.push(Watched { frames: count, ..Watched::default() });
        }
        watch.frames.iter_mut().for_each(|list| list.sort_unstable());
        watch.cursors = vec![0; captures.len()];
        watch
    }

    /// The next packet, with its payload. Frames of one capture come in order.
    pub fn packet(&mut self, packet: u32, stamp: Stamp, part: &Part, payload: &[u8], out: &mut Vec<Mark>) {
        let begins = out.len();
        self.evidence(packet, stamp, part, out);
        if let Some(open) = self.open.get(&part.flow) {
            let between = open.iter().filter(|finding| !out.iter().skip(begins).any(|mark| mark.finding == **finding));
            let between: Vec<u32> = between.copied().collect();
            out.extend(between.into_iter().map(|finding| Mark { packet, finding, evidence: false }));
        }
        for at in begins..out.len() {
            if let Some(mark) = out.get(at).copied() {
                self.keep(mark.finding, part, payload);
            }
        }
        self.close(part.flow);
    }

    /// Findings as watched so far.
    pub fn watched(&self) -> &[Watched] {
        &self.watched
    }

    fn evidence(&mut self, packet: u32, stamp: Stamp, part: &Part, out: &mut Vec<Mark>) {
        let CaptureId(capture) = stamp.capture;
        let (Some(list), Some(cursor)) = (self.frames.get(capture as usize), self.cursors.get_mut(capture as usize))
        else {
            return;
        };
        while let Some(&(frame, finding)) = list.get(*cursor)
            && frame <= stamp.frame
        {
            *cursor += 1;
            let Some(watched) = self.watched.get_mut(finding as usize).filter(|_| frame == stamp.frame) else {
                continue;
            };
            watched.met += 1;
            watched.last = Some(stamp);
            watched.flow.get_or_insert(part.flow);
            out.push(Mark { packet, finding, evidence: true });
            if watched.met < watched.frames && watched.flow == Some(part.flow) {
                let open = self.open.entry(part.flow).or_default();
                if open.len() < MAX_OPEN && !open.contains(&finding) {
                    open.push(finding);
                }
            }
        }
    }

    fn keep(&mut self, finding: u32, part: &Part, payload: &[u8]) {
        let Some(watched) = self.watched.get_mut(finding as usize) else { return };
        let stream = &mut watched.stream[usize::from(part.direction & 1)];
        let room = STREAM_BYTES.saturating_sub(stream.len()).min(ALL_STREAMS_BYTES.saturating_sub(self.kept));
        let taken = payload.get(..room).unwrap_or(payload);
        stream.extend_from_slice(taken);
        watched.ends[usize::from(part.direction & 1)].push(stream.len());
        self.kept += taken.len();
    }

    /// Forgets findings of a conversation that have met their last frame.
    fn close(&mut self, flow: FlowId) {
        let watched = &self.watched;
        if let Some(open) = self.open.get_mut(&flow) {
            open.retain(|finding| watched.get(*finding as usize).is_some_and(|found| found.met < found.frames));
            if open.is_empty() {
                self.open.remove(&flow);
            }
        }
    }
}
