//! The format's encoding of numbers.

use alloc::vec::Vec;

use ::safetensors::Dtype;

use crate::scalar::Scalar;
use crate::storage::{Bf16, F16};

/// How a number is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    F16,
    Bf16,
    F32,
    F64,
}

impl Kind {
    /// How the numbers of a network are stored: as they are.
    pub(super) const fn of<T: Scalar>() -> Self {
        match T::NAME.as_bytes() {
            b"F32" => Self::F32,
            b"F64" => Self::F64,
            _ => panic!("only networks of `f32` and `f64` can be stored in safetensors files"),
        }
    }

    /// That of a tensor in a file, if its numbers can be read.
    pub(super) fn read(dtype: Dtype) -> Option<Self> {
        Some(match dtype {
            Dtype::F16 => Self::F16,
            Dtype::BF16 => Self::Bf16,
            Dtype::F32 => Self::F32,
            Dtype::F64 => Self::F64,
            _ => return None,
        })
    }

    /// Whether every number of this kind is a number of a network's kind: nothing is rounded when it is read.
    pub(super) fn fits(self, network: Self) -> bool {
        self.size() < network.size() || self == network
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::F16 => "F16",
            Self::Bf16 => "BF16",
            Self::F32 => "F32",
            Self::F64 => "F64",
        }
    }

    pub(super) const fn size(self) -> usize {
        match self {
            Self::F16 | Self::Bf16 => 2,
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
        Kind::F64 => {
            for (to, from) in bytes[start..].as_chunks_mut().0.iter_mut().zip(numbers) {
                *to = from.to_f64().to_le_bytes();
            }
        }
        _ => {
            for (to, from) in bytes[start..].as_chunks_mut().0.iter_mut().zip(numbers) {
                *to = (from.to_f64() as f32).to_le_bytes();
            }
        }
    }
}

/// Reads numbers of a kind that [fits](Kind::fits).
pub(super) fn decode<T: Scalar>(kind: Kind, bytes: &[u8], numbers: &mut [T]) {
    fn each<T: Scalar, const SIZE: usize>(bytes: &[u8], numbers: &mut [T], value: impl Fn([u8; SIZE]) -> f64) {
        for (to, from) in numbers.iter_mut().zip(bytes.as_chunks().0) {
            *to = T::from_f64(value(*from));
        }
    }
    match kind {
        Kind::F16 => each(bytes, numbers, |bytes| F16(u16::from_le_bytes(bytes)).to_f32().into()),
        Kind::Bf16 => each(bytes, numbers, |bytes| Bf16(u16::from_le_bytes(bytes)).to_f32().into()),
        Kind::F32 => each(bytes, numbers, |bytes| f32::from_le_bytes(bytes).into()),
        Kind::F64 => each(bytes, numbers, f64::from_le_bytes),
    }
}
