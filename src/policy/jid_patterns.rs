//! JID patterns, made ready once and asked for every stanza.
//!
//! Nearly all patterns name a bare JID, a domain or all users of a domain: these are looked up by hash, however many
//! there are. Only patterns with `*` elsewhere are tried one by one.

use crate::protocol::xmpp::jid;
use std::collections::HashMap;

/// JID patterns of a policy.
///
/// | pattern | who is meant |
/// |---|---|
/// | `spam.example` | the domain itself and everybody of it, with any resource |
/// | `*@spam.example` | every user of the domain, but not the domain itself |
/// | `evil@spam.example` | one user, with any resource |
/// | `evil@spam.example/bot` | one session |
/// | `*@*.example`, `bot-*@x.example/*` | `*` stands for any number of characters within its part |
#[derive(Debug, Clone, Default)]
pub struct JidPatterns {
    patterns: Vec<String>,
    full: Index,
    bare: Index,
    domain: Index,
    users_of: Index,
    globs: Vec<Glob>,
}

/// Normal form of what is named, to the place of its pattern.
type Index = HashMap<Box<str>, usize, foldhash::fast::RandomState>;

/// A pattern with `*` where hashing does not help.
#[derive(Debug, Clone)]
struct Glob {
    local: Option<String>,
    domain: String,
    resource: Option<String>,
    pattern: usize,
}

impl JidPatterns {
    /// Makes patterns ready. Wrong ones are left out and returned with what is wrong about them.
    pub fn new<'p>(patterns: impl IntoIterator<Item = &'p str>) -> (Self, Vec<(String, String)>) {
        let mut ready = Self::default();
        let mut wrong = Vec::new();
        for pattern in patterns {
            if let Err(reason) = ready.add(pattern) {
                wrong.push((pattern.to_owned(), reason));
            }
        }
        (ready, wrong)
    }

    /// Adds a pattern. The error says what is wrong with it.
    pub fn add(&mut self, pattern: &str) -> Result<(), String> {
        let place = self.patterns.len();
        if pattern.contains('*') {
            self.add_glob(pattern, place)?;
        } else {
            let normal = jid::try_normalize(pattern).ok_or_else(|| format!("`{pattern}` is not a JID"))?;
            let index = match jid::parts(&normal) {
                (_, _, Some(_)) => &mut self.full,
                (Some(_), _, None) => &mut self.bare,
                (None, _, None) => &mut self.domain,
            };
            index.entry(normal.into_boxed_str()).or_insert(place);
        }
        self.patterns.push(pattern.to_owned());
        Ok(())
    }

    fn add_glob(&mut self, pattern: &str, place: usize) -> Result<(), String> {
        let (local, domain, resource) = jid::parts(pattern);
        if domain.is_empty() || local == Some("") || resource == Some("") {
            return Err(format!("`{pattern}` has an empty part"));
        }
        let domain = jid::normalize_domain(domain).to_lowercase();
        if local == Some("*") && resource.is_none() && !domain.contains('*') {
            self.users_of.entry(domain.into_boxed_str()).or_insert(place);
            return Ok(());
        }
        let local = local.map(str::to_lowercase);
        self.globs.push(Glob { local, domain, resource: resource.map(str::to_owned), pattern: place });
        Ok(())
    }

    /// The pattern that a JID in normal form fits, as the policy spells it: the most specific kind first, of one kind
    /// the first in the file.
    pub fn find(&self, jid: &str) -> Option<&str> {
        if self.patterns.is_empty() {
            return None;
        }
        self.place(jid).and_then(|place| self.patterns.get(place)).map(String::as_str)
    }

    fn place(&self, full: &str) -> Option<usize> {
        let (local, domain, resource) = jid::parts(full);
        let bare = jid::bare(full);
        let named = resource.and_then(|_| self.full.get(full)).or_else(|| self.bare.get(bare));
        let of_domain = || self.domain.get(domain).or_else(|| local.and_then(|_| self.users_of.get(domain)));
        named
            .or_else(of_domain)
            .copied()
            .or_else(|| self.globs.iter().find(|glob| glob.matches(local, domain, resource)).map(|glob| glob.pattern))
    }

    /// The patterns as the policy spells them, in its order.
    pub fn patterns(&self) -> &[String] {
        &self.patterns
    }

    /// `true` if there are none: nothing fits.
    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }
}

