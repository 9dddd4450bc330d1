//! Judging a packet by the rules of an nftables table.
