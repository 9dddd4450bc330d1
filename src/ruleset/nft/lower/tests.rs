//! What `nft --debug=netlink` (1.0.6) hands to the kernel for a rule.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // tests

use super::lower;
use crate::ruleset::model::Body;
use crate::ruleset::nft::{Ct, ElementData, Expr, Meta, Op, SetData, Statement, parse_script};
use std::sync::Arc;

fn lowered(rule: &str) -> (Vec<Statement>, Vec<super::Set>) {
    let file = Arc::from("rules.nft");
    let script = parse_script(&format!("table ip t {{ chain c {{\n{rule}\n}} }}"), &file).unwrap();
    let mut table = lower(&script, &file).unwrap().tables.remove(0);
    match table.chains.remove(0).rules.remove(0).body {
        Body::Nft(statements) => (statements, table.sets),
        other => panic!("{other:?}"),
    }
}

/// `[ bitwise reg 1 = ( reg 1 & 0x00000000 ) ^ 0x00000000 ] [ cmp neq reg 1 0x00000000 ]`: never true.
#[test]
fn no_flags_are_never_among_flags() {
    let (statements, _) = lowered("tcp flags 0");
    let Some(Statement::Compare { left: Expr::Bitwise { mask, .. }, op, right }) = statements.last() else {
        panic!("{statements:?}");
    };
    assert_eq!((mask.as_slice(), *op, right.as_slice()), (&[0][..], Op::Ne, &[0][..]));
}

/// `[ immediate reg 1 0x00000080 0x00000000 0x00000000 0x00000000 ]`
#[test]
fn labels_are_numbers_of_bits() {
    let mut seventh = vec![0; 16];
    seventh[15] = 0x80;
    match lowered("ct label set 7").0.as_slice() {
        [Statement::SetCt { key: Ct::Label, direction: None, value }] => assert_eq!(*value, Expr::Constant(seventh)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn maps_give_an_address_and_a_port() {
    let (statements, sets) = lowered("dnat ip to tcp dport map { 80 : 10.0.0.1 . 8080 }");
    assert!(matches!(statements.last(), Some(Statement::Nat(_))), "{statements:?}");
    assert_eq!(sets[0].data, SetData::Value(6));
    assert_eq!(sets[0].elements[0].data, ElementData::Value(vec![10, 0, 0, 1, 0x1f, 0x90]));
}

/// `[ cmp eq reg 1 0x00010010 ]`
#[test]
fn priorities_are_handles_of_classes() {
    for (rule, priority) in [("meta priority 1:10", [0, 1, 0, 0x10]), ("meta priority none", [0; 4])] {
        match lowered(rule).0.as_slice() {
            [Statement::Compare { left: Expr::Meta(Meta::Priority), op: Op::Eq, right }] => {
                assert_eq!(*right, priority)
            }
            other => panic!("{other:?}"),
        }
    }
}
