//! Any bytes at all, on every link type.

use super::*;
use crate::packet::{Defragmenter, FragmentLimits};
use proptest::prelude::*;

const LINKS: &[u16] = &[
    0, 1, 9, 11, 12, 14, 50, 51, 100, 101, 104, 105, 108, 109, 113, 117, 119, 123, 127, 163, 166, 192, 195, 204, 219,
    228, 229, 239, 240, 258, 274, 276,
];

/// Beginnings that lead far into the decoders.
fn opening() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(vec![]),
        Just(ethernet(0x0800, &tcp4(b""))),
        Just(ethernet(0x86dd, &ip6(44, &[6, 0, 0, 1, 0, 0, 0, 1]))),
        Just(ethernet(0x8847, &[0, 1, 0x11, 64])),
        Just(udp4(1, 4789, &[8, 0, 0, 0, 0, 0, 1, 0])),
        Just(udp4(1, 2152, &[0x34, 0xff, 0, 20, 0, 0, 0, 1, 0, 0, 0, 1])),
        Just(udp4(1, 6081, &[0x3f, 0, 0x65, 0x58])),
        Just(ip4(47, &[0xf0, 0, 8, 0])),
        Just(ip6(0, &[43, 0, 0, 0, 0, 0, 0, 0])),
        Just(vec![0x88, 2, 0, 0]),
    ]
}

fn inside(data: &[u8], decoded: &Decoded) -> bool {
    let fits = |offset: u32, len: u32| offset as usize + len as usize <= data.len();
    match decoded {
        Decoded::Packet(one) => {
            fits(one.payload_offset, one.payload_len)
                && one.ip_offset <= one.transport_offset
                && one.transport_offset <= one.payload_offset
                && one.payload_len <= one.wire_payload_len
                && embedded(one, data).is_none_or(|about| about.src.is_ipv4() == about.dst.is_ipv4())
        }
        Decoded::Fragment(one) => {
            fits(one.payload_offset, one.payload_len) && fits(one.ip_offset, one.header_len) && one.offset % 8 == 0
        }
        Decoded::Several(all) => all.iter().all(|one| inside(data, one)),
        Decoded::NotIp(_) | Decoded::Undecodable { .. } => true,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn no_bytes_lead_outside_the_frame(
        link in prop::sample::select(LINKS),
        opening in opening(),
        at in 0usize..60,
        changed in any::<u8>(),
        rest in prop::collection::vec(any::<u8>(), 0..120),
        more in 0u32..2000,
    ) {
        let mut bytes = opening;
        if let Some(byte) = bytes.get_mut(at) {
            *byte = changed;
        }
        bytes.extend_from_slice(&rest);
        let one = Frame { original_len: bytes.len() as u32 + more, ..frame(link, &bytes) };
        let decoded = decode(&one);
        prop_assert!(inside(&bytes, &decoded), "{:?}", decoded);
        if let Decoded::Fragment(fragment) = &decoded {
            let mut defragmenter = Defragmenter::new(FragmentLimits::default());
            if let Some(whole) = defragmenter.push(&one, fragment) {
                prop_assert!(inside(&whole.data, &whole.decoded));
            }
        }
    }
}
