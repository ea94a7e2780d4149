//! SIMD levels, and how code is compiled for each of them.

pub use fearless_simd::{Level, Simd};

#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
use crate::scalar::lanes;

/// Whether the processor has no vector unit, so that a [`Vector`](crate::scalar::Vector) of four lanes is four
/// registers.
pub(crate) const SCALAR: bool =
    cfg!(not(any(target_arch = "x86", target_arch = "x86_64", target_arch = "aarch64", target_arch = "wasm32")));

/// Whether the processor has a single instruction for `a · b + c` that the compiler uses only where it is asked to: the
/// scalar `mul_add` of `f32` and `f64` is that instruction then.
pub(crate) const FUSES: bool = cfg!(all(any(target_arch = "riscv32", target_arch = "riscv64"), target_feature = "f"));

/// Work to run at some SIMD level: a closure that is generic over [`Simd`].
pub trait Task {
    /// What the work returns.
    type Output;
    /// Whether the work is so small that the cost of a call matters.
    const SMALL: bool = false;
    /// Does the work with the instructions that `simd` stands for. Mark it `#[inline(always)]`.
    ///
    /// By reference, because a task passed by value is copied for each level: pointers that were written one by one are
    /// then read two at a time, which defeats store-to-load forwarding.
    fn run<S: Simd>(&mut self, simd: S) -> Self::Output;
}

/// The best level this program may use on this machine.
///
/// With `std` it is detected once and cached; without `std`, or if nothing better is found, it is the level that the
/// compilation target guarantees.
#[inline]
pub fn level() -> Level {
    #[cfg(feature = "std")]
    {
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        if const { matches!(Level::baseline(), Level::Avx512(_)) } {
            return Level::baseline();
        }
        // A separate function, so that callers get an already known level quickly.
        #[cold]
        #[inline(never)]
        fn detect() -> Level {
            *LEVEL.get_or_init(Level::new)
        }
        static LEVEL: std::sync::OnceLock<Level> = std::sync::OnceLock::new();
        LEVEL.get().copied().unwrap_or_else(detect)
    }
    #[cfg(not(feature = "std"))]
    return Level::baseline();
}

/// Runs `task` with the best of the compiled instruction sets that `level` allows.
#[inline]
pub fn dispatch<K: Task>(level: Level, mut task: K) -> K::Output {
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    {
        if let Some(simd) = level.as_avx512() {
            // If the whole program is compiled for this level, no call is needed.
            if const { K::SMALL && matches!(Level::baseline(), Level::Avx512(_)) } {
                return task.run(simd);
            }
            // SAFETY: a value of this type exists only where the processor has these instructions.
            return unsafe { avx512::run(simd, &mut task) };
        }
        if let Some(simd) = level.as_avx2() {
            // SAFETY: as above.
            return unsafe { avx2::run(simd, &mut task) };
        }
    }
    // SSE4.2 adds nothing that these kernels use, so everything older runs SSE2. It is said by `cfg`, because a debug
    // build compiles what follows a constant condition too, and that is each network once more for every level.
    #[cfg(all(
        any(target_arch = "x86", target_arch = "x86_64"),
        all(target_feature = "sse2", target_feature = "fxsr", not(target_feature = "avx2"))
    ))]
    {
        // SAFETY: the whole program is compiled for these instructions.
        let simd = unsafe { fearless_simd::x86::Sse2::assume_supported() };
        baseline::run(simd, &mut task)
    }
    // Only one level is left to compile on the other targets.
    #[cfg(not(all(
        any(target_arch = "x86", target_arch = "x86_64"),
        all(target_feature = "sse2", target_feature = "fxsr", not(target_feature = "avx2"))
    )))]
    fearless_simd::dispatch!(level, simd => baseline::run(simd, &mut task))
}

