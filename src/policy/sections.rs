//! The sections of a policy file: which keys there are, and what is right for them.

use super::error::PolicyError;
use super::read::{Fields, Report, kind_of, nearest_known, positive};
use super::{
    Dns, Erlang, Federation, JidPatterns, Limits, LinkPattern, Network, Policy, PortRange, Service, Services,
    Signature, Site, Transfers, Transports, Xmpp,
};
use crate::protocol::xmpp::jid;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Sections and their keys; those of `[services]` are the names of services.
const SECTIONS: &[(&str, &[&str])] = &[
    ("site", &["domains", "networks"]),
    (
        "xmpp",
        &[
            "federation",
            "allowed_domains",
            "require_tls",
            "denied_jids",
            "internal_only",
            "max_stanza_bytes",
            "stanzas_per_minute",
            "recipients_per_minute",
            "signatures",
            "denied_links",
        ],
    ),
    ("transfers", &["allow", "max_bytes", "denied_extensions", "from", "to"]),
    ("erlang", &["cluster", "nodes"]),
    ("dns", &["resolvers", "resolver_upstreams", "require_dnssec"]),
    ("services", &[]),
    ("limits", &["connections_per_minute", "failed_logins", "failed_login_seconds", "ports_per_minute"]),
];

const SERVICE_KEYS: &[&str] = &["ports", "transport", "sources"];
const SIGNATURE_KEYS: &[&str] = &["name", "body"];

/// Methods of a transfer, as the contract names them.
const TRANSFER_METHODS: &[&str] = &[
    "ibb",
    "si-ibb",
    "jingle-ibb",
    "si-socks5",
    "jingle-socks5",
    "socks5",
    "jingle-ice",
    "http-upload",
    "oob",
    "http",
    "bob",
    "avatar",
    "vcard",
];

const NETWORK: &str = "an address or a network such as \"10.0.0.0/8\"";
const DOMAIN: &str = "a domain such as \"alpha.test\"";
const JID_PATTERN: &str = "a JID pattern such as \"*@spam.example\"";
const LINK: &str = "a host such as \"evil.example\", or one with a path";
const PORTS: &str = "a port such as 5222, or a range such as \"4370-4375\"";

/// A signature compiles to at most this much: one of a few lines takes a tenth.
const MAX_SIGNATURE_BYTES: usize = 1 << 20;

/// Reads a policy file.
pub(super) fn parse(text: &str, file: &str) -> Result<Policy, PolicyError> {
    let mut report = Report::new(text);
    let (root, syntax) = DeTable::parse_recoverable(text);
    for error in &syntax {
        report.add(error.span().unwrap_or(0..0), error.message());
    }
    let invalid = |problems| PolicyError::Invalid { file: file.to_owned(), problems };
    if !syntax.is_empty() {
        // What was guessed after a slip of syntax would only be blamed on keys that are right: one a line, no more.
        let mut problems = report.into_problems();
        problems.dedup_by_key(|problem| problem.line);
        return Err(invalid(problems));
    }
    let policy = policy(root.get_ref(), &mut report);
    let problems = report.into_problems();
    if problems.is_empty() { Ok(policy) } else { Err(invalid(problems)) }
}

fn policy(root: &DeTable<'_>, report: &mut Report<'_>) -> Policy {
    let names: Vec<&'static str> = SECTIONS.iter().map(|(name, _)| *name).collect();
    let mut policy = Policy::default();
    for (key, value) in root {
        let name = key.get_ref().as_ref();
        let Some(section) = SECTIONS.iter().find(|(known, _)| *known == name) else {
            report.add(key.span(), unknown_section(name, value.get_ref(), &names));
            continue;
        };
        let Some(table) = value.get_ref().as_table() else {
            let found = kind_of(value.get_ref());
            report.add(key.span(), format!("expected a section [{name}]; found {found}"));
            continue;
        };
        read_section(section, table, &mut policy, report);
    }
    policy
}

fn unknown_section(name: &str, value: &DeValue<'_>, names: &[&'static str]) -> String {
    let home = SECTIONS.iter().find(|(_, keys)| keys.contains(&name));
    match (value.is_table(), home) {
        (false, Some((section, _))) => format!("key `{name}` outside a section: it belongs to [{section}]"),
        (false, None) => format!("unknown key `{name}` outside a section: {}", nearest_key(name)),
        (true, _) => format!("unknown section [{name}]: {}", nearest_known(name, names)),
    }
}

fn nearest_key(name: &str) -> String {
    let keys: Vec<&'static str> = SECTIONS.iter().flat_map(|(_, keys)| keys.iter().copied()).collect();
    nearest_known(name, &keys)
}

