//! Keys that were given for TLS: key logs and RSA private keys in, secrets of a handshake out.

mod log;
mod rsa;
mod sessions;

pub use log::{LogReading, MalformedLine};
pub use rsa::RsaKeyError;
pub use sessions::Sessions;

use super::schedule::{Master, Secret};
use log::Label;
use rsa::ServerKey;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// All keys of a case.
#[derive(Debug, Clone, Default)]
pub struct Keys {
    by_random: HashMap<[u8; 32], Box<HelloSecrets>>,
    /// Master secrets by session id.
    by_session: HashMap<Box<[u8]>, Master>,
    /// Premaster secrets by the first bytes of their encrypted form.
    by_premaster: HashMap<[u8; 8], Box<[u8]>>,
    server_keys: Vec<ServerKey>,
}

/// What a shard has for opening TLS.
pub struct KeyRing<'a> {
    /// Keys of the case.
    pub keys: &'a Keys,
    /// Sessions that this shard opened.
    pub sessions: &'a mut Sessions,
}

/// Secrets of the connection whose client hello has one random.
#[derive(Debug, Clone, Default)]
pub(super) struct HelloSecrets {
    pub master: Option<Master>,
    pub premaster: Option<Box<[u8]>>,
    pub early: Option<Secret>,
    /// Of the client and of the server.
    pub handshake: [Option<Secret>; 2],
    pub application: [Option<Secret>; 2],
}

/// Why a key file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// It cannot be read.
    #[error("{}: {cause}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
    /// No line of it is one of a key log.
    #[error("{}: line {line}: not a TLS key log (expected lines such as CLIENT_RANDOM <64 hex digits> <96 hex digits>)", path.display())]
    NotAKeyLog {
        /// The file.
        path: PathBuf,
        /// The first line that says something.
        line: u64,
    },
    /// It is no RSA private key.
    #[error("{}: {cause}", path.display())]
    NotAnRsaKey {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        cause: RsaKeyError,
    },
}

impl Keys {
    /// Takes in a key log file. Lines that are malformed are left out and told; a file without a single line of a key
    /// log is an error.
    pub fn load_log(&mut self, path: &Path) -> Result<LogReading, KeyFileError> {
        let reading = self.add_log(&read(path)?);
        match reading.first_unknown {
            Some(line) if reading.known == 0 => Err(KeyFileError::NotAKeyLog { path: path.to_owned(), line }),
            _ => Ok(reading),
        }
    }

    /// Takes in a server's RSA private key: PEM or DER, PKCS#8 or PKCS#1, certificates beside it allowed.
    pub fn load_rsa_key(&mut self, path: &Path) -> Result<(), KeyFileError> {
        let cause = |cause| KeyFileError::NotAnRsaKey { path: path.to_owned(), cause };
        self.add_rsa_key(&read(path)?).map_err(cause)
    }

    /// Takes in the text of a key log.
    pub fn add_log(&mut self, text: &[u8]) -> LogReading {
        log::read(text, |line| self.add_line(line))
    }

    /// Takes in an RSA private key.
    pub fn add_rsa_key(&mut self, bytes: &[u8]) -> Result<(), RsaKeyError> {
        self.server_keys.extend(rsa::parse(bytes)?);
        Ok(())
    }

    /// `true` if there is none.
    pub fn is_empty(&self) -> bool {
        self.by_random.is_empty()
            && self.by_session.is_empty()
            && self.by_premaster.is_empty()
            && self.server_keys.is_empty()
    }

    /// `true` if there are private keys, with which a session can be opened only where its first handshake was seen.
    pub fn has_server_keys(&self) -> bool {
        !self.server_keys.is_empty()
    }

    /// What is known of the connection of a client hello.
    pub(super) fn of_hello(&self, random: &[u8; 32]) -> Option<&HelloSecrets> {
        self.by_random.get(random).map(|secrets| &**secrets)
    }

    /// Master secret of a session.
    pub(super) fn of_session(&self, id: &[u8]) -> Option<&Master> {
        self.by_session.get(id)
    }

    /// Premaster secret of an RSA key exchange.
    pub(super) fn premaster(&self, encrypted: &[u8]) -> Option<Box<[u8]>> {
        let known = encrypted.first_chunk().and_then(|head| self.by_premaster.get(head)).cloned();
        known.or_else(|| self.server_keys.iter().find_map(|key| key.premaster(encrypted)))
    }

    /// What is known already stays: files that were given come before what captures bring.
    fn add_line(&mut self, line: log::Line) {
        match line.label {
            Label::Session => {
                if let Some(master) = line.secret.first_chunk() {
                    self.by_session.entry(line.name.into()).or_insert(*master);
                }
            }
            Label::EncryptedPremaster => {
                if let Some(head) = line.name.first_chunk() {
                    self.by_premaster.entry(*head).or_insert_with(|| line.secret.into());
                }
            }
            label => {
                if let Some(random) = line.name.first_chunk() {
                    self.by_random.entry(*random).or_default().add(label, &line.secret);
                }
            }
        }
    }
}

impl HelloSecrets {
    fn add(&mut self, label: Label, secret: &[u8]) {
        let [client_handshake, server_handshake] = &mut self.handshake;
        let [client_application, server_application] = &mut self.application;
        let place = match label {
            Label::Early => &mut self.early,
            Label::ClientHandshake => client_handshake,
            Label::ServerHandshake => server_handshake,
            Label::ClientApplication => client_application,
            Label::ServerApplication => server_application,
            Label::Premaster => {
                self.premaster.get_or_insert_with(|| secret.into());
                return;
            }
            Label::Master | Label::Session | Label::EncryptedPremaster => {
                self.master = self.master.or_else(|| secret.first_chunk().copied());
                return;
            }
        };
        *place = place.or_else(|| Secret::new(secret));
    }
}

fn read(path: &Path) -> Result<Vec<u8>, KeyFileError> {
    std::fs::read(path).map_err(|cause| KeyFileError::Unreadable { path: path.to_owned(), cause })
}
