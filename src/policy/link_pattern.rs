//! Patterns of links: a host with all below it, and the beginning of a path.

use super::is_or_below;
use crate::protocol::xmpp::jid;

/// A place on the web.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkPattern {
    text: String,
    /// Normalised.
    host: String,
    /// With its slash; empty for any.
    path: String,
}

impl LinkPattern {
    /// Reads `host`, `host/path`, or either with a scheme, which does not matter.
    pub fn parse(text: &str) -> Result<Self, String> {
        let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
        let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let host = host.trim_start_matches("*.");
        if host.is_empty() || host.contains(['*', '@', '?', '#']) || host.contains(char::is_whitespace) {
            return Err(format!("`{text}` is none"));
        }
        let path = if path == "/" { "" } else { path };
        Ok(Self { text: text.to_owned(), host: jid::normalize_domain(host).into_owned(), path: path.to_owned() })
    }

    /// As it stands in the policy.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether a link to this host (any spelling) and path leads there.
    pub fn fits(&self, host: &str, path: &str) -> bool {
        path.starts_with(&self.path) && is_or_below(&jid::normalize_domain(host), &self.host)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // tests
mod tests {
    use super::*;

    #[test]
    fn schemes_and_stars_do_not_matter() {
        for text in ["evil.example", "https://EVIL.example/", "*.evil.example"] {
            let pattern = LinkPattern::parse(text).unwrap();
            assert!(pattern.fits("a.Evil.example", "/x"), "{text}");
            assert!(!pattern.fits("evil.example.org", ""), "{text}");
        }
        let path = LinkPattern::parse("http://share.example/pub/").unwrap();
        assert!(path.fits("share.example", "/pub/a") && !path.fits("share.example", "/"));
        for wrong in ["", "/path", "a b", "*", "http://"] {
            assert!(LinkPattern::parse(wrong).is_err(), "{wrong}");
        }
    }
}
