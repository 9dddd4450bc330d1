//! Upper case as the kernel's `toupper` has it (`lib/ctype.c`): ASCII and Latin-1.

/// Folds in place. Written so that it becomes vector instructions.
pub fn fold(bytes: &mut [u8]) {
    for byte in bytes {
        *byte = upper(*byte);
    }
}

/// Also what Latin-1 has no upper case for is changed: the kernel counts 0xdf and 0xff as lower case.
fn upper(byte: u8) -> u8 {
    let ascii = byte.wrapping_sub(b'a') < 26;
    let latin = (byte >= 0xdf) & (byte != 0xf7);
    byte - (u8::from(ascii | latin) << 5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_of_latin_1_are_folded() {
        let mut bytes = *b"aZ@[`{|1\xe4\xc4\xf7\xd7\xff\xdf\x7f\xa0";
        fold(&mut bytes);
        assert_eq!(bytes, *b"AZ@[`{|1\xc4\xc4\xf7\xd7\xdf\xbf\x7f\xa0");
    }
}
