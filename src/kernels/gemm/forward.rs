//! The product of a dense layer, tile by tile, or row by row if the weight is streamed.

use core::marker::PhantomData;

use super::stream::stream;
use super::tile::{Columns, accumulate, rescale, start, step, sum};
use super::tiling::{MOST_VECTORS, Tiles, copy, each, registers};
use super::write::write;
use crate::activation::Activation;
use crate::kernels::run::Run;
use crate::scalar::{Scalar, Storage, lanes};
use crate::simd::{SCALAR, Simd, unknown};

/// The sizes of the product `x·W + b` of a batch.
pub(crate) trait Product: 'static {
    /// The rows of `x` and of `y`: samples, or the steps of all samples.
    const ROWS: usize;
    /// The columns of `x`, and the rows of `W`.
    const IN: usize;
    /// The columns of `W` and of `y`.
    const OUT: usize;
    /// The length of the bias: the number of columns, or 0 if there is no bias.
    const BIAS: usize;
}

/// `y = f(x·W + b)`, or `y = f(s·(x·W) + b)` if the weights have scales.
pub(super) struct Forward<T, W, A, P> {
    pub(super) x: *const T,
    pub(super) weight: *const W,
    pub(super) scale: *const T,
    pub(super) bias: Option<*const T>,
    pub(super) y: *mut T,
    pub(super) marker: PhantomData<(A, P)>,
}

copy!([T, W, A, P] Forward<T, W, A, P>);

impl<T: Scalar, W: Storage<T>, S: Simd, A: Activation<T>, P: Product> Tiles<T, S> for Forward<T, W, A, P> {
    const ROWS: usize = P::ROWS;
    const COLUMNS: usize = P::OUT;

    #[inline(always)]
    unsafe fn tile<const MR: usize, const NR: usize>(
        self,
        simd: S,
        row: usize,
        _skip: usize,
        column: usize,
        columns: Columns,
    ) {
        // SAFETY: the rows are within `x` and `y`, the columns within a row of `weight`, `scale`, `bias`
        // and `y`, and `k < P::IN`.
        unsafe {
            let bias = self.bias.map(|bias| bias.add(column));
            let begin = if W::SCALED { None } else { bias };
            let (a, b) = (self.x.add(row * P::IN), self.weight.add(column));
            let run = Run { a, a_row: P::IN, a_step: 1, by_column: false, b, b_step: P::OUT, len: P::IN };
            let streams = const { Self::streams::<S>(32) && NR >= 4 };
            let mut tile = start::<T, S, MR, NR>(simd, if streams { None } else { begin }, columns);
            if streams {
                tile = stream::<T, W, S, MR, NR>(simd, run, columns);
                // The bias is loaded last, because it is at the end of the stream.
                tile = sum::<T, S, MR, NR>(tile, start::<T, S, MR, NR>(simd, begin, columns));
            } else {
                accumulate(simd, &mut tile, run, columns);
            }
            if const { W::SCALED } {
                rescale::<T, S, MR, NR>(simd, &mut tile, self.scale.add(column), bias, columns);
            }
            write::<T, S, A, MR, NR>(simd, tile, self.y.add(row * P::OUT + column), P::OUT, columns);
        }
    }
}

impl<T: Scalar, W: Storage<T>, A: Activation<T>, P: Product> Forward<T, W, A, P> {
    /// Whether the weight is streamed: for one sample, if the weight does not stay in the L1 cache, and if registers
    /// have at least this many bytes; with shorter ones, arithmetic takes longer than reading, and so it does of numbers
    /// of several parts.
    const fn streams<S: Simd>(bytes: usize) -> bool {
        let reads = lanes::<S, T>() * size_of::<T>() >= bytes && each::<S, T>() == 1;
        P::ROWS == 1 && !SCALAR && reads && P::IN * P::OUT * size_of::<W>() > 49_152
    }

