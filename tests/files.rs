//! `--extract-files`: what is carved is what crossed, under no name but its hash.
#![allow(clippy::unwrap_used, clippy::expect_used)] // tests

mod support;

use sha2::Digest;
use std::collections::BTreeSet;
use support::{Run, captures_folder};

/// Hashes of the files that a capture is known to hold, measured where they were sent.
const CARVED: &[(&str, &[&str])] = &[
    (
        "08a-ft-ibb-si.pcap",
        &[
            "60be47521fd9a3d9eea16604e6102fec7a1034103515e0792afed69f2be5e987",
            "4d80d6c7a3b186424196fdee9cd09a8f9c546f067e029035f20b5c37152b3015",
            // Of this one half arrived.
            "4e45a5feffbb135d31fb5203b2fd341a84192d11bd454d8c7e156c7637c245c7",
            "e0f5258a15b15c750a7065d5e96b99214d160f471d85e49333ecee8eb8d9b5e1",
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "42a986d2c4f8fb1cfe97b86a8b7f186bdc0709fbdf6372ea7423a2c332735163",
        ],
    ),
    (
        "08c-ft-s5b-proxy.pcap",
        &[
            "bd3fd6933118979a41b14ef9d15fb5bf8dd4d3c203909a71c7bf6a41742a4b00",
            "4d80d6c7a3b186424196fdee9cd09a8f9c546f067e029035f20b5c37152b3015",
            "6f103b10d3a513834e3755471620a650c1609206ead97ac7c6ddb7876d3e182c",
        ],
    ),
    (
        "08e-ft-http-upload.pcap",
        &[
            "4d80d6c7a3b186424196fdee9cd09a8f9c546f067e029035f20b5c37152b3015",
            "bd3fd6933118979a41b14ef9d15fb5bf8dd4d3c203909a71c7bf6a41742a4b00",
            "e0f5258a15b15c750a7065d5e96b99214d160f471d85e49333ecee8eb8d9b5e1",
        ],
    ),
    (
        "08f-ft-oob.pcap",
        &[
            "43bbda2748db9fd3c04bad241d7b59548263fc56f54e4816c2683ce511ec7951",
            "dede5b4577381db643f99956e31285406b33a55c1f4aadade7c1ee50cd636e5d",
        ],
    ),
    // Its parts crossed two connections.
    ("15n-sm-resume-ibb.pcap", &["2a11fd51ae378330eb641711205dbc0ce9bb4d00257330c4af001d516ef60ec5"]),
    (
        "17-extensions.pcapng",
        &[
            "42fb28e724da065d2171e21dff0b4e24d6cf812db45a5f932fdb0e889b4b8693",
            "aa81273f04aedacfe5fe5c2f32b2624d8d3150d0938665c9b28c7f46a48cccb3",
        ],
    ),
];

#[test]
fn every_file_is_carved_whole_by_any_number_of_threads() {
    for (capture, hashes) in CARVED {
        let capture = captures_folder().join("xmpp").join(capture).display().to_string();
        for threads in ["1", "3"] {
            let run = Run::analyze(&[capture.as_str(), "--extract-files", "--threads", threads]);
            let mut carved = BTreeSet::new();
            for entry in std::fs::read_dir(run.case().join("files")).unwrap() {
                let path = entry.unwrap().path();
                let hash = sha2::Sha256::digest(std::fs::read(&path).unwrap());
                let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
                assert_eq!(path.file_name().unwrap().to_str(), Some(hash.as_str()));
                carved.insert(hash);
            }
            assert_eq!(carved, hashes.iter().map(|hash| (*hash).to_owned()).collect(), "{capture}");
            let findings = run.findings();
            let files = findings.iter().filter(|finding| finding["kind"] == "transfer.file");
            for file in files {
                let hash = file["evidence"]["sha256"].as_str().unwrap();
                assert_eq!(file["evidence"]["saved_as"], format!("files/{hash}"));
            }
        }
    }
}

#[test]
fn nothing_is_carved_unasked() {
    let capture = captures_folder().join("xmpp/08f-ft-oob.pcap").display().to_string();
    let run = Run::analyze(&[capture]);
    assert!(!run.case().join("files").exists());
    assert!(run.findings().iter().all(|finding| finding["evidence"].get("saved_as").is_none()));
}
