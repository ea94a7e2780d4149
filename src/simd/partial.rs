//! Loads and stores of fewer lanes than a register has.
//!
//! Store-to-load forwarding works only if a single unmasked store wrote everything that a load reads, and the load is
//! not masked; otherwise the load waits until the data is in the L1 cache. Small layers mostly read what the previous
//! layer has just stored, so stores are split into unmasked ones of 8, 4, 2 and 1 words, and only loads of other
//! lengths use masks.

#[cfg(target_arch = "x86_64")]
use fearless_simd::Level;
use fearless_simd::{Simd, SimdBase, SimdFloatElement};

use crate::scalar::Scalar;

#[cfg(target_arch = "x86_64")]
use core::arch::x86_64::*;

/// `-1` in the first `count` of eight lanes when read from `WINDOW[8 - count..]`.
#[cfg(target_arch = "x86_64")]
static WINDOW: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];

/// # Safety
/// As [`Vector::load_partial`](crate::scalar::Vector::load_partial).
#[inline(always)]
pub(super) unsafe fn load<S: Simd, T: SimdFloatElement + Scalar>(
    simd: S,
    from: *const T,
    count: usize,
) -> T::Native<S> {
    // SAFETY: the level proves that the instructions exist; they access only the first `count` lanes, for which the
    // caller guarantees validity, in words of four bytes. `transmute_copy` is between types of the same size: the
    // register of (level, T) is the type that `T::Native<S>` wraps.
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
    vector
}

/// At most eight words.
///
/// # Safety
/// `words <= 8` must be readable, and the processor must have AVX2.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn few(from: *const f32, words: usize) -> __m256 {
    // SAFETY: the caller guarantees exactly this.
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
/// As [`Vector::store_partial`](crate::scalar::Vector::store_partial).
#[inline(always)]
pub(super) unsafe fn store<S: Simd, T: SimdFloatElement + Scalar>(vector: T::Native<S>, to: *mut T, count: usize) {
    // SAFETY: as in `load`; each store begins where the previous one ends.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        let (words, to) = (count * size_of::<T>() / 4, to.cast::<f32>());
        match fearless_simd::ExtractToken::token(&vector).level() {
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
    for (index, lane) in vector.as_slice().iter().enumerate() {
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
    // SAFETY: the caller guarantees exactly this.
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
