//! Numbers as bytes, and a hash of bytes.

use crate::scalar::Scalar;
use crate::storage::Storage;

/// A number that files hold in its memory representation, little-endian.
///
/// # Safety
/// All patterns of `size_of::<Self>()` bytes are valid values of the type, and `Scalar::NAME` is the format's name for
/// numbers of that size and encoding.
#[diagnostic::on_unimplemented(
    message = "weights of type `{Self}` cannot be included from a file",
    note = "files hold numbers of type `f32` and `f64`"
)]
pub unsafe trait Bits: Scalar {}
// SAFETY: all patterns are valid values; `F32` is the format's name for them.
unsafe impl Bits for f32 {}
// SAFETY: all patterns are valid values; `F64` is the format's name for them.
unsafe impl Bits for f64 {}

/// Numbers as bytes.
pub(crate) fn bytes_of<T: Bits>(numbers: &[T]) -> &[u8] {
    bytes_of_packed::<T, T>(numbers)
}

/// Packed numbers as bytes.
pub(crate) fn bytes_of_packed<T: Bits, W: Storage<T>>(numbers: &[W]) -> &[u8] {
    // SAFETY: every byte pattern is a valid value of `T`, and therefore of `W`; such types have no padding.
    unsafe { core::slice::from_raw_parts(numbers.as_ptr().cast(), size_of_val(numbers)) }
}

/// The offset basis of FNV-1a in 64 bits.
pub(crate) const SEED: u64 = 0xcbf2_9ce4_8422_2325;

/// FNV-1a, of Fowler, Noll and Vo, continuing from a hash.
pub(crate) const fn fnv(mut hash: u64, bytes: &[u8]) -> u64 {
    let mut index = 0;
    while index < bytes.len() {
        hash = (hash ^ bytes[index] as u64).wrapping_mul(0x100_0000_01b3);
        index += 1;
    }
    hash
}
