//! The one place that knows the SIMD library: levels, dispatch and [`Vector`].
//!
//! Kernels are written once over [`Vector`]; [`dispatch`] picks the widest instruction set of the
//! machine (AVX-512, AVX2 or the baseline on x86; NEON on Arm; SIMD128 on WebAssembly; plain
//! scalars elsewhere) once, at the door of a network. Everything below it is inlined into code
//! compiled for that set.

use core::ops::{Add, Div, Mul, Neg, Sub};

pub use fearless_simd::{Level, Simd};
use fearless_simd::{SimdBase, SimdFloat, SimdFloatElement, SimdMask};

#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
use crate::layer::lanes;
use crate::scalar::Scalar;
use crate::storage::Storage;

/// Work that is to run at some SIMD level; a closure that is generic over [`Simd`].
pub trait Task {
    /// What the work returns.
    type Output;
    /// Whether the work is so little that a call shows beside it.
    const SMALL: bool = false;
    /// Does the work with the instructions that `simd` stands for. Mark it `#[inline(always)]`.
    ///
    /// By reference, because a task that is handed on by value is copied for each level: pointers that were written
    /// one by one are read two at a time, for which a processor waits until they are stored.
    fn run<S: Simd>(&mut self, simd: S) -> Self::Output;
}

/// The best level this program may use on this machine.
///
/// With `std` it is detected once and cached; without, or if there is no better, it is what the compilation target
/// promises.
#[inline]
pub fn level() -> Level {
    #[cfg(feature = "std")]
    {
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        if const { matches!(Level::baseline(), Level::Avx512(_)) } {
            return Level::baseline();
        }
        // Apart, so that the callers' way to a level that is known is short.
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
            // Where the whole program is compiled for this level, no call is needed.
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
        // SSE4.2 adds nothing that these kernels use, so everything older runs the baseline.
        #[cfg(all(target_feature = "sse2", target_feature = "fxsr"))]
        {
            let simd = const {
                match Level::baseline() {
                    Level::Sse2(simd) => Some(simd),
                    _ => None,
                }
            };
            if let Some(simd) = simd {
                return baseline::run(simd, &mut task);
            }
        }
    }
    // Only one level is left to compile on the other targets.
    fearless_simd::dispatch!(level, simd => baseline::run(simd, &mut task))
}

