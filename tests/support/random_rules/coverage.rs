//! Which of all that is modelled random rules hold, so that nothing new is left out of the comparison unnoticed.

use jabberscope::ruleset::model::{Body, Ruleset};
use jabberscope::ruleset::nft::{Ct, Expr, FibResult, Meta, NatKind, ObjectKind, Reject, Statement};
use jabberscope::ruleset::xt::{Match, Statistic, Target};
use std::collections::BTreeSet;

/// Variants by `Type::Variant`.
pub type Variants = BTreeSet<String>;

/// A function that names a value's variant, and a list of all. A variant that is missing here does not compile.
macro_rules! variants {
    ($function:ident, $all:ident, $kind:ident: $($variant:ident)*) => {
        fn $function(value: &$kind) -> String {
            let name = match value { $($kind::$variant { .. } => stringify!($variant),)* };
            format!("{}::{name}", stringify!($kind))
        }
        const $all: &[&str] = &[$(concat!(stringify!($kind), "::", stringify!($variant)),)*];
    };
}

variants!(match_name, MATCHES, Match: AddrType Ah Bpf Cluster Comment ConnBytes ConnLabel ConnLimit ConnMark ConnTrack Cpu
    DevGroup Dccp Dscp Dst Hbh Ecn Esp Eui64 Frag HashLimit Helper Ttl Icmp IpRange Ipv6Header Layer7 Length Limit Mac Mark
    Mh MultiPort PhysDev PktType Policy Quota Realm Recent RpFilter Rt Sctp Set Socket State Statistic String Tcp TcpMss
    Time Tos U32 Udp Unknown);
variants!(target_name, TARGETS, Target: None Verdict Chain Audit Checksum Classify ConnMark Ct Dnat Dscp Ecn Log Mark
    Masquerade Netmap Nflog Nfqueue Redirect Reject Set Snat SynProxy TcpMss TcpOptStrip Tee Tos Tproxy Trace Ttl Passive
    Unknown);
variants!(statement_name, STATEMENTS, Statement: Compare CompareExprs Range Lookup Counter Limit Quota ConnLimit Last
    Object ObjectMap Verdict VerdictMap SetMeta SetCt SetPayload SetTcpOption ResetTcpOption NoTrack Log Reject Nat Dup Fwd
    Tproxy Queue Synproxy FlowOffload DynSet Unknown);
variants!(expr_name, EXPRS, Expr: Constant Payload Meta Ct ExtHdr TcpOption IpOption SctpChunk DccpOption Fib Rt Socket Osf
    Xfrm NumGen Hash Bitwise Shift Binary Concat Map Unknown);
variants!(meta_name, METAS, Meta: Length NfProto L4Proto Protocol Priority Mark Iif IifName IifType IifKind IifGroup Oif
    OifName OifType OifKind OifGroup SkUid SkGid NfTrace RtClassId SecMark IbrName ObrName IbrPvid IbrVproto PktType Cpu
    CGroup Random SecPath SdIf SdIfName Time Day Hour BriBroute);
variants!(ct_name, CTS, Ct: State Direction Status Mark Expiration Helper Label L3Proto Protocol Src Dst SrcIp DstIp SrcIp6
    DstIp6 ProtoSrc ProtoDst Packets Bytes AvgPkt Zone EventMask Id SecMark Count);
variants!(fib_name, FIBS, FibResult: Oif OifName Type);
variants!(object_name, OBJECTS, ObjectKind: Counter Quota Limit CtHelper CtTimeout CtExpectation SecMark Synproxy FlowTable);
variants!(nat_name, NATS, NatKind: Snat Dnat Masquerade Redirect);
variants!(reject_name, REJECTS, Reject: TcpReset Icmp Icmpv6 Icmpx);
variants!(statistic_name, STATISTICS, Statistic: Random Nth);

/// Every variant that there is.
pub fn all() -> Variants {
    let lists = [MATCHES, TARGETS, STATEMENTS, EXPRS, METAS, CTS, FIBS, OBJECTS, NATS, REJECTS, STATISTICS];
    lists.into_iter().flatten().map(|name| (*name).to_owned()).collect()
}

/// Variants that a ruleset holds.
pub fn of(ruleset: &Ruleset) -> Variants {
    let mut seen = Variants::new();
    for (_, _, rule) in ruleset.rules() {
        match &rule.body {
            Body::Xt(body) => {
                for extension in &body.matches {
                    seen.insert(match_name(extension));
                    if let Match::Statistic(statistic) = extension {
                        seen.insert(statistic_name(statistic));
                    }
                }
                seen.insert(target_name(&body.target));
            }
            Body::Nft(statements) => statements.iter().for_each(|it| statement(it, &mut seen)),
        }
    }
    for set in ruleset.tables.iter().flat_map(|table| &table.sets) {
        set.statements.iter().for_each(|it| statement(it, &mut seen));
        set.elements.iter().flat_map(|element| &element.statements).for_each(|it| statement(it, &mut seen));
    }
    for object in ruleset.tables.iter().flat_map(|table| &table.objects) {
        use jabberscope::ruleset::nft::ObjectBody;
        seen.insert(object_name(&match object.object {
            ObjectBody::Counter { .. } => ObjectKind::Counter,
            ObjectBody::Quota(_) => ObjectKind::Quota,
            ObjectBody::Limit(_) => ObjectKind::Limit,
            ObjectBody::Other(kind) => kind,
        }));
    }
    seen
}

fn statement(it: &Statement, seen: &mut Variants) {
    seen.insert(statement_name(it));
    match it {
        Statement::Compare { left: of, .. }
        | Statement::Range { of, .. }
        | Statement::Lookup { of, .. }
        | Statement::SetPayload { value: of, .. }
        | Statement::SetTcpOption { value: of, .. }
        | Statement::ObjectMap { key: of, .. }
        | Statement::VerdictMap { key: of, .. } => expr(of, seen),
        Statement::CompareExprs { left, right, .. } => [left, right].into_iter().for_each(|it| expr(it, seen)),
        Statement::SetMeta { key, value } => {
            seen.insert(meta_name(key));
            expr(value, seen);
        }
        Statement::SetCt { key, value, .. } => {
            seen.insert(ct_name(key));
            expr(value, seen);
        }
        Statement::DynSet { key, data, statements, .. } => {
            expr(key, seen);
            data.iter().for_each(|it| expr(it, seen));
            statements.iter().for_each(|it| statement(it, seen));
        }
        Statement::Reject(how) => drop(seen.insert(reject_name(how))),
        Statement::Nat(nat) => {
            seen.insert(nat_name(&nat.kind));
            let given = [&nat.addresses, &nat.ports];
            given.into_iter().flatten().for_each(|(low, high)| {
                expr(low, seen);
                high.iter().for_each(|it| expr(it, seen));
            });
        }
        _ => {}
    }
}

fn expr(it: &Expr, seen: &mut Variants) {
    seen.insert(expr_name(it));
    match it {
        Expr::Meta(key) => drop(seen.insert(meta_name(key))),
        Expr::Ct { key, .. } => drop(seen.insert(ct_name(key))),
        Expr::Fib { result, .. } => drop(seen.insert(fib_name(result))),
        Expr::Bitwise { of, .. } | Expr::Shift { of, .. } | Expr::Map { key: of, .. } => expr(of, seen),
        Expr::Hash { of, .. } => of.iter().for_each(|it| expr(it, seen)),
        Expr::Binary { left, right, .. } => [left, right].into_iter().for_each(|it| expr(it, seen)),
        Expr::Concat(parts) => parts.iter().for_each(|it| expr(it, seen)),
        _ => {}
    }
}
