//! IP packets out of captures, for the tests of `replay`.

use jabberscope::capture::{CaptureSet, Frame};
use std::path::Path;

/// A packet as the kernel engine takes it, with bytes of its own.
#[derive(Debug, Clone)]
pub struct OwnedPacket {
    /// Capture time.
    pub time_ns: i64,
    /// Ethernet header, or nothing.
    pub link: Vec<u8>,
    /// From the IP header on; what is not IP, or was cut by the snapshot length, is empty.
    pub ip: Vec<u8>,
}

impl OwnedPacket {
    /// As the kernel engine takes it.
    pub fn borrowed(&self) -> (i64, &[u8], &[u8]) {
        (self.time_ns, &self.link, &self.ip)
    }
}

/// Packets of a capture, one a frame.
pub fn packets_of(capture: &Path) -> Vec<OwnedPacket> {
    let mut set = CaptureSet::open(&[capture.display().to_string()]).unwrap();
    let mut packets = Vec::new();
    while let Some((batch, _)) = set.next_batch(4096, 1 << 24) {
        packets.extend((0..batch.len()).filter_map(|at| batch.frame(at)).map(|frame| packet_of(&frame)));
    }
    packets
}

fn packet_of(frame: &Frame<'_>) -> OwnedPacket {
    let whole = frame.data.len() >= frame.original_len as usize;
    let ip = outermost_ip(frame).filter(|_| whole).unwrap_or_default();
    OwnedPacket { time_ns: frame.stamp.time_ns, link: Vec::new(), ip: ip.to_vec() }
}

/// What comes after the link header, if it is IP.
fn outermost_ip<'f>(frame: &Frame<'f>) -> Option<&'f [u8]> {
    let data = frame.data;
    let number = |at: usize| data.get(at..).and_then(|rest| rest.first_chunk()).map(|b| u16::from_be_bytes(*b));
    let at = match frame.link {
        1 => {
            let mut at = 12;
            while matches!(number(at)?, 0x8100 | 0x88a8 | 0x9100) {
                at += 4;
            }
            matches!(number(at)?, 0x0800 | 0x86dd).then_some(at + 2)?
        }
        113 => matches!(number(14)?, 0x0800 | 0x86dd).then_some(16)?,
        276 => matches!(number(0)?, 0x0800 | 0x86dd).then_some(20)?,
        0 | 108 => 4,
        12 | 14 | 101 | 228 | 229 => 0,
        _ => return None,
    };
    data.get(at..)
}