/// The functions that machine code of a level begins with, in a module of its own.
///
/// The compiler divides a crate into units that it compiles side by side, by the modules that
/// generic functions come from; what they call inline is copied into their unit. So the levels of
/// a network are compiled at the same time.
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

            // Two functions, because a compiler may forget that one of more features than its caller is not to be
            // inlined, and then a whole network becomes one function, slower to compile and slower.
            /// # Safety
            /// The processor must have the instructions of the level.
            #[inline(never)]
            pub(super) unsafe fn call<R>(f: impl FnOnce() -> R) -> R {
                #[target_feature(enable = $features)]
                fn vectorized<R>(f: impl FnOnce() -> R) -> R {
                    f()
                }
                // SAFETY: the caller vouches for just this.
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

/// The same for the level that every processor of the target has.
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
/// For tests and measurements that force a level.
#[cfg(feature = "std")]
pub fn levels() -> impl Iterator<Item = Level> {
    let best = Level::new();
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    let all = [best.as_avx512().map(Level::Avx512), best.as_avx2().map(Level::Avx2), Some(Level::baseline())];
    #[cfg(not(any(target_arch = "x86", target_arch = "x86_64")))]
    let all = [Some(best)];
    all.into_iter().flatten()
}

/// Calls `f` behind a function boundary compiled for the instructions of `simd`.
///
/// Each layer has a stack frame and machine code of its own so, and equal layers share theirs.
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
/// In a build for debugging it is [`outline`]d, so that layers of all shapes share its machine code:
/// there, nothing that is inlined becomes smaller.
#[inline(always)]
pub fn share<S: Simd, R>(simd: S, f: impl FnOnce() -> R) -> R {
    if cfg!(debug_assertions) { outline(simd, f) } else { f() }
}

/// `n`, of which the compiler is to know nothing: a loop that counts with it is not unrolled. (`black_box` would take
/// it through memory.)
#[inline(always)]
#[cfg_attr(any(not(target_arch = "x86_64"), miri), expect(unused_mut))]
pub fn unknown(mut n: usize) -> usize {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: there is no instruction.
    unsafe {
        core::arch::asm!("/* {} */", inout(reg) n, options(pure, nomem, nostack, preserves_flags));
    }
    n
}

/// `pointer`, of which the compiler is to know nothing: what was written there is read from memory, though it may be in
/// a register still.
#[inline(always)]
#[cfg_attr(any(not(target_arch = "x86_64"), miri), expect(unused_mut))]
pub fn again<T>(mut pointer: *const T) -> *const T {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: there is no instruction.
    unsafe {
        core::arch::asm!("/* {} */", inout(reg) pointer, options(pure, readonly, nostack, preserves_flags));
    }
    pointer
}

/// A register of `LANES` numbers.
///
/// Everything is lane by lane unless it says otherwise. Loads and stores take pointers because
/// kernels walk strided tensors; see each method for what must hold.
pub trait Vector<S: Simd, T: Scalar>:
    Copy + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + Div<Output = Self> + Neg<Output = Self>
{
    /// How many numbers the register holds.
    const LANES: usize;
    /// The outcome of a comparison, a truth value a lane.
    type Mask: Copy;

    /// All lanes `value`.
    fn splat(simd: S, value: T) -> Self;
    /// Reads `LANES` consecutive numbers.
    ///
    /// # Safety
    /// `from` must be valid for reading `LANES` numbers; no alignment beyond `T`'s is needed.
    unsafe fn load(simd: S, from: *const T) -> Self;
    /// Writes `LANES` consecutive numbers.
    ///
    /// # Safety
    /// `to` must be valid for writing `LANES` numbers; no alignment beyond `T`'s is needed.
    unsafe fn store(self, to: *mut T);
    /// Reads the first `count <= LANES` lanes and zeroes the others.
    ///
    /// # Safety
    /// `from` must be valid for reading `count` numbers, and `count <= LANES`.
    unsafe fn load_partial(simd: S, from: *const T, count: usize) -> Self;
    /// Writes the first `count <= LANES` lanes.
    ///
    /// # Safety
    /// `to` must be valid for writing `count` numbers, and `count <= LANES`.
    unsafe fn store_partial(self, to: *mut T, count: usize);
    /// Reads the first `count <= LANES` lanes of numbers that are stored in fewer bits, widens them, and zeroes
    /// the others.
    ///
    /// # Safety
    /// `from` must be valid for reading `count` numbers, and `count <= LANES`.
    #[inline(always)]
    unsafe fn load_stored<W: Storage<T>>(simd: S, from: *const W, count: usize) -> Self {
        const { assert!(Self::LANES <= 64) };
        let mut wide = [T::ZERO; 64];
        for (index, wide) in wide.iter_mut().enumerate().take(count) {
            // SAFETY: `index < count` numbers are readable.
            *wide = unsafe { *from.add(index) }.widen();
        }
        // SAFETY: the array has at least as many numbers as the register.
        unsafe { Self::load(simd, wide.as_ptr()) }
    }

    /// `self · b + c`, rounded once where the hardware can.
    fn mul_add(self, b: Self, c: Self) -> Self;
    /// `|self|`.
    fn abs(self) -> Self;
    /// `√self`.
    fn sqrt(self) -> Self;
    /// The smaller of both; NaN where `other` is.
    fn min(self, other: Self) -> Self;
    /// The larger of both; NaN where `other` is.
    fn max(self, other: Self) -> Self;
    /// The sign of `sign` on the magnitude of `self`.
    fn copysign(self, sign: Self) -> Self;
    /// The nearest integer, ties to even.
    fn round(self) -> Self;

    /// `self < other`.
    fn lt(self, other: Self) -> Self::Mask;
    /// `self <= other`.
    fn le(self, other: Self) -> Self::Mask;
    /// `self == other`.
    fn eq(self, other: Self) -> Self::Mask;
    /// Holds in the first `count <= LANES` lanes.
    fn first(simd: S, count: usize) -> Self::Mask;
    /// `yes` where the mask holds, `no` elsewhere.
    fn select(mask: Self::Mask, yes: Self, no: Self) -> Self;

    /// The sum of all lanes.
    fn reduce_sum(self) -> T;
    /// The largest of all lanes.
    fn reduce_max(self) -> T;
    /// One lane.
    fn lane(self, index: usize) -> T;
    /// The lower lanes of both, alternating: `self₀, other₀, self₁, other₁ …`
    fn zip_low(self, other: Self) -> Self;
    /// The upper lanes of both, alternating.
    fn zip_high(self, other: Self) -> Self;
    /// The even lanes of both: `self₀, self₂ … other₀, other₂ …`
    fn unzip_low(self, other: Self) -> Self;
    /// The odd lanes of both.
    fn unzip_high(self, other: Self) -> Self;

    /// `eˣ`.
    fn exp(self, simd: S) -> Self;
    /// `eˣ − 1`, exact near 0.
    fn exp_m1(self, simd: S) -> Self;
    /// `ln x`.
    fn ln(self, simd: S) -> Self;
    /// `tanh x`.
    fn tanh(self, simd: S) -> Self;
    /// `1 / (1 + e⁻ˣ)`.
    fn sigmoid(self, simd: S) -> Self;
    /// `ln(1 + eˣ)`.
    fn softplus(self, simd: S) -> Self;
    /// The error function, `2/√π ∫₀ˣ e^(−t²) dt`.
    fn erf(self, simd: S) -> Self;
}

/// Whether the processor has no vectors, so that a [`Vector`] of four lanes is four registers.
pub(crate) const SCALAR: bool =
    cfg!(not(any(target_arch = "x86", target_arch = "x86_64", target_arch = "aarch64", target_arch = "wasm32")));

/// Whether `max` of a register may give a number where the second operand is NaN: on x86 it is the
/// second operand then, on Arm and WebAssembly NaN.
const IGNORES_NAN: bool = cfg!(not(any(
    target_arch = "x86",
    target_arch = "x86_64",
    target_arch = "aarch64",
    all(target_arch = "wasm32", target_feature = "simd128", not(target_feature = "relaxed-simd")),
)));

/// A hardware register of `f32` or `f64`: the [`Vector`] of the floating-point scalars.
#[derive(Clone, Copy, Debug)]
pub struct Lanes<S: Simd, T: SimdFloatElement>(pub(crate) T::Native<S>);

macro_rules! operator {
    ($trait:ident, $method:ident, $symbol:tt) => {
        impl<S: Simd, T: SimdFloatElement> $trait for Lanes<S, T> {
            type Output = Self;
            #[inline(always)]
            fn $method(self, other: Self) -> Self {
                Self(self.0 $symbol other.0)
            }
        }
    };
}
operator!(Add, add, +);
operator!(Sub, sub, -);
operator!(Mul, mul, *);
operator!(Div, div, /);

impl<S: Simd, T: SimdFloatElement> Neg for Lanes<S, T> {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        Self(-self.0)
    }
}

