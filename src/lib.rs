//! Offline forensic analysis of XMPP sites: captures in, findings with evidence out.
//!
//! The modules stand in the order in which data flows; each imports only from those above it.
//!
//! | module | takes | gives |
//! |---|---|---|
//! | [`evidence`] | | where something was seen: capture, frame, time, flow |
//! | [`secret`] | passwords, cookies, bodies | their masked form |
//! | [`capture`] | files on disk | frames in time order |
//! | [`packet`] | frames | addresses, ports, payload; datagrams put together |
//! | [`flow`] | packets | conversations: flow table, TCP streams in order |
//! | [`protocol`] | conversation bytes | events |
//! | [`policy`] | a TOML file | what the site allows |
//! | [`detect`] | events and policy | findings |
//! | [`table`] | events | rows in columns |
//! | [`report`] | findings, tables, counts | the case folder |
//! | [`analyze`] | captures and options | a case folder: the pipeline that joins all of these |
//! | [`ruleset`] | iptables, nftables, ipset and l7-filter files | one rule model |
//! | [`replay`] | packets and rules | what each rule would have done |
//! | [`cli`] | the command line | the exit status |

pub mod analyze;
pub mod capture;
pub mod cli;
pub mod detect;
pub mod evidence;
pub mod flow;
pub mod packet;
pub mod policy;
pub mod protocol;
pub mod replay;
pub mod report;
pub mod ruleset;
pub mod secret;
pub mod table;
