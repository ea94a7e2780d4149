//! The format's encoding of numbers.

use alloc::vec::Vec;

use crate::scalar::Scalar;

/// How a number is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    F32,
    F64,
}

impl Kind {
    pub(super) const fn of<T: Scalar>() -> Self {
        match T::NAME.as_bytes() {
            b"F32" => Self::F32,
            b"F64" => Self::F64,
            _ => panic!("only networks of `f32` and `f64` can be stored in safetensors files"),
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::F32 => "F32",
            Self::F64 => "F64",
        }
    }

    pub(super) const fn size(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F64 => 8,
        }
    }
}

/// Appends numbers in the format's encoding, little-endian on every machine.
pub(super) fn encode<T: Scalar>(numbers: &[T], bytes: &mut Vec<u8>) {
    let kind = const { Kind::of::<T>() };
    let start = bytes.len();
    bytes.resize(start + numbers.len() * kind.size(), 0);
    // Going through `f64` is exact, since every `f32` is an `f64`.
    match kind {
        Kind::F32 => {
            for (to, from) in bytes[start..].as_chunks_mut().0.iter_mut().zip(numbers) {
                *to = (from.to_f64() as f32).to_le_bytes();
            }
        }
        Kind::F64 => {
            for (to, from) in bytes[start..].as_chunks_mut().0.iter_mut().zip(numbers) {
                *to = from.to_f64().to_le_bytes();
            }
        }
    }
}

/// The inverse of [`encode`].
pub(super) fn decode<T: Scalar>(bytes: &[u8], numbers: &mut [T]) {
    match const { Kind::of::<T>() } {
        Kind::F32 => {
            for (to, from) in numbers.iter_mut().zip(bytes.as_chunks().0) {
                *to = T::from_f64(f32::from_le_bytes(*from).into());
            }
        }
        Kind::F64 => {
            for (to, from) in numbers.iter_mut().zip(bytes.as_chunks().0) {
                *to = T::from_f64(f64::from_le_bytes(*from));
            }
        }
    }
}
