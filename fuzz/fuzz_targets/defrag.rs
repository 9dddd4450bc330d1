//! A row of raw IP packets, each behind its length and the time since the one before: limits hold, nothing panics.

#![no_main]

use jabberscope::capture::Frame;
use jabberscope::evidence::{CaptureId, Stamp};
use jabberscope::packet::{Decoded, Defragmenter, FragmentLimits, decode};
use libfuzzer_sys::fuzz_target;

const RAW_IP: u16 = 101;
const SECOND_NS: i64 = 1_000_000_000;

fuzz_target!(|input: &[u8]| {
    let limits = FragmentLimits { datagrams: 8, bytes: 16 << 10, ..FragmentLimits::default() };
    let mut defragmenter = Defragmenter::new(limits);
    let (mut rest, mut time_ns, mut number, mut fragments) = (input, 0, 0, 0);
    while let Some(([len, seconds], tail)) = rest.split_first_chunk() {
        let (data, tail) = tail.split_at(tail.len().min(usize::from(*len)));
        rest = tail;
        time_ns += i64::from(*seconds) * SECOND_NS;
        number += 1;
        let stamp = Stamp { capture: CaptureId(0), frame: number, time_ns };
        let frame = Frame { stamp, link: RAW_IP, original_len: data.len() as u32, data };
        if let Decoded::Fragment(fragment) = decode(&frame) {
            fragments += 1;
            if let Some(whole) = defragmenter.push(&frame, &fragment) {
                assert!(!matches!(whole.decoded, Decoded::Fragment(_)));
                assert_eq!(whole.frames.last().map(|stamp| stamp.frame), Some(number));
                if let Decoded::Packet(packet) = &whole.decoded {
                    assert_eq!(packet.payload(&whole.data).len(), packet.payload_len as usize);
                }
            }
        }
    }
    let counts = defragmenter.finish();
    assert!(counts.received >= fragments);
    assert!(counts.unfinished <= 8);
});
