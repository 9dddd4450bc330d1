//! A batch of frames through the shards: headers in parallel, fragments in order, conversations in parallel.

use super::shard::{Shard, Skipped, note_skipped};
use crate::capture::Batch;
use crate::flow::half::{Place, Recall};
use crate::flow::{FlowKey, PacketView};
use crate::packet::{self, Decoded, Defragmenter, Packet, Reassembled};
use rayon::prelude::*;
use std::collections::BTreeMap;

/// Frames that are decoded by one thread at a time: enough to outweigh handing them over.
const FRAMES_A_TASK: usize = 512;

/// Decodes frames and deals their packets to shards.
pub struct Dealer {
    defragmenter: Defragmenter,
    decoded: Vec<(Decoded, u16)>,
    hands: Vec<Vec<u32>>,
    batch_number: u32,
    counts: BTreeMap<&'static str, u64>,
    skipped: Skipped,
}

impl Dealer {
    /// Deals to so many shards.
    pub fn new(shards: usize) -> Self {
        Self {
            defragmenter: Defragmenter::default(),
            decoded: Vec::new(),
            hands: vec![Vec::new(); shards],
            batch_number: 0,
            counts: BTreeMap::new(),
            skipped: Skipped::new(),
        }
    }

    /// Runs a batch through the shards.
    pub fn run(&mut self, batch: &Batch, shards: &mut [Shard]) {
        self.batch_number += 1;
        self.decode(batch);
        let datagrams = self.deal(batch);
        let table =
            PacketTable { batch, decoded: &self.decoded, datagrams: &datagrams, batch_number: self.batch_number };
        shards.par_iter_mut().zip(&self.hands).for_each(|(shard, hand)| {
            for &index in hand {
                if let Some(view) = table.view(index) {
                    shard.packet(&view, &table);
                }
            }
        });
    }

    /// Sums over all batches, and what was skipped; nothing more will be dealt.
    pub fn finish(mut self) -> (BTreeMap<&'static str, u64>, Skipped) {
        for (what, count) in self.defragmenter.finish() {
            *self.counts.entry(what).or_default() += count;
        }
        (self.counts, self.skipped)
    }

    fn decode(&mut self, batch: &Batch) {
        let shards = self.hands.len();
        let decode = |index: usize| {
            let Some(frame) = batch.frame(index) else { return (Decoded::NotIp { ether_type: 0 }, 0) };
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
    fn deal(&mut self, batch: &Batch) -> Vec<Reassembled> {
        self.hands.iter_mut().for_each(Vec::clear);
        let mut datagrams = Vec::new();
        let mut bad_checksums = 0;
        let mut packets = 0;
        let mut cut = 0;
        for (index, (decoded, shard)) in self.decoded.iter().enumerate() {
            let Some(record) = batch.frames.get(index) else { continue };
            match decoded {
                Decoded::Packet(packet) => {
                    packets += 1;
                    bad_checksums += u64::from(packet.bad_checksum);
                    cut += u64::from(packet.payload_len < packet.wire_payload_len);
                    if let Some(hand) = self.hands.get_mut(usize::from(*shard)) {
                        hand.push(index as u32);
                    }
                }
                Decoded::Fragment(fragment) => {
                    let Some(frame) = batch.frame(index) else { continue };
                    let Some(whole) = self.defragmenter.push(&frame, fragment) else { continue };
                    let shard = FlowKey::of(&whole.packet).0.shard(self.hands.len());
                    packets += 1;
                    if let Some(hand) = self.hands.get_mut(shard) {
                        hand.push((self.decoded.len() + datagrams.len()) as u32);
                    }
                    datagrams.push(whole);
                }
                Decoded::NotIp { .. } => *self.counts.entry("frames_not_ip").or_default() += 1,
                Decoded::Undecodable { what } => note_skipped(&mut self.skipped, what, 1, record.stamp),
            }
        }
        let sums = [
            ("frames", batch.len() as u64),
            ("packets", packets),
            ("bad_checksums", bad_checksums),
            ("truncated_packets", cut),
        ];
        for (what, count) in sums.into_iter().filter(|(_, count)| *count > 0) {
            *self.counts.entry(what).or_default() += count;
        }
        datagrams
    }
}

/// Finds a packet of the batch by its number: first the frames, then the datagrams put together.
struct PacketTable<'a> {
    batch: &'a Batch,
    decoded: &'a [(Decoded, u16)],
    datagrams: &'a [Reassembled],
    batch_number: u32,
}

impl PacketTable<'_> {
    fn view(&self, index: u32) -> Option<PacketView<'_>> {
        let place = Place { batch: self.batch_number, packet: index };
        let index = index as usize;
        match self.decoded.get(index) {
            Some((Decoded::Packet(packet), _)) => {
                let frame = self.batch.frame(index)?;
                Some(PacketView { packet, data: frame.data, stamp: frame.stamp, place })
            }
            Some(_) => None,
            None => {
                let whole = self.datagrams.get(index - self.decoded.len())?;
                Some(PacketView { packet: &whole.packet, data: &whole.data, stamp: whole.stamp, place })
            }
        }
    }

    fn packet(&self, index: u32) -> Option<&Packet> {
        self.view(index).map(|view| view.packet)
    }
}

impl Recall for PacketTable<'_> {
    fn payload(&self, place: Place) -> Option<&[u8]> {
        if place.batch != self.batch_number {
            return None;
        }
        let packet = self.packet(place.packet)?;
        let start = packet.payload_offset as usize;
        let range = start..start + packet.payload_len as usize;
        match self.decoded.get(place.packet as usize) {
            Some(_) => self.batch.frame(place.packet as usize)?.data.get(range),
            None => self.datagrams.get(place.packet as usize - self.decoded.len())?.data.get(range),
        }
    }
}
