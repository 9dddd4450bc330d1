//! Administration that anybody on the way reads along: commands of XEP-0133 and of the servers' own.

use super::title::in_title;
use super::{Detector, Finding, Kind, Severity};
use crate::protocol::xmpp::XmppEvent;
use crate::protocol::{Event, Record};
use std::collections::HashMap;

/// Commands remembered, to tell each once though it crosses two connections.
const MAX_TOLD: usize = 4096;
/// A command crosses from connection to connection within this time.
const RELAY_NS: i64 = 60_000_000_000;

/// Beginnings of the nodes of commands that administer a server.
const ADMINISTRATION: &[&str] = &[
    // XEP-0133
    "http://jabber.org/protocol/admin",
    // ejabberd: mod_configure, mod_announce, mod_adhoc_api
    "config",
    "running nodes",
    "stopped nodes",
    "online users",
    "all users",
    "outgoing s2s",
    "announce",
    "api-commands",
    // prosody: mod_admin_adhoc
    "http://prosody.im/protocol/",
];

/// `xmpp.admin-command`: one a command.
#[derive(Debug, Default)]
pub struct AdminCommands {
    told: HashMap<String, i64>,
}

impl Detector for AdminCommands {
    fn on_record(&mut self, record: &Record, out: &mut Vec<Finding>) {
        let Event::Xmpp(XmppEvent::Command(command)) = &record.event else { return };
        let seen = record.at.as_seen();
        if !is_administration(&command.node) {
            return;
        }
        let time = seen.first.time_ns;
        let key = format!("{}\n{}\n{}", command.jid.as_deref().unwrap_or_default(), command.node, command.id);
        if self.told.len() >= MAX_TOLD {
            self.told.clear();
        }
        if self.told.insert(key, time).is_some_and(|before| time.saturating_sub(before).abs() < RELAY_NS) {
            return;
        }
        let encrypted = seen.flow.within.tls.is_some();
        let who = in_title(command.jid.as_deref().unwrap_or("somebody"));
        let what = in_title(&command.node);
        let where_ = if encrypted { "inside TLS" } else { "in clear" };
        let title = format!("{who} gave the administration command {what} {where_} ({})", command.outcome.name());
        let mut finding = Finding::new(Kind::XmppAdminCommand, "xmpp", &seen, title)
            .with("command", command.node.as_str())
            .with_some("jid", command.jid.as_deref())
            .with("outcome", command.outcome.name())
            .with("encrypted", encrypted);
        if !command.accounts.is_empty() {
            finding = finding.with("accounts", command.accounts.clone());
        }
        if encrypted {
            finding.severity = Severity::Low;
        }
        out.push(finding);
    }

    fn finish(&mut self, _out: &mut Vec<Finding>) {}
}

fn is_administration(node: &str) -> bool {
    let begins = |known: &&str| {
        node.strip_prefix(*known).is_some_and(|rest| known.contains(':') || rest.is_empty() || rest.starts_with('/'))
    };
    ADMINISTRATION.iter().any(begins)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // tests
mod tests {
    use super::*;
    use crate::detect::scene::record;
    use crate::protocol::xmpp::{Command, Outcome};

    fn command(node: &str) -> Command {
        Command {
            node: node.to_owned(),
            jid: Some("admin@x.test/desk".to_owned()),
            to: Some("x.test".to_owned()),
            id: "7".to_owned(),
            accounts: vec!["ann@x.test".to_owned()],
            outcome: Outcome::Success,
        }
    }

    fn found(commands: &[(i64, Command)]) -> Vec<Finding> {
        let (mut detector, mut out) = (AdminCommands::default(), Vec::new());
        for (second, command) in commands {
            let event = XmppEvent::Command(Box::new(command.clone()));
            let record = record("10.0.0.7:4000", "10.0.0.1:5222", second * 1_000_000_000, event);
            detector.on_record(&record, &mut out);
        }
        out
    }

    #[test]
    fn commands_of_every_server_are_known() {
        for node in [
            "http://jabber.org/protocol/admin#add-user",
            "running nodes/ejabberd@host/restart",
            "config/hostname",
            "api-commands/ban_account",
            "http://prosody.im/protocol/modules#load",
        ] {
            assert!(is_administration(node), "{node}");
        }
        for node in ["ping", "configure-alerts", "users", "http://jabber.org/protocol/rc#set-status", "weather"] {
            assert!(!is_administration(node), "{node}");
        }
    }

    #[test]
    fn a_command_is_told_once_though_it_is_relayed() {
        let node = "http://jabber.org/protocol/admin#delete-user";
        let found = found(&[(1, command(node)), (2, command(node)), (900, command(node)), (901, command("ping"))]);
        assert_eq!(found.len(), 2);
        assert_eq!(
            found[0].title,
            "admin@x.test/desk gave the administration command http://jabber.org/protocol/admin#delete-user in clear \
             (success)"
        );
        let keys: Vec<&str> = found[0].evidence.iter().map(|(key, _)| *key).collect();
        assert_eq!(keys, ["command", "jid", "outcome", "encrypted", "accounts"]);
    }
}
