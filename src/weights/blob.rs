//! Networks in their memory layout, to be used in place: from flash or from a memory-mapped file.
//!
//! [`from_blob`] checks the bytes and returns a reference into them; nothing is parsed, copied or allocated.
//!
//! | offset | bytes | content |
//! | --- | --- | --- |
//! | 0 | 8 | `MONOBLOB` |
//! | 8 | 4 | the version, 1 |
//! | 12 | 4 | `1` in the byte order of the data |
//! | 16 | 8 | a hash of the network's structure: names, kinds and shapes of its layers and tensors, and the number types |
//! | 24 | 8 | the length of the data |
//! | 32 | 8 | FNV-1a of the data |
//! | 40 | 24 | zeros |
//! | 64 | | the data: the network |
//!
//! The numbers of the header are little-endian, except for the second. The checksum is the 64-bit one of Fowler, Noll
//! and Vo (RFC 9923): each of its steps is invertible, so every change of a single byte is detected. It protects
//! against corruption, not against tampering: any bytes that pass are a valid network, but not a signed one.
//!
//! The data is aligned as the network requires if the blob begins at a multiple of 64. [`Aligned`] ensures that:
//!
//! ```
//! use monomorph::prelude::*;
//! use monomorph::weights::blob::Aligned;
//!
//! network! { pub Small: [2] -> [2] { hidden: Dense(3), Tanh, head: Dense(2) } }
//! static BLOB: &Aligned<[u8]> =
//!     &Aligned(*include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/files/small.blob")));
//! let net = Small::from_bytes(&BLOB.0)?;
//! assert_eq!(net.head.bias, [0.5, -0.5]);
//! # Ok::<(), monomorph::weights::blob::BlobError>(())
//! ```

#[cfg(feature = "alloc")]
use alloc::vec::Vec;
use core::fmt;

use crate::bytes::{Bits, SEED, fnv};
use crate::network::Network;
#[doc(hidden)]
pub use crate::network::structure_packed;

const MAGIC: &[u8; 8] = b"MONOBLOB";
const VERSION: u32 = 1;
/// The offset of the data; blobs are aligned to it.
const HEADER: usize = 64;

/// Bytes aligned to 64, as blobs must be.
///
/// `&Aligned(*include_bytes!("net.blob"))` coerces to an `&Aligned<[u8]>` whose field is the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C, align(64))]
pub struct Aligned<B: ?Sized>(pub B);

/// Why bytes are not a valid network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum BlobError {
    /// The bytes do not begin like a blob.
    NoBlob,
    /// The blob has a version that this program does not know.
    Version(u32),
    /// The blob was written by a machine with the other byte order.
    ByteOrder,
    /// The blob holds a different network.
    OtherNetwork(&'static str),
    /// The number of bytes is wrong.
    Length {
        /// How many bytes the blob should have.
        expected: usize,
        /// How many bytes there are.
        found: usize,
    },
    /// The blob begins this many bytes after a multiple of 64.
    Misaligned(usize),
    /// Bytes have changed since the blob was written.
    Damaged,
}

impl fmt::Display for BlobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoBlob => write!(f, "these bytes are not a network; write them with `to_blob`"),
            Self::Version(version) => write!(f, "the blob has version {version}, known is {VERSION}; write it again"),
            Self::ByteOrder => write!(
                f,
                "the blob was written on a machine of another byte order; write it on one of the order of this machine"
            ),
            Self::OtherNetwork(name) => write!(
                f,
                "the blob holds another network than {name}, or {name} has changed since; write it again, or declare \
                 the network it was written from"
            ),
            Self::Length { expected, found } => {
                write!(f, "the blob should have {expected} bytes, but has {found}; copy or write it again")
            }
            Self::Misaligned(by) => write!(
                f,
                "the blob begins {by} bytes behind a multiple of {HEADER}; put it into `Aligned`: \
                 `&Aligned(*include_bytes!(\"net.blob\"))`"
            ),
            Self::Damaged => write!(f, "the blob is damaged: its checksum differs; copy or write it again"),
        }
    }
}

impl core::error::Error for BlobError {}

