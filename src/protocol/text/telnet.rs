//! Telnet commands (RFC 854) inside a stream of text.

/// Interpret as command.
const IAC: u8 = 255;
/// Begin and end of a subnegotiation.
const SB: u8 = 250;
const SE: u8 = 240;
/// WILL, WON'T, DO, DON'T: an option follows.
const OPTION_COMMANDS: std::ops::RangeInclusive<u8> = 251..=254;

/// Takes telnet commands out of a stream, byte by byte.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Telnet {
    /// Text.
    #[default]
    Data,
    /// After IAC.
    Command,
    /// After WILL and its kin.
    Option,
    /// Inside a subnegotiation.
    Subnegotiation,
    /// After IAC inside a subnegotiation.
    SubnegotiationCommand,
}

impl Telnet {
    /// The byte, if it is text. An IAC that no command follows is text of an older character set, not telnet.
    pub(super) fn filter(&mut self, byte: u8) -> Option<u8> {
        let (next, text) = match (*self, byte) {
            (Self::Data, IAC) => (Self::Command, None),
            (Self::Data, _) => (Self::Data, Some(byte)),
            (Self::Command, SB) => (Self::Subnegotiation, None),
            (Self::Command, command) if OPTION_COMMANDS.contains(&command) => (Self::Option, None),
            (Self::Command, SE..=249) => (Self::Data, None),
            (Self::Command, _) => (Self::Data, Some(byte)),
            (Self::Option, _) => (Self::Data, None),
            (Self::Subnegotiation, IAC) => (Self::SubnegotiationCommand, None),
            (Self::SubnegotiationCommand, SE) => (Self::Data, None),
            // A line end inside an option's value: the subnegotiation was none.
            (Self::Subnegotiation, b'\n') => (Self::Data, Some(byte)),
            (Self::Subnegotiation | Self::SubnegotiationCommand, _) => (Self::Subnegotiation, None),
        };
        *self = next;
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strip(bytes: &[u8]) -> Vec<u8> {
        let mut telnet = Telnet::default();
        bytes.iter().filter_map(|&byte| telnet.filter(byte)).collect()
    }

    #[test]
    fn negotiation_is_not_text() {
        // IAC DO TERMINAL-TYPE, "lo", IAC SB TERMINAL-TYPE SEND IAC SE, "gin", IAC NOP, IAC IAC
        let bytes = b"\xff\xfd\x18lo\xff\xfa\x18\x01\xff\xf0gin\xff\xf1\xff\xff";
        assert_eq!(strip(bytes), b"login\xff");
    }

    #[test]
    fn an_unfinished_subnegotiation_ends_with_the_line() {
        assert_eq!(strip(b"\xff\xfa\x18xx\nnext"), b"\nnext");
    }
}
