//! What a policy file may say, and what its author is told.

use super::*;
use crate::evidence::Transport;
use proptest::prelude::*;

fn parse(text: &str) -> Policy {
    Policy::parse(text, "policy.toml").unwrap()
}

/// What a person reads when the text is wrong.
fn complaint(text: &str) -> String {
    Policy::parse(text, "policy.toml").unwrap_err().to_string()
}

#[test]
fn the_template_says_the_defaults() {
    let written = parse(TEMPLATE);
    let silent = Policy::default();
    assert_eq!(written.limits, silent.limits);
    assert!(written.services.given);
    let by_name = |services: &Services| {
        let mut list = services.list.clone();
        list.sort_by(|a, b| a.name.cmp(&b.name));
        for service in &mut list {
            service.ports.sort_by_key(|range| range.first);
        }
        list
    };
    assert_eq!(by_name(&written.services), by_name(&silent.services));
    let comparable = |policy: &Policy| {
        let Policy { site, xmpp, transfers, erlang, dns, .. } = policy;
        format!("{site:?} {xmpp:?} {transfers:?} {erlang:?} {dns:?}")
    };
    assert_eq!(comparable(&written), comparable(&silent));
}

#[test]
fn what_the_template_shows_as_examples_is_right_too() {
    let mut section = false;
    let examples: Vec<String> = TEMPLATE
        .lines()
        .filter_map(|line| {
            let shown = line.strip_prefix("# ").unwrap_or(line);
            section |= shown.starts_with('[');
            let is_code = shown.starts_with('[') || shown.contains(" = ") && !shown.starts_with(char::is_uppercase);
            let value = shown
                .split_once(" = []")
                .map(|(key, rest)| format!("{key} = {}", rest.trim().trim_start_matches("# ")));
            (section && is_code).then(|| value.unwrap_or_else(|| shown.to_owned()))
        })
        .collect();
    let policy = parse(&examples.join("\n"));
    assert_eq!(policy.site.domains, ["alpha.test"]);
    assert_eq!(policy.xmpp.signatures.len(), 1);
    assert_eq!(policy.erlang.unwrap().nodes.len(), 2);
    assert_eq!(policy.dns.unwrap().resolvers.len(), 1);
    assert!(policy.transfers.from.unwrap().find("a@alpha.test").is_some());
    assert_eq!(policy.transfers.max_bytes, Some(10_485_760));
}

#[test]
fn a_whole_policy() {
    let policy = parse(
        r#"
        [site]
        domains = ["Alpha.TEST."]
        networks = ["10.77.0.0/16", "fd77::/16", "192.0.2.7"]
        [xmpp]
        federation = "allowlist"
        allowed_domains = ["beta.test"]
        require_tls = true
        denied_jids = ["*@spam.example"]
        internal_only = ["intern@alpha.test"]
        max_stanza_bytes = 65_536
        stanzas_per_minute = 120
        recipients_per_minute = 20
        signatures = [{ name = "lottery", body = "(?i)you have won" }]
        [transfers]
        allow = ["http-upload"]
        max_bytes = 1000
        denied_extensions = [".EXE", "*.scr"]
        from = "*@alpha.test"
        to = ["a@alpha.test", "b@alpha.test"]
        [erlang]
        cluster = ["10.0.0.10", "10.0.0.11"]
        nodes = ["ejabberd@*"]
        [dns]
        resolvers = ["10.0.0.53"]
        require_dnssec = true
        [services]
        c2s = { ports = [5222, "4370-4375"], transport = "tcp", sources = ["10.0.0.0/8"] }
        stun = {}
        [services.web]
        ports = [443]
        [limits]
        failed_logins = 3
        "#,
    );
    assert!(policy.site.is_own_domain("alpha.test"));
    assert!(policy.site.is_own_domain("conference.Alpha.test"));
    assert!(!policy.site.is_own_domain("notalpha.test"));
    assert!(!policy.site.is_own_domain("alpha.test.evil.example"));
    assert!(policy.site.is_inside("::ffff:10.77.1.1".parse().unwrap()));
    assert!(!policy.site.is_inside("10.78.0.1".parse().unwrap()));
    assert_eq!(policy.xmpp.federation, Federation::Allowlist);
    assert!(policy.xmpp.signatures[0].body.is_match("YOU HAVE WON"));
    assert_eq!((policy.xmpp.max_stanza_bytes, policy.xmpp.recipients_per_minute), (65_536, 20));
    assert_eq!(policy.transfers.denied_extensions, ["exe", "scr"]);
    assert_eq!(policy.transfers.to.unwrap().patterns().len(), 2);
    assert!(policy.dns.unwrap().require_dnssec);
    let opens = |port, source: &str| policy.services.opens(Transport::Tcp, port, source.parse().unwrap()).is_some();
    assert!(opens(4371, "10.1.1.1") && opens(3478, "192.0.2.1") && opens(443, "192.0.2.1"));
    assert!(!opens(5222, "192.0.2.1") && !opens(5269, "10.1.1.1"));
    assert_eq!(policy.limits, Limits { failed_logins: 3, ..Limits::default() });
}

