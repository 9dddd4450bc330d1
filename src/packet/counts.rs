//! What became of the frames, for `case.json`.

use super::{Decoded, NotIp};
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;

/// Sums over decoded frames. Kept per thread or batch, then merged.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct DecodeCounts {
    /// IP packets, fragments not among them.
    pub packets: u64,
    /// Fragments.
    pub fragments: u64,
    /// Packets whose IP, TCP, UDP or ICMP checksum is wrong: most often computed by a network card after the capture.
    pub bad_checksums: u64,
    /// Packets that the capture holds in part.
    pub truncated: u64,
    /// Packets whose transport header could not be read.
    pub headless: u64,
    /// Frames that carry no IP, by what they carry.
    pub not_ip: BTreeMap<NotIp, u64>,
    /// Frames that cannot be decoded, by the header where it ends.
    pub undecodable: BTreeMap<&'static str, u64>,
}

impl DecodeCounts {
    /// Counts one frame, or one datagram that was put together.
    pub fn add(&mut self, decoded: &Decoded) {
        match decoded {
            Decoded::Packet(packet) => {
                self.packets += 1;
                self.bad_checksums += u64::from(packet.bad_checksum);
                self.truncated += u64::from(packet.is_truncated());
                self.headless += u64::from(packet.is_headless());
            }
            Decoded::Fragment(_) => self.fragments += 1,
            Decoded::Several(inner) => inner.iter().for_each(|one| self.add(one)),
            // Keys are numbers of at most 16 bits but for hostile link types and families, of which a few are told.
            Decoded::NotIp(kind) => {
                const MAX_KINDS: usize = 4096;
                let known = self.not_ip.len() < MAX_KINDS || self.not_ip.contains_key(kind);
                *self.not_ip.entry(if known { *kind } else { NotIp::Other }).or_default() += 1;
            }
            Decoded::Undecodable { what } => *self.undecodable.entry(what).or_default() += 1,
        }
    }

    /// Adds the counts of another thread or batch.
    pub fn merge(&mut self, other: &Self) {
        self.packets += other.packets;
        self.fragments += other.fragments;
        self.bad_checksums += other.bad_checksums;
        self.truncated += other.truncated;
        self.headless += other.headless;
        for (kind, count) in &other.not_ip {
            *self.not_ip.entry(*kind).or_default() += count;
        }
        for (what, count) in &other.undecodable {
            *self.undecodable.entry(what).or_default() += count;
        }
    }
}

impl Serialize for NotIp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