fn read_section(
    (name, keys): &(&'static str, &'static [&'static str]),
    table: &DeTable<'_>,
    policy: &mut Policy,
    report: &mut Report<'_>,
) {
    if *name == "services" {
        policy.services = services(table, report);
        return;
    }
    let fields = Fields::new(format!("[{name}]"), table, keys, SECTIONS, report);
    match *name {
        "site" => policy.site = site(&fields, report),
        "xmpp" => policy.xmpp = xmpp(&fields, report),
        "transfers" => policy.transfers = transfers(&fields, report),
        "erlang" => policy.erlang = Some(erlang(&fields, report)),
        "dns" => policy.dns = Some(dns(&fields, report)),
        "limits" => policy.limits = limits(&fields, report),
        _ => {}
    }
}

fn site(fields: &Fields<'_, '_>, report: &mut Report<'_>) -> Site {
    Site {
        domains: fields.texts("domains", DOMAIN, report, domain).unwrap_or_default(),
        networks: networks("networks", fields, report),
    }
}

fn xmpp(fields: &Fields<'_, '_>, report: &mut Report<'_>) -> Xmpp {
    let defaults = Xmpp::default();
    Xmpp {
        federation: fields
            .text("federation", "\"open\", \"allowlist\" or \"closed\"", report, federation)
            .unwrap_or(defaults.federation),
        allowed_domains: fields.texts("allowed_domains", DOMAIN, report, domain).unwrap_or_default(),
        require_tls: fields.flag("require_tls", report).unwrap_or(defaults.require_tls),
        denied_jids: jid_patterns("denied_jids", fields, report).unwrap_or_default(),
        internal_only: jid_patterns("internal_only", fields, report).unwrap_or_default(),
        max_stanza_bytes: fields.count("max_stanza_bytes", report).unwrap_or(defaults.max_stanza_bytes),
        stanzas_per_minute: fields.count("stanzas_per_minute", report).unwrap_or(defaults.stanzas_per_minute),
        recipients_per_minute: fields.count("recipients_per_minute", report).unwrap_or(defaults.recipients_per_minute),
        signatures: signatures(fields, report),
        denied_links: fields.texts("denied_links", LINK, report, LinkPattern::parse).unwrap_or_default(),
    }
}

fn transfers(fields: &Fields<'_, '_>, report: &mut Report<'_>) -> Transfers {
    Transfers {
        allow: fields.texts("allow", "a method of transfer such as \"http-upload\"", report, transfer_method),
        max_bytes: fields.count("max_bytes", report),
        denied_extensions: fields
            .texts("denied_extensions", "a file name extension such as \"exe\"", report, extension)
            .unwrap_or_default(),
        from: jid_patterns("from", fields, report),
        to: jid_patterns("to", fields, report),
    }
}

fn erlang(fields: &Fields<'_, '_>, report: &mut Report<'_>) -> Erlang {
    Erlang {
        cluster: networks("cluster", fields, report),
        nodes: fields.texts("nodes", "a node name such as \"ejabberd@host\"", report, node_name).unwrap_or_default(),
    }
}

fn dns(fields: &Fields<'_, '_>, report: &mut Report<'_>) -> Dns {
    Dns {
        resolvers: networks("resolvers", fields, report),
        resolver_upstreams: networks("resolver_upstreams", fields, report),
        require_dnssec: fields.flag("require_dnssec", report).unwrap_or_default(),
    }
}

fn limits(fields: &Fields<'_, '_>, report: &mut Report<'_>) -> Limits {
    let mut count = |key, default| fields.count(key, report).unwrap_or(default);
    let defaults = Limits::default();
    Limits {
        connections_per_minute: count("connections_per_minute", defaults.connections_per_minute),
        failed_logins: count("failed_logins", defaults.failed_logins),
        failed_login_seconds: count("failed_login_seconds", defaults.failed_login_seconds),
        ports_per_minute: count("ports_per_minute", defaults.ports_per_minute),
    }
}

fn services(table: &DeTable<'_>, report: &mut Report<'_>) -> Services {
    let list = table.iter().filter_map(|(name, value)| service(name, value, report)).collect();
    Services { list, given: true }
}

fn service(
    name: &Spanned<std::borrow::Cow<'_, str>>,
    value: &Spanned<DeValue<'_>>,
    report: &mut Report<'_>,
) -> Option<Service> {
    let Some(table) = value.get_ref().as_table() else {
        let found = kind_of(value.get_ref());
        let message = format!(
            "[services] {}: expected a service such as {{ ports = [5222], transport = \"tcp\", sources = [\"10.0.0.0/8\"] }}; \
             found {found}",
            name.get_ref()
        );
        report.add(value.span(), message);
        return None;
    };
    let fields = Fields::new(format!("[services] {}", name.get_ref()), table, SERVICE_KEYS, &[], report);
    let stock = Service::stock(name.get_ref());
    if stock.ports.is_empty() {
        fields.require("ports", name.span(), report);
    }
    Some(Service {
        name: stock.name,
        ports: fields.list("ports", PORTS, report, port_range).unwrap_or(stock.ports),
        transports: fields
            .text("transport", "\"tcp\", \"udp\" or \"both\"", report, transports)
            .unwrap_or(stock.transports),
        sources: networks("sources", &fields, report),
    })
}

fn signatures(fields: &Fields<'_, '_>, report: &mut Report<'_>) -> Vec<Signature> {
    let expected = "a table { name = \"...\", body = \"regular expression\" }";
    let tables = fields.tables("signatures", expected, report);
    tables.into_iter().filter_map(|(table, place)| signature(table, place, report)).collect()
}

fn signature(table: &DeTable<'_>, place: Range<usize>, report: &mut Report<'_>) -> Option<Signature> {
    let fields = Fields::new("[xmpp] signatures", table, SIGNATURE_KEYS, &[], report);
    for key in SIGNATURE_KEYS {
        fields.require(key, place.clone(), report);
    }
    let name = fields.text("name", "a name", report, |text| Ok(text.to_owned()));
    let body = fields.text("body", "a regular expression", report, signature_body);
    Some(Signature { name: name?, body: body? })
}

fn signature_body(text: &str) -> Result<regex::Regex, String> {
    regex::RegexBuilder::new(text).size_limit(MAX_SIGNATURE_BYTES).build().map_err(|error| match error {
        regex::Error::CompiledTooBig(limit) => format!("it takes more than {limit} bytes when compiled"),
        // The crate draws a picture of several lines; the last one says what is wrong.
        other => {
            let picture = other.to_string();
            let reason = picture.lines().last().unwrap_or("it cannot be compiled").trim();
            reason.strip_prefix("error: ").unwrap_or(reason).to_owned()
        }
    })
}

fn networks(key: &str, fields: &Fields<'_, '_>, report: &mut Report<'_>) -> Vec<Network> {
    fields.texts(key, NETWORK, report, Network::parse).unwrap_or_default()
}

/// A list of patterns, or one alone.
fn jid_patterns(key: &str, fields: &Fields<'_, '_>, report: &mut Report<'_>) -> Option<JidPatterns> {
    let mut patterns = JidPatterns::default();
    if fields.is_text(key) {
        fields.text(key, JID_PATTERN, report, |text| patterns.add(text))?;
    } else {
        fields.texts(key, JID_PATTERN, report, |text| patterns.add(text))?;
    }
    Some(patterns)
}

fn domain(text: &str) -> Result<String, String> {
    if text.contains('*') {
        return Err("names below a domain count without a `*`".to_owned());
    }
    if text.contains(['@', '/']) {
        return Err(format!("`{text}` is more than a domain"));
    }
    jid::try_normalize(text).ok_or_else(|| format!("`{text}` is not a domain"))
}

fn federation(text: &str) -> Result<Federation, String> {
    match text {
        "open" => Ok(Federation::Open),
        "allowlist" => Ok(Federation::Allowlist),
        "closed" => Ok(Federation::Closed),
        other => Err(format!("found \"{other}\"")),
    }
}

fn transports(text: &str) -> Result<Transports, String> {
    match text {
        "tcp" => Ok(Transports::Tcp),
        "udp" => Ok(Transports::Udp),
        "both" => Ok(Transports::Both),
        other => Err(format!("found \"{other}\"")),
    }
}

fn transfer_method(text: &str) -> Result<String, String> {
    if TRANSFER_METHODS.contains(&text) {
        return Ok(text.to_owned());
    }
    Err(format!("`{text}` is none: {}", nearest_known(text, TRANSFER_METHODS)))
}

fn extension(text: &str) -> Result<String, String> {
    let extension = text.trim_start_matches("*.").trim_start_matches('.').to_lowercase();
    if extension.is_empty() || extension.contains(['/', '*']) {
        return Err(format!("`{text}` is none"));
    }
    Ok(extension)
}

fn node_name(text: &str) -> Result<String, String> {
    let parts = text.split_once('@');
    if parts.is_some_and(|(name, host)| !name.is_empty() && !host.is_empty() && !host.contains('@')) {
        return Ok(text.to_owned());
    }
    Err(format!("`{text}` is none"))
}

fn port_range(value: &DeValue<'_>) -> Option<Result<PortRange, String>> {
    if let Some(text) = value.as_str() {
        return Some(PortRange::parse(text));
    }
    Some(positive(value)?.and_then(|port| PortRange::parse(&port.to_string())))
}
