//! Guessing at passwords: many failed logins by one source within a time, over whatever connections and accounts.
//!
//! Failures of one source that follow each other within the window are one episode, and one finding.

use super::credential::is_login;
use super::title::in_title;
use super::{Detector, Finding, Kind, Settings};
use crate::evidence::Sighting;
use crate::policy::Limits;
use crate::protocol::xmpp::{Disclosure, Login, Outcome, XmppEvent};
use crate::protocol::{Event, Record};
use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

/// Sources watched at a time. IPv6 gives an attacker as many as he likes; the oldest quiet ones are forgotten.
const MAX_SOURCES: usize = 16_384;
/// Failures of a source kept while it is below the limit. Higher limits count as this.
const MAX_LIMIT: usize = 4_096;
/// User names and frames that a finding lists: enough to see the pattern.
const MAX_LISTED: usize = 100;

/// `credential.bruteforce`.
#[derive(Debug)]
pub struct Bruteforce {
    limit: usize,
    window_ns: i64,
    sources: HashMap<IpAddr, Source>,
}

#[derive(Debug, Default)]
struct Source {
    /// Failures within the window, below the limit.
    recent: VecDeque<Attempt>,
    /// What it became once the limit was reached.
    episode: Option<Episode>,
    last_ns: i64,
}

#[derive(Debug)]
struct Attempt {
    at: Sighting,
    username: Option<String>,
}

#[derive(Debug)]
struct Episode {
    finding: Finding,
    attempts: u64,
    usernames: Vec<String>,
    first_ns: i64,
    last_ns: i64,
}

impl Bruteforce {
    /// Judges by the policy's limits, or by their defaults.
    pub fn new(settings: &Settings) -> Self {
        let limits = settings.policy.as_ref().map_or_else(Limits::default, |policy| policy.limits);
        let seconds = i64::try_from(limits.failed_login_seconds).unwrap_or(i64::MAX);
        Self {
            limit: usize::try_from(limits.failed_logins).unwrap_or(MAX_LIMIT).clamp(1, MAX_LIMIT),
            window_ns: seconds.saturating_mul(1_000_000_000),
            sources: HashMap::new(),
        }
    }

    fn on_failure(&mut self, attempt: Attempt, out: &mut Vec<Finding>) {
        let now_ns = attempt.at.last.time_ns;
        let address = attempt.at.sender().ip().to_canonical();
        if !self.sources.contains_key(&address) {
            self.make_room(now_ns, out);
        }
        let source = self.sources.entry(address).or_default();
        let quiet = now_ns.saturating_sub(source.last_ns) > self.window_ns;
        source.last_ns = now_ns;
        if quiet && let Some(episode) = source.episode.take() {
            out.push(episode.into_finding(address));
        }
        if let Some(episode) = &mut source.episode {
            episode.add(attempt);
            return;
        }
        let since = now_ns.saturating_sub(self.window_ns);
        source.recent.retain(|earlier| earlier.at.last.time_ns >= since);
        source.recent.push_back(attempt);
        if source.recent.len() >= self.limit {
            source.episode = Episode::of(source.recent.drain(..));
        }
    }

    /// Forgets sources that have been quiet for longer than the window, and all if that is not enough.
    fn make_room(&mut self, now_ns: i64, out: &mut Vec<Finding>) {
        if self.sources.len() < MAX_SOURCES {
            return;
        }
        let since = now_ns.saturating_sub(self.window_ns);
        let (active, quiet) = self.sources.drain().partition(|(_, source)| source.last_ns >= since);
        self.sources = active;
        report(quiet, out);
        // If hardly anything was quiet the next one would search all of them again, and the next.
        if self.sources.len() > MAX_SOURCES / 2 {
            report(std::mem::take(&mut self.sources), out);
        }
    }
}

/// Reports the episodes of sources in an order that does not depend on the map.
fn report(sources: HashMap<IpAddr, Source>, out: &mut Vec<Finding>) {
    let mut sources: Vec<_> = sources.into_iter().collect();
    sources.sort_by_key(|(address, _)| *address);
    let episodes = sources.into_iter().filter_map(|(address, source)| Some((address, source.episode?)));
    out.extend(episodes.map(|(address, episode)| episode.into_finding(address)));
}

impl Detector for Bruteforce {
    fn on_record(&mut self, record: &Record, out: &mut Vec<Finding>) {
        if let Event::Xmpp(XmppEvent::Login(login)) = &record.event
            && is_failed_guess(login)
        {
            self.on_failure(Attempt { at: record.at.clone(), username: login.username.clone() }, out);
        }
    }

    fn finish(&mut self, out: &mut Vec<Finding>) {
        report(std::mem::take(&mut self.sources), out);
    }
}

/// A login was refused that tried a secret: certificates and anonymous logins guess at nothing.
fn is_failed_guess(login: &Login) -> bool {
    login.outcome == Outcome::Failure && login.disclosure != Disclosure::Nothing && is_login(&login.mechanism)
}

impl Episode {
    /// An episode that begins with these attempts: the last of them is when it became one.
    fn of(attempts: impl Iterator<Item = Attempt>) -> Option<Self> {
        let attempts: Vec<Attempt> = attempts.collect();
        let (first, last) = (attempts.first()?, attempts.last()?);
        let mut finding = Finding::new(Kind::CredentialBruteforce, "xmpp", &last.at.as_seen(), "");
        finding.flow = Some(first.at.flow.community_id.to_string());
        finding.src = Some(first.at.sender().to_string());
        finding.dst = Some(first.at.receiver().to_string());
        let first_ns = first.at.last.time_ns;
        let mut episode = Self { finding, attempts: 0, usernames: Vec::new(), first_ns, last_ns: first_ns };
        attempts.into_iter().for_each(|attempt| episode.add(attempt));
        Some(episode)
    }

