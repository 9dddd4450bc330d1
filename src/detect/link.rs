//! Links in messages: to programs, and to places of the policy's list.
//!
//! A link is told once for a sender, an addressee and an address: a message may be captured when it is sent and when it
//! is delivered, and a room repeats it to each occupant. [`join_key`] makes that one finding.

use super::title::in_title;
use super::{Evidence, Finding, Kind, Settings, StanzaWatch};
use crate::evidence::Seen;
use crate::policy::LinkPattern;
use crate::protocol::xmpp::{Stanza, jid};
use memchr::memmem;
use percent_encoding::percent_decode_str;

/// Extensions of what a click may run: programs and scripts of Windows, and packages that install themselves.
const PROGRAMS: &[&str] = &[
    "apk", "appx", "bat", "cmd", "com", "cpl", "dmg", "exe", "hta", "jar", "js", "jse", "lnk", "msi", "msix", "msp",
    "pif", "ps1", "reg", "scr", "sct", "vbe", "vbs", "wsf", "wsh",
];
/// Addresses looked at in one message.
const MAX_LINKS: usize = 64;
/// Longest address: browsers take no more.
const MAX_LINK: usize = 8 << 10;
/// Schemes of what a click fetches.
const SCHEMES: &[&str] = &["http", "https", "ftp", "ftps", "file", "smb"];

/// Length of the longest of them.
const MAX_SCHEME: usize = 5;

/// `xmpp.malicious-link`.
#[derive(Debug)]
pub struct MaliciousLinks {
    separator: memmem::Finder<'static>,
    denied: Vec<LinkPattern>,
}

impl MaliciousLinks {
    /// Judges by the policy's list, if there is one, and by extensions of programs.
    pub fn new(settings: &Settings) -> Self {
        let denied = settings.policy.as_ref().map(|policy| policy.xmpp.denied_links.clone()).unwrap_or_default();
        Self { separator: memmem::Finder::new("://"), denied }
    }

    fn judge(&self, text: &str, seen: &Seen<'_>, stanza: &Stanza<'_>, out: &mut Vec<Finding>) {
        for separator in self.separator.find_iter(text.as_bytes()).take(MAX_LINKS) {
            let Some(link) = Link::around(text, separator) else { continue };
            let rule = self.denied.iter().find(|pattern| pattern.fits(link.host, link.path)).map(LinkPattern::text);
            let reason = match rule {
                Some(_) => "denied by the policy",
                None if link.is_to_program() => "to a program",
                None => continue,
            };
            out.push(finding(&link, rule, reason, seen, stanza));
        }
    }
}

impl StanzaWatch for MaliciousLinks {
    fn on_stanza(&mut self, seen: &Seen<'_>, stanza: &Stanza<'_>, out: &mut Vec<Finding>) {
        let texts = [stanza.body, stanza.oob.filter(|_| stanza.oob != stanza.body)];
        // A bounce holds what was sent; that was judged when it was sent.
        if texts == [None, None] || stanza.stanza_type == Some("error") {
            return;
        }
        for text in texts.into_iter().flatten() {
            self.judge(text, seen, stanza, out);
        }
    }
}

/// The parts of an address.
struct Link<'a> {
    url: &'a str,
    host: &'a str,
    /// With its slash, without query and fragment.
    path: &'a str,
}

