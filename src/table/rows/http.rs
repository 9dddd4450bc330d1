//! Rows of http events: one an exchange. Authorization and cookies do not appear; secrets in the query of a target are
//! masked.

use crate::evidence::Seen;
use crate::protocol::http::HttpEvent;
use crate::secret::Masker;
use crate::table::{TableId, Tables};
use std::borrow::Cow;

/// Appends the rows that an event stands for.
pub fn append(tables: &mut Tables, seen: &Seen<'_>, event: &HttpEvent) {
    let HttpEvent::Exchange(told) = event;
    let asked = !told.method.is_empty();
    let response = told.response.as_ref();
    let target = mask_target(&told.target, tables.masker());
    let content = response.and_then(|response| response.header("content-type"));
    tables
        .row(TableId::Http)
        .time(seen.first.time_ns)
        .capture(seen.first.capture)
        .number(seen.first.frame)
        .str(&seen.flow.community_id)
        .address(seen.sender())
        .address(seen.receiver())
        .text(asked.then_some(told.method.as_str()))
        .text(told.request.header("host"))
        .text(asked.then_some(&*target))
        .number(told.status.map(u64::from))
        .text(told.request.header("user-agent"))
        .text(content)
        .number(asked.then_some(told.request.body_bytes))
        .number(response.map(|response| response.body_bytes))
        .text(
            response.filter(|response| response.body_bytes > 0).map(|response| hex(&response.body_sha256)).as_deref(),
        );
}

/// Parts of a parameter's name that tell of a secret.
const SECRET_NAMES: &[&str] = &[
    "pass",
    "pwd",
    "secret",
    "token",
    "auth",
    "apikey",
    "api_key",
    "api-key",
    "session",
    "sid",
    "cookie",
    "signature",
    "credential",
];

/// The target with the values of secret parameters, and a password before the host, masked.
fn mask_target<'a>(target: &'a str, masker: &Masker) -> Cow<'a, str> {
    if masker.reveals() {
        return Cow::Borrowed(target);
    }
    let target = mask_userinfo(target, masker);
    let Some((path, query)) = target.split_once('?') else { return target };
    if !query.split(['&', ';']).any(is_secret) {
        return target;
    }
    let mut masked = format!("{path}?");
    for piece in query.split_inclusive(['&', ';']) {
        let (parameter, separator) = match piece.strip_suffix(['&', ';']) {
            Some(parameter) => (parameter, piece.get(parameter.len()..).unwrap_or_default()),
            None => (piece, ""),
        };
        match parameter.split_once('=') {
            Some((name, value)) if is_secret(parameter) => {
                masked.push_str(name);
                masked.push('=');
                masked.push_str(&masker.show(value));
            }
            _ => masked.push_str(parameter),
        }
        masked.push_str(separator);
    }
    Cow::Owned(masked)
}

/// `http://user:password@host/`: requests to a proxy may hold both.
fn mask_userinfo<'a>(target: &'a str, masker: &Masker) -> Cow<'a, str> {
    let parts = target.split_once("://").and_then(|(scheme, rest)| {
        let (authority, _) = rest.split_once('/').unwrap_or((rest, ""));
        let (userinfo, _) = authority.rsplit_once('@')?;
        let (user, password) = userinfo.split_once(':')?;
        Some((scheme, user, password, rest.get(userinfo.len()..)?))
    });
    match parts {
        Some((scheme, user, password, rest)) => {
            Cow::Owned(format!("{scheme}://{user}:{}{rest}", masker.show(password)))
        }
        None => Cow::Borrowed(target),
    }
}

fn is_secret(parameter: &str) -> bool {
    let Some((name, value)) = parameter.split_once('=') else { return false };
    let name = name.to_ascii_lowercase();
    !value.is_empty() && (name == "key" || name == "code" || SECRET_NAMES.iter().any(|part| name.contains(part)))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)] // tests
mod tests {
    use super::*;

    #[test]
    fn secrets_in_a_target_are_masked_and_the_rest_stays() {
        let masker = Masker::new(false, [1; 16]);
        assert_eq!(mask_target("/a?x=1&y", &masker), "/a?x=1&y");
        let masked = mask_target("/login?user=juliet&Password=c4pulet&next=/;token=abc", &masker);
        assert!(masked.starts_with("/login?user=juliet&Password=[masked 1-7 bytes #"), "{masked}");
        assert!(masked.contains("]&next=/;token=[masked 1-7 bytes #"), "{masked}");
        let masked = mask_target("http://romeo:montague@a.test/x@y", &masker);
        assert!(
            masked.starts_with("http://romeo:[masked 8-15 bytes #") && masked.ends_with("]@a.test/x@y"),
            "{masked}"
        );
        let open = Masker::new(true, [1; 16]);
        assert_eq!(mask_target("/?token=abc", &open), "/?token=abc");
    }
}
