//! Interfaces of a section: link type, and what a tick of their clock is.

use super::super::order::ByteOrder;
use super::options;

const IF_TSRESOL: u16 = 9;
const IF_TSOFFSET: u16 = 14;

/// How ticks become nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tick {
    /// A tick is so many nanoseconds.
    Of(u64),
    /// A nanosecond has so many ticks.
    Per(u128),
    /// A second has two to the power of so many ticks.
    Binary(u32),
}

/// An interface that packets were captured on.
pub(super) struct Interface {
    pub(super) link: u16,
    pub(super) snaplen: u32,
    tick: Tick,
    offset_ns: i128,
}

impl Interface {
    /// Reads an interface description block. What is missing has its default: microseconds since 1970.
    pub(super) fn parse(body: &[u8], order: ByteOrder) -> Self {
        let mut interface = Self {
            link: order.u16_at(body, 0).unwrap_or_default(),
            snaplen: order.u32_at(body, 4).unwrap_or_default(),
            tick: Tick::Of(1000),
            offset_ns: 0,
        };
        options::each(body.get(8..).unwrap_or_default(), order, |code, value| match (code, value) {
            (IF_TSRESOL, [resolution, ..]) => interface.tick = Tick::from_resolution(*resolution),
            (IF_TSOFFSET, value) => {
                let seconds = order.u64_at(value, 0).unwrap_or_default() as i64;
                interface.offset_ns = i128::from(seconds) * 1_000_000_000;
            }
            _ => {}
        });
        interface
    }

    /// Nanoseconds since 1970; times beyond the years 1677 and 2262 are held at these.
    #[inline]
    pub(super) fn time_ns(&self, ticks: u64) -> i64 {
        let since_offset = match self.tick {
            Tick::Of(nanoseconds) => u128::from(ticks) * u128::from(nanoseconds),
            Tick::Per(ticks_per_ns) => u128::from(ticks) / ticks_per_ns,
            Tick::Binary(power) => (u128::from(ticks) * 1_000_000_000).checked_shr(power).unwrap_or(0),
        };
        // At most 2^64 seconds of nanoseconds, which is less than 2^95.
        let time = since_offset as i128 + self.offset_ns;
        i64::try_from(time).unwrap_or(if time < 0 { i64::MIN } else { i64::MAX })
    }
}

impl Tick {
    /// `if_tsresol`: a negative power of ten, or of two if the upper bit is set.
    fn from_resolution(resolution: u8) -> Self {
        let power = u32::from(resolution & 0x7f);
        if resolution & 0x80 != 0 {
            return Self::Binary(power);
        }
        match power {
            0..=9 => Self::Of(10_u64.pow(9 - power)),
            // So fine a clock has not ticked a nanosecond in 64 bits: 10^38 does as well as any larger number.
            _ => Self::Per(10_u128.pow((power - 9).min(38))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interface(options: &[u8]) -> Interface {
        let mut body = vec![1, 0, 0, 0, 0, 0, 4, 0];
        body.extend_from_slice(options);
        Interface::parse(&body, ByteOrder::Little)
    }

    #[test]
    fn ticks_are_microseconds_unless_told() {
        let plain = interface(&[]);
        assert_eq!((plain.link, plain.snaplen), (1, 262_144));
        assert_eq!(plain.time_ns(1_700_000_000_000_001), 1_700_000_000_000_001_000);
    }

    #[test]
    fn resolutions_are_powers_of_ten_or_two() {
        let of = |resolution: u8, ticks| interface(&[9, 0, 1, 0, resolution, 0, 0, 0]).time_ns(ticks);
        assert_eq!(of(9, 1_700_000_000_000_000_007), 1_700_000_000_000_000_007);
        assert_eq!(of(0, 1_700_000_000), 1_700_000_000_000_000_000);
        assert_eq!(of(12, 1_999), 1);
        assert_eq!(of(127, u64::MAX), 0);
        assert_eq!(of(0x80 | 20, 3 << 19), 1_500_000_000);
        assert_eq!(of(0x80 | 127, u64::MAX), 0);
        assert_eq!(of(0, u64::MAX), i64::MAX);
    }

    #[test]
    fn offsets_are_seconds_and_signed() {
        let mut options = vec![14, 0, 8, 0];
        options.extend_from_slice(&(-3600_i64).to_le_bytes());
        assert_eq!(interface(&options).time_ns(3_600_000_001), 1_000);
        let mut options = vec![14, 0, 8, 0];
        options.extend_from_slice(&i64::MIN.to_le_bytes());
        assert_eq!(interface(&options).time_ns(u64::MAX), i64::MIN);
    }
}
