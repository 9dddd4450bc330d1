//! Names of the members of archives: ZIP by its central directory (APPNOTE 4.3), tar by its headers (POSIX ustar), and
//! both of them behind gzip as far as the head of the file reaches.

use super::exposure::{self, Exposure};
use std::io::Read;

/// Bytes kept of a ZIP's end: the directory of a thousand members.
const MAX_TAIL: usize = 64 << 10;
/// Bytes inflated of a compressed head.
const MAX_INFLATED: u64 = 512 << 10;
/// Members of one archive whose names are looked at.
const MAX_MEMBERS: usize = 65_536;
/// Members that one archive is said to give away.
const MAX_TOLD: usize = 8;
const BLOCK: usize = 512;

/// Reads along while an archive flows by.
#[derive(Debug, Clone, Default)]
pub(super) struct Listing {
    kind: Kind,
    told: Vec<Exposure>,
    members: usize,
}

#[derive(Debug, Clone, Default)]
enum Kind {
    /// Not enough bytes yet.
    #[default]
    Unknown,
    Other,
    /// The last bytes.
    Zip(Vec<u8>),
    Tar(Tar),
}

/// Where a tar archive stands.
#[derive(Debug, Clone, Default)]
struct Tar {
    header: Vec<u8>,
    /// Bytes of a member still to come.
    skip: u64,
    ended: bool,
}

impl Listing {
    /// The next bytes. `head` is the beginning of the file, in which the first `in_head` of these bytes stand already.
    pub(super) fn push(&mut self, head: &[u8], data: &[u8], in_head: usize) {
        match &mut self.kind {
            Kind::Other => {}
            Kind::Zip(tail) => keep_tail(tail, data),
            Kind::Tar(tar) => read_tar(tar, data, &mut self.members, &mut self.told),
            Kind::Unknown => {
                self.kind = match kind_of(head) {
                    Kind::Zip(mut tail) => {
                        keep_tail(&mut tail, head);
                        keep_tail(&mut tail, data.get(in_head..).unwrap_or_default());
                        Kind::Zip(tail)
                    }
                    Kind::Tar(mut tar) => {
                        read_tar(&mut tar, head, &mut self.members, &mut self.told);
                        let beyond = data.get(in_head..).unwrap_or_default();
                        read_tar(&mut tar, beyond, &mut self.members, &mut self.told);
                        Kind::Tar(tar)
                    }
                    kind => kind,
                };
            }
        }
    }

    /// What the names give away.
    pub(super) fn finish(mut self, head: &[u8]) -> Vec<Exposure> {
        match self.kind {
            Kind::Zip(tail) => read_zip(&tail, &mut self.told),
            Kind::Other | Kind::Unknown if head.starts_with(&[0x1f, 0x8b]) => {
                let mut inflated = Vec::new();
                // A head is cut: what came out before the error is what there is.
                let _ = flate2::read::GzDecoder::new(head).take(MAX_INFLATED).read_to_end(&mut inflated);
                if let Kind::Tar(mut tar) = kind_of(&inflated) {
                    read_tar(&mut tar, &inflated, &mut self.members, &mut self.told);
                } else {
                    self.told.extend(exposure::of_content(&inflated, inflated.len() as u64));
                }
            }
            _ => {}
        }
        self.told
    }
}

fn kind_of(head: &[u8]) -> Kind {
    if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") {
        return Kind::Zip(Vec::new());
    }
    match head.get(257..262) {
        Some(b"ustar") => Kind::Tar(Tar::default()),
        Some(_) => Kind::Other,
        None => Kind::Unknown,
    }
}

fn keep_tail(tail: &mut Vec<u8>, data: &[u8]) {
    let data = data.get(data.len().saturating_sub(MAX_TAIL)..).unwrap_or_default();
    tail.extend_from_slice(data);
    if tail.len() > 2 * MAX_TAIL {
        tail.drain(..tail.len() - MAX_TAIL);
    }
}

fn told(name: &[u8], told: &mut Vec<Exposure>) {
    if told.len() >= MAX_TOLD {
        return;
    }
    let name = String::from_utf8_lossy(name);
    if let Some(what) = exposure::by_name(&name) {
        told.push(Exposure { what, member: Some(name.chars().take(256).collect()) });
    }
}

/// Central directory entries, wherever they stand in the tail.
fn read_zip(tail: &[u8], out: &mut Vec<Exposure>) {
    let mut rest = tail;
    for _ in 0..MAX_MEMBERS {
        let Some(place) = memchr::memmem::find(rest, b"PK\x01\x02") else { return };
        let Some(entry) = rest.get(place..) else { return };
        let length =
            |at: usize| entry.get(at..at + 2)?.first_chunk::<2>().map(|two| usize::from(u16::from_le_bytes(*two)));
        let Some(name_length) = length(28) else { return };
        if let Some(name) = entry.get(46..46 + name_length) {
            told(name, out);
        }
        rest = entry.get(4..).unwrap_or_default();
    }
}

