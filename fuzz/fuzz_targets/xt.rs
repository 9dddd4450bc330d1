//! An iptables rule of matches that the input spells out, and a packet: nothing panics, programs end, and a string is
//! where a plain search finds it.

#![no_main]

use jabberscope::replay::conntrack::{Checksums, Conntrack};
use jabberscope::replay::skb::{HookContext, Skb};
use jabberscope::replay::world::{Answer, Routes, World};
use jabberscope::replay::xt::{Backend, Preparation, PreparedRule, Shared, Strings, reject_reply};
use jabberscope::ruleset::model::{Hook, Ruleset};
use jabberscope::ruleset::nft::Reject;
use jabberscope::ruleset::xt::{Head, Inv, Match, Range, RuleBody, StringMatch, Target, U32Op, U32Test};
use libfuzzer_sys::fuzz_target;

/// What is left of the input.
struct Input<'i>(&'i [u8]);

impl Input<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let Some((first, rest)) = self.0.split_first_chunk() else { return [0; N] };
        self.0 = rest;
        *first
    }

    fn byte(&mut self) -> u8 {
        self.take::<1>()[0]
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        let (first, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        first.to_vec()
    }

    fn instruction(&mut self) -> (u16, u8, u8, u32) {
        let [code, yes, no, wide] = self.take();
        let k = if wide & 1 == 0 { wide.into() } else { u32::from_le_bytes(self.take()) };
        (code.into(), yes, no, k)
    }

    fn step(&mut self) -> (U32Op, u32) {
        let op = match self.byte() & 3 {
            0 => U32Op::And,
            1 => U32Op::LeftShift,
            2 => U32Op::RightShift,
            _ => U32Op::At,
        };
        (op, u32::from_le_bytes(self.take()))
    }

    fn extension(&mut self, strings: &mut Vec<StringMatch>) -> Match {
        let [kind, len] = self.take();
        match kind % 3 {
            0 => Match::Bpf { program: (0..len % 32).map(|_| self.instruction()).collect() },
            1 => {
                let location = (0..len % 10).map(|_| self.step()).collect();
                let ranges = vec![Range { low: 0, high: u32::from_le_bytes(self.take()) }];
                Match::U32(Inv { not: len & 128 != 0, value: vec![U32Test { location, ranges }] })
            }
            _ => {
                let [from, to] = self.take::<2>().map(u32::from);
                let value = self.bytes(usize::from(len % 24));
                let (not, icase) = (false, len & 128 != 0);
                let string = StringMatch { pattern: Inv { not, value }, hex: false, kmp: true, from, to, icase };
                strings.push(string.clone());
                Match::String(Box::new(string))
            }
        }
    }
}

/// As `--icase` folds.
fn upper(byte: u8) -> u8 {
    if byte.is_ascii_lowercase() || (byte >= 0xdf && byte != 0xf7) { byte - 32 } else { byte }
}

fn is_there(string: &StringMatch, bytes: &[u8]) -> bool {
    let fold =
        |bytes: &[u8]| bytes.iter().map(|byte| if string.icase { upper(*byte) } else { *byte }).collect::<Vec<_>>();
    let (hay, pattern) = (fold(bytes), fold(&string.pattern.value));
    let window = hay.get(string.from as usize..hay.len().min(string.to as usize)).unwrap_or_default();
    !pattern.is_empty() && window.windows(pattern.len()).any(|part| part == pattern)
}

fuzz_target!(|input: &[u8]| {
    let mut input = Input(input);
    let [kinds, count] = input.take();
    let backend = if kinds & 1 == 0 { Backend::Nft } else { Backend::Legacy };
    let mut strings = Vec::new();
    let extensions: Vec<Match> = (0..count % 48).map(|_| input.extension(&mut strings)).collect();
    let mut targets = vec![Target::TcpMss { mss: None }, Target::TcpOptStrip { options: vec![3, 8] }];
    targets.push(Target::Ecn { remove: true });
    let packet = input.0;
    let Some(mut skb) = Skb::new(packet, &[], 0) else { return };

    let (ruleset, mut shared, mut index) = (Ruleset::default(), Shared::default(), Strings::default());
    let v6 = skb.is_v6();
    let mut with = Preparation { v6, backend, ruleset: &ruleset, shared: &mut shared, strings: &mut index };
    let mut prepare =
        |matches, target| PreparedRule::new(&RuleBody { head: Head::default(), matches, target }, &mut with);
    let mut rules: Vec<PreparedRule> = extensions.iter().map(|of| prepare(vec![of.clone()], Target::None)).collect();
    let mut changes: Vec<PreparedRule> = targets.into_iter().map(|target| prepare(Vec::new(), target)).collect();

    let mut connections = Conntrack::new(Default::default());
    let routes = Routes::default();
    let hook = HookContext { hook: Hook::Forward, in_if: None, out_if: None };
    let mut world = World { connections: &mut connections, routes: &routes, shared: &mut shared, strings: &mut index };
    let mut asked = strings.iter();
    for (rule, of) in rules.iter_mut().zip(&extensions) {
        let answer = rule.matches(&skb, &hook, &mut world);
        if matches!(of, Match::String(_)) {
            let string = asked.next().expect("one for each");
            assert_eq!(answer == Answer::Yes, is_there(string, &skb.bytes));
        }
    }
    for how in [Reject::TcpReset, Reject::Icmpx(1)] {
        if let Some(reply) = reject_reply(&skb, how, &routes, Checksums::Verified) {
            assert!(Skb::new(&reply, &[], 0).is_some());
        }
    }
    for change in &mut changes {
        change.act(&mut skb, &hook, &mut world);
        assert!(skb.bytes.len() <= skb.len as usize);
    }
});
