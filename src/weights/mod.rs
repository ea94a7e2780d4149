//! Weights in files.
//!
//! | format | feature | holds | written by | read by |
//! | --- | --- | --- | --- | --- |
//! | `.safetensors` | `safetensors` | the tensors of a network | [`save`], [`to_bytes`] | [`load`], [`load_bytes`] |
//! | the same, built into the program | none | the tensors of a network | | [`include_weights!`](crate::include_weights) |
//! | [blob] | none | a network as it lies in memory, to be read in place | [`to_blob`](blob::to_blob) | [`from_blob`](blob::from_blob), `Net::from_bytes` |
//! | `.safetensors` checkpoint | `safetensors` | the same, and what training needs to go on: further groups of tensors, and numbers | [`CheckpointWriter`] | [`Checkpoint`] |
//!
//! All but blobs are files of the [safetensors](https://huggingface.co/docs/safetensors) format, version 1,
//! which Python and other frameworks read as well. A tensor has its name in the network, such as
//! `conv1.weight`; its shape and the order of its axes are those of the Rust array (dense weights
//! are `[in][out]`, convolutions `[height][width][in][out]`), and its type is the network's, `F32`
//! or `F64`. The same content gives the same bytes. Files are written under a temporary name in
//! the same folder and then renamed, so a file is complete or is the old one.
//!
//! Nothing is ever half loaded: before the first number is copied, all names, shapes and types
//! have been checked. Memory for a file is on the heap, and so may be the network
//! ([`memory::boxed`](crate::memory::boxed)); neither passes over the stack. Paths need `std`;
//! bytes do with `alloc`.
//!
//! Firmware has no files. [`include_weights!`](crate::include_weights) builds a network from a
//! file while compiling, without `alloc` or any feature:
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
//! The value lies in the program's read-only data, that is in flash; a file that does not fit the
//! network is a compile error that names the tensor.

pub mod blob;
#[cfg(feature = "safetensors")]
mod checkpoint;
#[cfg(feature = "safetensors")]
mod error;
mod header;
#[doc(hidden)]
pub mod include;
#[cfg(feature = "safetensors")]
mod safetensors;

#[doc(hidden)]
pub use self::include::Stored;
#[cfg(feature = "safetensors")]
pub use self::{checkpoint::*, error::*, safetensors::*};
pub use crate::include_weights;

/// What files of this crate say of themselves.
const FORMAT: &str = "monomorph";
/// The version of what the names and the order of axes mean.
const VERSION: &str = "1";
/// The key of the format under which metadata stands among the tensors.
const METADATA: &str = "__metadata__";
