//! Files, folders and patterns, and several captures as one.

use super::read_all;
use super::samples::{LITTLE, SECONDS, frames};
use crate::capture::{CaptureError, CaptureSet};
use std::fs;
use std::path::Path;

/// A capture of one frame per given second; each frame's bytes begin with its second.
fn capture_at(seconds: &[u32]) -> Vec<u8> {
    let mut file = LITTLE.pcap_header(0xa1b2_c3d4, 1);
    for second in seconds {
        file.extend(LITTLE.record(SECONDS + second, 0, &[], &[*second as u8; 60]));
    }
    file
}

fn open(arguments: &[&Path]) -> Result<CaptureSet, CaptureError> {
    CaptureSet::open(&arguments.iter().map(|path| path.display().to_string()).collect::<Vec<_>>())
}

#[test]
fn frames_of_several_files_come_in_time_order_and_keep_their_own() {
    let captures = [vec![0, 4, 2, 9], vec![1, 5, 6], vec![3, 3, 3], vec![]];
    let files = captures.iter().enumerate().map(|(n, seconds)| (format!("{n}.pcap"), capture_at(seconds)));
    let files: Vec<_> = files.collect();
    for max_frames in [1, 2, 100] {
        let set = CaptureSet::from_memory(files.clone()).unwrap();
        let (frames, infos) = read_all(set, max_frames, 1 << 20);
        let order: Vec<_> = frames.iter().map(|frame| (frame.capture, frame.number, frame.data[0])).collect();
        let expected = [
            (0, 1, 0),
            (1, 1, 1),
            (2, 1, 3),
            (2, 2, 3),
            (2, 3, 3),
            (0, 2, 4),
            (0, 3, 2), // behind its predecessor, as in the file
            (1, 2, 5),
            (1, 3, 6),
            (0, 4, 9),
        ];
        assert_eq!(order, expected);
        assert_eq!(infos.iter().map(|info| info.frames).collect::<Vec<_>>(), [4, 3, 3, 0]);
    }
}

#[test]
fn a_batch_holds_about_what_it_may() {
    let file = LITTLE.pcap(&vec![vec![1; 1000]; 50]);
    let mut set = CaptureSet::from_memory(vec![("x".to_owned(), file)]).unwrap();
    let mut sizes = Vec::new();
    while let Some((batch, work)) = set.next_batch(1000, 9_500) {
        sizes.push(batch.len());
        work.run();
    }
    assert_eq!(sizes.iter().sum::<usize>(), 50);
    assert!(sizes.iter().all(|size| *size <= 10), "{sizes:?}");
}

#[test]
fn folders_are_searched_and_what_is_no_capture_is_listed() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::create_dir_all(path("b/deep")).unwrap();
    fs::write(path("b/deep/no-ending"), capture_at(&[1])).unwrap();
    fs::write(path("a.pcap"), capture_at(&[2])).unwrap();
    fs::write(path("c.pcap"), b"").unwrap();
    fs::write(path("README.md"), b"# captures").unwrap();
    fs::write(path("b/a.truth.json"), b"{}").unwrap();
    let set = open(&[folder.path()]).unwrap();
    assert_eq!(*set.names(), ["a.pcap", "no-ending", "c.pcap"]);
    let skipped: Vec<_> = set.skipped_inputs().iter().map(|skipped| skipped.path.clone()).collect();
    assert_eq!(skipped, ["README.md", "b/a.truth.json"].map(|name| path(name).display().to_string()));
    let (frames, infos) = read_all(set, 10, 1 << 20);
    assert_eq!(frames.iter().map(|frame| frame.capture).collect::<Vec<_>>(), [1, 0]);
    assert_eq!(infos[2].damage[0].cause, "the file is empty"); // its name says that it was meant to be one
    assert!(infos[1].path.ends_with("b/deep/no-ending"));
}

