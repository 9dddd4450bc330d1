//! Finding ranges: of one field by binary search (`nft_set_rbtree.c`), of several like `nft_set_pipapo.c`.

/// Keys from `low` to `high`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range {
    pub low: u128,
    pub high: u128,
    pub entry: u32,
}

/// Sorts ranges and takes from each what earlier ones cover, so that binary search finds the one.
pub(super) fn disjoint(mut ranges: Vec<Range>) -> Vec<Range> {
    ranges.sort_by_key(|range| range.low);
    let mut past: Option<u128> = Some(0);
    ranges.retain_mut(|range| {
        let Some(from) = past else { return false };
        range.low = range.low.max(from);
        if range.low > range.high {
            return false;
        }
        past = range.high.checked_add(1);
        true
    });
    ranges
}

/// Keys whose every field lies between `low`'s and `high`'s.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Region {
    pub low: Box<[u128]>,
    pub high: Box<[u128]>,
    pub entry: u32,
}

impl Region {
    fn contains(&self, fields: &[u128]) -> bool {
        let bounds = self.low.iter().zip(&self.high);
        fields.len() == self.low.len()
            && fields.iter().zip(bounds).all(|(field, (low, high))| low <= field && field <= high)
    }
}

/// Regions, sorted by the field that tells them apart best.
#[derive(Debug, Clone, Default)]
pub(super) struct FieldIndex {
    field: usize,
    regions: Vec<Region>,
    /// Highest end in that field of each region and those before it.
    reach: Vec<u128>,
}

impl FieldIndex {
    pub fn new(mut regions: Vec<Region>) -> Self {
        let fields = regions.first().map_or(0, |region| region.low.len());
        let field = (0..fields).max_by_key(|field| distinct(&regions, *field)).unwrap_or(0);
        let at = |bounds: &[u128]| bounds.get(field).copied().unwrap_or(0);
        regions.sort_by_key(|region| at(&region.low));
        let mut furthest = 0;
        let reach = regions.iter().map(|region| {
            furthest = at(&region.high).max(furthest);
            furthest
        });
        Self { field, reach: reach.collect(), regions }
    }

    /// The first entry, in the order of the set, that contains a key and is wanted.
    pub fn find(&self, fields: &[u128], wanted: impl Fn(u32) -> bool) -> Option<u32> {
        let key = *fields.get(self.field)?;
        let past = self.regions.partition_point(|region| region.low.get(self.field).is_some_and(|low| *low <= key));
        let candidates = self.regions.get(..past)?.iter().zip(&self.reach).rev();
        let reaching = candidates.take_while(|(_, reach)| **reach >= key).map(|(region, _)| region);
        reaching.filter(|region| region.contains(fields) && wanted(region.entry)).map(|region| region.entry).min()
    }
}

/// How many different beginnings the regions have in a field.
fn distinct(regions: &[Region], field: usize) -> usize {
    let mut lows: Vec<_> = regions.iter().filter_map(|region| region.low.get(field)).collect();
    lows.sort_unstable();
    lows.dedup();
    lows.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn overlapping_ranges_keep_the_first() {
        let range = |low, high, entry| Range { low, high, entry };
        let made =
            disjoint(vec![range(5, 9, 1), range(0, 6, 0), range(7, 8, 2), range(20, u128::MAX, 3), range(30, 31, 4)]);
        assert_eq!(made, [range(0, 6, 0), range(7, 9, 1), range(20, u128::MAX, 3)]);
    }

    proptest! {
        #[test]
        fn the_index_finds_what_a_scan_finds(
            bounds in proptest::collection::vec((0_u128..20, 0_u128..8, 0_u128..20, 0_u128..8), 0..40),
            key in (0_u128..24, 0_u128..24),
        ) {
            let regions: Vec<Region> = bounds.iter().enumerate().map(|(n, (a, b, c, d))| Region {
                low: [*a, *c].into(),
                high: [a + b, c + d].into(),
                entry: n as u32,
            }).collect();
            let fields = [key.0, key.1];
            let scanned = regions.iter().find(|region| region.contains(&fields)).map(|region| region.entry);
            prop_assert_eq!(FieldIndex::new(regions).find(&fields, |_| true), scanned);
        }
    }
}