    fn add(&mut self, attempt: Attempt) {
        self.attempts += 1;
        self.last_ns = attempt.at.last.time_ns;
        if self.finding.frames.len() < MAX_LISTED {
            self.finding.add_frame(attempt.at.first);
            self.finding.add_frame(attempt.at.last);
        }
        // Over several connections the finding lies in none, and the source is the address.
        if self.finding.flow.as_deref() != Some(&*attempt.at.flow.community_id) {
            self.finding.flow = None;
            self.finding.src = Some(attempt.at.sender().ip().to_string());
        }
        if let Some(username) = attempt.username
            && self.usernames.len() < MAX_LISTED
            && !self.usernames.contains(&username)
        {
            self.usernames.push(username);
        }
    }

    fn into_finding(self, source: IpAddr) -> Finding {
        let seconds = self.last_ns.saturating_sub(self.first_ns) / 1_000_000_000 + 1;
        let whom = match self.usernames.as_slice() {
            [] => String::new(),
            [only] => format!(" as {}", in_title(only)),
            several => format!(" as {} users", several.len()),
        };
        let mut finding = self.finding;
        finding.title = format!("{} failed logins by {source}{whom} within {seconds} s", self.attempts);
        finding.with("attempts", self.attempts).with("usernames", self.usernames)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::Evidence;
    use crate::detect::scene::{login, record, settings};

    const SECOND: i64 = 1_000_000_000;

    /// A refused login of `who` from `client` at a second of the capture.
    fn refused(client: &str, second: i64, who: &str) -> Record {
        let event = login(who, Disclosure::Password(format!("guess{second}")), Outcome::Failure);
        record(client, "10.0.0.1:5222", second * SECOND, XmppEvent::Login(event))
    }

    fn findings(records: impl IntoIterator<Item = Record>) -> Vec<Finding> {
        let mut detector = Bruteforce::new(&settings(None));
        let mut out = Vec::new();
        for record in records {
            detector.on_record(&record, &mut out);
        }
        detector.finish(&mut out);
        out
    }

    #[test]
    fn five_failures_of_one_source_are_one_finding() {
        let found =
            findings((0..7).map(|n| refused(&format!("10.0.0.7:{}", 4000 + n), n, ["ann", "bob"][n as usize % 2])));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].title, "7 failed logins by 10.0.0.7 as 2 users within 7 s");
        assert_eq!(found[0].src.as_deref(), Some("10.0.0.7"));
        assert_eq!(found[0].flow, None);
        assert_eq!(found[0].time_ns, 4 * SECOND, "it became an attack with the fifth");
        assert_eq!(found[0].frames.len(), 7);
        assert_eq!(
            found[0].evidence,
            [
                ("attempts", Evidence::Number(7)),
                ("usernames", Evidence::List(vec!["ann".to_owned(), "bob".to_owned()]))
            ]
        );
    }

    #[test]
    fn fewer_or_slower_or_of_several_sources_are_none() {
        assert_eq!(findings((0..4).map(|n| refused("10.0.0.7:4000", n, "ann"))), []);
        assert_eq!(findings((0..20).map(|n| refused("10.0.0.7:4000", n * 100, "ann"))), []);
        assert_eq!(findings((0..20).map(|n| refused(&format!("10.0.0.{n}:4000"), n, "ann"))), []);
    }

    #[test]
    fn one_connection_keeps_its_flow() {
        let found = findings((0..5).map(|n| refused("10.0.0.7:4000", n, "ann")));
        assert_eq!(found[0].src.as_deref(), Some("10.0.0.7:4000"));
        assert!(found[0].flow.is_some());
    }

    #[test]
    fn a_pause_ends_an_episode() {
        let bursts = (0..6)
            .map(|n| refused("10.0.0.7:4000", n, "ann"))
            .chain((0..5).map(|n| refused("10.0.0.7:4001", 1000 + n, "ann")));
        let attempts: Vec<_> = findings(bursts).into_iter().map(|finding| finding.evidence[0].1.clone()).collect();
        assert_eq!(attempts, [Evidence::Number(6), Evidence::Number(5)]);
    }

    #[test]
    fn only_refused_guesses_count() {
        let other = |second: i64, mechanism: &str, disclosure: Disclosure, outcome: Outcome| {
            let mut event = login("ann", disclosure, outcome);
            event.mechanism = mechanism.to_owned();
            record("10.0.0.7:4000", "10.0.0.1:5222", second * SECOND, XmppEvent::Login(event))
        };
        let password = || Disclosure::Password("x".to_owned());
        assert_eq!(findings((0..9).map(|n| other(n, "PLAIN", password(), Outcome::Success))), []);
        assert_eq!(findings((0..9).map(|n| other(n, "PLAIN", password(), Outcome::Unknown))), []);
        assert_eq!(findings((0..9).map(|n| other(n, "register", password(), Outcome::Failure))), []);
        assert_eq!(findings((0..9).map(|n| other(n, "EXTERNAL", Disclosure::Nothing, Outcome::Failure))), []);
        assert_eq!(findings((0..9).map(|n| other(n, "SCRAM-SHA-1", Disclosure::Guessable, Outcome::Failure))).len(), 1);
    }

    #[test]
    fn sources_without_end_need_no_memory_without_end() {
        let mut detector = Bruteforce::new(&settings(None));
        let mut out = Vec::new();
        for n in 0..(MAX_SOURCES as u32 * 2) {
            let client = format!("[2001:db8::{:x}:{:x}]:4000", n >> 16, n & 0xffff);
            detector.on_record(&refused(&client, 0, "ann"), &mut out);
            assert!(detector.sources.len() <= MAX_SOURCES);
        }
        assert_eq!(out, []);
    }
}
