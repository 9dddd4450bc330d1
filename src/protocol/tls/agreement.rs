//! What the handshake under way agrees on, as far as keys come of it: messages in, secrets out.

use super::cipher::Opener;
use super::event::TlsVersion;
use super::handshake::{self, HELLO_RETRY_REQUEST, Message, kind};
use super::keys::{HelloSecrets, Keys, Sessions};
use super::schedule::{self, Master, MasterSeed};
use super::suite::Suite;

/// Bytes of handshake messages kept for an extended master secret: certificate chains are the longest of them.
const MAX_TRANSCRIPT: usize = 256 * 1024;

/// The agreement of one handshake; a renegotiation begins another.
#[derive(Default)]
pub(super) struct Agreement {
    client_random: Option<[u8; 32]>,
    server_random: Option<[u8; 32]>,
    version: Option<TlsVersion>,
    suite: Option<u16>,
    /// Session that the client offered to resume, and the one that the server named.
    offered_session: Box<[u8]>,
    session: Box<[u8]>,
    ticket: Box<[u8]>,
    extended_master: bool,
    encrypt_then_mac: bool,
    early_data: bool,
    encrypted_premaster: Option<Box<[u8]>>,
    /// Messages up to the client's key exchange, where an extended master secret may be asked of them.
    transcript: Option<Vec<u8>>,
    master: Option<Master>,
}

/// Why a connection is not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Closed {
    /// No key that was given fits.
    NoKeys,
    /// The suite is none of those that are opened.
    Suite,
}

impl Closed {
    /// Name under which it is counted.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::NoKeys => "tls.no-keys",
            Self::Suite => "tls.suite-not-opened",
        }
    }
}

impl Agreement {
    /// Takes in a message, in clear or opened.
    pub(super) fn message(&mut self, message: &Message<'_>, keys: Option<&Keys>) {
        match message.kind {
            kind::CLIENT_HELLO => self.client_hello(message.body, keys),
            kind::SERVER_HELLO => self.server_hello(message.body),
            kind::CLIENT_KEY_EXCHANGE => self.encrypted_premaster = encrypted_premaster(message.body),
            _ => {}
        }
        // A request to negotiate anew is in no transcript; what follows the key exchange is not asked for.
        if message.kind != kind::HELLO_REQUEST
            && let Some(transcript) = &mut self.transcript
        {
            if transcript.len() + message.whole.len() > MAX_TRANSCRIPT {
                self.transcript = None;
            } else {
                transcript.extend_from_slice(message.whole);
            }
        }
        if message.kind == kind::CLIENT_KEY_EXCHANGE {
            self.find_master(keys, None);
            self.transcript = None;
        }
    }

    fn client_hello(&mut self, body: &[u8], keys: Option<&Keys>) {
        let Ok((_, hello)) = tls_parser::parse_tls_handshake_client_hello(body) else { return };
        *self = Self {
            client_random: hello.random.first_chunk().copied(),
            offered_session: hello.session_id.unwrap_or_default().into(),
            transcript: keys.filter(|keys| keys.has_server_keys()).map(|_| Vec::new()),
            ..Self::default()
        };
        for (kind, content) in handshake::extensions(hello.ext.unwrap_or_default()) {
            match kind {
                35 => self.ticket = content.into(),
                42 => self.early_data = true,
                _ => {}
            }
        }
    }

    fn server_hello(&mut self, body: &[u8]) {
        let Ok((_, hello)) = tls_parser::parse_tls_handshake_server_hello(body) else { return };
        if hello.random == HELLO_RETRY_REQUEST.as_slice() {
            return;
        }
        self.server_random = hello.random.first_chunk().copied();
        self.session = hello.session_id.unwrap_or_default().into();
        self.suite = Some(hello.cipher.0);
        let mut version = TlsVersion(hello.version.0);
        for (kind, content) in handshake::extensions(hello.ext.unwrap_or_default()) {
            match (kind, content) {
                (22, _) => self.encrypt_then_mac = true,
                (23, _) => self.extended_master = true,
                (43, [high, low]) => version = TlsVersion(u16::from_be_bytes([*high, *low])),
                _ => {}
            }
        }
        self.version = Some(version);
    }