impl<'a> Link<'a> {
    /// The address whose `://` stands at `separator`.
    fn around(text: &'a str, separator: usize) -> Option<Self> {
        let before = text.get(..separator)?;
        // The longest scheme and one byte: of a longer word none is.
        let word = before.bytes().rev().take(MAX_SCHEME + 1).take_while(u8::is_ascii_alphanumeric);
        let scheme_at = before.len() - word.count();
        let scheme = before.get(scheme_at..)?;
        if !SCHEMES.iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
            return None;
        }
        let rest = text.get(scheme_at..)?;
        let rest = rest.get(..rest.floor_char_boundary(MAX_LINK + 1))?;
        let end = rest.find(|c: char| c.is_whitespace() || c.is_control() || "<>\"`{}|\\^".contains(c));
        let url = rest
            .get(..end.unwrap_or(rest.len()))?
            .trim_end_matches(['.', ',', ';', ':', '!', '?', ')', ']', '\'', '*', '_']);
        let after = url.get(scheme.len() + 3..).filter(|_| url.len() <= MAX_LINK)?;
        let authority_end = after.find(['/', '?', '#']).unwrap_or(after.len());
        let (authority, rest) = after.split_at_checked(authority_end)?;
        let host = authority.rsplit('@').next()?;
        let host = if host.starts_with('[') { host } else { host.split(':').next()? };
        let path = rest.get(..rest.find(['?', '#']).unwrap_or(rest.len()))?;
        Some(Self { url, host, path })
    }

    /// The path ends with the name of a program.
    fn is_to_program(&self) -> bool {
        let path = percent_decode_str(self.path).decode_utf8_lossy();
        // Windows leaves out final dots and spaces.
        let name = path.rsplit('/').next().unwrap_or_default().trim_end_matches(['.', ' ']);
        let Some((stem, extension)) = name.rsplit_once('.') else { return false };
        !stem.is_empty() && PROGRAMS.iter().any(|program| extension.eq_ignore_ascii_case(program))
    }
}

fn finding(link: &Link<'_>, rule: Option<&str>, reason: &str, seen: &Seen<'_>, stanza: &Stanza<'_>) -> Finding {
    let who = stanza.from.map(|from| format!(" from {}", in_title(jid::bare(from)))).unwrap_or_default();
    let whom = stanza.to.map(|to| format!(" to {}", in_title(jid::bare(to)))).unwrap_or_default();
    let title = format!("link{who}{whom} {reason}: {}", in_title(link.url));
    Finding::new(Kind::XmppMaliciousLink, "xmpp", seen, title)
        .with_some("from", stanza.from)
        .with_some("to", stanza.to)
        .with("url", link.url)
        .with_some("rule", rule)
        .with_some("room", room(stanza))
}

/// The room in which a message was said.
fn room<'a>(stanza: &Stanza<'a>) -> Option<&'a str> {
    if stanza.stanza_type != Some("groupchat") {
        return None;
    }
    // Said to the room, or repeated by it to an occupant, whose resource is known to the room only.
    stanza.to.filter(|to| !to.contains('/')).or(stanza.from.map(jid::bare))
}

