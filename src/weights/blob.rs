//! Networks as they lie in memory, to be read where they are: from flash, from a mapped file.
//!
//! [`from_blob`] checks the bytes and gives a reference into them; nothing is parsed or copied, and nothing allocates.
//!
//! | offset | bytes | what |
//! | --- | --- | --- |
//! | 0 | 8 | `MONOBLOB` |
//! | 8 | 4 | the version, 1 |
//! | 12 | 4 | `1` in the byte order of the data |
//! | 16 | 8 | a hash of the network's structure: names, kinds and shapes of its layers and tensors, the types of numbers |
//! | 24 | 8 | the length of the data |
//! | 32 | 8 | FNV-1a of the data |
//! | 40 | 24 | zeros |
//! | 64 | | the data: the network |
//!
//! The numbers of the header are little-endian, but for the second. The checksum is that of Fowler, Noll and Vo
//! (RFC 9923) in 64 bits: each of its steps is invertible, so that no change of a single byte goes unnoticed. It
//! protects from damage, not from malice: any bytes that pass are a network, but not a signed one.
//!
//! The data is aligned as the network is, if the blob begins at a multiple of 64. [`Aligned`] puts one there:
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

use super::Stored;
use crate::network::Network;
use crate::parameters::Entry;
use crate::scalar::Scalar;
use crate::storage::Storage;
use crate::summary::Node;

const MAGIC: &[u8; 8] = b"MONOBLOB";
const VERSION: u32 = 1;
/// Where the data begins; blobs are aligned to it.
const HEADER: usize = 64;

/// Bytes that begin at a multiple of 64, as blobs must.
///
/// `&Aligned(*include_bytes!("net.blob"))` is an `&Aligned<[u8]>` whose field is the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C, align(64))]
pub struct Aligned<B: ?Sized>(pub B);

/// Why bytes are not a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum BlobError {
    /// The bytes do not begin as a blob does.
    NoBlob,
    /// The blob has a version that this program does not know.
    Version(u32),
    /// The blob was written by a machine of the other byte order.
    ByteOrder,
    /// The blob holds another network than this one.
    OtherNetwork(&'static str),
    /// There are not as many bytes as the network takes.
    Length {
        /// How many bytes the blob should have.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// The blob begins so many bytes behind a multiple of 64.
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
/// network! { #[stored(LineSmall: bf16)] pub Line: [1] -> [1] { Dense(1) } }
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
pub fn to_blob<N: Network<Scalar: Stored>>(network: &N) -> Vec<u8> {
    let mut bytes = alloc::vec![0; HEADER + size_of::<N>()];
    let (header, data) = bytes.split_at_mut(HEADER);
    let start = core::ptr::from_ref(network).addr();
    // What lies between the arrays, if anything, stays 0.
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

/// The network that `bytes` hold, where they lie.
///
/// # Errors
/// If the bytes are no blob of a network of this structure, are damaged, or are not [aligned](Aligned).
pub fn from_blob<N: Network<Scalar: Stored>>(bytes: &[u8]) -> Result<&N, BlobError> {
    const { assert!(align_of::<N>() <= HEADER) };
    let data = check::<N>(bytes)?;
    let by = bytes.as_ptr().addr() % HEADER;
    if by != 0 {
        return Err(BlobError::Misaligned(by));
    }
    // SAFETY: the data has the length of `N` and begins at a multiple of 64, to which `N` is aligned at most. `N` is
    // made of numbers of its scalar and of formats that store it, as `Parameters` promises; all patterns of bytes are
    // values of these, as `Stored` and `Storage` promise.
    Ok(unsafe { &*data.as_ptr().cast() })
}

/// Copies the network that `bytes` hold, wherever they lie.
///
/// # Errors
/// If the bytes are no blob of a network of this structure or are damaged. `network` is then as before.
pub fn load_blob<N: Network<Scalar: Stored>>(bytes: &[u8], network: &mut N) -> Result<(), BlobError> {
    let data = check::<N>(bytes)?;
    // SAFETY: the data has the length of `N`, and all patterns of bytes are values of it, as in `from_blob`.
    unsafe { core::ptr::copy_nonoverlapping(data.as_ptr(), core::ptr::from_mut(network).cast(), data.len()) };
    Ok(())
}

/// The data of a blob, if it is one of `N`.
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

/// Numbers as bytes.
pub(crate) fn bytes_of<T: Stored>(numbers: &[T]) -> &[u8] {
    bytes_of_stored::<T, T>(numbers)
}

/// Numbers of a format as bytes.
pub(crate) fn bytes_of_stored<T: Stored, W: Storage<T>>(numbers: &[W]) -> &[u8] {
    // SAFETY: every pattern of bytes is a value of `T`, and so of `W`; such types have no padding.
    unsafe { core::slice::from_raw_parts(numbers.as_ptr().cast(), size_of_val(numbers)) }
}

/// The offset basis of FNV-1a in 64 bits.
const SEED: u64 = 0xcbf2_9ce4_8422_2325;

/// FNV-1a, going on from a hash.
const fn fnv(mut hash: u64, bytes: &[u8]) -> u64 {
    let mut index = 0;
    while index < bytes.len() {
        hash = (hash ^ bytes[index] as u64).wrapping_mul(0x100_0000_01b3);
        index += 1;
    }
    hash
}

/// A text, with its length so that texts do not run together.
const fn text(hash: u64, text: &str) -> u64 {
    fnv(number(hash, text.len()), text.as_bytes())
}

const fn number(hash: u64, number: usize) -> u64 {
    fnv(hash, &(number as u64).to_le_bytes())
}

const fn numbers(mut hash: u64, numbers: &[usize]) -> u64 {
    hash = number(hash, numbers.len());
    let mut index = 0;
    while index < numbers.len() {
        hash = number(hash, numbers[index]);
        index += 1;
    }
    hash
}

/// A hash of what a network is made of.
#[doc(hidden)]
pub const fn structure<T: Scalar>(entries: &[Entry], graph: &[Node]) -> u64 {
    let (mut hash, mut index) = (text(SEED, T::NAME), 0);
    while index < graph.len() {
        let node = &graph[index];
        hash = numbers(numbers(text(text(hash, node.name), node.kind), node.inputs), node.shape);
        index += 1;
    }
    tensors(hash, entries)
}

/// The hash of the same network with its weights stored in a format, and stored networks inside.
#[doc(hidden)]
pub const fn structure_stored(hash: u64, format: &str, inside: &[u64]) -> u64 {
    let (mut hash, mut index) = (text(hash, format), 0);
    while index < inside.len() {
        hash = fnv(hash, &inside[index].to_le_bytes());
        index += 1;
    }
    hash
}

const fn tensors(mut hash: u64, entries: &[Entry]) -> u64 {
    hash = number(hash, entries.len());
    let mut index = 0;
    while index < entries.len() {
        hash = match &entries[index] {
            Entry::Tensor(tensor) => numbers(text(hash, tensor.name), tensor.shape),
            Entry::Layer(name, inner) => tensors(text(hash, name), inner),
            Entry::Padding(len) => number(hash, *len),
        };
        index += 1;
    }
    hash
}
