//! The choice of a tile, and how it is laid over a matrix.

use core::marker::PhantomData;

use super::tile::Columns;
use crate::scalar::{Scalar, lanes};
use crate::simd::{SCALAR, Simd, share};

/// A matrix that [`cover`] computes tile by tile.
pub(crate) trait Tiles<T: Scalar, S: Simd>: Copy {
    /// The minimum number of rows; the tile is chosen for it.
    const ROWS: usize;
    /// How many columns there are.
    const COLUMNS: usize;

    /// Computes the tile at `row` and `column`. Its first `skip` rows have already been computed.
    ///
    /// # Safety
    /// The `MR` rows and the columns from `column` on must be within the matrix.
    unsafe fn tile<const MR: usize, const NR: usize>(
        self,
        simd: S,
        row: usize,
        skip: usize,
        column: usize,
        columns: Columns,
    );
}

/// The tile and how often it fits, chosen at compile time.
struct Cover<T, S, K>(PhantomData<(T, S, K)>);

impl<T: Scalar, S: Simd, K: Tiles<T, S>> Cover<T, S, K> {
    const TILE: (usize, usize) =
        best_tile(K::ROWS, K::COLUMNS.div_ceil(lanes::<S, T>()), registers::<S, T>(), shuffles::<S, T>());
    /// The columns of a full tile.
    const WIDTH: usize = Self::TILE.1 * lanes::<S, T>();
    /// How many full tiles there are side by side.
    const PANELS: usize = K::COLUMNS / Self::WIDTH;
    /// The number of remaining columns.
    const REST: usize = K::COLUMNS % Self::WIDTH;
    /// The registers that they take.
    const REST_VECTORS: usize = Self::REST.div_ceil(lanes::<S, T>());
}

/// How many registers of `T` a SIMD level has.
pub(crate) const fn registers<S: Simd, T: Scalar>() -> usize {
    let all = if SCALAR {
        // A vector of four is four of 32 registers, but a number of the left operand is one.
        9
    } else if lanes::<S, f32>() == 16 || cfg!(target_arch = "aarch64") {
        32
    } else {
        16
    };
    let some = all / each::<S, T>();
    // The smallest tile takes four.
    if some > 5 { some } else { 5 }
}

/// How many of the processor's registers one of `T` takes: a number of several parts has one for each.
const fn each<S: Simd, T: Scalar>() -> usize {
    let (bytes, register) = (lanes::<S, T>() * size_of::<T>(), lanes::<S, f32>() * size_of::<f32>());
    if bytes > register { bytes / register } else { 1 }
}

/// How many instructions, in addition to the load, it takes to broadcast a number to a register.
const fn shuffles<S: Simd, T: Scalar>() -> usize {
    let sse = cfg!(any(target_arch = "x86", target_arch = "x86_64")) && lanes::<S, f32>() == 4 && lanes::<S, T>() > 1;
    if sse { 2 * each::<S, T>() } else { 0 }
}

/// The maximum number of rows of a tile.
const MOST_ROWS: usize = 16;
/// The maximum number of registers of columns of a tile.
pub(super) const MOST_VECTORS: usize = 8;

/// The tile that covers `rows` × `vectors` registers with the least work.
const fn best_tile(rows: usize, vectors: usize, registers: usize, shuffles: usize) -> (usize, usize) {
    let (mut best, mut least) = ((1, 1), usize::MAX);
    let mut nr = 1;
    while nr <= vectors && nr <= if SCALAR { 4 } else { MOST_VECTORS } {
        let mut mr = 1;
        while mr <= MOST_ROWS && mr <= rows {
            // The accumulators, a row of the right operand, one number of the left, and one spare register. A single
            // row uses each register of the right operand only once.
            let needed = mr * nr + (if mr > 1 { nr } else { 1 }) + 2;
            if needed <= registers {
                let (panels, rest) = (vectors / nr, vectors % nr);
                let panel =
                    panels * tile_cost(mr, nr, shuffles) + if rest > 0 { tile_cost(mr, rest, shuffles) } else { 0 };
                let cost = rows.div_ceil(mr) * panel;
                if cost <= least {
                    (best, least) = ((mr, nr), cost);
                }
            }
            mr += 1;
        }
        nr += 1;
    }
    best
}

/// The approximate cost of a step of a tile: arithmetic and loads run in parallel, but loads that miss the L1 cache are
/// added.
const fn tile_cost(mr: usize, nr: usize, shuffles: usize) -> usize {
    if SCALAR {
        // Instructions: products, loads of the left operand, loads of the right one or what widens it, and the loop.
        return 4 * mr * nr + mr + 4 * nr + 4;
    }
    let (arithmetic, loads) = (mr * nr, mr + nr);
    4 * (if arithmetic > loads { arithmetic } else { loads }) + loads + 4 + shuffles * mr
}