impl<S: Simd, T: Scalar + SimdFloatElement + crate::kernels::math::Float> Vector<S, T> for Lanes<S, T> {
    const LANES: usize = <T::Native<S> as SimdBase<S>>::LEN;
    type Mask = <T::Native<S> as SimdBase<S>>::Mask;

    #[inline(always)]
    fn splat(simd: S, value: T) -> Self {
        Self(T::Native::<S>::splat(simd, value))
    }
    #[inline(always)]
    unsafe fn load(simd: S, from: *const T) -> Self {
        // SAFETY: `Array` is `[T; LANES]`, which the caller vouches for; it has `T`'s alignment.
        Self(T::Native::<S>::load_array_ref(simd, unsafe { &*from.cast::<<T::Native<S> as SimdBase<S>>::Array>() }))
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut T) {
        // SAFETY: `Array` is `[T; LANES]`, which the caller vouches for; it has `T`'s alignment.
        self.0.store_array(unsafe { &mut *to.cast::<<T::Native<S> as SimdBase<S>>::Array>() });
    }
    #[inline(always)]
    unsafe fn load_partial(simd: S, from: *const T, count: usize) -> Self {
        // SAFETY: the same conditions, which the caller vouches for.
        unsafe { partial::load(simd, from, count) }
    }
    #[inline(always)]
    unsafe fn store_partial(self, to: *mut T, count: usize) {
        // SAFETY: the same conditions, which the caller vouches for.
        unsafe { partial::store(self, to, count) }
    }
    #[inline(always)]
    unsafe fn load_stored<W: Storage<T>>(simd: S, from: *const W, count: usize) -> Self {
        // SAFETY: the same conditions, which the caller vouches for.
        unsafe { stored::load(simd, from, count) }
    }

