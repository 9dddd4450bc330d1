//! What whole files of each format give.

use super::samples::{BIG, LITTLE, SECONDS, frames};
use super::{read, read_stream};
use crate::capture::compression::tests::{ALL, compressed};
use crate::capture::{CaptureSet, hashing};
use sha2::{Digest, Sha256};
use std::net::IpAddr;

const BASE: i64 = SECONDS as i64 * 1_000_000_000;

#[test]
fn classic_in_both_orders_and_resolutions() {
    let data = frames(5);
    for writer in [LITTLE, BIG] {
        for (magic, unit, format) in [(0xa1b2_c3d4, 1000, "pcap"), (0xa1b2_3c4d, 1, "pcap-ns")] {
            let mut file = writer.pcap_header(magic, 1);
            data.iter().for_each(|frame| file.extend(writer.record(SECONDS, 123_456, &[], frame)));
            let (read, info) = read(&file);
            assert_eq!(read.iter().map(|frame| frame.data.clone()).collect::<Vec<_>>(), data);
            assert!(read.iter().all(|frame| frame.time_ns == BASE + 123_456 * unit));
            assert_eq!(read.iter().map(|frame| frame.number).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
            assert_eq!((info.format.as_str(), info.frames, info.damage.len()), (format, 5, 0));
        }
    }
}

#[test]
fn modified_record_headers_are_told_by_the_records() {
    let data = frames(5);
    for (magic, extra, format) in [
        (0xa1b2_cd34, 8, "pcap-modified"),
        (0xa1b2_cd34, 12, "pcap-modified"),
        (0xa1b2_cd34, 0, "pcap-modified"),
        (0xa1b2_c3d4, 8, "pcap"),
        (0xa1b2_c3d4, 4, "pcap"),
    ] {
        for writer in [LITTLE, BIG] {
            let mut file = writer.pcap_header(magic, 1);
            data.iter().for_each(|frame| file.extend(writer.record(SECONDS, 7, &[3; 12][..extra], frame)));
            let (read, info) = read(&file);
            assert_eq!(read.iter().map(|frame| frame.data.clone()).collect::<Vec<_>>(), data, "{magic:x} {extra}");
            assert_eq!((info.format.as_str(), info.damage.len()), (format, 0));
        }
    }
}

#[test]
fn link_type_is_without_the_bits_of_the_check_sequence() {
    let file = [LITTLE.pcap_header(0xa1b2_c3d4, 0x1400_0071), LITTLE.record(SECONDS, 0, &[], &[1; 60])].concat();
    let (frames, info) = read(&file);
    assert_eq!((frames[0].link, info.link_types), (0x71, vec![0x71]));
}

#[test]
fn snapshot_lengths_do_not_matter() {
    for snaplen in [0, 96, u32::MAX] {
        let mut file = LITTLE.pcap_header(0xa1b2_c3d4, 1);
        file[16..20].copy_from_slice(&LITTLE.u32(snaplen));
        for (captured, original) in [(96, 1500), (200, 200), (60, 60), (0, 60)] {
            file.extend(LITTLE.words(&[SECONDS, 0, captured, original]));
            file.extend(vec![9; captured as usize]);
        }
        let (frames, info) = read(&file);
        assert_eq!(frames.iter().map(|frame| frame.original_len).collect::<Vec<_>>(), [1500, 200, 60, 60]);
        assert_eq!((info.truncated_frames, info.frame_bytes, info.damage.len()), (2, 356, 0));
    }
}

#[test]
fn lengths_of_old_versions_are_swapped() {
    let mut file = LITTLE.pcap_header(0xa1b2_c3d4, 1);
    file[6] = 2;
    file.extend(LITTLE.words(&[SECONDS, 0, 1500, 60]));
    file.extend([5; 60]);
    let (frames, info) = read(&file);
    assert_eq!((frames[0].original_len, frames[0].data.len(), info.damage.len()), (1500, 60, 0));
}

#[test]
fn sections_have_their_own_order_interfaces_and_clocks() {
    let nanoseconds = LITTLE.option(9, &[9]);
    let binary_and_offset = [BIG.option(9, &[0x80 | 20]), BIG.option(14, &3600_i64.to_be_bytes())].concat();
    let seconds = u64::from(SECONDS);
    let file = [
        LITTLE.section(&[]),
        LITTLE.interface(1, 0, &[]),
        LITTLE.interface(113, 0, &nanoseconds),
        LITTLE.enhanced(1, seconds * 1_000_000_000 + 5, &[1; 61], &[]),
        LITTLE.enhanced(0, seconds * 1_000_000 + 6, &[2; 62], &[]),
        BIG.section(&[]),
        BIG.interface(276, 40, &binary_and_offset),
        BIG.enhanced(0, (seconds - 3600) << 20 | 1 << 19, &[3; 63], &[]),
        // Simple packet: original length, bytes up to the snapshot length.
        BIG.block(3, &[&BIG.u32(90)[..], &[4; 40]].concat()),
        // Obsolete packet: interface and drops of 16 bits.
        BIG.block(2, &[BIG.words(&[0xffff, 0, 1 << 20, 5, 7]), vec![5; 5]].concat()),
    ]
    .concat();
    let (frames, info) = read(&file);
    let told: Vec<_> = frames.iter().map(|frame| (frame.link, frame.time_ns, frame.data.len())).collect();
    let expected = [
        (113, BASE + 5, 61),
        (1, BASE + 6000, 62),
        (276, BASE + 500_000_000, 63),
        (276, BASE + 500_000_000, 40),
        (276, 3_601_000_000_000, 5),
    ];
    assert_eq!(told, expected);
    assert_eq!(info.link_types, [1, 113, 276]);
    assert_eq!((info.truncated_frames, info.damage), (2, vec![]));
    assert_eq!(info.time_range_ns, Some((3_601_000_000_000, BASE + 500_000_000)));
}

#[test]
fn records_without_packets_have_a_number_and_other_blocks_have_none() {
    let frame = LITTLE.enhanced(0, 1, &[1; 60], &[]);
    let file = [
        LITTLE.section(&[]),
        LITTLE.interface(1, 0, &[]),
        frame.clone(),
        LITTLE.block(9, b"MESSAGE=x\n"),
        LITTLE.block(0xbad, &[0; 8]),
        LITTLE.block(0x777, &[0; 8]),
        LITTLE.block(5, &[0; 12]),
        frame,
    ]
    .concat();
    let (frames, info) = read(&file);
    assert_eq!(frames.iter().map(|frame| frame.number).collect::<Vec<_>>(), [1, 4]);
    assert_eq!((info.frames, info.damage), (2, vec![]));
}

#[test]
fn comments_names_and_secrets_are_kept() {
    let comment = |text: &[u8]| BIG.option(1, text);
    let names = [
        [&BIG.u16(1)[..], &BIG.u16(15), &[10, 0, 0, 7], b"alice\0cafe\0", &[0]].concat(),
        [&BIG.u16(2)[..], &BIG.u16(18), &[0xfe; 16], b"b\0", &[0; 2]].concat(),
        BIG.words(&[0]),
        comment(b"of names"),
    ]
    .concat();
    let log = b"# a key log\nCLIENT_RANDOM 01 02\r\nCLIENT_TRAFFIC_SECRET_0 03 04\n";
    let secrets = [&BIG.words(&[0x544c_534b, log.len() as u32]), &log[..]].concat();
    let file = [
        BIG.section(&comment(b"of the section")),
        BIG.interface(1, 0, &comment("of the interface \u{1b}[31m".as_bytes())),
        BIG.block(10, &secrets),
        BIG.block(4, &names),
        BIG.enhanced(0, 1, &[1; 3], &[comment(b"first"), comment(b"not \xff UTF-8"), BIG.words(&[0])].concat()),
        BIG.enhanced(0, 1, &[1; 3], &comment(b"no end marker")),
    ]
    .concat();
    let (_, info) = read(&file);
    let expected = [
        (None, "of the section"),
        (None, "of the interface \u{1b}[31m"),
        (None, "of names"),
        (Some(1), "first"),
        (Some(1), "not \u{fffd} UTF-8"),
        (Some(2), "no end marker"),
    ];
    assert_eq!(info.comments, expected.map(|(frame, text)| (frame, text.to_owned())));
    let (alice, b) = (IpAddr::from([10, 0, 0, 7]), IpAddr::from([0xfe_u8; 16]));
    assert_eq!(info.names, [(alice, "alice"), (alice, "cafe"), (b, "b")].map(|(a, name)| (a, name.to_owned())));
    assert_eq!(info.tls_secrets, ["CLIENT_RANDOM 01 02", "CLIENT_TRAFFIC_SECRET_0 03 04"]);
    assert_eq!(info.damage, []);
}

#[test]
fn secrets_come_with_the_batch_of_the_frames_after_them() {
    let log = b"CLIENT_RANDOM 01 02\n";
    let secrets = LITTLE.block(10, &[&LITTLE.words(&[0x544c_534b, log.len() as u32]), &log[..]].concat());
    let frame = LITTLE.enhanced(0, 1, &[1; 60], &[]);
    let head = [LITTLE.section(&[]), LITTLE.interface(1, 0, &[])].concat();
    let file = [head, frame.clone(), secrets, frame].concat();
    let mut set = CaptureSet::from_memory(vec![("x".to_owned(), file)]).unwrap();
    let mut taken = Vec::new();
    while let Some((_, work)) = set.next_batch(1, 1 << 20) {
        taken.push(set.take_tls_secrets().len());
        work.run();
    }
    assert_eq!(taken.iter().sum::<usize>(), 1);
    assert_eq!(set.into_infos()[0].tls_secrets.len(), 1);
}

#[test]
fn compression_is_seen_through_and_the_hash_is_of_the_file() {
    let data = frames(400);
    for plain in [LITTLE.pcap(&data), BIG.pcapng(&data)] {
        let (expected, _) = read(&plain);
        for compression in ALL {
            let packed = compressed(compression, &plain);
            for (frames, info) in [read(&packed), read_stream_of(&packed)] {
                assert_eq!(frames, expected, "{compression:?}");
                assert!(info.format.ends_with(&format!("+{}", compression.name())), "{}", info.format);
                assert_eq!(info.sha256, hashing::hex(&Sha256::digest(&packed)));
                assert_eq!((info.size, info.damage), (packed.len() as u64, vec![]));
            }
        }
    }
}

/// As standard input is read: looked into first.
fn read_stream_of(bytes: &[u8]) -> (Vec<super::Read>, crate::capture::CaptureInfo) {
    let stream = Box::new(std::io::Cursor::new(bytes.to_vec()));
    let set = CaptureSet::from_input(crate::capture::input::Input::stream("-".to_owned(), stream)).unwrap();
    let (frames, mut infos) = super::read_all(set, 100, 1 << 20);
    (frames, infos.remove(0))
}

#[test]
fn streams_give_the_same_in_blocks_of_any_size() {
    let data = frames(60);
    for file in [LITTLE.pcap(&data), BIG.pcapng(&data)] {
        let (expected, info) = read(&file);
        for block_bytes in [1, 7, 24, 64, 1000] {
            let (frames, streamed) = read_stream(&file, block_bytes);
            assert_eq!(frames, expected, "{block_bytes}");
            assert_eq!((&streamed.sha256, streamed.size), (&info.sha256, info.size));
        }
    }
}

#[test]
fn what_another_writer_writes_is_read() {
    use pcap_file::pcap::{PcapPacket, PcapWriter};
    let mut writer = PcapWriter::new(Vec::new()).unwrap();
    let time = std::time::Duration::new(SECONDS.into(), 5_000);
    writer.write_packet(&PcapPacket::new(time, 90, &[7; 60])).unwrap();
    let (frames, info) = read(&writer.into_writer());
    assert_eq!((frames[0].time_ns, frames[0].original_len, frames[0].data.len()), (BASE + 5_000, 90, 60));
    assert_eq!(info.damage, []);
}
