//! Message heads (RFC 9112, 2 to 5): the bytes up to the empty line in, start line and fields out.
//!
//! `httparse` reads what follows the standard; what it refuses is read line by line, for a defective request may still
//! have been obeyed.

use super::body::Framing;
use crate::protocol::Probe;
use memchr::{memchr, memmem};

/// Longest head: servers take 8 to 64 KiB.
pub(super) const MAX_HEAD: usize = 64 * 1024;
/// Fields read of a head.
const MAX_FIELDS: usize = 256;
/// Longest start line for which a probe waits.
const MAX_LINE: usize = 8 * 1024;

/// A message head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    pub start: Start,
    /// Names in lower case.
    pub fields: Vec<(String, String)>,
}

/// A start line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Start {
    Request { method: String, target: String },
    Response { status: u16 },
}

/// Length of the head that `data` begins with, with its empty line; `None` if it is not complete. `from` is where an
/// earlier search ended.
pub(super) fn find_end(data: &[u8], from: usize) -> Option<usize> {
    let mut at = from.saturating_sub(3);
    loop {
        let tail = data.get(at..)?;
        let line_end = at + memchr(b'\n', tail)? + 1;
        match data.get(line_end..)? {
            [b'\n', ..] => return Some(line_end + 1),
            [b'\r', b'\n', ..] => return Some(line_end + 2),
            _ => at = line_end,
        }
    }
}

/// Reads a whole head; `None` if it is none.
pub(super) fn parse(head: &[u8]) -> Option<Head> {
    if head.starts_with(b"HTTP/1.") {
        parse_response(head).or_else(|| parse_by_line(head))
    } else {
        parse_request(head).or_else(|| parse_by_line(head))
    }
}

fn parse_request(head: &[u8]) -> Option<Head> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut request = httparse::Request::new(&mut fields);
    let mut config = httparse::ParserConfig::default();
    config.allow_multiple_spaces_in_request_line_delimiters(true);
    if !config.parse_request(&mut request, head).ok()?.is_complete() {
        return None;
    }
    let start = Start::Request { method: request.method?.to_owned(), target: request.path?.to_owned() };
    Some(Head { start, fields: owned(request.headers) })
}

fn parse_response(head: &[u8]) -> Option<Head> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut response = httparse::Response::new(&mut fields);
    let mut config = httparse::ParserConfig::default();
    config
        .allow_multiple_spaces_in_response_status_delimiters(true)
        .allow_obsolete_multiline_headers_in_responses(true)
        .allow_spaces_after_header_name_in_responses(true);
    if !config.parse_response(&mut response, head).ok()?.is_complete() {
        return None;
    }
    Some(Head { start: Start::Response { status: response.code? }, fields: owned(response.headers) })
}

fn owned(fields: &[httparse::Header<'_>]) -> Vec<(String, String)> {
    fields.iter().map(|field| (field.name.to_ascii_lowercase(), text(field.value))).collect()
}

/// Start line by its spaces, fields by their colons; what has none is left out.
fn parse_by_line(head: &[u8]) -> Option<Head> {
    let mut lines = head.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end);
    let line = lines.next()?;
    let start = if line.starts_with(b"HTTP/1.") {
        let status = line.split(|byte| *byte == b' ').filter(|word| !word.is_empty()).nth(1)?;
        Start::Response { status: std::str::from_utf8(status.get(..3)?).ok()?.parse().ok()? }
    } else {
        let (method, target) = split_request_line(line)?;
        Start::Request { method: text(method), target: text(target) }
    };
    let fields = lines.filter_map(|line| {
        let (name, value) = line.split_at_checked(memchr(b':', line)?)?;
        Some((text(name.trim_ascii()).to_ascii_lowercase(), text(value.get(1..)?.trim_ascii())))
    });
    Some(Head { start, fields: fields.take(MAX_FIELDS).collect() })
}

/// Reads the whole lines of a head that is cut short; `None` if not even its start line is there.
pub(super) fn parse_cut(head: &[u8]) -> Option<Head> {
    let end = memchr::memrchr(b'\n', head)?;
    parse_by_line(head.get(..end)?)
}