/// Findings of equal keys are of one message, as it was sent, carried and delivered.
pub fn join_key(finding: &Finding) -> Option<String> {
    if finding.kind != Kind::XmppMaliciousLink {
        return None;
    }
    let text = |wanted: &str| {
        finding.evidence.iter().find_map(|(key, value)| match value {
            Evidence::Text(text) if *key == wanted => Some(text.as_str()),
            _ => None,
        })
    };
    let (name, url) = (finding.kind.name(), text("url")?);
    match text("room") {
        Some(room) => Some(format!("{name}\n{room}\n\n{url}")),
        None => {
            let party = |key| text(key).map(jid::bare).unwrap_or_default();
            Some(format!("{name}\n{}\n{}\n{url}", party("from"), party("to")))
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // tests
mod tests {
    use super::*;
    use crate::detect::scene::{flow, settings, stamp};
    use crate::evidence::Direction;
    use crate::protocol::xmpp::{Leg, StanzaKind};

    fn judged(policy: Option<&str>, body: &str, change: impl FnOnce(&mut Stanza<'_>)) -> Vec<Finding> {
        let flow = flow("10.0.0.7:4000", "10.0.0.1:5222");
        let seen = Seen { flow: &flow, direction: Direction::FromOrig, first: stamp(1), last: stamp(1) };
        let mut stanza = Stanza {
            kind: StanzaKind::Message,
            from: Some("ann@x.test/r"),
            to: Some("bob@x.test"),
            stanza_type: Some("chat"),
            id: None,
            body: Some(body),
            children: "",
            bytes: 100,
            meaning: Default::default(),
            leg: Leg::Sent,
            oob: None,
        };
        change(&mut stanza);
        let mut out = Vec::new();
        MaliciousLinks::new(&settings(policy)).on_stanza(&seen, &stanza, &mut out);
        out
    }

    fn urls(body: &str) -> Vec<String> {
        let text = |finding: &Finding| {
            finding.evidence.iter().find_map(|(key, value)| match value {
                Evidence::Text(url) if *key == "url" => Some(url.clone()),
                _ => None,
            })
        };
        judged(None, body, |_| {}).iter().filter_map(text).collect()
    }

    #[test]
    fn links_to_programs_are_found() {
        assert_eq!(urls("look (http://203.0.113.66/a/photo_2024.exe)!"), ["http://203.0.113.66/a/photo_2024.exe"]);
        assert_eq!(urls("HTTPS://x.test/a.PDF.Scr?x=1 ok"), ["HTTPS://x.test/a.PDF.Scr?x=1"]);
        assert_eq!(urls("ftp://u:p@x.test:21/tool%2Ejar."), ["ftp://u:p@x.test:21/tool%2Ejar"]);
        assert_eq!(urls("http://x.test/a.bat#b http://x.test/b.cmd").len(), 2);
        assert_eq!(urls("http://x.test/evil.exe%20"), ["http://x.test/evil.exe%20"]);
    }

    #[test]
    fn other_links_are_none() {
        for body in [
            "see https://www.debian.org/ for details",
            "https://www.example.com",
            "https://example.com?x.exe",
            "https://example.com/#x.exe",
            "https://example.com/exe",
            "https://example.com/.exe",
            "run setup.exe",
            "xmpp://x.test/a.exe",
            "://a.exe",
            "https://example.com/a.html?file=a.exe",
        ] {
            assert_eq!(urls(body), Vec::<String>::new(), "{body}");
        }
    }

    #[test]
    fn the_policy_names_hosts_and_paths() {
        let policy = "[xmpp]\ndenied_links = ['evil.example', 'share.example/pub']";
        let found = |body| judged(Some(policy), body, |_| {}).len();
        assert_eq!(found("http://evil.example/win"), 1);
        assert_eq!(found("http://a.EVIL.example"), 1);
        assert_eq!(found("http://notevil.example/"), 0);
        assert_eq!(found("http://share.example/public"), 1);
        assert_eq!(found("http://share.example/private"), 0);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_survived(text in "(http://|HTTPS://a|ftp://\\[|://|[a-z/.%@?#]|\\PC){0,40}") {
            for url in urls(&text) {
                proptest::prop_assert!(text.contains(&url));
            }
        }
    }

    #[test]
    fn out_of_band_links_count_and_copies_do_not() {
        let only_oob = judged(None, "", |stanza| {
            (stanza.body, stanza.oob) = (None, Some("http://x.test/a.exe"));
        });
        assert_eq!(only_oob.len(), 1);
        assert_eq!(judged(None, "http://x.test/a.exe", |stanza| stanza.oob = stanza.body).len(), 1);
        let delivered = judged(None, "http://x.test/a.exe", |stanza| stanza.to = Some("bob@x.test/home"));
        assert_eq!(join_key(&only_oob[0]), join_key(&delivered[0]));
        assert!(join_key(&delivered[0]).is_some());
        let said = judged(None, "http://x.test/a.exe", |stanza| {
            (stanza.to, stanza.stanza_type) = (Some("room@conference.x.test"), Some("groupchat"));
        });
        let repeated = judged(None, "http://x.test/a.exe", |stanza| {
            (stanza.from, stanza.to) = (Some("room@conference.x.test/ann"), Some("bob@x.test/home"));
            stanza.stanza_type = Some("groupchat");
        });
        assert_eq!(join_key(&said[0]), join_key(&repeated[0]));
        assert_eq!(judged(None, "http://x.test/a.exe", |stanza| stanza.stanza_type = Some("error")), []);
    }
}
