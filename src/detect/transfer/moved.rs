//! A file that moved, however it did: the findings that it is.
//!
//! One `transfer.file`; `transfer.denied` where the policy's `[transfers]` does not allow it; `transfer.peer-to-peer`
//! where it went around the server; `sensitive-file.exposed` for each thing that its name or content gives away.

use crate::detect::title::in_title;
use crate::detect::{Evidence, Finding, Kind};
use crate::evidence::{Sighting, Stamp, format_time};
use crate::policy::{JidPatterns, Transfers};
use crate::protocol::content::{FileContent, exposure};
use crate::protocol::xmpp::{FileOffer, jid};
use std::net::SocketAddr;

/// Longest name that is given to a file on disk by those who carve it by hand.
const MAX_SAFE_NAME: usize = 120;
/// Names that are devices on Windows, whatever their ending.
const DEVICES: &[&str] = &["con", "prn", "aux", "nul"];

/// A file that moved.
#[derive(Debug, Clone)]
pub(super) struct Moved {
    pub method: &'static str,
    pub protocol: &'static str,
    /// Where; its sender is who acted.
    pub at: Sighting,
    /// Further frames: offers, slots, links.
    pub frames: Vec<Stamp>,
    pub name: Option<String>,
    pub offered_size: Option<u64>,
    pub content: FileContent,
    pub from: Option<String>,
    pub to: Option<String>,
    /// Address of who sends, and of who receives, where a connection shows it.
    pub addresses: (Option<SocketAddr>, Option<SocketAddr>),
    pub complete: bool,
    /// It went through a proxy; `None` where that question does not arise, or is open.
    pub relay: Option<bool>,
    /// It went around the server.
    pub peer_to_peer: bool,
    pub start_ns: i64,
    pub end_ns: i64,
    /// What else there is to say.
    pub more: Vec<(&'static str, Evidence)>,
}

impl Moved {
    /// A file of which no more is known than its bytes.
    pub(super) fn new(method: &'static str, protocol: &'static str, at: &Sighting, content: FileContent) -> Self {
        Self {
            method,
            protocol,
            frames: Vec::new(),
            name: None,
            offered_size: None,
            content,
            from: None,
            to: None,
            addresses: (None, None),
            complete: true,
            relay: None,
            peer_to_peer: false,
            start_ns: at.first.time_ns,
            end_ns: at.last.time_ns,
            more: Vec::new(),
            at: at.clone(),
        }
    }

    /// Takes name and size from an offer.
    pub(super) fn offered(&mut self, offer: &FileOffer, at: &Sighting) {
        self.name.clone_from(&offer.name);
        self.offered_size = offer.size;
        self.more.extend(offer.hash.as_ref().map(|hash| ("offered_hash", hash.as_str().into())));
        self.frames.push(at.first);
    }

    /// The findings that this is.
    pub(super) fn findings(&self, policy: Option<&Transfers>, out: &mut Vec<Finding>) {
        out.push(self.finding(Kind::TransferFile, self.title()));
        if let Some(rule) = policy.and_then(|policy| self.denied_by(policy)) {
            let title = format!("{}, against the policy ({rule})", self.title());
            out.push(self.finding(Kind::TransferDenied, title).with("rule", rule));
        }
        if self.peer_to_peer {
            let title = format!("{}, around the server", self.title());
            out.push(self.finding(Kind::TransferPeerToPeer, title));
        }
        self.exposed(out);
    }

    fn finding(&self, kind: Kind, title: String) -> Finding {
        let content = &self.content;
        let seconds = self.end_ns.saturating_sub(self.start_ns) as f64 / 1e9;
        let rate = (seconds > 0.0).then(|| (content.bytes as f64 / seconds) as u64);
        let mut finding = Finding::new(kind, self.protocol, &self.at.as_seen(), title)
            .with("method", self.method)
            .with_some("name", self.name.as_deref())
            .with("size", content.bytes)
            .with("sha256", content.sha256_hex())
            .with_some("from", self.from.as_deref())
            .with_some("to", self.to.as_deref())
            .with("complete", self.complete)
            .with_some("relay", self.relay)
            .with_some("saved_as", content.saved_as())
            .with_some("safe_name", self.name.as_deref().map(safe_name))
            .with_some("offered_size", self.offered_size.filter(|size| *size != content.bytes))
            .with_some("media_type", content.media_type)
            .with_some("from_address", self.addresses.0.map(|address| address.to_string()))
            .with_some("to_address", self.addresses.1.map(|address| address.to_string()))
            .with("start", format_time(self.start_ns))
            .with("end", format_time(self.end_ns))
            .with_some("rate", rate);
        for (key, value) in &self.more {
            finding = finding.with(key, value.clone());
        }
        self.frames.iter().for_each(|frame| finding.add_frame(*frame));
        finding
    }

    fn title(&self) -> String {
        let what = match &self.name {
            Some(name) => format!("`{}`", in_title(name)),
            None => "a file without a name".to_owned(),
        };
        let how = match self.method {
            "ibb" | "si-ibb" | "jingle-ibb" => "in band",
            "socks5" | "si-socks5" | "jingle-socks5" if self.relay == Some(true) => "over SOCKS 5 through a relay",
            "socks5" | "si-socks5" | "jingle-socks5" => "over SOCKS 5",
            "http-upload" => "by HTTP upload",
            "oob" => "over HTTP by a link",
            "http" => "over HTTP",
            "bob" => "as bits of binary",
            "avatar" | "vcard" => "as an avatar",
            _ => "by ICE",
        };
        let party = |word: &str, party: &Option<String>| {
            party.as_deref().map(|party| format!(" {word} {}", in_title(jid::bare(party)))).unwrap_or_default()
        };
        let (from, to) = (party("from", &self.from), party("to", &self.to));
        format!("{what} moved {how}{from}{to}, {} bytes", self.content.bytes)
    }

