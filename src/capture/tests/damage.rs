//! What is read of damaged files, and what is said of the damage.

use super::samples::{BIG, LITTLE, SECONDS, frames};
use super::{read, read_stream};
use crate::capture::{CaptureError, CaptureSet, Damage};

fn causes(damage: &[Damage]) -> Vec<(u64, &str)> {
    damage.iter().map(|damage| (damage.offset, damage.cause.as_str())).collect()
}

/// Reads a file whole and in blocks, which must agree; gives the numbers of the sent frames that came through, and
/// the damage.
fn survivors(file: &[u8], sent: &[Vec<u8>]) -> (Vec<usize>, Vec<Damage>) {
    let (frames, info) = read(file);
    for block_bytes in [50, 300] {
        let (streamed, told) = read_stream(file, block_bytes);
        assert_eq!(streamed, frames);
        assert_eq!(told.damage, info.damage);
    }
    let place = |data: &Vec<u8>| sent.iter().position(|frame| frame == data);
    (frames.iter().filter_map(|frame| place(&frame.data)).collect(), info.damage)
}

#[test]
fn a_cut_file_gives_the_frames_before_the_cut() {
    let sent = frames(6);
    for file in [LITTLE.pcap(&sent), BIG.pcap(&sent), LITTLE.pcapng(&sent), BIG.pcapng(&sent)] {
        let (whole, _) = read(&file);
        let head = if file.len() % 4 == 0 && file.starts_with(&[0x0a]) { 12 } else { 24 };
        for cut in head..file.len() {
            let (frames, info) = read(&file[..cut]);
            assert_eq!(frames, whole[..frames.len()], "cut at {cut}");
            let clean = info.damage.is_empty();
            assert!(info.damage.len() <= 1);
            assert_eq!(clean, ends_between_records(&file, cut), "cut at {cut}: {:?}", info.damage);
        }
    }
}

/// Walks the records that samples write.
fn ends_between_records(file: &[u8], cut: usize) -> bool {
    let big = matches!(file[0], 0xa1) || file[8] == 0x1a;
    let number = |at: usize| {
        let raw = file[at..at + 4].try_into().unwrap();
        (if big { u32::from_be_bytes(raw) } else { u32::from_le_bytes(raw) }) as usize
    };
    let pcapng = file[0] == 0x0a;
    let mut at = if pcapng { 0 } else { 24 };
    while at < cut {
        at += if pcapng { number(at + 4) } else { 16 + number(at + 8) };
    }
    at == cut
}

#[test]
fn garbage_between_records_is_passed_over() {
    let sent = frames(20);
    for garbage in [vec![0xee; 37], vec![0; 1000], vec![0xff; 5], (0..=255).cycle().take(3000).collect()] {
        for writer in [LITTLE, BIG] {
            let (head, tail) = (writer.pcap(&sent[..8]), writer.pcap(&sent));
            let file = [&head, &garbage, &tail[head.len()..]].concat();
            let (survived, damage) = survivors(&file, &sent);
            assert_eq!(survived, (0..20).collect::<Vec<_>>());
            let (offset, cause) = causes(&damage)[0];
            assert_eq!((damage.len(), offset), (1, head.len() as u64), "{damage:?}");
            assert!(
                cause.ends_with(&format!("; {} bytes skipped", super::super::resync::grouped(garbage.len() as u64)))
            );
        }
        for writer in [LITTLE, BIG] {
            let (head, tail) = (writer.pcapng(&sent[..8]), writer.pcapng(&sent));
            let file = [&head, &garbage, &tail[head.len()..]].concat();
            let (survived, damage) = survivors(&file, &sent);
            assert_eq!(survived, (0..20).collect::<Vec<_>>());
            assert_eq!((damage.len(), damage[0].offset), (1, head.len() as u64), "{damage:?}");
        }
    }
}

