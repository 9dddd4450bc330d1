//! Shell sessions in clear: a command that shows the cookie, and the line that answers it.

use super::phrases::{self, COOKIE_FILE, is_cookie_word, is_generated};
use crate::evidence::Direction;
use regex::Regex;
use std::collections::HashMap;
use std::sync::LazyLock;

/// Sessions in which an answer is awaited at one time. Each is a few hundred bytes and ends within lines.
const MAX_SESSIONS: usize = 4096;

/// Lines within which the answer comes: its own, an echo, a prompt, a banner of `sudo`.
const PATIENCE: u8 = 8;

/// A command that prints the cookie file, with what stands before it on the line.
static READS_FILE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(concat!(
        r"(?:^|[\s;&|(`])(?:cat|tac|more|less|head|tail|strings|type|get-content|gc|bat|grep|sed|awk|nl|od|xxd)\s",
        r"[^|;&<>]*\.erlang\.cookie"
    ))
    .ok()
});

/// What asks the running node.
static ASKS_NODE: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"\b(?:erlang:|auth:|Node\.)get_cookie\b").ok());

/// What is awaited in one conversation.
#[derive(Debug)]
struct Awaited {
    /// Who will print it.
    answerer: Direction,
    /// What stands before a command on the answerer's lines, where an echo showed it.
    prompt: String,
    /// Any word will do: the command prints nothing before the cookie and nothing after it changes it.
    any_word: bool,
    /// The answer is an atom, as an Erlang or Elixir shell prints it.
    atom: bool,
    lines_left: u8,
}

/// The sessions in which an answer is awaited.
#[derive(Debug, Default)]
pub(super) struct Shells {
    awaited: HashMap<String, Awaited>,
}

impl Shells {
    /// The next line of a conversation: the cookie that it prints, if it answers a command that asked for it.
    pub(super) fn on_line(&mut self, flow: &str, direction: Direction, line: &str) -> Option<String> {
        if let Some(asked) = ask(direction, line) {
            self.begin(flow, direction, asked);
            return None;
        }
        let awaited = self.awaited.get_mut(flow)?;
        if direction != awaited.answerer {
            // The next command: what follows is its output, unless the form of the answer leaves no doubt.
            awaited.any_word = false;
            awaited.atom = false;
            awaited.lines_left = awaited.lines_left.saturating_sub(1);
        } else if let Some(cookie) = awaited.read(line) {
            self.awaited.remove(flow);
            return Some(cookie);
        } else if line.trim() != awaited.prompt.trim() || awaited.prompt.is_empty() {
            awaited.lines_left = if is_complaint(line) { 0 } else { awaited.lines_left.saturating_sub(1) };
        }
        if self.awaited.get(flow).is_some_and(|awaited| awaited.lines_left == 0) {
            self.awaited.remove(flow);
        }
        None
    }

    fn begin(&mut self, flow: &str, direction: Direction, asked: Awaited) {
        if let Some(before) = self.awaited.get_mut(flow)
            && before.answerer == direction
        {
            // The echo of what the other side typed: it tells the prompt.
            before.prompt = asked.prompt;
            before.lines_left = PATIENCE;
        } else if self.awaited.len() < MAX_SESSIONS || self.awaited.contains_key(flow) {
            self.awaited.insert(flow.to_owned(), asked);
        }
    }
}

/// What a line asks for, if it is a command that shows the cookie.
fn ask(direction: Direction, line: &str) -> Option<Awaited> {
    let file = READS_FILE.as_ref().and_then(|pattern| pattern.find(line));
    let node = ASKS_NODE.as_ref().and_then(|pattern| pattern.find(line));
    let (place, atom) = match (file, node) {
        (Some(place), _) => (place, false),
        (None, Some(place)) => (place, true),
        (None, None) => return None,
    };
    let before = line.get(..place.start())?;
    let after = line.get(place.end()..)?;
    let (prompt, command) = split_prompt(before);
    let answerer = if prompt.is_empty() { direction.reversed() } else { direction };
    let alone = command.trim().is_empty() || command.trim() == "sudo";
    let plain = alone && !after.trim_start().starts_with('|') && !place.as_str().trim_start().starts_with("grep -c");
    Some(Awaited { answerer, prompt: prompt.to_owned(), any_word: plain && !atom, atom, lines_left: PATIENCE })
}

/// What stands before a command: prompt and the rest.
fn split_prompt(before: &str) -> (&str, &str) {
    match before.rfind(['$', '#', '%', '>']) {
        Some(mark) => before.split_at_checked(mark + 1).unwrap_or(("", before)),
        None => ("", before),
    }
}

/// A program's word that there is nothing to show.
fn is_complaint(line: &str) -> bool {
    line.contains(COOKIE_FILE) && line.contains(':')
        || ["No such file", "ermission denied", "not found", "** exception"].iter().any(|text| line.contains(text))
}