    /// The rules that it breaks.
    fn denied_by(&self, policy: &Transfers) -> Option<String> {
        let mut rules = Vec::new();
        // A picture of a person is no transfer that a site allows or forbids by its method.
        let is_avatar = matches!(self.method, "avatar" | "vcard");
        if policy.allow.as_ref().is_some_and(|allow| !is_avatar && !allow.iter().any(|method| method == self.method)) {
            rules.push("allow".to_owned());
        }
        let size = self.content.bytes.max(self.offered_size.unwrap_or_default());
        if policy.max_bytes.is_some_and(|limit| size > limit) {
            rules.push("max_bytes".to_owned());
        }
        if let Some(extension) = policy.denied_extensions.iter().find(|extension| self.has_extension(extension)) {
            rules.push(format!("denied_extensions {extension}"));
        }
        let outside = |patterns: &Option<JidPatterns>, party: &Option<String>| match (patterns, party) {
            (Some(patterns), Some(party)) => patterns.find(&jid::normalize(party)).is_none(),
            _ => false,
        };
        if outside(&policy.from, &self.from) {
            rules.push("from".to_owned());
        }
        if outside(&policy.to, &self.to) {
            rules.push("to".to_owned());
        }
        (!rules.is_empty()).then(|| rules.join(", "))
    }

    /// By name, or by what the content is: a program that calls itself a picture is a program.
    fn has_extension(&self, extension: &str) -> bool {
        let name = self.name.as_deref().unwrap_or_default().trim_end_matches(['.', ' ']).to_lowercase();
        let by_name = name.strip_suffix(extension).is_some_and(|stem| stem.ends_with('.'));
        by_name || self.content.extension == Some(extension)
    }

    fn exposed(&self, out: &mut Vec<Finding>) {
        let mut told: Vec<&'static str> = Vec::new();
        let is_picture = self.content.media_type.is_some_and(|kind| kind.starts_with("image/"));
        let by_name = self.name.as_deref().filter(|_| !is_picture).and_then(exposure::by_name);
        let by_name = by_name.map(|what| (what, "name", None));
        let by_content = self.content.exposures.iter().map(|exposure| {
            (exposure.what, if exposure.member.is_some() { "member" } else { "content" }, exposure.member.as_deref())
        });
        for (what, by, member) in by_name.into_iter().chain(by_content) {
            if told.contains(&what) {
                continue;
            }
            told.push(what);
            let title = format!("{what} exposed: {}", self.title());
            let finding = Finding::new(Kind::SensitiveFileExposed, self.protocol, &self.at.as_seen(), title)
                .with("what", what)
                .with("via", self.method)
                .with("by", by)
                .with_some("member", member)
                .with_some("name", self.name.as_deref())
                .with("size", self.content.bytes)
                .with("sha256", self.content.sha256_hex())
                .with_some("from", self.from.as_deref())
                .with_some("to", self.to.as_deref())
                .with("complete", self.complete)
                .with_some("saved_as", self.content.saved_as());
            out.push(finding);
        }
    }
}

/// The last part of a name, without what file systems and terminals would take for more than a name.
pub(super) fn safe_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or(name);
    let is_bad = |c: char| {
        let turns = matches!(c, '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
        c.is_control() || turns || matches!(c, '<' | '>' | ':' | '"' | '|' | '?' | '*')
    };
    let plain: String = last.chars().map(|c| if is_bad(c) { '_' } else { c }).collect();
    let plain = plain.trim_matches([' ', '.']);
    let mut end = plain.len().min(MAX_SAFE_NAME);
    while !plain.is_char_boundary(end) {
        end -= 1;
    }
    let plain = plain.get(..end).unwrap_or_default();
    let stem = plain.split('.').next().unwrap_or_default().to_lowercase();
    let port = stem.strip_prefix("com").or_else(|| stem.strip_prefix("lpt")).unwrap_or_default();
    let is_device = DEVICES.contains(&stem.as_str())
        || (port.len() == 1 && port.as_bytes().first().is_some_and(u8::is_ascii_digit));
    match (plain.is_empty(), is_device) {
        (true, _) => "file".to_owned(),
        (false, true) => format!("_{plain}"),
        (false, false) => plain.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn safe_names_are_only_names() {
        for (name, safe) in [
            ("notes.txt", "notes.txt"),
            ("../../etc/passwd", "passwd"),
            ("C:\\x\\a.exe", "a.exe"),
            ("cat&dog <1>.jpg", "cat&dog _1_.jpg"),
            ("..", "file"),
            ("", "file"),
            ("NUL.txt", "_NUL.txt"),
            ("com1", "_com1"),
            ("a\u{202E}gpj.exe", "a_gpj.exe"),
            (".hidden ", "hidden"),
        ] {
            assert_eq!(safe_name(name), safe, "{name}");
        }
        assert!(safe_name(&"\u{E4}".repeat(200)).len() <= MAX_SAFE_NAME);
    }
}
