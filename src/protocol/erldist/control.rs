//! Control messages (erts "Protocol between Connected Nodes"): what each number is called, and who sends to whom.

use super::term::Term;

/// Name, number, elements of the tuple, place of the sender's and of the receiver's identifier, payload or not.
struct Operation {
    number: i64,
    name: &'static str,
    arity: usize,
    from: Option<usize>,
    to: Option<usize>,
    payload: bool,
}

const fn op(
    number: i64,
    name: &'static str,
    arity: usize,
    from: Option<usize>,
    to: Option<usize>,
    payload: bool,
) -> Operation {
    Operation { number, name, arity, from, to, payload }
}

const OPERATIONS: &[Operation] = &[
    op(1, "LINK", 3, Some(1), Some(2), false),
    op(2, "SEND", 3, None, Some(2), true),
    op(3, "EXIT", 4, Some(1), Some(2), false),
    op(4, "UNLINK", 3, Some(1), Some(2), false),
    op(5, "NODE_LINK", 1, None, None, false),
    op(6, "REG_SEND", 4, Some(1), Some(3), true),
    op(7, "GROUP_LEADER", 3, Some(1), Some(2), false),
    op(8, "EXIT2", 4, Some(1), Some(2), false),
    op(12, "SEND_TT", 4, None, Some(2), true),
    op(13, "EXIT_TT", 5, Some(1), Some(2), false),
    op(16, "REG_SEND_TT", 5, Some(1), Some(3), true),
    op(18, "EXIT2_TT", 5, Some(1), Some(2), false),
    op(19, "MONITOR_P", 4, Some(1), Some(2), false),
    op(20, "DEMONITOR_P", 4, Some(1), Some(2), false),
    op(21, "MONITOR_P_EXIT", 5, Some(1), Some(2), false),
    op(22, "SEND_SENDER", 3, Some(1), Some(2), true),
    op(23, "SEND_SENDER_TT", 4, Some(1), Some(2), true),
    op(24, "PAYLOAD_EXIT", 3, Some(1), Some(2), true),
    op(25, "PAYLOAD_EXIT_TT", 4, Some(1), Some(2), true),
    op(26, "PAYLOAD_EXIT2", 3, Some(1), Some(2), true),
    op(27, "PAYLOAD_EXIT2_TT", 4, Some(1), Some(2), true),
    op(28, "PAYLOAD_MONITOR_P_EXIT", 4, Some(1), Some(2), true),
    op(29, "SPAWN_REQUEST", 6, Some(2), None, true),
    op(30, "SPAWN_REQUEST_TT", 7, Some(2), None, true),
    op(31, "SPAWN_REPLY", 5, Some(4), Some(2), false),
    op(32, "SPAWN_REPLY_TT", 6, Some(4), Some(2), false),
    op(33, "ALIAS_SEND", 3, Some(1), Some(2), true),
    op(34, "ALIAS_SEND_TT", 4, Some(1), Some(2), true),
    op(35, "UNLINK_ID", 4, Some(2), Some(3), false),
    op(36, "UNLINK_ID_ACK", 4, Some(2), Some(3), false),
    // With a trace token it has five elements.
    op(37, "ALTACT_SIG_SEND", 4, Some(2), Some(3), true),
];

fn operation(control: &Term) -> Option<&'static Operation> {
    let elements = control.tuple()?;
    let number = elements.first()?.integer()?;
    let found = OPERATIONS.iter().find(|operation| operation.number == number)?;
    (elements.len() == found.arity || (number == 37 && elements.len() == 5)).then_some(found)
}

/// The operation's name; `UNKNOWN` for a number or a shape that no release of OTP up to 27 sends.
pub fn name(control: &Term) -> &'static str {
    operation(control).map_or("UNKNOWN", |operation| operation.name)
}

/// `true` if a payload belongs to the control message. Of unknown ones that is not known: what follows is taken.
pub fn has_payload(control: &Term) -> bool {
    operation(control).is_none_or(|operation| operation.payload)
}

/// Where the operation number of a known control tuple of `arity` leaves no doubt that this is one.
pub fn is_plausible(number: u8, arity: u8) -> bool {
    let (number, arity) = (i64::from(number), usize::from(arity));
    OPERATIONS.iter().any(|operation| operation.number == number && operation.arity == arity)
        || (number, arity) == (37, 5)
}

