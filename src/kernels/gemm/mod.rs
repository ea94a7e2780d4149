//! Matrix products in register tiles.
//!
//! | product | rows × columns | sum over | kernel |
//! | --- | --- | --- | --- |
//! | `y = x·W + b` | batch × outputs | inputs | `accumulate`, broadcast `x` |
//! | `∂W += xᵀ·∂y` | inputs × outputs | batch | `accumulate`, broadcast `x` |
//! | `∂x = ∂y·Wᵀ` | batch × inputs | outputs | `dot`, `W` in its memory layout |
//! | those of a head of attention | queries or keys × keys or features | the rest | `accumulate`, between rows that lie apart |
//!
//! A tile of `MR` rows × `NR` registers of columns stays in registers while the sum runs. `cover` chooses the tile for
//! the sizes and the level and lays it over the result. If a size is not a multiple of the tile, the last tile overlaps
//! the one before it instead of being smaller, so a product is only one or two loops of machine code.

mod dense;
mod forward;
mod stream;
mod strided;
mod tile;
pub(super) mod tiling;
mod write;

pub(crate) use dense::{dense_forward, dense_input_gradient, dense_weight_gradient};
pub(crate) use forward::Product;
pub(crate) use strided::{Extent, PART, Strided, panel, product, transpose};
pub(super) use tile::{Columns, accumulate, accumulate_all, add_rows, collect, dot, rescale, start};
pub(super) use tiling::{Tiles, copy, cover, registers, with};
pub(super) use write::{add, write, write_across, write_maxima};
