//! Contents of files: any bytes, in pieces of the length that the first byte gives.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((piece, data)) = data.split_first() else { return };
    let mut intake = jabberscope::protocol::content::Intake::new(None);
    data.chunks(usize::from(*piece).max(1)).for_each(|piece| intake.push(piece));
    intake.finish();
});
