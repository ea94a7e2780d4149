//! Microcontrollers with a floating-point unit: Cortex-M4F, M7, M33 and up.
//!
//! A single instruction can load eight consecutive numbers, which compilers do not exploit. The tile of a dense layer
//! for one sample is dominated by loads, so it is written in assembly for each weight format.
//!
//! | weights | widened by | instructions per multiply-accumulate |
//! | --- | --- | --- |
//! | `f32` | | 1.4 |
//! | `f16` | a conversion | 2.4 |
//! | `bf16` | a shift or a mask, then moved in pairs | 3.0 |
//! | `i8` | sign extension, then moved in pairs and converted | 3.9 |
//!
//! Scales are not applied here: they multiply the finished sums.

use core::any::TypeId;
use core::arch::naked_asm;

use super::run::{Run, Tile};
use crate::scalar::{Scalar, Storage};
use crate::simd::Simd;

/// Adds a run to a tile of one row like `gemm::accumulate`, if there is a kernel for it here; otherwise returns `false`
/// and does nothing. `adjacent`: the columns of the tile are contiguous.
///
/// The sums are bit for bit those of the general kernel.
///
/// # Safety
/// As `gemm::accumulate`.
#[inline(always)]
pub(crate) unsafe fn accumulate<T: Scalar, W: Storage<T>, S: Simd, const MR: usize, const NR: usize>(
    tile: &mut Tile<T, S, MR, NR>,
    run: &Run<T, W>,
    adjacent: bool,
) -> bool {
    if const { MR != 1 || size_of::<Tile<T, S, MR, NR>>() != 64 }
        || TypeId::of::<T>() != TypeId::of::<f32>()
        || !adjacent
        || run.by_column
        || run.a_step != 1
        || run.len == 0
        // Several numbers are loaded as words.
        || !run.b.addr().is_multiple_of(4)
        || !(run.b_step * size_of::<W>()).is_multiple_of(4)
    {
        return false;
    }
    let kernel = match W::NAME.as_bytes() {
        b"F32" => sixteen_f32,
        b"f16" => sixteen_f16,
        b"bf16" => sixteen_bf16,
        b"i8" => sixteen_i8,
        _ => return false,
    };
    // SAFETY: `T` is `f32`; the tile is nothing but the sixteen `f32` of its four registers, in order. There are `len`
    // numbers at `a`, because the step is one, and sixteen at each `b + k·b_step`, because the columns are contiguous;
    // the caller guarantees that both are readable. The rows begin at word boundaries.
    unsafe {
        let skip = (run.b_step - 16) * size_of::<W>();
        kernel(tile.as_mut_ptr().cast(), run.a.cast(), run.b.cast(), skip, run.len);
    }
    true
}

