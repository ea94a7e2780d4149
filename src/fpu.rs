//! Instructions of floating-point units that `libm` and the compiler do not use.
//!
//! A Cortex-M with a floating-point unit (M4F, M7, M33 and up) takes square roots and converts `binary16`; elsewhere
//! both are computed in software. A RISC-V multiplies and adds with one rounding, which saves a third of the
//! instructions of a layer; the compiler may not do so by itself, because that changes the result.
//!
//! Stable Rust does not expose the floating-point unit in `target_feature`. But there is one if the ABI passes numbers
//! in its registers, and among Arm's bare-metal targets only those of the M profile have no 64-bit atomics.

use crate::simd::SCALAR;

#[cfg(all(target_arch = "arm", target_os = "none", target_abi = "eabihf", not(target_has_atomic = "64")))]
pub(crate) use cortex_m::{sqrt, widen};
#[cfg(not(all(target_arch = "arm", target_os = "none", target_abi = "eabihf", not(target_has_atomic = "64"))))]
pub(crate) use elsewhere::{sqrt, widen};

macro_rules! mul_add {
    ($name:ident, $T:ident, $feature:literal, $instruction:literal) => {
        /// `a · b + c`.
        #[inline(always)]
        pub(crate) fn $name(a: $T, b: $T, c: $T) -> $T {
            #[cfg(all(any(target_arch = "riscv32", target_arch = "riscv64"), target_feature = $feature))]
            {
                let sum: $T;
                // SAFETY: the target has this instruction, which changes only the register of the sum and the unit's flags.
                unsafe {
                    core::arch::asm!(
                        concat!($instruction, " {sum}, {a}, {b}, {c}"),
                        sum = lateout(freg) sum, a = in(freg) a, b = in(freg) b, c = in(freg) c,
                        options(pure, nomem, nostack)
                    );
                }
                sum
            }
            #[cfg(not(all(any(target_arch = "riscv32", target_arch = "riscv64"), target_feature = $feature)))]
            {
                a * b + c
            }
        }
    };
}
mul_add!(mul_add, f32, "f", "fmadd.s");
mul_add!(mul_add_f64, f64, "d", "fmadd.d");

/// The difference between the exponent biases of `f32` and `binary16`, shifted to the position of the exponent.
pub(crate) const F16_BIAS: u32 = 112 << 23;

/// The value of the `binary16` with these bits, computed without a conversion instruction.
#[inline(always)]
pub(crate) const fn widen_in_software(half: u16) -> f32 {
    /// No intermediate result is a subnormal `f32`, which processors may be set to flush to 0.
    const fn subnormal(bits: u32) -> u32 {
        (bits as f32 * f32::from_bits(0x3380_0000)).to_bits()
    }
    /// A separate function, because without a floating-point unit it is a lot of code for a rare case.
    #[cold]
    #[inline(never)]
    const fn seldom(bits: u32) -> u32 {
        subnormal(bits)
    }
    let (bits, sign) = (half as u32 & 0x7fff, (half as u32 & 0x8000) << 16);
    if SCALAR && !cfg!(any(target_abi = "eabihf", target_feature = "f")) && bits < 0x400 {
        return f32::from_bits(sign | seldom(bits));
    }
    // All three cases are cheap, so that the compiler can vectorize this. A NaN becomes quiet, as with the instruction.
    let small = subnormal(bits);
    let normal = (bits << 13) + F16_BIAS;
    let special = (normal + F16_BIAS) | if bits > 0x7c00 { 0x40_0000 } else { 0 };
    let magnitude = if bits < 0x400 {
        small
    } else if bits < 0x7c00 {
        normal
    } else {
        special
    };
    f32::from_bits(sign | magnitude)
}

#[cfg(all(target_arch = "arm", target_os = "none", target_abi = "eabihf", not(target_has_atomic = "64")))]
mod cortex_m {
    use core::arch::asm;

    /// Executes an instruction that converts one number to another. Stable Rust does not let `asm!` choose a register
    /// of this unit, but does let it clobber one.
    macro_rules! instruction {
        ($name:literal, $number:expr) => {{
            let mut bits: u32 = $number;
            // SAFETY: every such unit has the instruction, and it changes only the named registers and flags of the
            // unit.
            unsafe {
                asm!(
                    "vmov s0, {bits}", concat!($name, " s0, s0"), "vmov {bits}, s0",
                    bits = inout(reg) bits, out("s0") _, options(pure, nomem, nostack)
                );
            }
            f32::from_bits(bits)
        }};
    }

    /// `√x`, rounded as by `libm`.
    #[inline(always)]
    pub(crate) fn sqrt(x: f32) -> f32 {
        instruction!("vsqrt.f32", x.to_bits())
    }

    /// The value of the `binary16` with these bits.
    #[inline(always)]
    pub(crate) fn widen(half: u16) -> f32 {
        instruction!("vcvtb.f32.f16", half.into())
    }
}

#[cfg(not(all(target_arch = "arm", target_os = "none", target_abi = "eabihf", not(target_has_atomic = "64"))))]
mod elsewhere {
    /// `√x`.
    #[inline(always)]
    pub(crate) fn sqrt(x: f32) -> f32 {
        libm::sqrtf(x)
    }

    /// The value of the `binary16` with these bits.
    #[inline(always)]
    pub(crate) fn widen(half: u16) -> f32 {
        super::widen_in_software(half)
    }
}