    #[inline(always)]
    fn mul_add(self, b: Self, c: Self) -> Self {
        Self(self.0.mul_add(b.0, c.0))
    }
    #[inline(always)]
    fn abs(self) -> Self {
        Self(self.0.abs())
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        if !SCALAR {
            return Self(self.0.sqrt());
        }
        let mut roots = self.0;
        for lane in roots.as_mut_slice() {
            *lane = lane.sqrt();
        }
        Self(roots)
    }
    #[inline(always)]
    fn min(self, other: Self) -> Self {
        if IGNORES_NAN { Self::select(self.lt(other), self, other) } else { Self(self.0.min(other.0)) }
    }
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        if IGNORES_NAN { Self::select(other.lt(self), self, other) } else { Self(self.0.max(other.0)) }
    }
    #[inline(always)]
    fn copysign(self, sign: Self) -> Self {
        Self(self.0.copysign(sign.0))
    }
    #[inline(always)]
    fn round(self) -> Self {
        Self(self.0.round_ties_even())
    }
    #[inline(always)]
    fn lt(self, other: Self) -> Self::Mask {
        self.0.simd_lt(other.0)
    }
    #[inline(always)]
    fn le(self, other: Self) -> Self::Mask {
        self.0.simd_le(other.0)
    }
    #[inline(always)]
    fn eq(self, other: Self) -> Self::Mask {
        self.0.simd_eq(other.0)
    }
    #[inline(always)]
    fn first(simd: S, count: usize) -> Self::Mask {
        Self::Mask::from_bitmask(simd, (1 << count) - 1)
    }
    #[inline(always)]
    fn select(mask: Self::Mask, yes: Self, no: Self) -> Self {
        Self(fearless_simd::Select::select(mask, yes.0, no.0))
    }
    #[inline(always)]
    fn reduce_sum(self) -> T {
        self.0.reduce_sum()
    }
    #[inline(always)]
    fn reduce_max(self) -> T {
        self.0.reduce_max()
    }
    #[inline(always)]
    fn lane(self, index: usize) -> T {
        self.0[index]
    }
    #[inline(always)]
    fn zip_low(self, other: Self) -> Self {
        Self(self.0.zip_low(other.0))
    }
    #[inline(always)]
    fn zip_high(self, other: Self) -> Self {
        Self(self.0.zip_high(other.0))
    }
    #[inline(always)]
    fn unzip_low(self, other: Self) -> Self {
        Self(self.0.unzip_low(other.0))
    }
    #[inline(always)]
    fn unzip_high(self, other: Self) -> Self {
        Self(self.0.unzip_high(other.0))
    }
    #[inline(always)]
    fn exp(self, simd: S) -> Self {
        crate::kernels::math::exp(simd, self)
    }
    #[inline(always)]
    fn exp_m1(self, simd: S) -> Self {
        crate::kernels::math::exp_m1(simd, self)
    }
    #[inline(always)]
    fn ln(self, simd: S) -> Self {
        crate::kernels::math::ln(simd, self)
    }
    #[inline(always)]
    fn tanh(self, simd: S) -> Self {
        crate::kernels::math::tanh(simd, self)
    }
    #[inline(always)]
    fn sigmoid(self, simd: S) -> Self {
        crate::kernels::math::sigmoid(simd, self)
    }
    #[inline(always)]
    fn softplus(self, simd: S) -> Self {
        crate::kernels::math::softplus(simd, self)
    }
    #[inline(always)]
    fn erf(self, simd: S) -> Self {
        crate::kernels::math::erf(simd, self)
    }
}