/// The entry points of the machine code of a level, in a separate module.
///
/// The compiler divides a crate into codegen units, which it compiles in parallel, by the modules that generic
/// functions come from; inlined code is copied into their unit. So the levels of a network are compiled in parallel.
///
/// They enable the instructions of a level themselves, as `Simd::vectorize` would for a closure, because
/// a closure would hold a copy of the task (see [`Task::run`]).
#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
macro_rules! unit {
    ($module:ident, $level:ident, $features:literal) => {
        mod $module {
            use super::Task;

            #[inline(never)]
            #[target_feature(enable = $features)]
            pub(super) fn run<K: Task>(simd: fearless_simd::$level, task: &mut K) -> K::Output {
                task.run(simd)
            }

            // Two functions, because a compiler may ignore `inline(never)` on one with more target features than its
            // caller; a whole network would then become one function, which is slower to compile and slower to run.
            /// # Safety
            /// The processor must have the instructions of the level.
            #[inline(never)]
            pub(super) unsafe fn call<R>(f: impl FnOnce() -> R) -> R {
                #[target_feature(enable = $features)]
                fn vectorized<R>(f: impl FnOnce() -> R) -> R {
                    f()
                }
                // SAFETY: the caller guarantees exactly this.
                unsafe { vectorized(f) }
            }
        }
    };
}
// The instructions by which `fearless_simd` defines these levels.
#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
unit!(
    avx512,
    Avx512,
    "adx,aes,avx512bitalg,avx512bw,avx512cd,avx512dq,avx512f,avx512ifma,avx512vbmi,avx512vbmi2,avx512vl,avx512vnni,avx512vpopcntdq,bmi1,bmi2,cmpxchg16b,fma,fxsr,gfni,lzcnt,movbe,pclmulqdq,popcnt,rdrand,rdseed,sha,vaes,vpclmulqdq,xsave,xsavec,xsaveopt,xsaves"
);
#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
unit!(avx2, Avx2, "avx2,bmi1,bmi2,cmpxchg16b,f16c,fma,fxsr,lzcnt,movbe,popcnt,xsave");

/// The same for the level that every processor of the target supports.
mod baseline {
    use super::{Simd, Task};

    #[inline(never)]
    pub(super) fn run<S: Simd, K: Task>(simd: S, task: &mut K) -> K::Output {
        simd.vectorize(
            #[inline(always)]
            || task.run(simd),
        )
    }

    #[inline(never)]
    pub(super) fn call<S: Simd, R>(simd: S, f: impl FnOnce() -> R) -> R {
        simd.vectorize(f)
    }
}

/// Every level that [`dispatch`] distinguishes on this machine, the widest first.
///
/// For tests and measurements at a specific level.
#[cfg(feature = "std")]
pub fn levels() -> impl Iterator<Item = Level> {
    let best = Level::new();
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    let all = {
        // A program compiled for AVX2 or more has no level below.
        let least = (!cfg!(target_feature = "avx2")).then(Level::baseline);
        [best.as_avx512().map(Level::Avx512), best.as_avx2().map(Level::Avx2), least]
    };
    #[cfg(not(any(target_arch = "x86", target_arch = "x86_64")))]
    let all = [Some(best)];
    all.into_iter().flatten()
}

/// Calls `f` behind a function boundary compiled for the instructions of `simd`.
///
/// So each layer has its own stack frame and machine code, and equal layers share them.
#[inline(always)]
pub fn outline<S: Simd, R>(simd: S, f: impl FnOnce() -> R) -> R {
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    {
        // On x86 the size of a register tells the levels apart.
        if const { lanes::<S, f32>() == 16 } {
            // SAFETY: only a processor with AVX-512 has such registers, and `simd` proves that it is one.
            return unsafe { avx512::call(f) };
        }
        if const { lanes::<S, f32>() == 8 } {
            // SAFETY: as above, with AVX2.
            return unsafe { avx2::call(f) };
        }
    }
    baseline::call(simd, f)
}

/// Calls `f`, a kernel that does not depend on the shapes of a layer.
///
/// In a debug build it is [`outline`]d, so that layers of all shapes share its machine code: without optimization,
/// inlining never makes code smaller.
#[inline(always)]
pub fn share<S: Simd, R>(simd: S, f: impl FnOnce() -> R) -> R {
    if cfg!(debug_assertions) { outline(simd, f) } else { f() }
}

/// `n`, hidden from the optimizer: a loop that counts with it is not unrolled. (`black_box` would move it through
/// memory.)
#[inline(always)]
#[cfg_attr(any(not(target_arch = "x86_64"), miri), expect(unused_mut))]
pub(crate) fn unknown(mut n: usize) -> usize {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: the assembly contains no instruction.
    unsafe {
        core::arch::asm!("/* {} */", inout(reg) n, options(pure, nomem, nostack, preserves_flags));
    }
    n
}

/// `pointer`, hidden from the optimizer: data that was written there is read from memory again, even if it is still in
/// a register.
#[inline(always)]
#[cfg_attr(any(not(target_arch = "x86_64"), miri), expect(unused_mut))]
pub(crate) fn again<T>(mut pointer: *const T) -> *const T {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: the assembly contains no instruction.
    unsafe {
        core::arch::asm!("/* {} */", inout(reg) pointer, options(pure, readonly, nostack, preserves_flags));
    }
    pointer
}
