//! Matrix products on microcontrollers with a floating-point unit: Cortex-M4F, M7, M33 and up.
//!
//! One instruction can load eight neighbouring numbers there, which compilers do not make use of. The
//! tile of a dense layer for one sample is nearly all loads, so it is written by hand.

#[cfg(all(target_arch = "arm", target_os = "none", target_abi = "eabihf", not(target_has_atomic = "64")))]
use core::arch::naked_asm;

use crate::kernels::gemm::{Run, Tile};
use crate::scalar::Scalar;
use crate::simd::Simd;
use crate::storage::Storage;

/// Adds a run to a tile of one row as `gemm::accumulate` does, if there is a kernel for it here;
/// else returns `false` and does nothing. `adjacent`: the columns of the tile lie side by side.
///
/// The sums are those of the general kernel, bit by bit.
///
/// # Safety
/// As `gemm::accumulate`.
#[inline(always)]
pub(crate) unsafe fn accumulate<T: Scalar, W: Storage<T>, S: Simd, const MR: usize, const NR: usize>(
    tile: &mut Tile<T, S, MR, NR>,
    run: &Run<T, W>,
    adjacent: bool,
) -> bool {
    // Of Arm's processors without an operating system only those of the M profile have no 64-bit atomics.
    #[cfg(all(target_arch = "arm", target_os = "none", target_abi = "eabihf", not(target_has_atomic = "64")))]
    if core::any::TypeId::of::<T>() == core::any::TypeId::of::<f32>()
        && core::any::TypeId::of::<W>() == core::any::TypeId::of::<f32>()
        && const { MR == 1 && size_of::<Tile<T, S, MR, NR>>() == 64 }
        && adjacent
        && !run.by_column
        && run.a_step == 1
        && run.len > 0
    {
        // SAFETY: the tile is nothing but the sixteen `f32` of its four registers, in order. There are `len`
        // numbers at `a`, because the step is one, and sixteen at each `b + k·b_step`, because the columns
        // lie side by side; for both the caller vouches.
        unsafe {
            let skip = (run.b_step - 16) * size_of::<f32>();
            sixteen(tile.as_mut_ptr().cast(), run.a.cast(), run.b.cast(), skip, run.len);
        }
        return true;
    }
    let _ = (tile, run, adjacent);
    false
}

/// `sums[n] += Σₖ x[k] · w[k][n]` for sixteen columns; the rows of `w` are `64 + skip` bytes apart.
///
/// Products are rounded before they are added, as everywhere where four lanes are four registers.
///
/// # Safety
/// `len` must not be 0. `sums` must be valid for reading and writing sixteen numbers, `x` for reading `len` and every row of
/// `w` for reading sixteen.
#[cfg(all(target_arch = "arm", target_os = "none", target_abi = "eabihf", not(target_has_atomic = "64")))]
#[unsafe(naked)]
unsafe extern "C" fn sixteen(sums: *mut f32, x: *const f32, w: *const f32, skip: usize, len: usize) {
    // SAFETY: it reads and writes what the caller vouches for, and keeps the registers that a function of the
    // C ABI must keep: r4 and up, s16 and up.
    naked_asm!(
        ".fpu fpv4-sp-d16",
        "ldr r12, [sp]", // len, the fifth argument
        "vpush {{s16-s24}}",
        "vldmia r0, {{s0-s15}}",
        "2:",
        "vldmia r1!, {{s24}}",
        "vldmia r2!, {{s16-s23}}",
        "vmla.f32 s0, s16, s24",
        "vmla.f32 s1, s17, s24",
        "vmla.f32 s2, s18, s24",
        "vmla.f32 s3, s19, s24",
        "vmla.f32 s4, s20, s24",
        "vmla.f32 s5, s21, s24",
        "vmla.f32 s6, s22, s24",
        "vmla.f32 s7, s23, s24",
        "vldmia r2!, {{s16-s23}}",
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
        "bx lr",
    )
}