#[test]
fn patterns_that_the_shell_left_alone_are_followed() {
    let folder = tempfile::tempdir().unwrap();
    for n in 0..3 {
        fs::write(folder.path().join(format!("ring{n}.pcap")), capture_at(&[n])).unwrap();
    }
    fs::write(folder.path().join("ring[x].pcap"), capture_at(&[7])).unwrap();
    let set = open(&[&folder.path().join("ring?.pcap")]).unwrap();
    assert_eq!(*set.names(), ["ring0.pcap", "ring1.pcap", "ring2.pcap"]);
    let set = open(&[&folder.path().join("ring[x].pcap")]).unwrap();
    assert_eq!(*set.names(), ["ring[x].pcap"]); // a file of that name goes before the pattern
    let none = open(&[&folder.path().join("*.cap")]);
    assert!(matches!(none, Err(CaptureError::NoMatch { .. })));
    let bad = open(&[&folder.path().join("***")]);
    assert!(matches!(bad, Err(CaptureError::BadPattern { .. })));
    let missing = open(&[&folder.path().join("ring0.pcap"), &folder.path().join("nope.pcap")]);
    assert!(matches!(missing, Err(CaptureError::Missing { .. })));
}

#[test]
fn a_file_counts_once_by_whatever_way_it_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::create_dir(path("copies")).unwrap();
    fs::write(path("a.pcap"), capture_at(&[1, 2])).unwrap();
    fs::write(path("copies/b.pcap"), capture_at(&[1, 2])).unwrap();
    fs::write(path("other.pcap"), capture_at(&[1, 3])).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(path("a.pcap"), path("link.pcap")).unwrap();
    let set = open(&[&path("a.pcap"), &path("a.pcap"), folder.path()]).unwrap();
    assert_eq!(*set.names(), ["a.pcap", "other.pcap"]);
    let copies = set.skipped_inputs().iter().filter(|skipped| skipped.reason.starts_with("a copy of ")).count();
    assert_eq!(copies, 1);
}

#[test]
fn large_copies_are_told_from_files_that_only_begin_alike() {
    let folder = tempfile::tempdir().unwrap();
    let mut sent = frames(2000);
    let write = |name: &str, sent: &[Vec<u8>]| fs::write(folder.path().join(name), LITTLE.pcap(sent)).unwrap();
    write("a.pcap", &sent);
    write("b.pcap", &sent);
    sent.last_mut().unwrap()[0] ^= 2;
    write("c.pcap", &sent);
    assert_eq!(*open(&[folder.path()]).unwrap().names(), ["a.pcap", "c.pcap"]);
}

#[test]
fn links_that_run_in_circles_end() {
    #[cfg(unix)]
    {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.pcap"), capture_at(&[1])).unwrap();
        std::os::unix::fs::symlink(folder.path(), folder.path().join("again")).unwrap();
        assert_eq!(*open(&[folder.path()]).unwrap().names(), ["a.pcap"]);
    }
}

#[test]
fn the_masking_key_is_of_the_inputs_and_not_of_their_order() {
    let (a, b) = (("a".to_owned(), capture_at(&[1])), ("b".to_owned(), capture_at(&[2])));
    let key = |captures: &[&(String, Vec<u8>)]| {
        CaptureSet::from_memory(captures.iter().map(|capture| (*capture).clone()).collect()).unwrap().masking_key()
    };
    assert_eq!(key(&[&a, &b]), key(&[&b, &a]));
    assert_ne!(key(&[&a]), key(&[&a, &b]));
    assert_ne!(key(&[&a]), key(&[&b]));
}

#[test]
fn many_files_are_opened_when_they_are_due() {
    let folder = tempfile::tempdir().unwrap();
    for n in 0..200_u32 {
        fs::write(folder.path().join(format!("{n:03}.pcap")), capture_at(&[n * 2, n * 2 + 1])).unwrap();
    }
    let mut set = open(&[folder.path()]).unwrap();
    let mut frames = 0;
    while let Some((batch, work)) = set.next_batch(3, 1 << 20) {
        frames += batch.len();
        assert!(set.open_inputs() <= 2);
        work.run();
    }
    assert_eq!(frames, 400);
}
