//! Walking the options of a TCP or DCCP header, as `tcp_find_option` and its like do.

/// What a search for an option ends with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Search {
    /// It is there.
    Found,
    /// It is not.
    Missing,
    /// The options are not all there.
    Cut,
}

/// Looks for an option of a kind.
pub fn find(options: Option<&[u8]>, kind: u8) -> Search {
    match options {
        None => Search::Cut,
        Some(all) if each(all).any(|option| option.first() == Some(&kind)) => Search::Found,
        Some(_) => Search::Missing,
    }
}

/// Each option with all that follows it. Kinds 0 and 1 have no length byte; a length of 0 counts as 1.
pub fn each(options: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = options;
    std::iter::from_fn(move || {
        let here = rest;
        let step = match here {
            [] => return None,
            [0 | 1, ..] | [_] | [_, 0, ..] => 1,
            [_, len, ..] => usize::from(*len),
        };
        rest = here.get(step..).unwrap_or_default();
        Some(here)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_lead_from_option_to_option() {
        let syn = [2, 4, 5, 180, 1, 3, 3, 7, 4, 2, 0];
        assert_eq!(find(Some(&syn), 3), Search::Found);
        assert_eq!(find(Some(&syn), 5), Search::Missing, "5 is inside another option");
        assert_eq!(find(None, 3), Search::Cut);
    }

    #[test]
    fn a_length_of_nothing_or_too_much_ends_the_walk() {
        assert_eq!(each(&[9, 0, 8]).count(), 3);
        assert_eq!(each(&[9, 200, 8]).count(), 1);
    }
}