fn read_tar(tar: &mut Tar, mut data: &[u8], members: &mut usize, out: &mut Vec<Exposure>) {
    while !data.is_empty() && !tar.ended {
        if tar.skip > 0 {
            let skipped = usize::try_from(tar.skip).unwrap_or(usize::MAX).min(data.len());
            tar.skip -= skipped as u64;
            data = data.get(skipped..).unwrap_or_default();
            continue;
        }
        let wanted = (BLOCK - tar.header.len().min(BLOCK)).min(data.len());
        let (part, rest) = data.split_at_checked(wanted).unwrap_or((data, &[]));
        tar.header.extend_from_slice(part);
        data = rest;
        if tar.header.len() < BLOCK {
            return;
        }
        *members += 1;
        match tar_member(&tar.header) {
            Some((name, size)) if *members <= MAX_MEMBERS => {
                told(&name, out);
                tar.skip = size.div_ceil(BLOCK as u64).saturating_mul(BLOCK as u64);
            }
            _ => tar.ended = true,
        }
        tar.header.clear();
    }
}

/// Name and size of a header; `None` for anything else, the two empty blocks of the end too.
fn tar_member(header: &[u8]) -> Option<(Vec<u8>, u64)> {
    if header.get(257..262)? != b"ustar" {
        return None;
    }
    let field = |from: usize, to: usize| {
        let bytes = header.get(from..to)?;
        bytes.split(|byte| *byte == 0).next()
    };
    let mut name = field(345, 500)?.to_vec();
    if !name.is_empty() {
        name.push(b'/');
    }
    name.extend_from_slice(field(0, 100)?);
    let size = std::str::from_utf8(field(124, 136)?.trim_ascii()).ok()?;
    Some((name, u64::from_str_radix(size, 8).ok()?))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)] // tests
mod tests {
    use super::super::Intake;
    use super::*;
    use std::io::Write;

    fn tar(members: &[(&str, &[u8])]) -> Vec<u8> {
        let mut whole = Vec::new();
        for (name, content) in members {
            let mut header = [0u8; BLOCK];
            header[..name.len()].copy_from_slice(name.as_bytes());
            header[124..135].copy_from_slice(format!("{:011o}", content.len()).as_bytes());
            header[257..262].copy_from_slice(b"ustar");
            whole.extend_from_slice(&header);
            whole.extend_from_slice(content);
            whole.resize(whole.len().next_multiple_of(BLOCK), 0);
        }
        whole.resize(whole.len() + 2 * BLOCK, 0);
        whole
    }

    fn zip(names: &[&str], content: usize) -> Vec<u8> {
        let mut whole = b"PK\x03\x04".to_vec();
        whole.resize(content, b'x');
        for name in names {
            let mut entry = b"PK\x01\x02".to_vec();
            entry.resize(46, 0);
            entry[28] = name.len() as u8;
            entry.extend_from_slice(name.as_bytes());
            whole.extend_from_slice(&entry);
        }
        whole.extend_from_slice(b"PK\x05\x06");
        whole
    }

    fn found(file: &[u8], piece: usize) -> Vec<(&'static str, Option<String>)> {
        let mut intake = Intake::default();
        file.chunks(piece).for_each(|piece| intake.push(piece));
        intake.finish().exposures.into_iter().map(|exposure| (exposure.what, exposure.member)).collect()
    }

    #[test]
    fn members_tell_by_name_however_they_come() {
        let large = vec![b'y'; 100_000];
        let archive = tar(&[("a.txt", b"x"), ("large", &large), ("var/.erlang.cookie", b"y")]);
        let zipped = zip(&["readme", "etc/ejabberd.yml"], 150_000);
        for piece in [1, 100, 513, 40_000, 1 << 20] {
            let wish = [(".erlang.cookie", Some("var/.erlang.cookie".to_owned()))];
            assert_eq!(found(&archive, piece), wish, "{piece}");
            let wish = [("ejabberd.yml", Some("etc/ejabberd.yml".to_owned()))];
            assert_eq!(found(&zipped, piece), wish, "{piece}");
        }
    }

    #[test]
    fn gzip_is_looked_into() {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&tar(&[("x/passwd.DCD", b"x")])).unwrap();
        assert_eq!(found(&gzip.finish().unwrap(), 50), [("mnesia", Some("x/passwd.DCD".to_owned()))]);
    }

    #[test]
    fn what_is_no_archive_is_no_harm() {
        for file in [&b"PK\x03\x04"[..], b"PK\x01\x02PK\x01\x02", b"\x1f\x8b\x08\x00broken"] {
            assert_eq!(found(file, 3), []);
        }
    }
}
