//! Microcontrollers with a floating-point unit: Cortex-M4F, M7, M33 and up.
//!
//! A single instruction can load eight consecutive numbers, which compilers do not exploit. Tiles of one row are
//! dominated by loads, those of several rows by widening the weights, so both are written in assembly for each weight
//! format. These are the instructions per multiply-accumulate of one row by sixteen columns (a dense layer for one
//! sample), and of six rows by four (a convolution):
//!
//! | weights | widened by | 1 × 16 | 6 × 4 |
//! | --- | --- | --- | --- |
//! | `f32` | | 1.4 | 1.4 |
//! | `f16` | a conversion | 2.4 | 1.6 |
//! | `bf16` | a shift or a mask, then moved in pairs | 3.0 | 1.7 |
//! | `i8` | sign extension, then moved in pairs and converted | 3.9 | 1.8 |
//!
//! Scales are not applied here: they multiply the finished sums.

use core::any::TypeId;
use core::arch::naked_asm;

use super::run::{Repeat, Run, Tile};
use crate::scalar::{Scalar, Storage};
use crate::simd::Simd;

/// Adds runs to a tile like `gemm::accumulate`, if there is a kernel for it here; otherwise returns `false` and does
/// nothing. `adjacent`: the columns of the tile are contiguous.
///
/// The sums are bit for bit those of the general kernel.
///
/// # Safety
/// As `gemm::accumulate`, for each of the runs.
#[inline(always)]
pub(crate) unsafe fn accumulate<T: Scalar, W: Storage<T>, S: Simd, const MR: usize, const NR: usize>(
    tile: &mut Tile<T, S, MR, NR>,
    run: &Run<T, W>,
    repeat: Repeat,
    adjacent: bool,
) -> bool {
    if const { !exists(MR, size_of::<Tile<T, S, MR, NR>>()) }
        || TypeId::of::<T>() != TypeId::of::<f32>()
        || !adjacent
        || run.by_column
        || run.a_step != 1
        || run.len == 0
        || repeat.times == 0
        // Several numbers are loaded as words.
        || !run.b.addr().is_multiple_of(4)
        || !(run.b_step * size_of::<W>()).is_multiple_of(4)
        || !(repeat.b * size_of::<W>()).is_multiple_of(4)
    {
        return false;
    }
    let kernel = match W::NAME.as_bytes() {
        b"F32" => const { F32[MR] },
        b"f16" => const { F16[MR] },
        b"bf16" => const { BF16[MR] },
        b"i8" => const { I8[MR] },
        _ => return false,
    };
    let runs = Runs {
        w_step: (run.b_step - 4 * NR) * size_of::<W>(),
        len: run.len,
        x_row: run.a_row * size_of::<f32>(),
        times: repeat.times,
        x_next: repeat.a.wrapping_sub(run.len).wrapping_mul(size_of::<f32>()),
        w_next: repeat.b.wrapping_sub(run.len * run.b_step).wrapping_mul(size_of::<W>()),
    };
    // SAFETY: `T` is `f32`; the tile is nothing but the `f32` of its registers, row by row. The caller guarantees that
    // the `len` numbers of each row of `a` are readable in every run, because the step is one, and so are the columns at
    // each `b + k·b_step`, which are contiguous. The rows of `b` begin at word boundaries.
    unsafe { kernel(tile.as_mut_ptr().cast(), run.a.cast(), run.b.cast(), &runs) };
    true
}

/// What a [`Kernel`] sums, in bytes.
#[repr(C)]
struct Runs {
    /// From the last column of a row of `w` that is read to the first of the next one.
    w_step: usize,
    /// How many numbers of each row of `x` a run takes.
    len: usize,
    /// From one row of `x` to the next.
    x_row: usize,
    /// How many runs there are.
    times: usize,
    /// From the end of a run to the beginning of the next one, which may be before it.
    x_next: usize,
    /// The same for `w`.
    w_next: usize,
}

/// `sums[m][n] += Σₖ x[m][k] · w[k][n]` for each of the runs.
///
/// Products are rounded before they are added, as always when four lanes are four registers.
type Kernel = unsafe extern "C" fn(sums: *mut f32, x: *const f32, w: *const u8, runs: &Runs);

/// The kernels for tiles of this many rows; the first stands for no rows and is never called.
const F32: [Kernel; 7] = [one_f32, one_f32, two_f32, three_f32, four_f32, five_f32, six_f32];
const F16: [Kernel; 7] = [one_f16, one_f16, two_f16, three_f16, four_f16, five_f16, six_f16];
const BF16: [Kernel; 7] = [one_bf16, one_bf16, two_bf16, three_bf16, four_bf16, five_bf16, six_bf16];
const I8: [Kernel; 7] = [one_i8, one_i8, two_i8, three_i8, four_i8, five_i8, six_i8];

