//! The parameters of a network in one value of fixed size, without allocation.

use core::fmt;

use generic_array::GenericArray;

use crate::bytes::{Bits, SEED, bytes_of, fnv};
use crate::network::Network;
use crate::parameters::{CountedParameters, for_each_tensor};
use crate::plain::Plain;

/// The parameters of a network, one after another: a checkpoint that fits on a microcontroller.
///
/// The program decides where to put it, in a `static`, on the stack or in a page of flash; it takes 16 bytes plus the
/// bytes of the parameters. Training can keep the best network so far in one, and return to it:
///
/// ```
/// use monomorph::prelude::*;
/// use monomorph::weights::{Snapshot, SnapshotError};
///
/// network! { pub Line: [1] -> [1] { Dense(1) } }
///
/// let mut net = Line::zeroed();
/// net.dense1.weight = [[0.5]];
/// let mut best = Snapshot::<Line>::new();
/// best.take(&net);
///
/// net.dense1.weight = [[7.0]];
/// best.restore(&mut net)?;
/// assert_eq!(net.dense1.weight, [[0.5]]);
///
/// // As bytes, it outlives the program.
/// let again = Snapshot::<Line>::from_bytes(best.as_bytes())?;
/// assert_eq!(again.numbers(), [0.5, 0.0]);
/// # Ok::<(), SnapshotError>(())
/// ```
#[repr(C)]
pub struct Snapshot<N: Network<Scalar: Bits> + CountedParameters> {
    /// The hash of the network's structure; 0 in a new snapshot.
    structure: u64,
    /// FNV-1a of the numbers.
    checksum: u64,
    numbers: GenericArray<N::Scalar, N::ParamCount>,
}

// SAFETY: zero is a valid value of two integers and an array of numbers, which have no drop glue.
unsafe impl<N: Network<Scalar: Bits> + CountedParameters> Plain for Snapshot<N> {}

impl<N: Network<Scalar: Bits> + CountedParameters> Snapshot<N> {
    /// Its size in bytes: 16 plus those of the parameters.
    pub const BYTES: usize = 16 + size_of::<GenericArray<N::Scalar, N::ParamCount>>();

    /// A snapshot that holds nothing yet.
    pub const fn new() -> Self {
        crate::memory::zeroed()
    }

    /// Copies the parameters of a network.
    pub fn take(&mut self, network: &N) {
        let (from, mut to) = (network.as_slice(), self.numbers.iter_mut());
        for_each_tensor(N::ENTRIES, &mut |_, _, range| {
            let tensor = from.get(range).unwrap_or_default();
            tensor.iter().zip(to.by_ref()).for_each(|(from, to)| *to = *from);
        });
        self.structure = N::STRUCTURE;
        self.checksum = fnv(SEED, bytes_of(&self.numbers));
    }

    /// Copies the parameters back.
    ///
    /// # Errors
    /// If it holds nothing yet. `network` is then unchanged.
    pub fn restore(&self, network: &mut N) -> Result<(), SnapshotError> {
        self.check()?;
        let (mut from, to) = (self.numbers.iter(), network.as_mut_slice());
        for_each_tensor(N::ENTRIES, &mut |_, _, range| {
            let tensor = to.get_mut(range).unwrap_or_default();
            tensor.iter_mut().zip(from.by_ref()).for_each(|(to, from)| *to = *from);
        });
        Ok(())
    }

    /// The parameters in the order of the network.
    pub fn numbers(&self) -> &[N::Scalar] {
        &self.numbers
    }

    /// The snapshot as bytes, to be written to flash; in the byte order of this machine.
    pub fn as_bytes(&self) -> &[u8] {
        // SAFETY: these are the bytes of two integers and an array of numbers whose alignment is at most theirs, so
        // none of them is padding.
        unsafe { core::slice::from_raw_parts((&raw const *self).cast(), Self::BYTES) }
    }

    /// Reads a snapshot from bytes with any alignment.
    ///
    /// # Errors
    /// If they are not a snapshot of a network of this structure, or are damaged.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SnapshotError> {
        if bytes.len() != Self::BYTES {
            return Err(SnapshotError::Length { expected: Self::BYTES, found: bytes.len() });
        }
        let mut snapshot = Self::new();
        // SAFETY: the snapshot begins with `BYTES` bytes that may have any values: integers, and numbers of `Bits`.
        unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr(), (&raw mut snapshot).cast(), Self::BYTES) };
        snapshot.check()?;
        Ok(snapshot)
    }

    fn check(&self) -> Result<(), SnapshotError> {
        match self.structure {
            0 => Err(SnapshotError::Empty),
            structure if structure != N::STRUCTURE => Err(SnapshotError::OtherNetwork(N::NAME)),
            _ if self.checksum != fnv(SEED, bytes_of(&self.numbers)) => Err(SnapshotError::Damaged),
            _ => Ok(()),
        }
    }
}

impl<N: Network<Scalar: Bits> + CountedParameters> Default for Snapshot<N> {
    fn default() -> Self {
        Self::new()
    }
}

/// Why a snapshot cannot be restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum SnapshotError {
    /// It holds nothing yet.
    Empty,
    /// It holds a different network.
    OtherNetwork(&'static str),
    /// The number of bytes is wrong.
    Length {
        /// How many bytes a snapshot has.
        expected: usize,
        /// How many bytes there are.
        found: usize,
    },
    /// Bytes have changed since it was taken.
    Damaged,
}

impl fmt::Display for SnapshotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(f, "the snapshot holds nothing yet; call `take` first"),
            Self::OtherNetwork(name) => {
                write!(f, "the snapshot holds another network than {name}, or {name} has changed since; take it again")
            }
            Self::Length { expected, found } => {
                write!(f, "the snapshot should have {expected} bytes, but has {found}; give it all its bytes")
            }
            Self::Damaged => write!(f, "the snapshot is damaged: its checksum differs; copy or take it again"),
        }
    }
}

impl core::error::Error for SnapshotError {}