/// Loads and stores of fewer lanes than a register has.
///
/// A processor hands a stored number straight to the load that follows only if one whole store wrote
/// it and no mask selects from it; otherwise the load waits until the cache has it. Layers of a few
/// numbers pass each other little else, so stores are split into whole ones of 8, 4, 2 and 1 words, and only
/// loads of other lengths take masks.
mod partial {
    use super::*;

    #[cfg(target_arch = "x86_64")]
    use core::arch::x86_64::*;

    /// `-1` in the first `count` of eight lanes when read from `WINDOW[8 - count..]`.
    #[cfg(target_arch = "x86_64")]
    static WINDOW: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];

    /// # Safety
    /// As [`Vector::load_partial`].
    #[inline(always)]
    pub(super) unsafe fn load<S: Simd, T: SimdFloatElement + Scalar>(
        simd: S,
        from: *const T,
        count: usize,
    ) -> Lanes<S, T> {
        // SAFETY: the level proves that the instructions exist; they touch only the first `count`
        // lanes, which the caller vouches for, in words of four bytes. `transmute_copy` is between
        // types of one size: the register of (level, T) is the type that `T::Native<S>` wraps.
        #[cfg(target_arch = "x86_64")]
        unsafe {
            let (words, from) = (count * size_of::<T>() / 4, from.cast::<f32>());
            match simd.level() {
                Level::Avx512(_) if words <= 8 && words.is_power_of_two() => {
                    return core::mem::transmute_copy(&_mm512_zextps256_ps512(few(from, words)));
                }
                Level::Avx512(_) => {
                    return core::mem::transmute_copy(&_mm512_maskz_loadu_ps(((1u32 << words) - 1) as u16, from));
                }
                Level::Avx2(_) => return core::mem::transmute_copy(&few(from, words)),
                _ => {}
            }
        }
        let mut vector = T::Native::<S>::splat(simd, T::ZERO);
        for (index, lane) in vector.as_mut_slice().iter_mut().enumerate() {
            if index < count {
                // SAFETY: `index < count` numbers are readable.
                *lane = unsafe { *from.add(index) };
            }
        }
        Lanes(vector)
    }

    /// At most eight words.
    ///
    /// # Safety
    /// `words <= 8` must be readable, and the processor must have AVX2.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn few(from: *const f32, words: usize) -> __m256 {
        // SAFETY: the caller vouches for just this.
        unsafe {
            match words {
                8 => _mm256_loadu_ps(from),
                4 => _mm256_zextps128_ps256(_mm_loadu_ps(from)),
                2 => _mm256_zextps128_ps256(_mm_castpd_ps(_mm_load_sd(from.cast()))),
                1 => _mm256_zextps128_ps256(_mm_load_ss(from)),
                _ => _mm256_maskload_ps(from, _mm256_loadu_si256(WINDOW.as_ptr().add(8 - words).cast())),
            }
        }
    }

    /// # Safety
    /// As [`Vector::store_partial`].
    #[inline(always)]
    pub(super) unsafe fn store<S: Simd, T: SimdFloatElement + Scalar>(vector: Lanes<S, T>, to: *mut T, count: usize) {
        // SAFETY: as in `load`; each store begins where the one before ends.
        #[cfg(target_arch = "x86_64")]
        unsafe {
            let (words, to) = (count * size_of::<T>() / 4, to.cast::<f32>());
            match fearless_simd::ExtractToken::token(&vector.0).level() {
                Level::Avx512(_) => {
                    let whole: __m512 = core::mem::transmute_copy(&vector);
                    if words & 16 != 0 {
                        return _mm512_storeu_ps(to, whole);
                    }
                    let mut half = _mm512_castps512_ps256(whole);
                    if words & 8 != 0 {
                        _mm256_storeu_ps(to, half);
                        half = _mm256_castpd_ps(_mm512_extractf64x4_pd::<1>(_mm512_castps_pd(whole)));
                    }
                    return store_few(half, to.add(words & 8), words & 7);
                }
                Level::Avx2(_) => {
                    let whole: __m256 = core::mem::transmute_copy(&vector);
                    if words & 8 != 0 {
                        return _mm256_storeu_ps(to, whole);
                    }
                    return store_few(whole, to, words);
                }
                _ => {}
            }
        }
        for (index, lane) in vector.0.as_slice().iter().enumerate() {
            if index < count {
                // SAFETY: `index < count` numbers are writable.
                unsafe { *to.add(index) = *lane };
            }
        }
    }

    /// Writes fewer than eight words.
    ///
    /// # Safety
    /// `words < 8` must be writable, and the processor must have AVX2.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn store_few(vector: __m256, to: *mut f32, words: usize) {
        // SAFETY: the caller vouches for just this.
        unsafe {
            let mut part = _mm256_castps256_ps128(vector);
            if words & 4 != 0 {
                _mm_storeu_ps(to, part);
                part = _mm256_extractf128_ps::<1>(vector);
            }
            if words & 2 != 0 {
                _mm_storel_pd(to.add(words & 4).cast(), _mm_castps_pd(part));
                part = _mm_movehl_ps(part, part);
            }
            if words & 1 != 0 {
                _mm_store_ss(to.add(words & 6), part);
            }
        }
    }
}