/// Whether there are kernels for tiles of so many rows and bytes: one row of sixteen `f32`, or more of four.
const fn exists(rows: usize, bytes: usize) -> bool {
    rows > 0 && rows < F32.len() && bytes == if rows == 1 { 64 } else { 16 * rows }
}

/// Widens a word of two `bf16`: the upper half is a number in place, the lower half after a shift.
#[rustfmt::skip]
macro_rules! bf16 {
    ($word:literal $other:literal, $a:literal $b:literal) => {
        concat!(
            "lsl ", $other, ", ", $word, ", #16\n",
            "bfc ", $word, ", #0, #16\n",
            "vmov ", $a, ", ", $b, ", ", $other, ", ", $word, "\n",
        )
    };
}
/// Widens a word of two `f16`. The first register may be that of the word in the last use of it.
macro_rules! f16 {
    ($word:literal, $a:literal $b:literal) => {
        concat!("vcvtb.f32.f16 ", $a, ", ", $word, "\n", "vcvtt.f32.f16 ", $b, ", ", $word, "\n")
    };
}
/// Widens a word of four `i8`.
#[rustfmt::skip]
macro_rules! i8 {
    ($word:literal $other:literal $third:literal, $a:literal $b:literal $c:literal $d:literal) => {
        concat!(
            "sxtb ", $other, ", ", $word, "\n",
            "sxtb ", $third, ", ", $word, ", ror #8\n",
            "vmov ", $a, ", ", $b, ", ", $other, ", ", $third, "\n",
            "sxtb ", $other, ", ", $word, ", ror #16\n",
            "asr ", $word, ", ", $word, ", #24\n",
            "vmov ", $c, ", ", $d, ", ", $other, ", ", $word, "\n",
            "vcvt.f32.s32 ", $a, ", ", $a, "\n",
            "vcvt.f32.s32 ", $b, ", ", $b, "\n",
            "vcvt.f32.s32 ", $c, ", ", $c, "\n",
            "vcvt.f32.s32 ", $d, ", ", $d, "\n",
        )
    };
}
/// Loads the next four numbers of a row of `w` into s24 … s27.
macro_rules! four {
    (F32) => { "vldmia r2!, {{s24-s27}}" };
    (F16) => { concat!("vldmia r2!, {{s26-s27}}\n", f16!("s26", "s24" "s25"), f16!("s27", "s26" "s27")) };
    (BF16) => { concat!("ldmia r2!, {{r8, r9}}\n", bf16!("r8" "r10", "s24" "s25"), bf16!("r9" "r10", "s26" "s27")) };
    (I8) => { concat!("ldr r8, [r2], #4\n", i8!("r8" "r9" "r10", "s24" "s25" "s26" "s27")) };
}
/// Loads the next eight into s16 … s23; those that are read last are filled last.
macro_rules! eight {
    (F32) => { "vldmia r2!, {{s16-s23}}" };
    (F16) => {
        concat!(
            "vldmia r2!, {{s20-s23}}\n",
            f16!("s20", "s16" "s17"), f16!("s21", "s18" "s19"), f16!("s22", "s20" "s21"), f16!("s23", "s22" "s23"),
        )
    };
    (BF16) => {
        concat!(
            "ldmia r2!, {{r4, r5, r6, r7}}\n",
            bf16!("r4" "r8", "s16" "s17"), bf16!("r5" "r8", "s18" "s19"),
            bf16!("r6" "r8", "s20" "s21"), bf16!("r7" "r8", "s22" "s23"),
        )
    };
    (I8) => {
        concat!(
            "ldmia r2!, {{r4, r5}}\n",
            i8!("r4" "r6" "r7", "s16" "s17" "s18" "s19"), i8!("r5" "r6" "r7", "s20" "s21" "s22" "s23"),
        )
    };
}
/// `sums += x · w` for one number of `x`, and four of `w`.
macro_rules! sum {
    ($x:literal, $($sum:literal $w:literal),*) => {
        concat!($("vmla.f32 ", $sum, ", ", $w, ", ", $x, "\n"),*)
    };
}
/// [`sum`] for a row of four columns.
macro_rules! row {
    ($x:literal, $a:literal $b:literal $c:literal $d:literal) => {
        sum!($x, $a "s24", $b "s25", $c "s26", $d "s27")
    };
}