/// Makes a type `Copy` regardless of its parameters; a derive would require them to be `Copy`, too.
macro_rules! copy {
    ([$($parameters:tt)*] $type:ty) => {
        impl<$($parameters)*> Clone for $type {
            #[inline(always)]
            fn clone(&self) -> Self {
                *self
            }
        }
        impl<$($parameters)*> Copy for $type {}
    };
}
pub(crate) use copy;

/// Whether a number is in a list.
pub(crate) const fn listed(number: usize, list: &[usize]) -> bool {
    let mut index = 0;
    while index < list.len() {
        if list[index] == number {
            return true;
        }
        index += 1;
    }
    false
}

/// Calls an unsafe function whose last const argument is the literal that equals a constant; does nothing if no literal
/// does.
///
/// The function is chosen as a pointer at compile time, not by branches on constants: the compiler would also analyze
/// the dead branches, and everything that they call, for every literal.
macro_rules! with {
    ($value:expr, [$first:literal $($literal:literal)*], $function:ident $generics:tt $arguments:tt) => {
        if const { $crate::kernels::gemm::tiling::listed($value, &[$first $(, $literal)*]) } {
            with!(@call $value, [$first $($literal)*], $function $generics $arguments);
        }
    };
    (@call $value:expr, [$first:literal $($literal:literal)*], $function:ident $generics:tt $arguments:tt) => {
        let function = const {
            with!(@choose $value, $first, [$($literal)*], $function $generics)
        };
        // SAFETY: the conditions are those of the enclosing function, or are ensured by its loop.
        unsafe { function $arguments };
    };
    (@choose $value:expr, $first:literal, [$($literal:literal)*], $function:ident $generics:tt) => {
        match $value {
            $( $literal => with!(@of $function $generics $literal), )*
            _ => with!(@of $function $generics $first),
        }
    };
    (@of $function:ident [$($generic:tt)*] $literal:literal) => { $function::<$($generic)*, $literal> };
}
pub(crate) use with;

/// Computes a matrix of `rows` rows.
///
/// # Safety
/// `rows` must be 0 or at least `K::ROWS`, and `tiles` valid for them.
#[inline(always)]
pub(crate) unsafe fn cover<T: Scalar, S: Simd, K: Tiles<T, S>>(simd: S, rows: usize, tiles: K) {
    with!(Cover::<T, S, K>::TILE.0, [1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16], cover_rows[T, S, K](simd, rows, tiles));
}

/// [`cover`] with tiles of `MR` rows.
///
/// # Safety
/// As [`cover`].
#[inline(always)]
unsafe fn cover_rows<T: Scalar, S: Simd, K: Tiles<T, S>, const MR: usize>(simd: S, rows: usize, tiles: K) {
    let mut column = 0;
    for _ in 0..Cover::<T, S, K>::PANELS {
        let columns = const { Columns::of::<S, T>(Cover::<T, S, K>::WIDTH) };
        with!(Cover::<T, S, K>::TILE.1, [1 2 3 4 5 6 7 8], panel[T, S, K, MR](simd, rows, column, columns, tiles));
        column += Cover::<T, S, K>::WIDTH;
    }
    let columns = const { Columns::of::<S, T>(Cover::<T, S, K>::REST) };
    with!(Cover::<T, S, K>::REST_VECTORS, [1 2 3 4 5 6 7 8], panel[T, S, K, MR](simd, rows, column, columns, tiles));
}

/// All rows of a range of columns, so that the right operand stays in the cache.
///
/// # Safety
/// As [`cover`]; the columns must be within the matrix.
#[inline(always)]
unsafe fn panel<T: Scalar, S: Simd, K: Tiles<T, S>, const MR: usize, const NR: usize>(
    simd: S,
    rows: usize,
    column: usize,
    columns: Columns,
    tiles: K,
) {
    // Without optimization every value has its own stack slot, so the tiles of a layer should not share a frame.
    share(
        simd,
        #[inline(always)]
        || {
            let mut next = 0;
            while next < rows {
                let row = if next + MR <= rows { next } else { rows - MR };
                // SAFETY: `row + MR <= rows`, because `MR <= K::ROWS <= rows`.
                unsafe { tiles.tile::<MR, NR>(simd, row, next - row, column, columns) };
                next = row + MR;
            }
        },
    )
}
