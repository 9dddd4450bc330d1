//! Passwords in administration commands that came over the distribution (`credential.cleartext`).

use crate::detect::{Detector, Finding, credential};
use crate::protocol::erldist::{CtlCommand, CtlSecret, DistEvent};
use crate::protocol::xmpp::{Disclosure, Login, Outcome};
use crate::protocol::{Event, Record};

/// One finding an account that a command names with its password.
#[derive(Debug, Default)]
pub struct Administration;

impl Detector for Administration {
    fn on_record(&mut self, record: &Record, out: &mut Vec<Finding>) {
        let Event::ErlDist(DistEvent::Ejabberdctl(command)) = &record.event else { return };
        let encrypted = record.at.flow.within.tls.is_some();
        for secret in &command.secrets {
            let login = login(command, secret, encrypted);
            let finding = credential::disclosed_by(&login, "erldist", &record.at.as_seen());
            out.extend(finding.map(|finding| finding.with("command", command.name.as_str())));
        }
    }

    fn finish(&mut self, _out: &mut Vec<Finding>) {}
}

fn login(command: &CtlCommand, secret: &CtlSecret, encrypted: bool) -> Login {
    Login {
        mechanism: "ejabberdctl".to_owned(),
        username: Some(secret.user.clone()),
        jid: Some(format!("{}@{}", secret.user, secret.host)),
        disclosure: Disclosure::Password(secret.password.clone()),
        outcome: match command.status {
            Some(0) => Outcome::Success,
            Some(_) => Outcome::Failure,
            None => Outcome::Unknown,
        },
        encrypted,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // tests
mod tests {
    use super::super::testing::records;
    use super::*;
    use crate::detect::Kind;

    #[test]
    fn every_account_of_a_command_is_told_with_its_outcome() {
        let secret = |user: &str| CtlSecret { user: user.into(), host: "a.lab".into(), password: format!("of {user}") };
        let command = CtlCommand {
            name: "register".into(),
            secrets: vec![secret("root"), secret("al")],
            status: Some(1),
            ..CtlCommand::default()
        };
        let mut found = Vec::new();
        for record in records(vec![DistEvent::Ejabberdctl(Box::new(command))]) {
            Administration.on_record(&record, &mut found);
        }
        assert_eq!(found.len(), 2);
        let last = found.last().unwrap();
        assert_eq!(last.kind, Kind::CredentialCleartext);
        let told: Vec<_> = last.evidence.iter().map(|(key, _)| *key).collect();
        assert_eq!(told, ["mechanism", "username", "jid", "secret", "outcome", "encrypted", "command"]);
    }
}
