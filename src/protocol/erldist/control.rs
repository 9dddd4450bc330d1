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
