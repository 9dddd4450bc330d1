//! Packets through a ruleset, as the Linux kernel would judge them: verdicts, counters, and what they mean for findings.
//!
//! | file | does |
//! |---|---|
//! | `skb` | a packet as netfilter sees it |
//! | `conntrack` | connections, their states and NAT |
//! | `world` | what rules share: connections, sets, lists, the clock |
//! | `xt`, `nft` | judge a packet by the rules of an xtables or nftables chain |
//! | `kernel` | the same packets through the real kernel |
//!
//! Time is capture time everywhere.

pub mod conntrack;
pub mod skb;
pub mod world;
pub mod xt;