/// Loads of weights that are stored in fewer bits than a lane has.
mod stored {
    use super::*;

    #[cfg(all(target_arch = "aarch64", not(miri)))]
    use core::arch::aarch64::*;
    #[cfg(target_arch = "x86_64")]
    use core::arch::x86_64::*;

    /// Where the halves of sixteen words come from among 32, of which the upper sixteen are 0: the lower ones from those.
    #[cfg(target_arch = "x86_64")]
    static UPPER_HALVES: [i16; 32] = {
        let mut places = [16; 32];
        let mut n = 0;
        while n < 16 {
            places[2 * n + 1] = n as i16;
            n += 1;
        }
        places
    };

    /// The same for the bytes of eight words, each half of which come from all sixteen bytes, or are 0.
    #[cfg(target_arch = "x86_64")]
    static UPPER_BYTES: [i8; 32] = {
        let mut places = [-1; 32];
        let mut n = 0;
        while n < 8 {
            places[4 * n + 2] = 2 * n as i8;
            places[4 * n + 3] = 2 * n as i8 + 1;
            n += 1;
        }
        places
    };

    /// # Safety
    /// As [`Vector::load_stored`].
    #[inline(always)]
    pub(super) unsafe fn load<S: Simd, T: SimdFloatElement + Scalar, W: Storage<T>>(
        simd: S,
        from: *const W,
        count: usize,
    ) -> Lanes<S, T> {
        #[cfg(target_arch = "x86_64")]
        if const { size_of::<T>() == 4 } {
            // SAFETY: the level proves that the instructions exist; they touch only the first `count` numbers, which
            // the caller vouches for. Of four bytes, `T` is `f32`, and `transmute_copy` is between types of one size:
            // the register of (level, `f32`) is the type that `Lanes` wraps.
            unsafe {
                let bytes = from.cast::<u8>();
                match (simd.level(), W::NAME.as_bytes()) {
                    (Level::Avx512(_), b"bf16") => {
                        // One instruction. What it is to do is hidden, or the compiler takes two that it knows better, and a
                        // layer takes a fifth more time.
                        let places = _mm512_loadu_si512(UPPER_HALVES.as_ptr().cast());
                        let places = _mm512_xor_si512(places, _mm512_set1_epi16(unknown(0) as i16));
                        let wide =
                            _mm512_permutexvar_epi16(places, _mm512_zextsi256_si512(sixteen_halves(bytes, count)));
                        return core::mem::transmute_copy(&wide);
                    }
                    (Level::Avx512(_), b"f16") => {
                        return core::mem::transmute_copy(&_mm512_cvtph_ps(sixteen_halves(bytes, count)));
                    }
                    (Level::Avx512(_), b"i8") => {
                        let wide = _mm512_cvtepi8_epi32(sixteen_bytes(bytes, count));
                        return core::mem::transmute_copy(&_mm512_cvtepi32_ps(wide));
                    }
                    (Level::Avx2(_), b"bf16") => {
                        let twice = _mm256_broadcastsi128_si256(gather(bytes, 2 * count));
                        let places = _mm256_loadu_si256(UPPER_BYTES.as_ptr().cast());
                        let places = _mm256_xor_si256(places, _mm256_set1_epi8(unknown(0) as i8));
                        return core::mem::transmute_copy(&_mm256_shuffle_epi8(twice, places));
                    }
                    (Level::Avx2(_), b"f16") => {
                        return core::mem::transmute_copy(&_mm256_cvtph_ps(gather(bytes, 2 * count)));
                    }
                    (Level::Avx2(_), b"i8") => {
                        let wide = _mm256_cvtepi8_epi32(gather(bytes, count));
                        return core::mem::transmute_copy(&_mm256_cvtepi32_ps(wide));
                    }
                    (Level::Sse2(_), b"i8") => {
                        // To the top of four bytes, and down again with the sign.
                        let few = gather(bytes, count);
                        let few = _mm_unpacklo_epi8(few, few);
                        let few = _mm_srai_epi32::<24>(_mm_unpacklo_epi16(few, few));
                        return core::mem::transmute_copy(&_mm_cvtepi32_ps(few));
                    }
                    (Level::Sse2(_), b"bf16") => {
                        let few = _mm_unpacklo_epi16(_mm_setzero_si128(), gather(bytes, 2 * count));
                        return core::mem::transmute_copy(&_mm_castsi128_ps(few));
                    }
                    _ => {}
                }
            }
        }
        #[cfg(all(target_arch = "aarch64", not(miri)))]
        if const { size_of::<T>() == 4 } && W::NAME == "f16" && count == 4 && matches!(simd.level(), Level::Neon(_)) {
            // SAFETY: as above; the instruction, of which no function is stable, belongs to every processor of this kind.
            unsafe {
                let few = vld1_u16(from.cast());
                let wide: float32x4_t;
                core::arch::asm!("fcvtl {:v}.4s, {:v}.4h", out(vreg) wide, in(vreg) few, options(pure, nomem, nostack));
                return core::mem::transmute_copy(&wide);
            }
        }
        let mut vector = T::Native::<S>::splat(simd, T::ZERO);
        for (index, lane) in vector.as_mut_slice().iter_mut().enumerate() {
            if index < count {
                // SAFETY: `index < count` numbers are readable.
                *lane = unsafe { *from.add(index) }.widen();
            }
        }
        Lanes(vector)
    }