    /// The version, once the server has chosen.
    pub(super) fn version(&self) -> Option<TlsVersion> {
        self.version
    }

    /// The client's first data may be encrypted before the server chooses anything.
    pub(super) fn has_early_data(&self) -> bool {
        self.early_data
    }

    /// The suite that the server chose.
    pub(super) fn suite(&self) -> Result<Suite, Closed> {
        let (Some(suite), Some(version)) = (self.suite, self.version) else { return Err(Closed::NoKeys) };
        Suite::find(suite, version).ok_or(Closed::Suite)
    }

    /// What key logs have for this client hello.
    pub(super) fn secrets<'k>(&self, keys: Option<&'k Keys>) -> Option<&'k HelloSecrets> {
        keys?.of_hello(self.client_random.as_ref()?)
    }

    /// Openers of the client's and the server's records behind a change of cipher before TLS 1.3.
    pub(super) fn openers(
        &mut self,
        keys: Option<&Keys>,
        sessions: Option<&Sessions>,
    ) -> Result<[Option<Opener>; 2], Closed> {
        let suite = self.suite()?;
        self.find_master(keys, sessions);
        let (Some(master), Some(version)) = (self.master, self.version) else { return Err(Closed::NoKeys) };
        let (Some(client), Some(server)) = (&self.client_random, &self.server_random) else {
            return Err(Closed::NoKeys);
        };
        let block = schedule::key_block(suite.hash, suite.bulk, &master, client, server);
        Ok(block.map(|keys| Opener::new(suite.bulk, version, &keys, self.encrypt_then_mac)))
    }

    /// Looks for the master secret: told by a key log, made of a premaster secret, or that of a resumed session.
    fn find_master(&mut self, keys: Option<&Keys>, sessions: Option<&Sessions>) {
        if self.master.is_some() {
            return;
        }
        let secrets = self.secrets(keys);
        let told = secrets.and_then(|secrets| secrets.master);
        let told = told.or_else(|| keys.and_then(|keys| keys.of_session(&self.session)).copied());
        self.master = told.or_else(|| {
            let premaster = secrets.and_then(|secrets| secrets.premaster.clone());
            self.master_of(&premaster.or_else(|| keys?.premaster(self.encrypted_premaster.as_ref()?))?)
        });
        // An abbreviated handshake has no key exchange.
        if let (None, None, Some(sessions)) = (&self.master, &self.encrypted_premaster, sessions) {
            let resumed = !self.session.is_empty() && self.session == self.offered_session;
            let by_id = resumed.then(|| sessions.find(&self.session)).flatten();
            self.master = by_id.or_else(|| sessions.find(&self.ticket));
        }
    }

    fn master_of(&self, premaster: &[u8]) -> Option<Master> {
        let hash = self.suite().ok()?.hash;
        let seed = match (&self.transcript, self.extended_master) {
            (Some(messages), true) => MasterSeed::Handshake(messages),
            (None, true) => return None,
            (_, false) => {
                MasterSeed::Randoms { client: self.client_random.as_ref()?, server: self.server_random.as_ref()? }
            }
        };
        Some(schedule::master(hash, premaster, seed))
    }

    /// Remembers the session, so that connections that resume it can be opened.
    pub(super) fn teach(&self, sessions: &mut Sessions) {
        if let Some(master) = &self.master {
            sessions.learn(&self.session, master);
        }
    }

    /// A ticket for the session (RFC 5077, 3.3): a lifetime, and the ticket with its length.
    pub(super) fn teach_ticket(&self, body: &[u8], sessions: &mut Sessions) {
        if let (Some(master), Some(ticket)) = (&self.master, body.get(6..)) {
            sessions.learn(ticket, master);
        }
    }
}

/// The encrypted premaster secret in a client key exchange of RSA: a length, and so many bytes.
fn encrypted_premaster(body: &[u8]) -> Option<Box<[u8]>> {
    let (length, encrypted) = body.split_first_chunk::<2>()?;
    (usize::from(u16::from_be_bytes(*length)) == encrypted.len()).then(|| encrypted.into())
}
