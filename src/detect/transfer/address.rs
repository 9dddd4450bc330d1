//! Where a file lies on the web: addresses as links and requests give them, in one form, and names of files.

use std::borrow::Cow;

/// Authority without a port that the scheme implies, path and query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) authority: String,
    pub(super) path: String,
}

impl Address {
    /// The address of a link; `aesgcm` (XEP-0454) stands for HTTPS.
    pub(super) fn of_url(url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let scheme = scheme.to_ascii_lowercase();
        if !matches!(scheme.as_str(), "http" | "https" | "aesgcm") {
            return None;
        }
        let rest = rest.split('#').next().unwrap_or(rest);
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(end)?;
        let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        Some(Self::new(authority, path, scheme != "http"))
    }

    /// The address of a request (RFC 9112, 3.2).
    pub(super) fn of_target(target: &str, host: &str, tls: bool) -> Self {
        match Self::of_url(target) {
            Some(address) => address,
            None => Self::new(host, target, tls),
        }
    }

    fn new(authority: &str, path: &str, tls: bool) -> Self {
        let port = if tls { ":443" } else { ":80" };
        let authority = authority.trim().to_ascii_lowercase();
        let authority = authority.strip_suffix(port).map_or(authority.clone(), str::to_owned);
        let path = percent_decoded(path).into_owned();
        Self { authority, path: if path.starts_with('/') { path } else { format!("/{path}") } }
    }

    /// The last part of the path.
    pub(super) fn file_name(&self) -> Option<String> {
        let path = self.path.split('?').next().unwrap_or_default();
        let name = path.rsplit('/').next().unwrap_or_default();
        (!name.is_empty()).then(|| name.to_owned())
    }
}

/// `filename` of Content-Disposition (RFC 6266), quoted or not.
pub(super) fn file_name_of(disposition: &str) -> Option<String> {
    let parameter = |name: &str| {
        disposition.split(';').skip(1).find_map(|part| {
            let (found, value) = part.trim().split_once('=')?;
            found.trim().eq_ignore_ascii_case(name).then(|| value.trim().trim_matches('"').to_owned())
        })
    };
    let extended =
        parameter("filename*").and_then(|value| Some(percent_decoded(value.splitn(3, '\'').nth(2)?).into_owned()));
    extended.or_else(|| parameter("filename")).filter(|name| !name.is_empty())
}

/// Bytes for their `%` signs, as far as they make UTF-8.
fn percent_decoded(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let digits = after.first_chunk::<2>().filter(|_| *byte == b'%');
        let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok()).filter(|digits| !digits.contains('+'));
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(decoded) => {
                bytes.push(decoded);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*byte);
                rest = after;
            }
        }
    }
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)] // tests
mod tests {
    use super::*;

    #[test]
    fn addresses_agree_however_they_are_written() {
        let link = Address::of_url("https://Files.test:443/a%20b/c.png#x").unwrap();
        assert_eq!(link, Address::of_target("/a b/c.png", "files.test", true));
        assert_eq!(link.file_name().as_deref(), Some("c.png"));
        assert_eq!(Address::of_url("http://u:p@a.test:5280").unwrap(), Address::of_target("/", "a.test:5280", false));
        assert_eq!(Address::of_url("ftp://a.test/x"), None);
        assert_eq!(percent_decoded("%zz%4"), "%zz%4");
    }

    #[test]
    fn dispositions_name_files() {
        assert_eq!(file_name_of("attachment; filename=\"a b.txt\"").as_deref(), Some("a b.txt"));
        assert_eq!(file_name_of("attachment; filename=x; filename*=UTF-8''%c3%a4").as_deref(), Some("\u{e4}"));
        assert_eq!(file_name_of("inline"), None);
    }
}