    /// # Safety
    /// `count <= 16` bytes must be readable, and the processor must have AVX-512.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn sixteen_bytes(from: *const u8, count: usize) -> __m128i {
        // SAFETY: the caller vouches for just this.
        unsafe {
            if count == 16 {
                return _mm_loadu_si128(from.cast());
            }
            _mm_maskz_loadu_epi8(((1u32 << count) - 1) as u16, from.cast())
        }
    }

    /// # Safety
    /// `count <= 16` numbers of two bytes must be readable, and the processor must have AVX-512.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn sixteen_halves(from: *const u8, count: usize) -> __m256i {
        // SAFETY: the caller vouches for just this.
        unsafe {
            if count == 16 {
                return _mm256_loadu_si256(from.cast());
            }
            _mm256_maskz_loadu_epi16(((1u32 << count) - 1) as u16, from.cast())
        }
    }

    /// The first `len` bytes, zeros behind them.
    ///
    /// # Safety
    /// `len <= 16` bytes must be readable.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn gather(from: *const u8, len: usize) -> __m128i {
        // SAFETY: the pieces lie side by side within `len` bytes; SSE2 belongs to every processor of this kind.
        unsafe {
            match len {
                16 => return _mm_loadu_si128(from.cast()),
                8 => return _mm_loadl_epi64(from.cast()),
                4 => return _mm_cvtsi32_si128(from.cast::<i32>().read_unaligned()),
                _ => {}
            }
            let (mut bits, mut at) = (0_u128, 0);
            if len & 8 != 0 {
                bits = from.cast::<u64>().read_unaligned().into();
                at = 8;
            }
            if len & 4 != 0 {
                bits |= u128::from(from.add(at).cast::<u32>().read_unaligned()) << (8 * at);
                at += 4;
            }
            if len & 2 != 0 {
                bits |= u128::from(from.add(at).cast::<u16>().read_unaligned()) << (8 * at);
                at += 2;
            }
            if len & 1 != 0 {
                bits |= u128::from(*from.add(at)) << (8 * at);
            }
            core::mem::transmute(bits)
        }
    }
}