impl Glob {
    fn matches(&self, local: Option<&str>, domain: &str, resource: Option<&str>) -> bool {
        let local_fits = match (&self.local, local) {
            (Some(pattern), Some(local)) => glob_matches(pattern, local),
            // A pattern without a local part means the whole domain.
            (None, _) => true,
            (Some(_), None) => false,
        };
        let resource_fits = match (&self.resource, resource) {
            (Some(pattern), Some(resource)) => glob_matches(pattern, resource),
            (None, _) => true,
            (Some(_), None) => false,
        };
        local_fits && resource_fits && glob_matches(&self.domain, domain)
    }
}

/// `*` stands for any number of bytes, everything else for itself. At most pattern length times text length steps.
pub(crate) fn glob_matches(pattern: &str, text: &str) -> bool {
    let (mut pattern, mut text) = (pattern.as_bytes(), text.as_bytes());
    // Where to go on if what follows the last star does not fit: only that star ever needs to take more.
    let mut retry: Option<(&[u8], &[u8])> = None;
    loop {
        match (pattern.split_first(), text.split_first()) {
            (Some((b'*', after)), _) => {
                retry = Some((after, text));
                pattern = after;
            }
            (Some((wanted, rest)), Some((found, tail))) if wanted == found => (pattern, text) = (rest, tail),
            (None, None) => return true,
            _ => {
                let Some((after, [_, tail @ ..])) = retry else { return false };
                retry = Some((after, tail));
                (pattern, text) = (after, tail);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ready(patterns: &[&str]) -> JidPatterns {
        let (ready, wrong) = JidPatterns::new(patterns.iter().copied());
        assert_eq!(wrong, []);
        ready
    }

    #[test]
    fn each_form_means_who_it_says() {
        let patterns = ready(&[
            "spam.example",
            "*@users.example",
            "Evil@x.example",
            "bot@y.example/Run",
            "*@*.wild.example",
            "bot-*@z.example",
            "*.sub.example",
        ]);
        for (jid, rule) in [
            ("spam.example", Some("spam.example")),
            ("a@spam.example/r", Some("spam.example")),
            ("a@sub.spam.example", None),
            ("a@users.example/r", Some("*@users.example")),
            ("users.example", None),
            ("users.example/r", None),
            ("evil@x.example", Some("Evil@x.example")),
            ("evil@x.example/r", Some("Evil@x.example")),
            ("devil@x.example", None),
            ("bot@y.example/Run", Some("bot@y.example/Run")),
            ("bot@y.example/run", None),
            ("bot@y.example", None),
            ("a@b.wild.example/r", Some("*@*.wild.example")),
            ("wild.example", None),
            ("b.wild.example", None),
            ("bot-7@z.example/q", Some("bot-*@z.example")),
            ("bot@z.example", None),
            ("a@b.sub.example", Some("*.sub.example")),
            ("b.sub.example", Some("*.sub.example")),
            ("", None),
            ("@/", None),
        ] {
            assert_eq!(patterns.find(jid), rule, "{jid}");
        }
    }

    #[test]
    fn the_most_specific_pattern_is_the_rule() {
        let patterns = ready(&["*@*", "x.example", "a@x.example", "a@x.example/r"]);
        assert_eq!(patterns.find("a@x.example/r"), Some("a@x.example/r"));
        assert_eq!(patterns.find("a@x.example/s"), Some("a@x.example"));
        assert_eq!(patterns.find("b@x.example"), Some("x.example"));
        assert_eq!(patterns.find("b@y.example"), Some("*@*"));
        assert_eq!(patterns.find("y.example"), None);
    }

    #[test]
    fn wrong_patterns_are_refused_and_the_others_kept() {
        let (patterns, wrong) = JidPatterns::new(["a b@x", "@x.example", "*@", "good@x.example"]);
        assert_eq!(wrong.len(), 3, "{wrong:?}");
        assert_eq!(patterns.find("good@x.example"), Some("good@x.example"));
    }

    fn naive(pattern: &[char], text: &[char]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some(('*', rest)) => (0..=text.len()).any(|taken| naive(rest, &text[taken..])),
            Some((wanted, rest)) => {
                text.split_first().is_some_and(|(found, tail)| wanted == found && naive(rest, tail))
            }
        }
    }

    proptest! {
        #[test]
        fn globs_match_as_the_naive_ones(pattern in "[ab*]{0,7}", text in "[ab]{0,9}") {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            prop_assert_eq!(glob_matches(&pattern, &text), naive(&chars(&pattern), &chars(&text)));
        }

        #[test]
        fn no_text_harms(pattern in any::<String>(), jid in any::<String>()) {
            let (patterns, _) = JidPatterns::new([pattern.as_str()]);
            let _ = patterns.find(&jid);
        }
    }
}