/// A [`Kernel`]: its sums, and what it does for each number of a run. The rows of `x` are at r1, r4 … r7 and r0.
macro_rules! kernel {
    ($name:ident, $sums:literal, $($step:expr),*) => {
        /// # Safety
        /// No length may be 0. `sums` must be valid for reading and writing all numbers of the tile, `x` and `w` for
        /// reading what the runs state; rows of `w` must begin at multiples of 4.
        #[unsafe(naked)]
        unsafe extern "C" fn $name(sums: *mut f32, x: *const f32, w: *const u8, runs: &Runs) {
            // SAFETY: it reads and writes only what the caller guarantees to be valid (the addresses of rows that the
            // tile does not have are computed, but not read), and preserves the callee-saved registers of the C ABI.
            naked_asm!(
                ".fpu fpv4-sp-d16",
                "push {{r0, r4-r11, lr}}",
                "vpush {{s16-s31}}",
                concat!("vldmia r0, {{", $sums, "}}"),
                "ldr r11, [r3]", // w_step
                "ldr lr, [r3, #12]", // times
                "1:",
                "ldrd r12, r8, [r3, #4]", // len and x_row
                "add r4, r1, r8",
                "add r5, r4, r8",
                "add r6, r5, r8",
                "add r7, r6, r8",
                "add r0, r7, r8",
                "2:",
                $($step,)*
                "add r2, r11",
                "subs r12, #1",
                "bne 2b",
                "ldrd r8, r9, [r3, #16]", // x_next and w_next
                "add r1, r8",
                "add r2, r9",
                "subs lr, #1",
                "bne 1b",
                "ldr r0, [sp, #64]", // behind s16 … s31
                concat!("vstmia r0, {{", $sums, "}}"),
                "vpop {{s16-s31}}",
                "pop {{r0, r4-r11, pc}}",
            )
        }
    };
}
/// The kernels for a format of weights.
macro_rules! kernels {
    ($format:ident, $one:ident $two:ident $three:ident $four:ident $five:ident $six:ident) => {
        // One row of sixteen columns, eight at a time.
        kernel!(
            $one, "s0-s15", "vldmia r1!, {{s24}}",
            eight!($format),
            sum!("s24", "s0" "s16", "s1" "s17", "s2" "s18", "s3" "s19", "s4" "s20", "s5" "s21", "s6" "s22", "s7" "s23"),
            eight!($format),
            sum!("s24", "s8" "s16", "s9" "s17", "s10" "s18", "s11" "s19", "s12" "s20", "s13" "s21", "s14" "s22", "s15" "s23")
        );
        // More rows, of four columns.
        kernel!(
            $two, "s0-s7", four!($format), "vldmia r1!, {{s28}}", "vldmia r4!, {{s29}}",
            row!("s28", "s0" "s1" "s2" "s3"),
            row!("s29", "s4" "s5" "s6" "s7")
        );
        kernel!(
            $three, "s0-s11", four!($format), "vldmia r1!, {{s28}}", "vldmia r4!, {{s29}}", "vldmia r5!, {{s30}}",
            row!("s28", "s0" "s1" "s2" "s3"),
            row!("s29", "s4" "s5" "s6" "s7"),
            row!("s30", "s8" "s9" "s10" "s11")
        );
        kernel!(
            $four, "s0-s15", four!($format), "vldmia r1!, {{s28}}", "vldmia r4!, {{s29}}", "vldmia r5!, {{s30}}", "vldmia r6!, {{s31}}",
            row!("s28", "s0" "s1" "s2" "s3"),
            row!("s29", "s4" "s5" "s6" "s7"),
            row!("s30", "s8" "s9" "s10" "s11"),
            row!("s31", "s12" "s13" "s14" "s15")
        );
        kernel!(
            $five, "s0-s19", four!($format), "vldmia r1!, {{s28}}", "vldmia r4!, {{s29}}", "vldmia r5!, {{s30}}", "vldmia r6!, {{s31}}",
            row!("s28", "s0" "s1" "s2" "s3"), "vldmia r7!, {{s28}}",
            row!("s29", "s4" "s5" "s6" "s7"),
            row!("s30", "s8" "s9" "s10" "s11"),
            row!("s31", "s12" "s13" "s14" "s15"),
            row!("s28", "s16" "s17" "s18" "s19")
        );
        kernel!(
            $six, "s0-s23", four!($format), "vldmia r1!, {{s28}}", "vldmia r4!, {{s29}}", "vldmia r5!, {{s30}}", "vldmia r6!, {{s31}}",
            row!("s28", "s0" "s1" "s2" "s3"), "vldmia r7!, {{s28}}",
            row!("s29", "s4" "s5" "s6" "s7"), "vldmia r0!, {{s29}}",
            row!("s30", "s8" "s9" "s10" "s11"),
            row!("s31", "s12" "s13" "s14" "s15"),
            row!("s28", "s16" "s17" "s18" "s19"),
            row!("s29", "s20" "s21" "s22" "s23")
        );
    };
}
kernels!(F32, one_f32 two_f32 three_f32 four_f32 five_f32 six_f32);
kernels!(F16, one_f16 two_f16 three_f16 four_f16 five_f16 six_f16);
kernels!(BF16, one_bf16 two_bf16 three_bf16 four_bf16 five_bf16 six_bf16);
kernels!(I8, one_i8 two_i8 three_i8 four_i8 five_i8 six_i8);
