//! Taking packets off their way: `nft_synproxy.c`, `nft_flow_offload.c`.

use super::load::Context;
use super::packet::protocol;
use super::step::{Act, Flow};
use crate::replay::conntrack::{TcpState, status};

/// `nft_synproxy_do_eval`: a SYN is answered by the proxy; an ACK would have to carry the proxy's cookie, which no
/// captured one does.
pub(super) fn synproxy(cx: &mut Context) -> Flow {
    if cx.info.protocol != Some(protocol::TCP) {
        return Flow::Break;
    }
    let Some(header) = cx.skb.array::<20>(cx.info.transport as usize) else { return Flow::Done(Act::Drop) };
    match header[13] {
        flags if flags & 2 != 0 => Flow::Done(Act::Stolen),
        flags if flags & 16 != 0 => Flow::Done(Act::Drop),
        _ => Flow::Go,
    }
}

/// `nft_flow_offload_eval`: marks an established connection as offloaded, once. `None` breaks.
pub(super) fn offload(cx: &mut Context) -> Option<()> {
    let id = cx.skb.ct?;
    let conn = cx.world.connections.get(id)?;
    match cx.info.protocol? {
        protocol::TCP => {
            let closing = cx.skb.array::<20>(cx.info.transport as usize)?[13] & 5 != 0;
            let established = cx.world.connections.tcp_state(id) == Some(TcpState::Established);
            (!closing && established).then_some(())?;
        }
        protocol::UDP => {}
        _ => return None,
    }
    let barred = conn.helper.is_some() || conn.status & (status::SEQ_ADJUST | status::OFFLOAD) != 0;
    if barred || conn.status & status::CONFIRMED == 0 {
        return None;
    }
    cx.world.connections.get_mut(id)?.status |= status::OFFLOAD;
    Some(())
}
