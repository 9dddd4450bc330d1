//! `-m bpf`: classic BPF (McCanne and Jacobson 1993; `net/core/filter.c`), from the IP header on.

use crate::replay::skb::Skb;

/// Instructions that a program may run: jumps only lead forward, so this bounds nothing honest.
const MAX_STEPS: usize = 4_096;
/// Words of scratch memory (`BPF_MEMWORDS`).
const MEMORY: usize = 16;
/// Offsets from here on ask the kernel for something else than bytes (`SKF_AD_OFF`).
const ANCILLARY: u32 = 0xffff_f000;
/// `SKF_NET_OFF`: from the network header.
const FROM_NETWORK: u32 = 0xfff0_0000;

/// A program made ready.
pub(super) struct Program {
    code: Vec<(u16, u8, u8, u32)>,
}

/// Registers of a run.
#[derive(Default)]
struct Registers {
    a: u32,
    x: u32,
    memory: [u32; MEMORY],
}

impl Program {
    pub(super) fn new(code: &[(u16, u8, u8, u32)]) -> Self {
        Self { code: code.to_vec() }
    }

    /// `true` if the program returns anything but 0. A read beyond the packet returns 0.
    pub(super) fn run(&self, skb: &Skb<'_>) -> bool {
        let mut registers = Registers::default();
        let mut at = 0usize;
        for _ in 0..MAX_STEPS {
            let Some(&(code, yes, no, k)) = self.code.get(at) else { return false };
            at += 1;
            let class = code & 7;
            let done = match class {
                0 | 1 => load(&mut registers, code, k, skb),
                2 | 3 => store(&mut registers, class, k),
                4 => arithmetic(&mut registers, code, k),
                5 => {
                    let Some(skip) = jump(&registers, code, yes, no, k) else { return false };
                    at = at.saturating_add(skip);
                    Some(())
                }
                6 => return (if code & 0x18 == 0x10 { registers.a } else { k }) != 0,
                _ => {
                    if code & 0xf8 == 0x80 {
                        registers.a = registers.x;
                    } else {
                        registers.x = registers.a;
                    }
                    Some(())
                }
            };
            if done.is_none() {
                return false;
            }
        }
        false
    }
}

fn load(registers: &mut Registers, code: u16, k: u32, skb: &Skb<'_>) -> Option<()> {
    let value = match code & 0xe0 {
        0x00 => k,
        0x60 => *registers.memory.get(k as usize)?,
        0x80 => skb.len,
        // Twice the header length nibble: `ldxb 4*([k]&0xf)`.
        0xa0 => u32::from(read(skb, k, 1)? as u8 & 15) * 4,
        mode @ (0x20 | 0x40) => {
            let offset = if mode == 0x40 { k.wrapping_add(registers.x) } else { k };
            let size = match code & 0x18 {
                0x00 => 4,
                0x08 => 2,
                _ => 1,
            };
            read(skb, offset, size)?
        }
        _ => return None,
    };
    if code & 7 == 0 {
        registers.a = value;
    } else {
        registers.x = value;
    }
    Some(())
}

fn read(skb: &Skb<'_>, offset: u32, size: usize) -> Option<u32> {
    let offset = match offset {
        ANCILLARY.. => return None,
        FROM_NETWORK.. => offset - FROM_NETWORK,
        other => other,
    };
    let bytes = skb.at(usize::try_from(offset).ok()?, size)?;
    Some(bytes.iter().fold(0, |value, byte| value << 8 | u32::from(*byte)))
}

fn store(registers: &mut Registers, class: u16, k: u32) -> Option<()> {
    let value = if class == 2 { registers.a } else { registers.x };
    *registers.memory.get_mut(k as usize)? = value;
    Some(())
}

fn arithmetic(registers: &mut Registers, code: u16, k: u32) -> Option<()> {
    let operand = if code & 8 != 0 { registers.x } else { k };
    let a = registers.a;
    registers.a = match code & 0xf0 {
        0x00 => a.wrapping_add(operand),
        0x10 => a.wrapping_sub(operand),
        0x20 => a.wrapping_mul(operand),
        0x30 => a.checked_div(operand)?,
        0x40 => a | operand,
        0x50 => a & operand,
        0x60 => a.checked_shl(operand).unwrap_or(0),
        0x70 => a.checked_shr(operand).unwrap_or(0),
        0x80 => a.wrapping_neg(),
        0x90 => a.checked_rem(operand)?,
        0xa0 => a ^ operand,
        _ => return None,
    };
    Some(())
}

fn jump(registers: &Registers, code: u16, yes: u8, no: u8, k: u32) -> Option<usize> {
    let operand = if code & 8 != 0 { registers.x } else { k };
    let a = registers.a;
    let taken = match code & 0xf0 {
        0x00 => return usize::try_from(k).ok(),
        0x10 => a == operand,
        0x20 => a > operand,
        0x30 => a >= operand,
        0x40 => a & operand != 0,
        _ => return None,
    };
    Some(usize::from(if taken { yes } else { no }))
}