/// The network as bytes, for [`from_blob`]. The same network gives the same bytes.
///
/// ```
/// use monomorph::prelude::*;
/// use monomorph::weights::blob::{load_blob, to_blob};
///
/// network! { #[packed(LineSmall: bf16)] pub Line: [1] -> [1] { Dense(1) } }
/// let mut net = Line::zeroed();
/// net.dense1.weight = [[0.5]];
/// let small = LineSmall::boxed_from(&net);
///
/// let bytes = to_blob(&*small);
/// let mut again = LineSmall::zeroed();
/// load_blob(&bytes, &mut again)?;
/// assert_eq!(again.evaluate(&[3.0]), [1.5]);
/// # Ok::<(), monomorph::weights::blob::BlobError>(())
/// ```
#[cfg(feature = "alloc")]
pub fn to_blob<N: Network<Scalar: Bits>>(network: &N) -> Vec<u8> {
    let mut bytes = alloc::vec![0; HEADER + size_of::<N>()];
    let (header, data) = bytes.split_at_mut(HEADER);
    let start = core::ptr::from_ref(network).addr();
    // Padding between the arrays, if there is any, stays 0.
    network.pieces(&mut |piece| {
        if !piece.is_empty() {
            let at = piece.as_ptr().addr() - start;
            data[at..at + piece.len()].copy_from_slice(piece);
        }
    });
    header[..8].copy_from_slice(MAGIC);
    header[8..12].copy_from_slice(&VERSION.to_le_bytes());
    header[12..16].copy_from_slice(&1_u32.to_ne_bytes());
    header[16..24].copy_from_slice(&N::STRUCTURE.to_le_bytes());
    header[24..32].copy_from_slice(&(data.len() as u64).to_le_bytes());
    header[32..40].copy_from_slice(&fnv(SEED, data).to_le_bytes());
    bytes
}

/// The network that `bytes` hold, in place.
///
/// # Errors
/// If the bytes are not a blob of a network of this structure, are damaged, or are not [aligned](Aligned).
pub fn from_blob<N: Network<Scalar: Bits>>(bytes: &[u8]) -> Result<&N, BlobError> {
    const { assert!(align_of::<N>() <= HEADER) };
    let data = check::<N>(bytes)?;
    let by = bytes.as_ptr().addr() % HEADER;
    if by != 0 {
        return Err(BlobError::Misaligned(by));
    }
    // SAFETY: the data has the length of `N` and begins at a multiple of 64, and the alignment of `N` is at most 64.
    // `N` is made of numbers of its scalar type and of formats that store it, as `Parameters` promises; all byte
    // patterns are valid values of these, as `Bits` and `Storage` promise.
    Ok(unsafe { &*data.as_ptr().cast() })
}

/// Copies the network that `bytes` hold, with any alignment.
///
/// # Errors
/// If the bytes are not a blob of a network of this structure, or are damaged. `network` is then unchanged.
pub fn load_blob<N: Network<Scalar: Bits>>(bytes: &[u8], network: &mut N) -> Result<(), BlobError> {
    let data = check::<N>(bytes)?;
    // SAFETY: the data has the length of `N`, and all byte patterns are valid values of it, as in `from_blob`.
    unsafe { core::ptr::copy_nonoverlapping(data.as_ptr(), core::ptr::from_mut(network).cast(), data.len()) };
    Ok(())
}

/// The data of a blob, if it is a blob of `N`.
fn check<N: Network>(bytes: &[u8]) -> Result<&[u8], BlobError> {
    let Some((header, data)) = bytes.split_at_checked(HEADER) else {
        return Err(if bytes.starts_with(MAGIC) { length::<N>(bytes.len()) } else { BlobError::NoBlob });
    };
    let word = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    let long = |at: usize| u64::from(word(at)) | u64::from(word(at + 4)) << 32;
    if &header[..8] != MAGIC {
        return Err(BlobError::NoBlob);
    }
    if word(8) != VERSION {
        return Err(BlobError::Version(word(8)));
    }
    match word(12) {
        order if order == u32::from_le_bytes(1_u32.to_ne_bytes()) => {}
        order if order == u32::from_le_bytes(1_u32.swap_bytes().to_ne_bytes()) => return Err(BlobError::ByteOrder),
        _ => return Err(BlobError::Damaged),
    }
    if long(16) != N::STRUCTURE {
        return Err(BlobError::OtherNetwork(N::NAME));
    }
    if data.len() != size_of::<N>() {
        return Err(length::<N>(bytes.len()));
    }
    if long(24) != data.len() as u64 || long(32) != fnv(SEED, data) || header[40..].iter().any(|byte| *byte != 0) {
        return Err(BlobError::Damaged);
    }
    Ok(data)
}

fn length<N>(found: usize) -> BlobError {
    BlobError::Length { expected: HEADER + size_of::<N>(), found }
}