/// `sums[n] += Σₖ x[k] · w[k][n]` for sixteen columns; there are `skip` bytes between the rows of `w`.
///
/// Products are rounded before they are added, as always when four lanes are four registers.
///
/// The arguments of the macro are how the fifth argument is read, what is pushed before that and popped at the end, and
/// how the next eight numbers of a row are loaded into s16 … s23.
macro_rules! sixteen {
    ($name:ident, $len:literal, [$($enter:literal)?], [$($leave:literal)?], $($widen:literal),*) => {
        /// # Safety
        /// `len` must not be 0. `sums` must be valid for reading and writing sixteen numbers, `x` for reading
        /// `len` and every row of `w` for reading sixteen; rows must begin at multiples of 4.
        #[unsafe(naked)]
        unsafe extern "C" fn $name(sums: *mut f32, x: *const f32, w: *const u8, skip: usize, len: usize) {
            // SAFETY: it reads and writes only what the caller guarantees to be valid, and preserves the callee-saved
            // registers of the C ABI: r4 and up, s16 and up.
            naked_asm!(
                ".fpu fpv4-sp-d16",
                $($enter,)?
                $len, // the fifth argument
                "vpush {{s16-s24}}",
                "vldmia r0, {{s0-s15}}",
                "2:",
                "vldmia r1!, {{s24}}",
                $($widen,)*
                "vmla.f32 s0, s16, s24",
                "vmla.f32 s1, s17, s24",
                "vmla.f32 s2, s18, s24",
                "vmla.f32 s3, s19, s24",
                "vmla.f32 s4, s20, s24",
                "vmla.f32 s5, s21, s24",
                "vmla.f32 s6, s22, s24",
                "vmla.f32 s7, s23, s24",
                $($widen,)*
                "vmla.f32 s8, s16, s24",
                "vmla.f32 s9, s17, s24",
                "vmla.f32 s10, s18, s24",
                "vmla.f32 s11, s19, s24",
                "vmla.f32 s12, s20, s24",
                "vmla.f32 s13, s21, s24",
                "vmla.f32 s14, s22, s24",
                "vmla.f32 s15, s23, s24",
                "add r2, r3",
                "subs r12, #1",
                "bne 2b",
                "vstmia r0, {{s0-s15}}",
                "vpop {{s16-s24}}",
                $($leave,)?
                "bx lr",
            )
        }
    };
}
sixteen!(sixteen_f32, "ldr r12, [sp]", [], [], "vldmia r2!, {{s16-s23}}");
// There are two numbers in each word; the registers that are read last are filled last.
sixteen!(
    sixteen_f16,
    "ldr r12, [sp]",
    [],
    [],
    "vldmia r2!, {{s20-s23}}",
    "vcvtb.f32.f16 s16, s20",
    "vcvtt.f32.f16 s17, s20",
    "vcvtb.f32.f16 s18, s21",
    "vcvtt.f32.f16 s19, s21",
    "vcvtb.f32.f16 s20, s22",
    "vcvtt.f32.f16 s21, s22",
    "vcvtb.f32.f16 s22, s23",
    "vcvtt.f32.f16 s23, s23"
);
// The upper half of a word is a number in place, the lower half after a shift.
sixteen!(
    sixteen_bf16,
    "ldr r12, [sp, #16]",
    ["push {{r4-r6, lr}}"],
    ["pop {{r4-r6, lr}}"],
    "ldmia r2!, {{r4, r5}}",
    "lsl r6, r4, #16",
    "bfc r4, #0, #16",
    "vmov s16, s17, r6, r4",
    "lsl r6, r5, #16",
    "bfc r5, #0, #16",
    "vmov s18, s19, r6, r5",
    "ldmia r2!, {{r4, r5}}",
    "lsl r6, r4, #16",
    "bfc r4, #0, #16",
    "vmov s20, s21, r6, r4",
    "lsl r6, r5, #16",
    "bfc r5, #0, #16",
    "vmov s22, s23, r6, r5"
);
sixteen!(
    sixteen_i8,
    "ldr r12, [sp, #16]",
    ["push {{r4-r6, lr}}"],
    ["pop {{r4-r6, lr}}"],
    "ldmia r2!, {{r4, r5}}",
    "sxtb r6, r4",
    "sxtb lr, r4, ror #8",
    "vmov s16, s17, r6, lr",
    "sxtb r6, r4, ror #16",
    "asr r4, r4, #24",
    "vmov s18, s19, r6, r4",
    "sxtb r6, r5",
    "sxtb lr, r5, ror #8",
    "vmov s20, s21, r6, lr",
    "sxtb r6, r5, ror #16",
    "asr r5, r5, #24",
    "vmov s22, s23, r6, r5",
    "vcvt.f32.s32 s16, s16",
    "vcvt.f32.s32 s17, s17",
    "vcvt.f32.s32 s18, s18",
    "vcvt.f32.s32 s19, s19",
    "vcvt.f32.s32 s20, s20",
    "vcvt.f32.s32 s21, s21",
    "vcvt.f32.s32 s22, s22",
    "vcvt.f32.s32 s23, s23"
);
