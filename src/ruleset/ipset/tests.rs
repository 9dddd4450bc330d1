#![allow(clippy::unwrap_used)] // tests
use super::*;
use std::net::IpAddr;

fn read(text: &str) -> Vec<IpSet> {
    parse(text, &Arc::from("sets")).unwrap()
}

fn error(text: &str) -> String {
    parse(text, &Arc::from("sets")).unwrap_err().to_string()
}

#[test]
fn sets_and_elements() {
    let sets = read(
        "create nets hash:net family inet hashsize 1024 maxelem 65536 counters\n\
         add nets 10.88.0.0/16\n\
         add nets 10.88.20.0/24 nomatch\n\
         # a comment\n\
         create six hash:ip,port,net family inet6 timeout 60\n\
         add six 2001:db8::1,udp:50-60,2001:db8::/32 timeout 5 comment \"two words\"\n\
         create ports bitmap:port range 0-65535\n\
         add ports 5222-5223\n",
    );
    let [nets, six, ports] = sets.as_slice() else { panic!("{sets:?}") };
    assert_eq!((nets.counters, nets.entries.len(), nets.entries[1].nomatch), (true, 2, true));
    assert_eq!(nets.entries[0].values, [Value::Net(IpAddr::from([10, 88, 0, 0]), 16)]);
    assert_eq!(six.timeout, Some(60));
    assert_eq!(six.entries[0].values[1], Value::Ports(Some(17), 50, 60));
    assert_eq!(six.entries[0].comment.as_deref(), Some("two words"));
    assert_eq!(ports.entries[0].values, [Value::Ports(None, 5222, 5223)]);
    assert_eq!(ports.range, Some((0, 65_535)));
}

#[test]
fn later_lines_change_what_earlier_made() {
    let sets = read(
        "ipset create a hash:ip\nipset -exist create a hash:ip\nipset add a 1.2.3.4\nipset add a 1.2.3.5\nipset del a 1.2.3.4\n\
         ipset create b hash:ip\nipset swap a b\nipset rename b c\n",
    );
    let names: Vec<(&str, usize)> = sets.iter().map(|set| (&*set.name, set.entries.len())).collect();
    assert_eq!(names, [("c", 1), ("a", 0)]);
}

#[test]
fn mistakes_name_their_place() {
    assert_eq!(
        error("create a hash:up"),
        "sets:1:10: unknown type \"hash:up\": expected such as hash:ip, hash:net, hash:ip,port, bitmap:port, list:set"
    );
    assert_eq!(
        error("create servers hash:ip\nadd server 1.2.3.4"),
        "sets:2:5: there is no set \"server\": did you mean servers?"
    );
    assert!(error("create a hash:ip\nadd a 1.2.3").starts_with("sets:2:7: \"1.2.3\" is not an address"));
    assert!(error("create a hash:ip\nadd a ::1").contains("another family"));
    assert!(error("create a hash:ip,port\nadd a 1.2.3.4").contains("has 1 parts"));
    assert!(error("create a hash:ip timeout x").contains("not a number"));
    assert!(error("frobnicate a").contains("unknown command"));
    assert!(error("add \"a").contains("closing quote"));
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "(create|add|del|swap|x)? ?[a-c]? ?(hash:ip|list:set|bitmap:port)?[ -~\n]{0,60}") {
        let _ = parse(&text, &Arc::from("sets"));
    }
}