#[test]
fn an_empty_file_is_a_policy() {
    let policy = parse("");
    assert!(policy.erlang.is_none() && policy.dns.is_none() && !policy.services.given);
    assert!(!policy.site.is_own_domain("alpha.test"));
    assert!(parse("[erlang]").erlang.is_some());
}

#[test]
fn internationalised_domains_are_own_in_any_spelling() {
    let policy = parse("[site]\ndomains = [\"b\u{FC}cher.example\"]");
    assert!(policy.site.is_own_domain("xn--bcher-kva.example"));
    assert!(policy.site.is_own_domain("chat.B\u{DC}CHER.example"));
}

#[test]
fn mistakes_are_told_with_place_and_what_was_expected() {
    let told = complaint(
        r#"[site]
domain = ["alpha.test"]
networks = ["10.0.0.0/33", "office"]
resolvers = []

[xmp]
[xmpp]
federation = "closd"
require_tls = "yes"
denied_jids = ["a b@x", 7]
allowed_domains = ["*.beta.test", "x@beta.test"]
max_stanza_bytes = -1
stanzas_per_minute = 1.5
signatures = [{ name = "open", body = "(" }, { nam = "n", body = "x" }, "text"]

[transfers]
allow = ["http-uplaod"]
from = 5

[erlang]
nodes = ["ejabberd"]

[services]
web = { ports = [0, 70000, "9-8", true], transport = "sctp" }
ghost = {}
epmd = false
"#,
    );
    insta::assert_snapshot!(told, @r#"
    policy.toml:2:1: unknown key `domain` in [site]: the nearest known is `domains`
    policy.toml:3:13: [site] networks: expected an address or a network such as "10.0.0.0/8"; a prefix of an address of this kind is at most 32, not 33
    policy.toml:3:28: [site] networks: expected an address or a network such as "10.0.0.0/8"; `office` is not an IP address
    policy.toml:4:1: unknown key `resolvers` in [site]: it belongs to [dns]
    policy.toml:6:2: unknown section [xmp]: the nearest known is `xmpp`
    policy.toml:8:14: [xmpp] federation: expected "open", "allowlist" or "closed"; found "closd"
    policy.toml:9:15: [xmpp] require_tls: expected true or false; found a text
    policy.toml:10:16: [xmpp] denied_jids: expected a JID pattern such as "*@spam.example"; `a b@x` is not a JID
    policy.toml:10:25: [xmpp] denied_jids: expected a JID pattern such as "*@spam.example"; found a number
    policy.toml:11:20: [xmpp] allowed_domains: expected a domain such as "alpha.test"; names below a domain count without a `*`
    policy.toml:11:35: [xmpp] allowed_domains: expected a domain such as "alpha.test"; `x@beta.test` is more than a domain
    policy.toml:12:20: [xmpp] max_stanza_bytes: expected a whole number of at least 1; -1 is out of range
    policy.toml:13:22: [xmpp] stanzas_per_minute: expected a whole number of at least 1; found a number with a fraction
    policy.toml:14:39: [xmpp] signatures body: expected a regular expression; unclosed group
    policy.toml:14:46: [xmpp] signatures: `name` is missing
    policy.toml:14:48: unknown key `nam` in [xmpp] signatures: the nearest known is `name`
    policy.toml:14:73: [xmpp] signatures: expected a table { name = "...", body = "regular expression" }; found a text
    policy.toml:17:10: [transfers] allow: expected a method of transfer such as "http-upload"; `http-uplaod` is none: the nearest known is `http-upload`
    policy.toml:18:8: [transfers] from: expected a list, each item a JID pattern such as "*@spam.example"; found a number
    policy.toml:21:10: [erlang] nodes: expected a node name such as "ejabberd@host"; `ejabberd` is none
    policy.toml:24:18: [services] web ports: expected a port such as 5222, or a range such as "4370-4375"; 0 is out of range
    policy.toml:24:21: [services] web ports: expected a port such as 5222, or a range such as "4370-4375"; `70000` is not a port from 1 to 65535
    policy.toml:24:28: [services] web ports: expected a port such as 5222, or a range such as "4370-4375"; the range `9-8` runs backwards
    policy.toml:24:35: [services] web ports: expected a port such as 5222, or a range such as "4370-4375"; found true or false
    policy.toml:24:54: [services] web transport: expected "tcp", "udp" or "both"; found "sctp"
    policy.toml:25:1: [services] ghost: `ports` is missing
    policy.toml:26:8: [services] epmd: expected a service such as { ports = [5222], transport = "tcp", sources = ["10.0.0.0/8"] }; found true or false
    "#);
}

#[test]
fn a_file_that_is_not_toml_is_told_where() {
    insta::assert_snapshot!(complaint("[site]\ndomains = [\"a\"\nnetworks = = 3\n"), @"policy.toml:3:1: missing comma between array elements, expected `,`");
    insta::assert_snapshot!(complaint("limits = 3\nfailed_logins = 7\nfederatoin = \"open\""), @r#"
    policy.toml:1:1: expected a section [limits]; found a number
    policy.toml:2:1: key `failed_logins` outside a section: it belongs to [limits]
    policy.toml:3:1: unknown key `federatoin` outside a section: the nearest known is `federation`
    "#);
    insta::assert_snapshot!(complaint("[site]\n# gr\u{FC}n\ndomains = [\"\u{FC}\", 1]"), @r#"policy.toml:3:17: [site] domains: expected a domain such as "alpha.test"; found a number"#);
}

#[test]
fn a_missing_file_is_named() {
    let error = Policy::load(Path::new("no-such-policy.toml")).unwrap_err();
    assert!(error.to_string().starts_with("no-such-policy.toml: "), "{error}");
    assert!(error.problems().is_empty());
}

/// Pieces of policies, right and wrong, in any order.
fn near_policies() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        proptest::sample::select(TEMPLATE.lines().collect::<Vec<_>>()).prop_map(|line| line.replace("# ", "")),
        proptest::sample::select(vec![
            "[site]",
            "[[xmpp]]",
            "[services.x]",
            "ports = [1,",
            "\"",
            "'''",
            "{",
            "}",
            "]",
            "="
        ])
        .prop_map(str::to_owned),
        "[a-z_]{1,8} = [0-9a-z\\[\\]\"{},.*@/-]{0,12}",
        any::<String>(),
    ];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.join("\n"))
}

proptest! {
    #[test]
    fn no_text_harms(text in near_policies()) {
        if let Err(error) = Policy::parse(&text, "p") {
            prop_assert!(!error.problems().is_empty());
            for problem in error.problems() {
                prop_assert!(problem.line >= 1 && problem.line <= text.matches('\n').count() + 1);
                prop_assert!(problem.column >= 1);
            }
        }
    }
}