/// The sender's identifier: a pid, or where a name was monitored, an atom.
pub fn sender(control: &Term) -> Option<&Term> {
    control.tuple()?.get(operation(control)?.from?)
}

/// The receiver: a pid, a name, or an alias.
pub fn receiver(control: &Term) -> Option<&Term> {
    control.tuple()?.get(operation(control)?.to?)
}

/// The element at `index` of the control tuple.
pub fn element(control: &Term, index: usize) -> Option<&Term> {
    control.tuple()?.get(index)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // tests
mod tests {
    use super::*;

    /// A control tuple whose elements behind the number are their places, as atoms.
    fn control(number: i64, arity: usize) -> Term {
        let places = (1..arity).map(|place| Term::Atom(place.to_string().into()));
        Term::Tuple(std::iter::once(Term::Integer(number)).chain(places).collect())
    }

    #[test]
    fn every_message_of_otp_20_to_28_has_its_name_and_its_parties() {
        // As erts tells the tuples: FromPid and ToPid, or what stands for them, by their place.
        let told = [
            (1, 3, "LINK 1>2"),
            (2, 3, "SEND ?>2 +"),
            (3, 4, "EXIT 1>2"),
            (4, 3, "UNLINK 1>2"),
            (5, 1, "NODE_LINK ?>?"),
            (6, 4, "REG_SEND 1>3 +"),
            (7, 3, "GROUP_LEADER 1>2"),
            (8, 4, "EXIT2 1>2"),
            (12, 4, "SEND_TT ?>2 +"),
            (13, 5, "EXIT_TT 1>2"),
            (16, 5, "REG_SEND_TT 1>3 +"),
            (18, 5, "EXIT2_TT 1>2"),
            (19, 4, "MONITOR_P 1>2"),
            (20, 4, "DEMONITOR_P 1>2"),
            (21, 5, "MONITOR_P_EXIT 1>2"),
            (22, 3, "SEND_SENDER 1>2 +"),
            (23, 4, "SEND_SENDER_TT 1>2 +"),
            (24, 3, "PAYLOAD_EXIT 1>2 +"),
            (25, 4, "PAYLOAD_EXIT_TT 1>2 +"),
            (26, 3, "PAYLOAD_EXIT2 1>2 +"),
            (27, 4, "PAYLOAD_EXIT2_TT 1>2 +"),
            (28, 4, "PAYLOAD_MONITOR_P_EXIT 1>2 +"),
            (29, 6, "SPAWN_REQUEST 2>? +"),
            (30, 7, "SPAWN_REQUEST_TT 2>? +"),
            (31, 5, "SPAWN_REPLY 4>2"),
            (32, 6, "SPAWN_REPLY_TT 4>2"),
            (33, 3, "ALIAS_SEND 1>2 +"),
            (34, 4, "ALIAS_SEND_TT 1>2 +"),
            (35, 4, "UNLINK_ID 2>3"),
            (36, 4, "UNLINK_ID_ACK 2>3"),
            (37, 4, "ALTACT_SIG_SEND 2>3 +"),
            (37, 5, "ALTACT_SIG_SEND 2>3 +"),
        ];
        for (number, arity, expected) in told {
            let control = control(number, arity);
            let place = |party: Option<&Term>| party.and_then(Term::atom).unwrap_or("?").to_owned();
            let payload = if has_payload(&control) { " +" } else { "" };
            let shown =
                format!("{} {}>{}{payload}", name(&control), place(sender(&control)), place(receiver(&control)));
            assert_eq!(shown, expected);
            assert!(is_plausible(u8::try_from(number).unwrap(), u8::try_from(arity).unwrap()), "{expected}");
        }
        assert_eq!(told.len(), OPERATIONS.len() + 1, "the last has two forms");
    }

    #[test]
    fn what_no_release_sends_is_unknown() {
        for (number, arity) in [(9, 3), (38, 4), (2, 4), (36, 3), (-1, 3)] {
            assert_eq!(name(&control(number, arity)), "UNKNOWN", "{number} with {arity}");
        }
        assert!(!is_plausible(38, 4) && !is_plausible(37, 6));
    }
}
