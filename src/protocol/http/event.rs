//! What the HTTP decoder reports.

use crate::evidence::Stamp;
use crate::protocol::content::{Beginning, FileContent};

/// HTTP/1 exchanges.
#[derive(Debug, Clone)]
pub enum HttpEvent {
    /// A request with its response, if one was seen. Sighted in the asking direction; `last` is the response's end.
    Exchange(Box<HttpExchange>),
}

/// One half of an exchange.
#[derive(Debug, Clone, Default)]
pub struct HttpMessage {
    /// Header fields in order, names in lower case.
    pub headers: Vec<(String, String)>,
    /// First bytes of the content: the body after its chunks were joined and its coding (gzip, deflate) was undone; at
    /// most 65,536, or 1,048,576 of XML. Nothing of a coding that is not known.
    pub body: Vec<u8>,
    /// `body` is not the whole content as far as it was captured: that is longer, or its coding is unknown or damaged.
    pub body_cut: bool,
    /// Length of the whole body as transferred, its chunks joined but its coding not undone, as far as it was captured.
    pub body_bytes: u64,
    /// SHA-256 of these bytes: of a file in a coding, it is the hash of the coded file.
    pub body_sha256: [u8; 32],
    /// The file that the body is, its coding undone where that is gzip or deflate and can be read.
    pub content: FileContent,
    /// The body's end was seen and nothing of it is missing.
    pub complete: bool,
    /// What joins the file with further bytes of it in other responses. There for responses in no coding.
    pub part: Option<Box<FilePart>>,
    /// Where it begins and ends.
    pub frames: (Stamp, Stamp),
}

/// A part of a file in a response: it broke off, or was asked for in parts (RFC 9110, 14).
#[derive(Debug, Clone)]
pub enum FilePart {
    /// From the first byte on.
    Beginning(Beginning),
    /// From further on.
    Rest {
        /// Where in the file.
        start: u64,
        /// Length of the whole file, as far as it was told.
        total: Option<u64>,
        /// The bytes.
        bytes: Vec<u8>,
    },
}

impl FilePart {
    /// Bytes that it keeps in memory, more or less.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Beginning(_) => 64 << 10,
            Self::Rest { bytes, .. } => bytes.len(),
        }
    }
}

impl HttpMessage {
    /// Value of the first field of this (lower-case) name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    /// Content-Range: the first byte in the file, and the length of the file, if that was told.
    pub fn range(&self) -> Option<(u64, Option<u64>)> {
        self.header("content-range").and_then(super::range::read)
    }
}

/// A request with its response.
#[derive(Debug, Clone, Default)]
pub struct HttpExchange {
    /// Method as sent.
    pub method: String,
    /// Request target as sent.
    pub target: String,
    /// Request.
    pub request: HttpMessage,
    /// Status code.
    pub status: Option<u16>,
    /// Response.
    pub response: Option<HttpMessage>,
}
