//! A batch of frames through the shards: headers in parallel, fragments in order, conversations in parallel.

use super::shard::Shard;
use crate::capture::{Batch, Frame};
use crate::evidence::Stamp;
use crate::flow::segment::{Place, Recall};
use crate::flow::{FlowKey, PacketView};
use crate::packet::{
    self, DecodeCounts, Decoded, Defragmenter, FragmentCounts, FragmentLimits, NotIp, Packet, Reassembled,
};
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Frames that are decoded by one thread at a time: enough to outweigh handing them over.
const FRAMES_A_TASK: usize = 512;

/// Decodes frames and deals their packets to shards.
pub struct Dealer {
    defragmenter: Defragmenter,
    decoded: Vec<(Decoded, u16)>,
    hands: Vec<Vec<u32>>,
    batch_number: u32,
    counts: DealCounts,
}

/// What became of the frames.
#[derive(Debug, Clone, Default)]
pub struct DealCounts {
    /// Frames and packets.
    pub frames: DecodeCounts,
    /// Fragments.
    pub fragments: FragmentCounts,
    /// Where a frame that cannot be decoded was first seen, by reason.
    pub first_undecodable: BTreeMap<&'static str, Stamp>,
}

/// A packet that is not simply what its frame holds: put together from fragments, or one of several.
struct Extra {
    packet: Packet,
    data: ExtraData,
    stamp: Stamp,
}

enum ExtraData {
    Frame(usize),
    Datagram(Arc<[u8]>),
}

impl Dealer {
    /// Deals to so many shards.
    pub fn new(shards: usize) -> Self {
        Self {
            defragmenter: Defragmenter::new(FragmentLimits::default()),
            decoded: Vec::new(),
            hands: vec![Vec::new(); shards],
            batch_number: 0,
            counts: DealCounts::default(),
        }
    }

    /// Runs a batch through the shards.
    pub fn run(&mut self, batch: &Batch, shards: &mut [Shard]) {
        self.batch_number += 1;
        self.decode(batch);
        let extras = self.deal(batch);
        let table = PacketTable { batch, decoded: &self.decoded, extras: &extras, batch_number: self.batch_number };
        shards.par_iter_mut().zip(&self.hands).for_each(|(shard, hand)| {
            for &index in hand {
                if let Some(view) = table.view(index) {
                    shard.packet(&view, &table);
                }
            }
        });
    }

    /// Sums over all batches; nothing more will be dealt.
    pub fn finish(self) -> DealCounts {
        DealCounts { fragments: self.defragmenter.finish(), ..self.counts }
    }

    fn decode(&mut self, batch: &Batch) {
        let shards = self.hands.len();
        let decode = |index: usize| {
            let Some(frame) = batch.frame(index) else { return (Decoded::NotIp(NotIp::Other), 0) };
            let decoded = packet::decode(&frame);
            let shard = match &decoded {
                Decoded::Packet(packet) => FlowKey::of(packet).0.shard(shards) as u16,
                _ => 0,
            };
            (decoded, shard)
        };
        (0..batch.len()).into_par_iter().with_min_len(FRAMES_A_TASK).map(decode).collect_into_vec(&mut self.decoded);
    }

    /// Deals packets in frame order; fragments are put together on the way.
    fn deal(&mut self, batch: &Batch) -> Vec<Extra> {
        self.hands.iter_mut().for_each(Vec::clear);
        let mut extras = Vec::new();
        let decoded = std::mem::take(&mut self.decoded);
        for (index, (decoded, shard)) in decoded.iter().enumerate() {
            self.counts.frames.add(decoded);
            if let Decoded::Packet(_) = decoded {
                if let Some(hand) = self.hands.get_mut(usize::from(*shard)) {
                    hand.push(index as u32);
                }
            } else if let Some(frame) = batch.frame(index) {
                self.deal_other(decoded, index, &frame, &mut extras);
            }
        }
        self.decoded = decoded;
        let frames = self.decoded.len();
        for (number, extra) in extras.iter().enumerate() {
            let shard = FlowKey::of(&extra.packet).0.shard(self.hands.len());
            if let Some(hand) = self.hands.get_mut(shard) {
                hand.push((frames + number) as u32);
            }
        }
        self.restore_order(batch, &extras);
        extras
    }

