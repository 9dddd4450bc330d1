//! Compressed XMPP streams: any bytes, in any pieces, with gaps.
#![no_main]

#[path = "support/conversation.rs"]
mod conversation;

libfuzzer_sys::fuzz_target!(|data: &[u8]| conversation::play_behind(
    &[
        b"<stream:stream to='x.test' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>\
        <compress xmlns='http://jabber.org/protocol/compress'><method>zlib</method></compress>",
        b"<stream:stream id='1' from='x.test' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>\
        <compressed xmlns='http://jabber.org/protocol/compress'/>",
    ],
    5222,
    data
));
