//! Packets through a ruleset, as the Linux kernel would judge them: verdicts, counters, and what they mean for findings.
//!
//! | file | does |
//! |---|---|
//! | `skb` | a packet as netfilter sees it |
//! | `wiring`, `place` | which way a packet takes through the host; what of that was assumed |
//! | `defrag`, `conntrack`, `conncount` | fragments, connections and NAT, how many connections there are |
//! | `world` | what rules share: connections, sets, lists, routes |
//! | `ipset` | sets that rules ask and change |
//! | `xt`, `nft` | judge a packet by the rules of an xtables or nftables chain |
//! | `machine` | hooks, chains and counters: a host with a ruleset loaded |
//! | `flows`, `watch`, `enforce` | conversations, evidence, what cannot have happened after a drop |
//! | `candidate`, `run` | one ruleset under test; captures through all of them |
//! | `outcome`, `rule_states`, `layers` | what it means: findings, harm, rules that do not matter, what a layer could do |
//! | `signatures`, `compare`, `expect` | blindness, differences, the gate |
//! | `hits`, `output`, `page`, `terminal` | `hits.json`, the table, the section of the report, the summary |
//! | `kernel`, `engine` | the same packets through the real kernel; compared with the model |
//!
//! Time is capture time everywhere.

pub mod candidate;
pub mod compare;
pub mod conncount;
pub mod conntrack;
pub mod defrag;
pub mod enforce;
pub mod engine;
pub mod expect;
pub mod flows;
pub mod hits;
pub mod ipset;
mod jhash;
pub mod kernel;
mod layers;
pub mod machine;
pub mod nft;
pub mod outcome;
pub mod output;
mod page;
pub mod place;
mod rule_states;
pub mod run;
pub mod signatures;
pub mod skb;
pub mod terminal;
mod tick;
pub mod watch;
pub mod wiring;
pub mod world;
pub mod xt;
