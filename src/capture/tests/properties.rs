//! What holds for any bytes.

use super::samples::{BIG, LITTLE};
use super::{Read, read_all, read_stream};
use crate::capture::{CaptureInfo, CaptureSet};
use proptest::collection::vec;
use proptest::prelude::*;

/// Reads what may be no capture at all.
fn try_read(bytes: &[u8]) -> Option<(Vec<Read>, CaptureInfo)> {
    let set = CaptureSet::from_memory(vec![("any".to_owned(), bytes.to_vec())]).ok()?;
    let (frames, mut infos) = read_all(set, 50, 1 << 16);
    Some((frames, infos.remove(0)))
}

fn captures() -> impl Strategy<Value = Vec<u8>> {
    (vec(vec(any::<u8>(), 0..120), 0..20), 0..4_u8).prop_map(|(frames, kind)| match kind {
        0 => LITTLE.pcap(&frames),
        1 => BIG.pcap(&frames),
        2 => LITTLE.pcapng(&frames),
        _ => BIG.pcapng(&frames),
    })
}

/// Bytes changed, put in, or taken out at a place (in thousandths of the file).
#[derive(Debug, Clone)]
enum Change {
    Set(usize, u8),
    Insert(usize, Vec<u8>),
    Remove(usize, usize),
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let change = prop_oneof![
        4 => (0..1000_usize, any::<u8>()).prop_map(|(at, byte)| Change::Set(at, byte)),
        1 => (0..1000_usize, vec(any::<u8>(), 1..200)).prop_map(|(at, bytes)| Change::Insert(at, bytes)),
        1 => (0..1000_usize, 1..200_usize).prop_map(|(at, count)| Change::Remove(at, count)),
    ];
    vec(change, 1..8)
}

fn changed(mut file: Vec<u8>, changes: &[Change]) -> Vec<u8> {
    for change in changes {
        let at = |place: usize| place * file.len() / 1000;
        match change {
            Change::Set(place, byte) => {
                let at = at(*place);
                file.get_mut(at).into_iter().for_each(|old| *old = *byte);
            }
            Change::Insert(place, bytes) => {
                let at = at(*place);
                file.splice(at..at, bytes.iter().copied());
            }
            Change::Remove(place, count) => {
                let at = at(*place);
                file.drain(at..(at + count).min(file.len()));
            }
        }
    }
    file
}

proptest! {
    #[test]
    fn any_bytes_end(bytes in vec(any::<u8>(), 0..600), magic in 0..4_usize) {
        let section: &[u8] = &[10, 13, 13, 10, 0, 0, 0, 28, 26, 43, 60, 77];
        let magics = [&[], &[0xd4, 0xc3, 0xb2, 0xa1][..], &[0xa1, 0xb2, 0xcd, 0x34], section];
        try_read(&[magics[magic], &bytes].concat());
    }

    #[test]
    fn a_cut_anywhere_gives_a_prefix_of_the_frames(file in captures(), cut in 0..1000_usize) {
        let (whole, info) = try_read(&file).expect("a capture");
        prop_assert_eq!(info.damage, vec![]);
        if let Some((frames, info)) = try_read(&file[..file.len() * cut / 1000]) {
            prop_assert_eq!(&frames[..], &whole[..frames.len()]);
            prop_assert!(info.damage.len() <= 1);
        }
    }

    #[test]
    fn changed_captures_give_frames_in_order_and_blocks_do_not_matter(
        file in captures(), changes in changes(), block_bytes in 1..400_usize,
    ) {
        let file = changed(file, &changes);
        if let Some((frames, info)) = try_read(&file) {
            prop_assert!(frames.windows(2).all(|pair| pair[0].number < pair[1].number));
            let bytes: usize = frames.iter().map(|frame| frame.data.len()).sum();
            prop_assert!(bytes <= file.len(), "no byte is in two frames");
            prop_assert_eq!(info.frames, frames.len() as u64);
            let (streamed, told) = read_stream(&file, block_bytes);
            prop_assert_eq!(streamed, frames);
            prop_assert_eq!(told, info_of_stream(info));
        }
    }
}

/// What differs between reading a file and a stream of the same bytes: nothing but the size told beforehand.
fn info_of_stream(info: CaptureInfo) -> CaptureInfo {
    CaptureInfo { name: "test".to_owned(), path: "test".to_owned(), ..info }
}