    /// How many registers of a streamed row [`by_rows`] reads at a time; 0 if the whole row fits one tile. It is at
    /// most half of the row, because otherwise its reads would have a constant stride, too.
    pub(super) const fn vectors<S: Simd>() -> usize {
        if !Self::streams::<S>(64) || P::OUT <= MOST_VECTORS * lanes::<S, T>() {
            return 0;
        }
        let (vectors, most) = (P::OUT / lanes::<S, T>(), registers::<S, T>() - 4);
        vectors / (if vectors < 2 * most { 2 } else { vectors.div_ceil(most) })
    }

    /// Adds up to four rows. The first rows are added to the bias, and the last ones complete the sums.
    ///
    /// # Safety
    /// The pointers must be valid for one sample, and `first + rows <= P::IN`.
    #[inline(always)]
    unsafe fn add_rows<S: Simd, const NR: usize>(self, simd: S, first: usize, rows: usize) {
        let width = NR * lanes::<S, T>();
        let mut column = 0;
        // SAFETY: the columns are within a row, and `first + rows <= P::IN`.
        unsafe {
            while column + width <= P::OUT {
                let columns = const { Columns::of::<S, T>(NR * lanes::<S, T>()) };
                self.add_tile::<S, NR>(simd, first, rows, column, columns);
                column = unknown(column + width);
            }
            while column < P::OUT {
                let columns = Columns::first((P::OUT - column).min(lanes::<S, T>()));
                self.add_tile::<S, 1>(simd, first, rows, column, columns);
                column = unknown(column + lanes::<S, T>());
            }
        }
    }

    /// [`add_rows`](Self::add_rows) for a range of columns.
    ///
    /// # Safety
    /// As [`add_rows`](Self::add_rows), and the columns must be within a row.
    #[inline(always)]
    unsafe fn add_tile<S: Simd, const NR: usize>(
        self,
        simd: S,
        first: usize,
        rows: usize,
        column: usize,
        columns: Columns,
    ) {
        // SAFETY: the caller guarantees exactly this.
        unsafe {
            let (bias, y) = (self.bias.map(|bias| bias.add(column)), self.y.add(column));
            let start_at = if first > 0 {
                Some(y.cast_const())
            } else if W::SCALED {
                None
            } else {
                bias
            };
            let mut tile = start::<T, S, 1, NR>(simd, start_at, columns);
            let (a, b) = (self.x.add(first), self.weight.add(first * P::OUT + column));
            let run = Run { a, a_row: P::IN, a_step: 1, by_column: false, b, b_step: P::OUT, len: rows };
            for row in 0..rows {
                step::<T, W, S, 1, NR>(simd, &mut tile, run, row, columns);
            }
            if first + rows < P::IN {
                for n in 0..NR {
                    columns.store::<T, S, NR>(tile[0][n], y, n);
                }
                return;
            }
            if const { W::SCALED } {
                rescale::<T, S, 1, NR>(simd, &mut tile, self.scale.add(column), bias, columns);
            }
            write::<T, S, A, 1, NR>(simd, tile, y, P::OUT, columns);
        }
    }
}

/// [`Forward`] for rows that are too wide for one tile: the weight is read from beginning to end, four rows at a time,
/// while the sums stay in `y`. Tiles would read it with a constant stride from row to row; see [`stream`].
///
/// # Safety
/// The pointers must be valid for one sample.
#[inline(always)]
pub(super) unsafe fn by_rows<T: Scalar, W: Storage<T>, S: Simd, A: Activation<T>, P: Product, const NR: usize>(
    simd: S,
    layer: Forward<T, W, A, P>,
) {
    let mut row = const { (P::IN - 1) % 4 + 1 };
    // SAFETY: the rows are within the weight.
    unsafe {
        layer.add_rows::<S, NR>(simd, 0, row);
        while row + 4 < P::IN {
            layer.add_rows::<S, NR>(simd, row, 4);
            row += 4;
        }
        if const { P::IN > 4 } {
            layer.add_rows::<S, NR>(simd, P::IN - 4, 4);
        }
    }
}
