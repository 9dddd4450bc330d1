//! Capability flags of a handshake by name (`dist.hrl` of OTP's kernel, `dist.h` of its runtime, up to OTP 28).

/// The node has no name yet and sends its host only; the acceptor will name it.
pub const NAME_ME: u64 = 1 << 33;

/// Bit and name, in order. `INTERNAL_TAGS`, `PENDING_CONNECT` and `LOCAL_EXT` are for use inside a node.
const NAMES: &[(u32, &str)] = &[
    (0, "PUBLISHED"),
    (1, "ATOM_CACHE"),
    (2, "EXTENDED_REFERENCES"),
    (3, "DIST_MONITOR"),
    (4, "FUN_TAGS"),
    (5, "DIST_MONITOR_NAME"),
    (6, "HIDDEN_ATOM_CACHE"),
    (7, "NEW_FUN_TAGS"),
    (8, "EXTENDED_PIDS_PORTS"),
    (9, "EXPORT_PTR_TAG"),
    (10, "BIT_BINARIES"),
    (11, "NEW_FLOATS"),
    (12, "UNICODE_IO"),
    (13, "DIST_HDR_ATOM_CACHE"),
    (14, "SMALL_ATOM_TAGS"),
    (15, "INTERNAL_TAGS"),
    (16, "UTF8_ATOMS"),
    (17, "MAP_TAG"),
    (18, "BIG_CREATION"),
    (19, "SEND_SENDER"),
    (20, "BIG_SEQTRACE_LABELS"),
    (21, "PENDING_CONNECT"),
    (22, "EXIT_PAYLOAD"),
    (23, "FRAGMENTS"),
    (24, "HANDSHAKE_23"),
    (25, "UNLINK_ID"),
    (26, "MANDATORY_25_DIGEST"),
    (32, "SPAWN"),
    (33, "NAME_ME"),
    (34, "V4_NC"),
    (35, "ALIAS"),
    (36, "LOCAL_EXT"),
    (37, "ALTACT_SIG"),
];

/// Flags as a number and by name; bits that have none are told as a number of their own.
pub fn flag_names(flags: u64) -> String {
    let is_set = |bit: &u32| flags & (1 << bit) != 0;
    let known = NAMES.iter().fold(0, |known, (bit, _)| known | 1 << bit);
    let mut names: Vec<String> =
        NAMES.iter().filter(|(bit, _)| is_set(bit)).map(|(_, name)| (*name).to_owned()).collect();
    if flags & !known != 0 {
        names.push(format!("{:#x}", flags & !known));
    }
    format!("{flags:#x} ({})", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_of_a_node_of_otp_25_have_names() {
        let names = flag_names(0xd_07df_7fbd);
        assert!(names.starts_with("0xd07df7fbd (PUBLISHED, EXTENDED_REFERENCES, DIST_MONITOR, FUN_TAGS, "), "{names}");
        assert!(names.ends_with("UNLINK_ID, MANDATORY_25_DIGEST, SPAWN, V4_NC, ALIAS)"), "{names}");
        assert_eq!(names.split(", ").count(), 0xd_07df_7fbd_u64.count_ones() as usize);
    }

    #[test]
    fn bits_without_a_name_are_not_lost() {
        assert_eq!(flag_names(1 << 40 | 1), "0x10000000001 (PUBLISHED, 0x10000000000)");
        assert_eq!(flag_names(0), "0x0 ()");
        assert!(NAMES.is_sorted_by_key(|(bit, _)| *bit));
    }
}
