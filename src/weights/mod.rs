//! Weights in files.
//!
//! | format | feature | holds | written by | read by |
//! | --- | --- | --- | --- | --- |
//! | `.safetensors` | `safetensors` | the tensors of a network | [`save`], [`to_bytes`] | [`load`], [`load_bytes`] |
//! | the same, built into the program | none | the tensors of a network | | [`include_weights!`](crate::include_weights) |
//! | [blob] | none | a network in its memory layout, to be read in place | [`to_blob`](blob::to_blob) | [`from_blob`](blob::from_blob), `Net::from_bytes` |
//! | [`Snapshot`] | `generic-array` | the parameters of a network, one after another, in a value of fixed size | [`Snapshot::take`] | [`Snapshot::restore`] |
//! | `.safetensors` checkpoint | `safetensors` | the same, and what training needs to resume: further groups of tensors, and numbers | [`CheckpointWriter`] | [`Checkpoint`] |
//!
//! All but blobs and snapshots are files in the [safetensors](https://huggingface.co/docs/safetensors) format, version
//! 1, which Python and other frameworks read as well. A tensor has its name in the network, such as `conv1.weight`; its
//! shape and the order of its axes are those of the Rust array (dense weights are `[in][out]`, convolutions
//! `[height][width][in][out]`), and its type is the network's, `F32` or `F64`. The same content gives the same bytes.
//! Files of this crate have a checksum among their metadata, and a file whose content has changed is refused.
//!
//! # Saving
//! Files are written under a temporary name in the same folder and then renamed, so a file is always either the
//! complete new one or the old one, whenever the program is killed. On Unix, a save that is killed may leave the hidden
//! file `.name.tmp`, which the next save of the same file removes; elsewhere its name has the number of the process.
//! Links are followed, and permissions and owner are kept; other names of the same file (hard links) keep the old
//! content. A path that leads to a pipe or a device is written to directly. Two programs that save the same file at the
//! same time need a file system with locks, which some network file systems are not.
//!
//! # Loading
//! Loading is all or nothing: all names, shapes and types are checked before the first number is copied. Numbers are
//! widened but never rounded: a network of `f32` reads files of `F16`, `BF16` and `F32`, one of `f64` those and `F64`.
//! A tensor that the network does not have is an error, unless it is [skipped](CheckpointReader::skip). Memory for a
//! file is on the heap, and so may be the network ([`memory::boxed`](crate::memory::boxed)); neither is ever on the
//! stack. Paths need `std`; bytes only need `alloc`.
//!
//! Firmware has no files. [`include_weights!`](crate::include_weights) builds a network from a file at compile time,
//! without `alloc` or any feature:
//!
//! ```
//! use monomorph::prelude::*;
//!
//! network! { Small: [2] -> [2] { hidden: Dense(3), Tanh, head: Dense(2) } }
//! static NET: Small =
//!     include_weights!(Small, concat!(env!("CARGO_MANIFEST_DIR"), "/tests/files/small.safetensors"));
//! assert_eq!(NET.head.bias, [0.5, -0.5]);
//! ```
//!
//! The value is in the program's read-only data, that is, in flash; a file that does not fit the network is a compile
//! error that names the tensor.

pub mod blob;
#[cfg(feature = "safetensors")]
mod checkpoint;
#[cfg(feature = "safetensors")]
mod error;
#[cfg(all(feature = "safetensors", feature = "std"))]
mod file;
mod header;
#[doc(hidden)]
pub mod include;
#[cfg(feature = "safetensors")]
mod safetensors;
#[cfg(feature = "generic-array")]
mod snapshot;

#[cfg(feature = "generic-array")]
pub use self::snapshot::{Snapshot, SnapshotError};
#[cfg(feature = "safetensors")]
pub use self::{checkpoint::*, error::*, safetensors::*};
#[doc(hidden)]
pub use crate::bytes::Bits;
pub use crate::include_weights;

/// How files of this crate identify themselves.
const FORMAT: &str = "monomorph";
/// The version of the meaning of names and of the order of axes.
const VERSION: &str = "1";
/// The format's key for the metadata among the tensors.
const METADATA: &str = "__metadata__";