#[test]
fn lost_bytes_cost_the_frames_they_belong_to() {
    let sent = frames(20);
    for (file, head) in
        [(LITTLE.pcap(&sent), LITTLE.pcap(&sent[..8]).len()), (LITTLE.pcapng(&sent), LITTLE.pcapng(&sent[..8]).len())]
    {
        let file = [&file[..head + 30], &file[head + 41..]].concat();
        let (survived, damage) = survivors(&file, &sent);
        assert!(survived.len() >= 18, "{survived:?}");
        assert_eq!((survived.first(), survived.last()), (Some(&0), Some(&19)));
        assert_eq!(damage.len(), 1);
    }
}

#[test]
fn absurd_lengths_are_named() {
    let sent = frames(12);
    let mut file = LITTLE.pcap(&sent);
    let at = LITTLE.pcap(&sent[..5]).len();
    file[at + 8..at + 12].copy_from_slice(&0xdead_beef_u32.to_le_bytes());
    let (survived, damage) = survivors(&file, &sent);
    assert_eq!(survived, [0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11]);
    let skipped = 16 + sent[5].len();
    let cause = format!("record of 3,735,928,559 bytes, more than any link carries; {skipped} bytes skipped");
    assert_eq!(causes(&damage), [(at as u64, cause.as_str())]);
}

#[test]
fn a_length_that_swallows_others_is_found_out() {
    let sent = frames(12);
    let at = LITTLE.pcap(&sent[..5]).len();
    for wrong in [500_u32, 60_000] {
        let mut file = LITTLE.pcap(&sent);
        file[at + 8..at + 12].copy_from_slice(&wrong.to_le_bytes());
        let (survived, damage) = survivors(&file, &sent);
        assert_eq!(survived, [0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11], "{wrong}");
        assert_eq!((damage.len(), damage[0].offset), (1, at as u64));
    }
    let at = LITTLE.pcapng(&sent[..5]).len();
    for wrong in [512_u32, 60_000] {
        let mut file = LITTLE.pcapng(&sent);
        file[at + 4..at + 8].copy_from_slice(&wrong.to_le_bytes());
        let (survived, damage) = survivors(&file, &sent);
        assert_eq!(survived, [0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11], "{wrong}");
        assert_eq!((damage.len(), damage[0].offset), (1, at as u64));
    }
}

#[test]
fn a_wrong_second_length_costs_nothing_where_another_block_follows() {
    let sent = frames(12);
    let mut file = BIG.pcapng(&sent);
    let end = BIG.pcapng(&sent[..5]).len();
    file[end - 2] ^= 0x55;
    let (survived, damage) = survivors(&file, &sent);
    assert_eq!(survived, (0..12).collect::<Vec<_>>());
    assert_eq!(damage.len(), 1);
}

#[test]
fn a_tail_of_zeros_is_no_frames() {
    let sent = frames(3);
    for file in [LITTLE.pcap(&sent), LITTLE.pcapng(&sent)] {
        let (survived, damage) = survivors(&[&file[..], &[0; 4096]].concat(), &sent);
        assert_eq!(survived, [0, 1, 2]);
        assert!(damage[0].cause.ends_with("4,096 bytes skipped"), "{damage:?}");
        assert_eq!((damage.len(), damage[0].offset), (1, file.len() as u64));
    }
}

#[test]
fn files_put_together_are_read_on() {
    let sent = frames(10);
    let file = [LITTLE.pcap(&sent[..4]), BIG.pcap(&sent[4..])].concat();
    let (survived, damage) = survivors(&file, &sent);
    assert_eq!(survived, (0..10).collect::<Vec<_>>());
    assert_eq!(causes(&damage)[0].1, "another capture file begins here; it was read on");
}

#[test]
fn packets_of_an_unknown_interface_are_told_once() {
    let file = [
        LITTLE.section(&[]),
        LITTLE.enhanced(0, 1, &[1; 60], &[]),
        LITTLE.enhanced(0, 1, &[1; 60], &[]),
        LITTLE.interface(1, 0, &[]),
        LITTLE.enhanced(0, 1, &[1; 60], &[]),
    ]
    .concat();
    let (frames, info) = read(&file);
    assert_eq!(frames.iter().map(|frame| frame.number).collect::<Vec<_>>(), [3]);
    assert_eq!(info.damage.len(), 1);
}