    fn deal_other(&mut self, decoded: &Decoded, index: usize, frame: &Frame<'_>, extras: &mut Vec<Extra>) {
        match decoded {
            Decoded::Packet(packet) => {
                extras.push(Extra { packet: packet.clone(), data: ExtraData::Frame(index), stamp: frame.stamp });
            }
            Decoded::Fragment(fragment) => {
                if let Some(whole) = self.defragmenter.push(frame, fragment) {
                    self.counts.frames.add(&whole.decoded);
                    deal_datagram(whole, frame.stamp, extras);
                }
            }
            Decoded::Several(inner) => {
                for one in inner {
                    self.deal_other(one, index, frame, extras);
                }
            }
            Decoded::NotIp(_) => {}
            Decoded::Undecodable { what } => {
                self.counts.first_undecodable.entry(what).or_insert(frame.stamp);
            }
        }
    }

    /// Extras were dealt last: they go where their frame stands, so that every shard sees capture order.
    fn restore_order(&mut self, batch: &Batch, extras: &[Extra]) {
        if extras.is_empty() {
            return;
        }
        let frames = self.decoded.len();
        let order = |index: &u32| match extras.get((*index as usize).wrapping_sub(frames)) {
            Some(extra) => extra.stamp.order(),
            None => batch.frames.get(*index as usize).map(|record| record.stamp.order()).unwrap_or_default(),
        };
        let first = frames as u32;
        for hand in self.hands.iter_mut().filter(|hand| hand.last().is_some_and(|last| *last >= first)) {
            // A file whose frames go back in time keeps its own order: then extras stay at the end of the batch.
            if hand.iter().filter(|index| **index < first).is_sorted_by_key(&order) {
                hand.sort_by_key(&order);
            }
        }
    }
}

fn deal_datagram(whole: Reassembled, stamp: Stamp, extras: &mut Vec<Extra>) {
    let Reassembled { data, decoded, .. } = whole;
    let mut rest = vec![decoded];
    while let Some(decoded) = rest.pop() {
        match decoded {
            Decoded::Packet(packet) => {
                extras.push(Extra { packet, data: ExtraData::Datagram(Arc::clone(&data)), stamp });
            }
            Decoded::Several(inner) => rest.extend(inner.into_iter().rev()),
            Decoded::Fragment(_) | Decoded::NotIp(_) | Decoded::Undecodable { .. } => {}
        }
    }
}

/// Finds a packet of the batch by its number: first the frames, then the extras.
struct PacketTable<'a> {
    batch: &'a Batch,
    decoded: &'a [(Decoded, u16)],
    extras: &'a [Extra],
    batch_number: u32,
}

impl<'a> PacketTable<'a> {
    fn view(&self, number: u32) -> Option<PacketView<'a>> {
        let place = Place { batch: self.batch_number, packet: number };
        let index = number as usize;
        let Some((decoded, _)) = self.decoded.get(index) else {
            let extra = self.extras.get(index - self.decoded.len())?;
            let data = match &extra.data {
                ExtraData::Frame(index) => self.batch.frame(*index)?.data,
                ExtraData::Datagram(data) => data,
            };
            return Some(PacketView { packet: &extra.packet, data, stamp: extra.stamp, place });
        };
        let Decoded::Packet(packet) = decoded else { return None };
        let frame = self.batch.frame(index)?;
        Some(PacketView { packet, data: frame.data, stamp: frame.stamp, place })
    }
}

impl Recall for PacketTable<'_> {
    fn payload(&self, place: Place) -> Option<&[u8]> {
        (place.batch == self.batch_number).then(|| self.view(place.packet).map(|view| view.payload())).flatten()
    }
}
