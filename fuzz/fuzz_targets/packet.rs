//! Frames of any link type: the first two bytes say which.

#![no_main]

use jabberscope::capture::Frame;
use jabberscope::evidence::Stamp;
use jabberscope::packet::{Decoded, decode, embedded};
use libfuzzer_sys::fuzz_target;

fn check(data: &[u8], decoded: &Decoded) {
    match decoded {
        Decoded::Packet(packet) => {
            assert_eq!(packet.payload(data).len(), packet.payload_len as usize);
            assert!(packet.payload_len <= packet.wire_payload_len);
            embedded(packet, data);
        }
        Decoded::Fragment(fragment) => {
            assert!(fragment.payload_offset as usize + fragment.payload_len as usize <= data.len());
        }
        Decoded::Several(all) => all.iter().for_each(|one| check(data, one)),
        Decoded::NotIp(_) | Decoded::Undecodable { .. } => {}
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((link, data)) = input.split_first_chunk() else { return };
    let link = u16::from_le_bytes(*link);
    let frame = Frame { stamp: Stamp::default(), link, original_len: data.len() as u32, data };
    check(data, &decode(&frame));
});
