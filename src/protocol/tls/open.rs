//! A connection that is being opened: handshake messages and changes of cipher in, the keys of each side's records out.
//!
//! Before TLS 1.3 a side's records are encrypted behind its change of cipher; with TLS 1.3 all that follows the server's
//! hello is, under keys that change with Finished, EndOfEarlyData and KeyUpdate.

use super::agreement::{Agreement, Closed};
use super::event::TlsVersion;
use super::handshake::{Message, kind};
use super::keys::KeyRing;
use super::lane::{Lane, Phase};
use super::suite::Suite;

/// Who speaks in TLS, whoever opened the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Client,
    Server,
}

impl Role {
    const BOTH: [Self; 2] = [Self::Client, Self::Server];
}

/// Records of one side.
#[derive(Default)]
pub(super) enum Seal {
    /// They are in clear.
    #[default]
    Clear,
    /// They are encrypted with keys that are known.
    Open(Box<Lane>),
    /// They are encrypted, and stay so.
    Sealed,
}

/// Both sides.
#[derive(Default)]
pub(super) struct Seals {
    agreement: Agreement,
    sides: [Seal; 2],
    finished: [bool; 2],
}

impl Seals {
    /// How a side's records are protected.
    pub(super) fn side(&mut self, role: Role) -> &mut Seal {
        let [client, server] = &mut self.sides;
        match role {
            Role::Client => client,
            Role::Server => server,
        }
    }

    /// The version, once the server has chosen.
    pub(super) fn version(&self) -> Option<TlsVersion> {
        self.agreement.version()
    }

    /// Both sides have finished a handshake.
    pub(super) fn is_finished(&self) -> bool {
        self.finished == [true; 2]
    }

    /// There are keys for a side.
    pub(super) fn is_any_open(&self) -> bool {
        self.sides.iter().any(|side| matches!(side, Seal::Open(_)))
    }

    /// Nothing of the connection will be opened.
    pub(super) fn is_sealed(&self) -> bool {
        matches!(self.sides, [Seal::Sealed, Seal::Sealed])
    }

    /// A side's handshake message, in clear or opened. An error says that the connection stays closed.
    pub(super) fn message(
        &mut self,
        message: &Message<'_>,
        role: Role,
        mut ring: Option<KeyRing<'_>>,
    ) -> Result<(), Closed> {
        self.agreement.message(message, ring.as_ref().map(|ring| ring.keys));
        match message.kind {
            kind::CLIENT_HELLO => self.expect_early_data(ring),
            kind::SERVER_HELLO if self.version().is_some_and(TlsVersion::is_tls13) => return self.expect_tls13(ring),
            kind::END_OF_EARLY_DATA => self.advance(role, Phase::Early, Phase::Handshake),
            kind::FINISHED => {
                let [client, server] = &mut self.finished;
                *(if role == Role::Client { client } else { server }) = true;
                self.advance(role, Phase::Handshake, Phase::Application);
            }
            kind::KEY_UPDATE => {
                if let Seal::Open(lane) = self.side(role) {
                    lane.update();
                }
            }
            kind::NEW_SESSION_TICKET => {
                if let (Some(ring), Some(false)) = (&mut ring, self.version().map(TlsVersion::is_tls13)) {
                    self.agreement.teach_ticket(message.body, ring.sessions);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn advance(&mut self, role: Role, from: Phase, to: Phase) {
        if let Seal::Open(lane) = self.side(role)
            && lane.phase() == Some(from)
        {
            lane.advance(to);
        }
    }

    /// Early data comes before the suite is told: the secret's length leaves few.
    fn expect_early_data(&mut self, ring: Option<KeyRing<'_>>) {
        let secrets = self.agreement.secrets(ring.as_ref().map(|ring| ring.keys));
        let early = secrets.and_then(|secrets| secrets.early).filter(|_| self.agreement.has_early_data());
        if let (Some(secret), side @ Seal::Clear) = (early, self.side(Role::Client)) {
            let mut lane = Lane::tls13();
            Suite::of_tls13(secret.bytes().len()).iter().for_each(|suite| lane.expect(Phase::Early, *suite, secret));
            *side = Seal::Open(Box::new(lane));
        }
    }

    /// All records behind the server's hello of TLS 1.3 are encrypted.
    fn expect_tls13(&mut self, ring: Option<KeyRing<'_>>) -> Result<(), Closed> {
        let secrets = self.agreement.secrets(ring.as_ref().map(|ring| ring.keys)).cloned().unwrap_or_default();
        let suite = self.agreement.suite();
        for (role, (handshake, application)) in
            Role::BOTH.into_iter().zip(secrets.handshake.into_iter().zip(secrets.application))
        {
            let side = self.side(role);
            let mut lane = match std::mem::take(side) {
                Seal::Open(lane) => lane,
                _ => Box::new(Lane::tls13()),
            };
            let Ok(suite) = suite else {
                *side = Seal::Sealed;
                continue;
            };
            let phases = [(Phase::Handshake, handshake), (Phase::Application, application)];
            for (phase, secret) in phases {
                if let Some(secret) = secret {
                    lane.expect(phase, suite, secret);
                }
            }
            if lane.phase().is_none() && !lane.expects(Phase::Early) {
                lane.advance(Phase::Handshake);
            }
            *side = if lane.has_keys() { Seal::Open(lane) } else { Seal::Sealed };
        }
        if self.is_sealed() { Err(suite.err().unwrap_or(Closed::NoKeys)) } else { Ok(()) }
    }

    /// A side announces that it encrypts from now on (before TLS 1.3).
    pub(super) fn change_cipher(&mut self, role: Role, ring: Option<KeyRing<'_>>) -> Result<(), Closed> {
        let version = self.version().ok_or(Closed::NoKeys)?;
        let opened = match ring {
            Some(ring) => {
                let openers = self.agreement.openers(Some(ring.keys), Some(ring.sessions));
                self.agreement.teach(ring.sessions);
                openers
            }
            None => self.agreement.openers(None, None),
        };
        let side = self.side(role);
        *side = Seal::Sealed;
        let [client, server] = opened?;
        let opener = if role == Role::Client { client } else { server };
        *side = Seal::Open(Box::new(Lane::numbered(version, opener.ok_or(Closed::Suite)?)));
        Ok(())
    }

    /// The announcement may have been among bytes that are missing: goes by what the handshake told.
    pub(super) fn presume_change(&mut self, role: Role, ring: Option<KeyRing<'_>>) {
        let before_tls13 = self.version().is_some_and(|version| !version.is_tls13());
        if before_tls13 && matches!(self.side(role), Seal::Clear) && self.change_cipher(role, ring).is_err() {
            // Not yet: the other side's part of the handshake may come.
            *self.side(role) = Seal::Clear;
        }
    }
}