/// Method and target of a line that ends in a version of HTTP/1; the target may hold spaces.
fn split_request_line(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let version = memmem::rfind(line, b" HTTP/1.")?;
    let (method, target) = line.get(..version)?.split_at_checked(memchr(b' ', line)?)?;
    let is_method = !method.is_empty() && method.len() <= MAX_METHOD && method.iter().all(is_token);
    is_method.then(|| (method, target.trim_ascii()))
}

/// Longest method: the longest that IANA lists has 17 letters.
const MAX_METHOD: usize = 32;

fn is_token(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Tells whether bytes begin with a start line of HTTP/1.
pub(super) fn probe(data: &[u8]) -> Probe {
    const RESPONSE: &[u8] = b"HTTP/1.";
    if data.starts_with(RESPONSE) {
        return Probe::Yes;
    }
    if RESPONSE.starts_with(data) {
        return Probe::Unsure;
    }
    let (line, is_whole) = match memchr(b'\n', data) {
        Some(end) => (data.get(..end).unwrap_or_default(), true),
        None => (data, false),
    };
    if is_whole {
        return if split_request_line(line).is_some() { Probe::Yes } else { Probe::No };
    }
    let method = line.split(|byte| *byte == b' ').next().unwrap_or_default();
    if method.is_empty() || method.len() > MAX_METHOD || !method.iter().all(is_token) {
        Probe::No
    } else if line.len() <= MAX_LINE {
        Probe::Unsure
    } else if is_common_method(method) {
        Probe::Yes
    } else {
        Probe::No
    }
}

/// `true` if bytes may begin a head, as far as they go: a status line, or a common method and its space.
pub(super) fn may_begin(data: &[u8]) -> bool {
    match probe(data) {
        Probe::Yes => true,
        Probe::No => false,
        Probe::Unsure => memchr(b' ', data).and_then(|end| data.get(..end)).is_some_and(is_common_method),
    }
}

fn is_common_method(method: &[u8]) -> bool {
    const COMMON: [&[u8]; 9] =
        [b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"CONNECT", b"OPTIONS", b"TRACE", b"PATCH"];
    COMMON.contains(&method)
}

impl Head {
    /// How the end of a request's body is told (RFC 9112, 6.3).
    pub(super) fn request_framing(&self) -> Framing {
        match self.transfer_framing() {
            // A coding that only the end of the connection could end is an error in a request.
            None | Some(Framing::UntilClose) => Framing::Empty,
            Some(framing) => framing,
        }
    }

    /// How the end of a response's body is told.
    pub(super) fn response_framing(&self, status: u16, method: &str) -> Framing {
        if method.eq_ignore_ascii_case("HEAD") || matches!(status, 100..=199 | 204 | 304) {
            return Framing::Empty;
        }
        self.transfer_framing().unwrap_or(Framing::UntilClose)
    }

    fn transfer_framing(&self) -> Option<Framing> {
        let mut codings = self.values("transfer-encoding").flat_map(|value| value.split(','));
        if let Some(last) = codings.next_back() {
            let is_chunked = last.trim().eq_ignore_ascii_case("chunked");
            return Some(if is_chunked { Framing::Chunked } else { Framing::UntilClose });
        }
        // The same length twice is one length; the first counts where they differ.
        let lengths = self.values("content-length").flat_map(|value| value.split(','));
        lengths.filter_map(|length| length.trim().parse().ok()).next().map(Framing::Length)
    }

    /// The coding of the content. Some senders code the transfer instead (RFC 9112, 7.2), which comes to the same.
    pub(super) fn coding(&self) -> Option<&str> {
        let transfer = self.value("transfer-encoding").and_then(|codings| codings.split(',').next());
        let transfer = transfer.filter(|coding| !coding.trim().eq_ignore_ascii_case("chunked"));
        self.value("content-encoding").or(transfer)
    }

    /// The value of the first field of this name.
    pub(super) fn value(&self, name: &'static str) -> Option<&str> {
        self.values(name).next()
    }

    fn values(&self, name: &'static str) -> impl DoubleEndedIterator<Item = &str> {
        self.fields.iter().filter(move |(field, _)| field == name).map(|(_, value)| value.as_str())
    }
}
