//! Readable streams of no known protocol: shell sessions, telnet, line protocols.
//!
//! In: the bytes of both directions. Out: a [`TextEvent`] a line, as a person at the terminal would have read it.
//! Followed: telnet commands (RFC 854, RFC 855), the editing part of ECMA-48 (cursor moves and erasing within the
//! line). Left out: what a full-screen program paints; it comes out as the text that it writes, line by line.

pub mod event;
mod line;
mod probe;
mod session;
mod telnet;

pub use event::*;
pub use probe::probe;
pub use session::start;
