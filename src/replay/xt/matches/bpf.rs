//! `-m bpf` (`xt_bpf.c`): classic BPF over a packet from its IP header on (`net/core/filter.c`).

use super::super::super::skb::Skb;

/// Words of scratch memory.
const MEMORY: usize = 16;

/// Most instructions of a program (`BPF_MAXINSNS`).
const LONGEST: usize = 4096;

/// Places of negative offsets: ancillary data, the network header, the link-layer header.
const ANCILLARY: i32 = -0x1000;
const NETWORK: i32 = -0x10_0000;
const LINK: i32 = -0x20_0000;

/// A program that ends: every jump leads forward, and the last instruction returns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    steps: Box<[Step]>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Into A.
    Load {
        width: Width,
        from: From,
    },
    LoadConstant(u32),
    LoadLen,
    LoadMemory(u8),
    /// Into X.
    LoadXConstant(u32),
    LoadXLen,
    LoadXMemory(u8),
    /// Four times the low half of a byte: the length of an IPv4 header.
    LoadXHeaderLen(u32),
    Store(u8),
    StoreX(u8),
    /// A with a number or, without one, with X.
    Arithmetic(Op, Option<u32>),
    Negate,
    JumpAlways(u32),
    Jump {
        test: Test,
        with: Option<u32>,
        yes: u8,
        no: u8,
    },
    Return(u32),
    ReturnA,
    ToX,
    ToA,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Width {
    Word,
    Half,
    Byte,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum From {
    Absolute(u32),
    Indirect(u32),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Op {
    Add,
    Sub,
    Mul,
    Div,
    Or,
    And,
    LeftShift,
    RightShift,
    Mod,
    Xor,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Test {
    Equal,
    Greater,
    GreaterEqual,
    AnyBit,
}

impl Program {
    /// Checks a program as `bpf_check_classic` does; `None` for one that the kernel would refuse.
    pub fn new(code: &[(u16, u8, u8, u32)]) -> Option<Self> {
        if code.is_empty() || code.len() > LONGEST {
            return None;
        }
        let steps = code.iter().map(|of| Step::new(*of)).collect::<Option<Box<[Step]>>>()?;
        if !matches!(steps.last(), Some(Step::Return(_) | Step::ReturnA)) {
            return None;
        }
        let stays_inside = |(at, step): (usize, &Step)| {
            let left = steps.len() - at - 1;
            match *step {
                Step::JumpAlways(by) => (by as usize) < left,
                Step::Jump { yes, no, .. } => usize::from(yes.max(no)) < left,
                _ => true,
            }
        };
        steps.iter().enumerate().all(stays_inside).then_some(Self { steps })
    }

    /// What the program returns. A read beyond the packet, or of what a capture does not tell, and a division by zero
    /// return 0.
    pub fn run(&self, skb: &Skb<'_>) -> u32 {
        Machine::default().run(&self.steps, skb).unwrap_or(0)
    }
}

impl Step {
    fn new((code, yes, no, k): (u16, u8, u8, u32)) -> Option<Self> {
        let memory = || u8::try_from(k).ok().filter(|place| usize::from(*place) < MEMORY);
        let with = if code & 8 != 0 { None } else { Some(k) };
        Some(match code & 7 {
            0 => Self::load(code, k, memory())?,
            1 => match code {
                0x01 => Self::LoadXConstant(k),
                0x81 => Self::LoadXLen,
                0x61 => Self::LoadXMemory(memory()?),
                0xb1 => Self::LoadXHeaderLen(k),
                _ => return None,
            },
            2 if code == 2 => Self::Store(memory()?),
            3 if code == 3 => Self::StoreX(memory()?),
            4 if code == 0x84 => Self::Negate,
            4 => Self::Arithmetic(Op::new(code, with)?, with),
            5 if code == 5 => Self::JumpAlways(k),
            5 => Self::Jump { test: Test::new(code)?, with, yes, no },
            6 if code == 6 => Self::Return(k),
            6 if code == 0x16 => Self::ReturnA,
            7 if code == 7 => Self::ToX,
            7 if code == 0x87 => Self::ToA,
            _ => return None,
        })
    }

    fn load(code: u16, k: u32, memory: Option<u8>) -> Option<Self> {
        let width = match code & 0x18 {
            0 => Width::Word,
            8 => Width::Half,
            0x10 => Width::Byte,
            _ => return None,
        };
        Some(match code & 0xe0 {
            0x20 => Self::Load { width, from: From::Absolute(k) },
            0x40 => Self::Load { width, from: From::Indirect(k) },
            _ if width != Width::Word => return None,
            0 => Self::LoadConstant(k),
            0x60 => Self::LoadMemory(memory?),
            0x80 => Self::LoadLen,
            _ => return None,
        })
    }
}

impl Op {
    /// Division by the constant 0 and shifts of more than a word are refused.
    fn new(code: u16, with: Option<u32>) -> Option<Self> {
        let op = match code & 0xf0 {
            0 => Self::Add,
            0x10 => Self::Sub,
            0x20 => Self::Mul,
            0x30 => Self::Div,
            0x40 => Self::Or,
            0x50 => Self::And,
            0x60 => Self::LeftShift,
            0x70 => Self::RightShift,
            0x90 => Self::Mod,
            0xa0 => Self::Xor,
            _ => return None,
        };
        let refused = match op {
            Self::Div | Self::Mod => with == Some(0),
            Self::LeftShift | Self::RightShift => with.is_some_and(|by| by > 31),
            _ => false,
        };
        (code & !0xff == 0 && !refused).then_some(op)
    }

    /// `None` for a division by zero.
    fn of(self, a: u32, b: u32) -> Option<u32> {
        Some(match self {
            Self::Add => a.wrapping_add(b),
            Self::Sub => a.wrapping_sub(b),
            Self::Mul => a.wrapping_mul(b),
            Self::Div => a.checked_div(b)?,
            Self::Or => a | b,
            Self::And => a & b,
            Self::LeftShift => a.wrapping_shl(b),
            Self::RightShift => a.wrapping_shr(b),
            Self::Mod => a.checked_rem(b)?,
            Self::Xor => a ^ b,
        })
    }
}

impl Test {
    fn new(code: u16) -> Option<Self> {
        match code & !8 {
            0x15 => Some(Self::Equal),
            0x25 => Some(Self::Greater),
            0x35 => Some(Self::GreaterEqual),
            0x45 => Some(Self::AnyBit),
            _ => None,
        }
    }

    fn of(self, a: u32, b: u32) -> bool {
        match self {
            Self::Equal => a == b,
            Self::Greater => a > b,
            Self::GreaterEqual => a >= b,
            Self::AnyBit => a & b != 0,
        }
    }
}

#[derive(Debug, Default)]
struct Machine {
    a: u32,
    x: u32,
    memory: [u32; MEMORY],
}

impl Machine {
    fn run(&mut self, steps: &[Step], skb: &Skb<'_>) -> Option<u32> {
        let mut at = 0_usize;
        loop {
            match *steps.get(at)? {
                Step::Return(k) => return Some(k),
                Step::ReturnA => return Some(self.a),
                Step::JumpAlways(by) => at += by as usize,
                Step::Jump { test, with, yes, no } => {
                    let taken = test.of(self.a, with.unwrap_or(self.x));
                    at += usize::from(if taken { yes } else { no });
                }
                step => self.step(step, skb)?,
            }
            at += 1;
        }
    }

    fn step(&mut self, step: Step, skb: &Skb<'_>) -> Option<()> {
        match step {
            Step::Load { width, from: From::Absolute(k) } => self.a = self.absolute(skb, width, k)?,
            Step::Load { width, from: From::Indirect(k) } => self.a = read(skb, width, self.x.wrapping_add(k))?,
            Step::LoadConstant(k) => self.a = k,
            Step::LoadLen => self.a = skb.len,
            Step::LoadMemory(place) => self.a = *self.memory.get(usize::from(place))?,
            Step::LoadXConstant(k) => self.x = k,
            Step::LoadXLen => self.x = skb.len,
            Step::LoadXMemory(place) => self.x = *self.memory.get(usize::from(place))?,
            Step::LoadXHeaderLen(k) => self.x = (read(skb, Width::Byte, k)? & 15) * 4,
            Step::Store(place) => *self.memory.get_mut(usize::from(place))? = self.a,
            Step::StoreX(place) => *self.memory.get_mut(usize::from(place))? = self.x,
            Step::Arithmetic(op, with) => self.a = op.of(self.a, with.unwrap_or(self.x))?,
            Step::Negate => self.a = self.a.wrapping_neg(),
            Step::ToX => self.x = self.a,
            Step::ToA => self.a = self.x,
            Step::Return(_) | Step::ReturnA | Step::JumpAlways(_) | Step::Jump { .. } => {}
        }
        Some(())
    }

    /// Also reads ancillary data, as far as a capture tells it.
    fn absolute(&self, skb: &Skb<'_>, width: Width, k: u32) -> Option<u32> {
        let place = k.cast_signed();
        if !(ANCILLARY..0).contains(&place) {
            return read(skb, width, k);
        }
        Some(match place - ANCILLARY {
            0 if skb.is_v6() => 0x86dd, // SKF_AD_PROTOCOL
            0 => 0x0800,
            20 => skb.mark,                     // SKF_AD_MARK
            28 => 1,                            // SKF_AD_HATYPE: Ethernet
            40 => self.a ^ self.x,              // SKF_AD_ALU_XOR_X
            44 => skb.vlan.unwrap_or(0).into(), // SKF_AD_VLAN_TAG
            48 => skb.vlan.is_some().into(),    // SKF_AD_VLAN_TAG_PRESENT
            _ => return None,
        })
    }
}

/// Reads a number at an offset from the IP header, or at a negative one from another place.
fn read(skb: &Skb<'_>, width: Width, k: u32) -> Option<u32> {
    let place = k.cast_signed();
    let (from, offset): (&[u8], _) = match place {
        0.. => (&skb.bytes, place),
        NETWORK.. => (&skb.bytes, place - NETWORK),
        LINK.. => (skb.link, place - LINK),
        _ => return None,
    };
    let rest = from.get(usize::try_from(offset).ok()?..)?;
    Some(match width {
        Width::Word => u32::from_be_bytes(*rest.first_chunk()?),
        Width::Half => u16::from_be_bytes(*rest.first_chunk()?).into(),
        Width::Byte => u32::from(*rest.first()?),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // tests
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// UDP from port 7 to port 53, 4 bytes of data.
    const UDP: [u8; 32] =
        [0x45, 0, 0, 32, 0, 1, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 0, 7, 0, 53, 0, 12, 0, 0, 1, 2, 3, 4];

    fn run(code: &[(u16, u8, u8, u32)]) -> u32 {
        Program::new(code).unwrap().run(&Skb::new(&UDP, &[], 0).unwrap())
    }

    #[test]
    fn a_compiled_filter_runs() {
        // tcpdump -ddd -y RAW 'udp dst port 53', IPv4 part
        let filter = [
            (0x30, 0, 0, 9),
            (0x15, 0, 6, 17),
            (0x28, 0, 0, 6),
            (0x45, 4, 0, 0x1fff),
            (0xb1, 0, 0, 0),
            (0x48, 0, 0, 2),
            (0x15, 0, 1, 53),
            (0x06, 0, 0, 0x40000),
            (0x06, 0, 0, 0),
        ];
        assert_eq!(run(&filter), 0x40000);
        let mut other_port = filter;
        other_port[6].3 = 54;
        assert_eq!(run(&other_port), 0);
    }

    #[test]
    fn reads_beyond_the_packet_return_nothing() {
        let returns_one = |load| run(&[load, (0x06, 0, 0, 1)]);
        assert_eq!(returns_one((0x20, 0, 0, 28)), 1);
        assert_eq!(returns_one((0x20, 0, 0, 29)), 0);
        assert_eq!(returns_one((0x30, 0, 0, u32::MAX)), 0);
    }

    #[test]
    fn negative_offsets_read_other_places() {
        let word = |k: i32| run(&[(0x28, 0, 0, k.cast_unsigned()), (0x16, 0, 0, 0)]);
        assert_eq!(word(NETWORK + 22), 53);
        assert_eq!(word(ANCILLARY), 0x0800);
        assert_eq!(word(LINK), 0, "there is no link header");
    }

    #[test]
    fn programs_that_the_kernel_refuses_are_refused() {
        assert_eq!(Program::new(&[]), None);
        assert_eq!(Program::new(&[(0x04, 0, 0, 1)]), None, "does not return");
        assert_eq!(Program::new(&[(0x05, 0, 0, 1), (0x06, 0, 0, 0)]), None, "jumps out");
        assert_eq!(Program::new(&[(0x34, 0, 0, 0), (0x06, 0, 0, 0)]), None, "divides by zero");
        assert_eq!(Program::new(&[(0x02, 0, 0, 16), (0x06, 0, 0, 0)]), None, "no such memory");
    }

    proptest! {
        #[test]
        fn arbitrary_programs_end(
            code in prop::collection::vec((0_u16..0x100, 0_u8..4, 0_u8..4, prop_oneof![0..40_u32, any::<u32>()]), 1..40),
            packet in prop::collection::vec(any::<u8>(), 20..60),
        ) {
            let mut packet = packet;
            packet[0] = 0x45;
            let code = [code, vec![(0x06, 0, 0, 1)]].concat();
            if let (Some(program), Some(skb)) = (Program::new(&code), Skb::new(&packet, &[], 0)) {
                program.run(&skb);
            }
        }
    }
}
