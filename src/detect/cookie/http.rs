//! Cookies in HTTP exchanges: a cookie file that is fetched or put, command lines and settings in targets and bodies.
//!
//! Header fields are left out: what HTTP calls a cookie is another thing.

use super::phrases::{self, COOKIE_FILE};
use crate::protocol::http::{HttpExchange, HttpMessage};

/// Target bytes searched: servers refuse longer ones.
const MAX_TARGET: usize = 16 * 1024;

/// The cookies that an exchange shows.
pub(super) fn cookies_in(exchange: &HttpExchange) -> Vec<String> {
    let mut found = Vec::new();
    let target = decode_percent(&exchange.target);
    if names_cookie_file(&target) {
        let response = exchange.response.as_ref().filter(|_| matches!(exchange.status, Some(200..=299)));
        let put = Some(&exchange.request).filter(|_| matches!(exchange.method.as_str(), "PUT" | "POST"));
        for message in [response, put].into_iter().flatten() {
            found.extend(phrases::file_content(&message.body).filter(|_| !message.body_cut).map(str::to_owned));
        }
    }
    found.extend(phrases::cookies_in(&target).into_iter().map(|phrase| phrase.cookie));
    for message in std::iter::once(&exchange.request).chain(exchange.response.as_ref()) {
        found.extend(in_body(message));
    }
    found.dedup();
    found
}

/// The last part of a path, or of a parameter that names a file.
fn names_cookie_file(target: &str) -> bool {
    target.split(['?', '&', '#', ';']).any(|part| part.ends_with(COOKIE_FILE))
}

fn in_body(message: &HttpMessage) -> Vec<String> {
    let kind = message.header("content-type").unwrap_or_default().to_ascii_lowercase();
    // Pages and scripts are written about things, documentation of Erlang among them; they are not its settings.
    if ["html", "javascript", "css", "image/", "audio/", "video/", "font/"].iter().any(|part| kind.contains(part)) {
        return Vec::new();
    }
    let text = String::from_utf8_lossy(&message.body);
    let text = if kind.contains("urlencoded") { decode_percent(&text).into() } else { text };
    phrases::cookies_in(&text).into_iter().map(|phrase| phrase.cookie).collect()
}

/// `%2e` and `+` resolved; what is no escape stays as it is.
fn decode_percent(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len().min(MAX_TARGET));
    let mut rest = text.as_bytes();
    while let (Some((&first, tail)), true) = (rest.split_first(), bytes.len() < MAX_TARGET) {
        let escaped = tail.first_chunk::<2>().filter(|_| first == b'%').and_then(|digits| {
            let [high, low] = digits.map(|digit| char::from(digit).to_digit(16));
            u8::try_from(high? * 16 + low?).ok()
        });
        rest = match escaped {
            Some(byte) => {
                bytes.push(byte);
                tail.get(2..).unwrap_or_default()
            }
            None => {
                bytes.push(if first == b'+' { b' ' } else { first });
                tail
            }
        };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)] // tests
mod tests {
    use super::*;

    fn exchange(method: &str, target: &str, asked: &str, status: u16, answered: &str) -> HttpExchange {
        let message = |body: &str| HttpMessage {
            body: body.as_bytes().to_vec(),
            body_bytes: body.len() as u64,
            complete: true,
            ..HttpMessage::default()
        };
        HttpExchange {
            method: method.into(),
            target: target.into(),
            request: message(asked),
            status: Some(status),
            response: Some(message(answered)),
        }
    }

    #[test]
    fn a_fetched_cookie_file_is_a_cookie() {
        for target in ["/.erlang.cookie", "/..%2f..%2f%2eerlang.cookie", "/get?file=/root/.erlang.cookie&raw=1"] {
            assert_eq!(cookies_in(&exchange("GET", target, "", 200, "HKXT\n")), ["HKXT"], "{target}");
        }
        assert_eq!(cookies_in(&exchange("PUT", "/up/.erlang.cookie", "HKXT", 201, "")), ["HKXT"]);
    }

    #[test]
    fn command_lines_are_found_in_targets_and_bodies() {
        assert_eq!(cookies_in(&exchange("GET", "/run?cmd=erl+-setcookie+x1%20-noshell", "", 404, "")), ["x1"]);
        assert_eq!(cookies_in(&exchange("GET", "/vm.args", "", 200, "-name a@b\n-setcookie x2\n")), ["x2"]);
    }

    #[test]
    fn http_cookies_and_errors_are_not() {
        let mut login = exchange("POST", "/login", "cookie=1&user=a", 200, "{\"cookie\": \"abc\"}");
        login.request.headers.push(("cookie".into(), "erlang_cookie=abc".into()));
        assert_eq!(cookies_in(&login), Vec::<String>::new());
        assert_eq!(cookies_in(&exchange("GET", "/.erlang.cookie", "", 404, "missing")), Vec::<String>::new());
        assert_eq!(cookies_in(&exchange("GET", "/.erlang.cookie", "", 200, "<html></html>")), Vec::<String>::new());
        let mut page = exchange("GET", "/docs", "", 200, "<pre>\n-setcookie secret\n</pre>");
        page.response.as_mut().unwrap().headers.push(("content-type".into(), "text/html".into()));
        assert_eq!(cookies_in(&page), Vec::<String>::new());
    }

    #[test]
    fn broken_escapes_stay() {
        assert_eq!(decode_percent("%zz%2"), "%zz%2");
        assert_eq!(decode_percent("a%ffb"), "a\u{fffd}b");
    }
}
