//! Means and variances, and the normalizations that use them.
//!
//! The last axis is the channels; all axes before it, including samples, are `rows`. Batch and group norms have
//! statistics of columns, a register of channels at a time; layer and RMS norms have statistics of rows. Variances take
//! a second pass over the deviations from the mean, because a single pass over the squares would suffer from
//! cancellation.

mod batch;
mod group;
mod row;
mod sums;

pub use batch::*;
pub use group::*;
pub use row::*;
