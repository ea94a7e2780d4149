//! Products of matrices that lie inside larger ones, such as the heads of attention.

use core::marker::PhantomData;

use super::tile::{Columns, accumulate, start};
use super::tiling::{Tiles, copy, cover};
use super::write::{add, write, write_across};
use crate::activation::Identity;
use crate::kernels::run::Run;
use crate::scalar::{Scalar, Vector, lanes};
use crate::simd::{SCALAR, Simd};

/// The extent of a product.
pub(crate) trait Extent: 'static {
    /// The minimum number of rows; the tile is chosen for it.
    const ROWS: usize;
    /// How many columns there are.
    const COLUMNS: usize;
}

/// A matrix in a slice: element `(m, k)` is at `m · row + k · step`.
#[derive(Clone, Copy)]
pub(crate) struct Strided<'a, T> {
    pub(crate) numbers: &'a [T],
    pub(crate) row: usize,
    pub(crate) step: usize,
}

struct Part<T, E, const ADD: bool> {
    run: Run<T>,
    to: *mut T,
    to_row: usize,
    marker: PhantomData<E>,
}

copy!([T: Copy, E, const ADD: bool] Part<T, E, ADD>);

impl<T: Scalar, S: Simd, E: Extent, const ADD: bool> Tiles<T, S> for Part<T, E, ADD> {
    const ROWS: usize = E::ROWS;
    const COLUMNS: usize = E::COLUMNS;

    #[inline(always)]
    unsafe fn tile<const MR: usize, const NR: usize>(
        self,
        simd: S,
        row: usize,
        skip: usize,
        column: usize,
        columns: Columns,
    ) {
        // SAFETY: the rows are within `a` and `to`, the columns within a row of `b` and `to`.
        unsafe {
            let mut tile = start::<T, S, MR, NR>(simd, None, columns);
            let run = Run { a: self.run.a.add(row * self.run.a_row), b: self.run.b.add(column), ..self.run };
            accumulate(simd, &mut tile, run, columns);
            let to = self.to.add(row * self.to_row + column);
            if ADD {
                add::<T, S, MR, NR>(simd, tile, to, self.to_row, skip, columns);
            } else {
                write::<T, S, Identity, MR, NR>(simd, tile, to, self.to_row, columns);
            }
        }
    }
}

/// `to[m][n] = Σₖ a[m, k] · b[k][n]` for `m < rows` and `k < len`, or `+=` if `ADD`; the rows of `b` are `b_row`
/// numbers apart, and those of `to` are `to_row`.
///
/// Does nothing if a slice is too short for that, or if there are fewer rows than `E` says.
#[inline(always)]
pub(crate) fn product<T: Scalar, S: Simd, E: Extent, const ADD: bool>(
    simd: S,
    [rows, len]: [usize; 2],
    a: Strided<'_, T>,
    (b, b_row): (&[T], usize),
    (to, to_row): (&mut [T], usize),
) {
    if rows < E::ROWS || len == 0 {
        return;
    }
    let fits = (rows - 1) * a.row + (len - 1) * a.step < a.numbers.len()
        && (len - 1) * b_row + E::COLUMNS <= b.len()
        && (rows - 1) * to_row + E::COLUMNS <= to.len();
    debug_assert!(fits, "a product of parts: a slice is too short");
    if fits {
        let run = Run {
            a: a.numbers.as_ptr(),
            a_row: a.row,
            a_step: a.step.cast_signed(),
            by_column: false,
            b: b.as_ptr(),
            b_step: b_row,
            len,
        };
        let part = Part::<T, E, ADD> { run, to: to.as_mut_ptr(), to_row, marker: PhantomData };
        // SAFETY: `fits` says that the last element of each operand is within its slice, and `rows >= E::ROWS`.
        unsafe { cover::<T, S, _>(simd, rows, part) };
    }
}

/// How many numbers of a weight are turned around at a time: 16 KiB of `f32`.
pub(crate) const PART: usize = 64 * 64;

/// How many columns a part of a weight has when it is turned around: as many as fit into equal parts of at most 64.
pub(crate) const fn panel(inputs: usize) -> usize {
    inputs.div_ceil(inputs.div_ceil(64))
}

/// Writes a matrix with rows and columns exchanged: `to[c][r] = from[r][c]`, where the rows of `from` are `from_row`
/// numbers apart, and those of `to` are `to_row`.
///
/// Does nothing if a slice is too short for that.
#[inline(always)]
pub(crate) fn transpose<T: Scalar, S: Simd>(
    simd: S,
    [rows, columns]: [usize; 2],
    (from, from_row): (&[T], usize),
    (to, to_row): (&mut [T], usize),
) {
    const HEIGHT: usize = 16;
    if rows == 0 || columns == 0 {
        return;
    }
    let fits = (rows - 1) * from_row + columns <= from.len() && (columns - 1) * to_row + rows <= to.len();
    debug_assert!(fits, "a transposition: a slice is too short");
    if !fits {
        return;
    }
    let lanes = lanes::<S, T>();
    let (from, to) = (from.as_ptr(), to.as_mut_ptr());
    let (wide, high) = if SCALAR { (0, 0) } else { (columns / lanes * lanes, rows / HEIGHT * HEIGHT) };
    for row in (0..high).step_by(HEIGHT) {
        for column in (0..wide).step_by(lanes) {
            // SAFETY: `fits` says that all rows and columns are within the slices, and so is this part of them.
            unsafe {
                let mut tile = [[T::Vector::<S>::splat(simd, T::ZERO)]; HEIGHT];
                for (index, tile) in tile.iter_mut().enumerate() {
                    tile[0] = T::Vector::<S>::load(simd, from.add((row + index) * from_row + column));
                }
                let to = to.add(column * to_row + row);
                write_across::<T, S, Identity, HEIGHT, 1>(simd, tile, to, to_row, Columns::first(lanes));
            }
        }
    }
    for row in 0..rows {
        for column in if row < high { wide } else { 0 }..columns {
            // SAFETY: as above.
            unsafe { *to.add(column * to_row + row) = *from.add(row * from_row + column) };
        }
    }
}
