//! What a hostile file may cost.

/// Rules of one file. Block lists of some hundred thousand rules exist.
pub(super) const MAX_RULES: usize = 500_000;
/// Rules that one command makes of lists of addresses.
pub(super) const MAX_EXPANSION: usize = 65_536;
/// Rules that all `-I`, `-D`, `-R` together may pass over: beyond it, time would grow with the square of the file.
pub(super) const MAX_PASSED: u64 = 200_000_000;
/// Most arguments of a command (`MAX_ARGC` of iptables).
pub(super) const MAX_WORDS: usize = 255;