#[test]
fn a_packet_larger_than_its_block_is_left_out() {
    let mut bad = LITTLE.enhanced(0, 1, &[1; 60], &[]);
    bad[20..24].copy_from_slice(&1000_u32.to_le_bytes());
    let good = LITTLE.enhanced(0, 1, &[1; 60], &[]);
    let (frames, info) = read(&[LITTLE.section(&[]), LITTLE.interface(1, 0, &[]), bad, good].concat());
    assert_eq!(frames.iter().map(|frame| frame.number).collect::<Vec<_>>(), [2]);
    assert_eq!(causes(&info.damage), [(48, "packet block whose packet does not fit into it")]);
}

#[test]
fn a_cut_compressed_file_is_read_as_far_as_it_goes() {
    use crate::capture::compression::tests::{ALL, compressed};
    // Random-like, so that what is lost is about what is cut off.
    let mut state = 1_u32;
    let mut random = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    let sent: Vec<Vec<u8>> = (0..4000).map(|_| (0..300).map(|_| random()).collect()).collect();
    let plain = LITTLE.pcap(&sent);
    for compression in ALL {
        let packed = compressed(compression, &plain);
        let (frames, info) = read(&packed[..packed.len() - 10]);
        assert!(frames.len() >= 1999, "{compression:?}: {}", frames.len()); // the first of two members
        assert!(frames.iter().zip(&sent).all(|(frame, sent)| frame.data == *sent));
        assert_eq!(info.damage.len(), 1, "{compression:?}: {:?}", info.damage);
    }
}

#[test]
fn damage_is_listed_up_to_a_limit() {
    let mut file = LITTLE.pcap(&[]);
    let good: Vec<u8> = (0..4).flat_map(|n| LITTLE.record(SECONDS + n, 0, &[], &[n as u8 | 1; 40])).collect();
    for _ in 0..300 {
        file.extend_from_slice(&good);
        file.extend([0xee; 20]);
    }
    let (frames, info) = read(&file);
    assert_eq!((frames.len(), info.damage.len()), (1200, 257));
    assert_eq!(info.damage[256].cause, "44 more places of damage");
}

#[test]
fn what_is_no_capture_is_an_error_only_when_it_is_all_there_is() {
    let note = ("note.txt".to_owned(), b"these are notes".to_vec());
    let empty = ("empty.pcap".to_owned(), Vec::new());
    let stub = ("stub.pcap".to_owned(), LITTLE.pcap_header(0xa1b2_c3d4, 1)[..20].to_vec());
    let bad_gzip = ("bad.gz".to_owned(), vec![0x1f, 0x8b, 8, 0, 1, 2, 3]);
    let set = CaptureSet::from_memory(vec![note.clone(), empty.clone(), stub.clone(), bad_gzip.clone()]);
    let Err(CaptureError::NothingReadable { reason }) = set else { panic!("nothing to read") };
    assert!(reason.starts_with("note.txt: not a capture") && reason.ends_with("; and 1 more"), "{reason}");

    let good = ("good.pcap".to_owned(), LITTLE.pcap(&frames(2)));
    let set = CaptureSet::from_memory(vec![note, empty, good, stub, bad_gzip]).unwrap();
    let (read, infos) = super::read_all(set, 10, 1 << 20);
    assert_eq!(read.len(), 2);
    let causes: Vec<&str> = infos.iter().flat_map(|info| &info.damage).map(|damage| damage.cause.as_str()).collect();
    assert_eq!(causes[..2], ["not a capture: neither pcap nor pcapng", "the file is empty"]);
    assert_eq!(causes[2], "the file ends within its header: 20 bytes");
    assert!(causes[3].starts_with("cannot be decompressed: "), "{causes:?}");
    assert!(infos.iter().all(|info| info.sha256.len() == 64));
}
