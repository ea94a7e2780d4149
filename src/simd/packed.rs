//! Loads of weights that are packed in fewer bits than a lane has.

#[cfg(all(target_arch = "aarch64", not(miri)))]
use core::arch::aarch64::*;
#[cfg(target_arch = "x86_64")]
use core::arch::x86_64::*;

#[cfg(any(target_arch = "x86_64", all(target_arch = "aarch64", not(miri))))]
use fearless_simd::Level;
use fearless_simd::{Simd, SimdBase, SimdFloatElement};

#[cfg(target_arch = "x86_64")]
use super::level::unknown;
use crate::scalar::{Scalar, Storage};

/// From which of 32 halfwords each half of sixteen words is taken. The upper sixteen of the 32 are 0, and the lower
/// half of every word is one of them.
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

/// The same for the bytes of eight words, where a negative index gives 0; each half of the register selects from all
/// sixteen bytes.
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
/// As [`Vector::load_packed`](crate::scalar::Vector::load_packed).
#[inline(always)]
pub(super) unsafe fn load<S: Simd, T: SimdFloatElement + Scalar, W: Storage<T>>(
    simd: S,
    from: *const W,
    count: usize,
) -> T::Native<S> {
    #[cfg(target_arch = "x86_64")]
    if const { size_of::<T>() == 4 } {
        // SAFETY: the level proves that the instructions exist; they access only the first `count` numbers, for which
        // the caller guarantees validity. Since `T` has four bytes, it is `f32`, and `transmute_copy` is between types
        // of the same size: the register of (level, `f32`) is the type that `T::Native<S>` wraps.
        unsafe {
            let bytes = from.cast::<u8>();
            match (simd.level(), W::NAME.as_bytes()) {
                (Level::Avx512(_), b"bf16") => {
                    // One instruction. Its operand is hidden from the compiler, which would otherwise choose two
                    // instructions that it considers better, and a layer would take a fifth more time.
                    let places = _mm512_loadu_si512(UPPER_HALVES.as_ptr().cast());
                    let places = _mm512_xor_si512(places, _mm512_set1_epi16(unknown(0) as i16));
                    let wide = _mm512_permutexvar_epi16(places, _mm512_zextsi256_si512(sixteen_halves(bytes, count)));
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
                    // Shifted to the top of four bytes, and down again with sign extension.
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
        // SAFETY: as above; the instruction, for which there is no stable intrinsic, exists on every processor of this
        // kind.
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
    vector
}

/// # Safety
/// `count <= 16` bytes must be readable, and the processor must have AVX-512.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn sixteen_bytes(from: *const u8, count: usize) -> __m128i {
    // SAFETY: the caller guarantees exactly this.
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
    // SAFETY: the caller guarantees exactly this.
    unsafe {
        if count == 16 {
            return _mm256_loadu_si256(from.cast());
        }
        _mm256_maskz_loadu_epi16(((1u32 << count) - 1) as u16, from.cast())
    }
}

/// The first `len` bytes, followed by zeros.
///
/// # Safety
/// `len <= 16` bytes must be readable.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn gather(from: *const u8, len: usize) -> __m128i {
    // SAFETY: the pieces are adjacent and within `len` bytes; SSE2 exists on every processor of this kind.
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