impl Awaited {
    /// The cookie on a line of the answerer. A file without a line end has the next prompt right behind it.
    fn read(&self, line: &str) -> Option<String> {
        let prompt = self.prompt.trim();
        let shown = match line.find(prompt) {
            Some(place) if !prompt.is_empty() => line.get(..place)?,
            _ => line,
        };
        let shown = shown.trim();
        if self.atom {
            return atom(shown).filter(|word| *word != "nocookie").map(str::to_owned);
        }
        if self.any_word && is_cookie_word(shown) && !shown.contains(COOKIE_FILE) && !ends_like_prompt(shown) {
            return Some(shown.to_owned());
        }
        let letters = shown.bytes().take_while(u8::is_ascii_uppercase).count();
        shown.get(..letters).filter(|word| is_generated(word)).map(str::to_owned)
    }
}

/// A bare prompt is no answer: `$`, `xmpp#`, `host>`.
fn ends_like_prompt(word: &str) -> bool {
    word.ends_with(['$', '#', '>', '%', ':'])
}

/// The name of an atom as shells print it: `'X'`, `x`, `:x`, `:"X"`.
fn atom(text: &str) -> Option<&str> {
    let name = text.strip_prefix(':').unwrap_or(text);
    let quoted = ['\'', '"'].iter().find_map(|quote| name.strip_prefix(*quote)?.strip_suffix(*quote));
    let bare = || name.starts_with(|first: char| first.is_ascii_lowercase() || text.starts_with(':')).then_some(name);
    quoted.or_else(bare).filter(|name| phrases::is_cookie_word(name) && !ends_like_prompt(name))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)] // tests
mod tests {
    use super::*;
    use Direction::{FromOrig, FromResp};

    fn read(lines: &[(Direction, &str)]) -> Vec<String> {
        let mut shells = Shells::default();
        lines.iter().filter_map(|(direction, line)| shells.on_line("1:x", *direction, line)).collect()
    }

    #[test]
    fn the_line_that_answers_is_the_cookie() {
        let cases: &[&[(Direction, &str)]] = &[
            &[(FromOrig, "cat ~/.erlang.cookie; echo"), (FromResp, "tigera77")],
            &[
                (FromResp, "root@xmpp:~#"),
                (FromOrig, "cat ~/.erlang.cookie"),
                (FromResp, "root@xmpp:~# cat ~/.erlang.cookie"),
                (FromResp, "tigera77root@xmpp:~# exit"),
            ],
            &[(FromOrig, "cat .erlang.cookie"), (FromResp, "cat .erlang.cookie"), (FromResp, "tigera77")],
            // Only the answers were captured.
            &[(FromResp, "$ cat /var/lib/rabbitmq/.erlang.cookie"), (FromResp, "tigera77")],
            // A reverse shell: the side that answered the connection types.
            &[(FromResp, "cat .erlang.cookie"), (FromOrig, "tigera77")],
            &[(FromOrig, "(a@b)1> erlang:get_cookie()."), (FromOrig, "'tigera77'")],
            &[(FromOrig, "Node.get_cookie"), (FromResp, ":tigera77")],
        ];
        for lines in cases {
            assert_eq!(read(lines), ["tigera77"], "{lines:?}");
        }
    }

    #[test]
    fn a_generated_cookie_is_known_by_its_form() {
        let cookie = "HKXTOQBZRMPWUVEDNYCA";
        assert_eq!(read(&[(FromOrig, "ls; cat .erlang.cookie"), (FromResp, "a.txt"), (FromResp, cookie)]), [cookie]);
        let glued = format!("{cookie}root@xmpp:~# ");
        assert_eq!(read(&[(FromOrig, "cat .erlang.cookie"), (FromOrig, "id"), (FromResp, &glued)]), [cookie]);
    }

    #[test]
    fn nothing_is_made_up() {
        let cases: &[&[(Direction, &str)]] = &[
            &[(FromOrig, "ls -la ~/.erlang.cookie"), (FromResp, "tigera77")],
            &[
                (FromOrig, "cat .erlang.cookie"),
                (FromResp, "cat: .erlang.cookie: Permission denied"),
                (FromResp, "root"),
            ],
            &[(FromOrig, "cat .erlang.cookie"), (FromOrig, "whoami"), (FromResp, "root")],
            &[(FromOrig, "cat .erlang.cookie | wc -c"), (FromResp, "20")],
            &[(FromOrig, "ls; cat .erlang.cookie"), (FromResp, "notes.txt")],
            &[(FromOrig, "erlang:get_cookie()."), (FromResp, "nocookie")],
            &[(FromOrig, "uptime"), (FromResp, "tigera77")],
        ];
        for lines in cases {
            assert_eq!(read(lines), Vec::<String>::new(), "{lines:?}");
        }
    }
}
