//! Tiles: how they are initialized, and the sums that accumulate in them.

use super::tiling::each;
use crate::kernels::cortex_m;
use crate::kernels::run::{Repeat, Run, Tile};
use crate::scalar::{Scalar, Storage, Vector, lanes};
use crate::simd::{SCALAR, Simd, again, share};

/// The position of the columns of a tile: `NR` registers, of which all but the last are adjacent.
#[derive(Clone, Copy)]
pub(crate) struct Columns {
    /// The first column of the last register; it may overlap the previous register.
    last: usize,
    /// How many lanes of the last register are in use; fewer than all only in a tile of one register.
    count: usize,
}

impl Columns {
    /// `width` columns in the fewest registers.
    #[inline(always)]
    pub(super) const fn of<S: Simd, T: Scalar>(width: usize) -> Self {
        let lanes = lanes::<S, T>();
        if width < lanes { Self::first(width) } else { Self { last: width - lanes, count: lanes } }
    }

    /// The first lanes of a register.
    #[inline(always)]
    pub(crate) const fn first(count: usize) -> Self {
        Self { last: 0, count }
    }

    /// Whether `NR` registers of columns are contiguous.
    pub(super) const fn adjacent<T: Scalar, S: Simd, const NR: usize>(self) -> bool {
        self.count == lanes::<S, T>() && self.last == (NR - 1) * lanes::<S, T>()
    }

    /// The first column of register `n` of `NR`, and how many of its lanes are in use.
    #[inline(always)]
    pub(crate) const fn place<T: Scalar, S: Simd, const NR: usize>(self, n: usize) -> (usize, usize) {
        if n + 1 < NR { (n * lanes::<S, T>(), lanes::<S, T>()) } else { (self.last, self.count) }
    }

    /// Register `n` of the `NR` at `from`.
    ///
    /// # Safety
    /// The columns must be readable at `from`.
    #[inline(always)]
    pub(crate) unsafe fn load<T: Scalar, S: Simd, const NR: usize>(
        self,
        simd: S,
        from: *const T,
        n: usize,
    ) -> T::Vector<S> {
        // SAFETY: the caller guarantees exactly this.
        unsafe { self.load_packed::<T, T, S, NR>(simd, from, n) }
    }

    /// [`load`](Self::load) for numbers that are stored as `W`.
    ///
    /// # Safety
    /// The columns must be readable at `from`.
    #[inline(always)]
    pub(super) unsafe fn load_packed<T: Scalar, W: Storage<T>, S: Simd, const NR: usize>(
        self,
        simd: S,
        from: *const W,
        n: usize,
    ) -> T::Vector<S> {
        let (column, count) = self.place::<T, S, NR>(n);
        // SAFETY: the lanes of a register that are in use are within the columns.
        unsafe {
            if count == lanes::<S, T>() {
                W::load(simd, from.add(column))
            } else {
                W::load_partial(simd, from.add(column), count)
            }
        }
    }

    /// Writes register `n` of the `NR` at `to`.
    ///
    /// # Safety
    /// The columns must be writable at `to`.
    #[inline(always)]
    pub(super) unsafe fn store<T: Scalar, S: Simd, const NR: usize>(self, vector: T::Vector<S>, to: *mut T, n: usize) {
        let (column, count) = self.place::<T, S, NR>(n);
        // SAFETY: as in `load`.
        unsafe {
            if count == lanes::<S, T>() {
                vector.store(to.add(column));
            } else {
                vector.store_partial(to.add(column), count);
            }
        }
    }
}

/// Adds a run to a tile: `tile[m][n] += Σₖ a[m, k] · b[k, n]`.
///
/// # Safety
/// For every row `m < MR` and `k < run.len`, `a[m, k]` must be readable, or if `by_column` the
/// columns there, and for every `k` the columns at `b[k, 0]`.
#[inline(always)]
pub(crate) unsafe fn accumulate<T: Scalar, W: Storage<T>, S: Simd, const MR: usize, const NR: usize>(
    simd: S,
    tile: &mut Tile<T, S, MR, NR>,
    run: Run<T, W>,
    columns: Columns,
) {
    share(
        simd,
        #[inline(always)]
        || {
            // A fused multiply-add has a latency of about four cycles, and two start in each cycle, so a tile of fewer
            // than eight registers would wait for its own sums; several partial sums hide the latency. A number of several
            // parts has as many sums. SAFETY: the caller guarantees exactly this.
            unsafe {
                if accumulate_all(tile, run, Repeat::ONCE, columns) {
                } else if const { MR * NR * each::<S, T>() >= 8 || SCALAR } {
                    interleave::<T, W, S, MR, NR, 1>(simd, tile, run, columns);
                } else if const { MR * NR * each::<S, T>() >= 4 } {
                    interleave::<T, W, S, MR, NR, 2>(simd, tile, run, columns);
                } else if const { MR * NR * each::<S, T>() >= 2 } || run.len < 16 {
                    interleave::<T, W, S, MR, NR, 4>(simd, tile, run, columns);
                } else {
                    interleave::<T, W, S, MR, NR, 8>(simd, tile, run, columns);
                }
            }
        },
    )
}

/// Adds several runs to a tile by one kernel of the processor's own, if there is one; otherwise returns `false` and does
/// nothing.
///
/// # Safety
/// As [`accumulate`], for each of the runs.
#[inline(always)]
pub(crate) unsafe fn accumulate_all<T: Scalar, W: Storage<T>, S: Simd, const MR: usize, const NR: usize>(
    tile: &mut Tile<T, S, MR, NR>,
    run: Run<T, W>,
    repeat: Repeat,
    columns: Columns,
) -> bool {
    // SAFETY: the caller guarantees exactly this.
    unsafe { cortex_m::accumulate::<T, W, S, MR, NR>(tile, &run, repeat, columns.adjacent::<T, S, NR>()) }
}

/// The initial value of a sum: −0 instead of 0, because adding −0 changes no number, not even −0, and so the compiler
/// leaves the addition out.
#[inline(always)]
pub(super) fn nothing<T: Scalar, S: Simd>(simd: S) -> T::Vector<S> {
    T::Vector::<S>::splat(simd, -T::ZERO)
}

/// The first `count` lanes of a sum, and [`nothing`] in the others.
#[inline(always)]
pub(super) fn only<T: Scalar, S: Simd>(simd: S, count: usize, sum: T::Vector<S>) -> T::Vector<S> {
    T::Vector::<S>::select(T::Vector::<S>::first(simd, count), sum, nothing::<T, S>(simd))
}

/// [`accumulate`] in `WAYS` partial sums.
///
/// # Safety
/// As [`accumulate`].
#[inline(always)]
unsafe fn interleave<T: Scalar, W: Storage<T>, S: Simd, const MR: usize, const NR: usize, const WAYS: usize>(
    simd: S,
    tile: &mut Tile<T, S, MR, NR>,
    mut run: Run<T, W>,
    columns: Columns,
) {
    let mut k = 0;
    if const { WAYS > 1 } && run.len >= WAYS {
        let mut parts = [[[nothing::<T, S>(simd); NR]; MR]; WAYS];
        parts[0] = *tile;
        while k + WAYS <= run.len {
            for way in 0..WAYS {
                // SAFETY: `k + way < run.len`.
                unsafe { step::<T, W, S, MR, NR>(simd, &mut parts[way], run, k + way, columns) };
            }
            k += WAYS;
            // If `a` is the result of the previous layer, the compiler has it in a register and broadcasts its lanes
            // with shuffles, two for most lanes. These take longer than loads, so all numbers but the first eight are
            // loaded again from memory, while those eight are shuffled.
            if const { WAYS == 8 } {
                run.a = again(run.a);
            }
        }
        // Pairwise, which is also the more accurate order.
        let mut half = WAYS / 2;
        while half > 0 {
            for way in 0..half {
                parts[way] = sum::<T, S, MR, NR>(parts[way], parts[way + half]);
            }
            half /= 2;
        }
        *tile = parts[0];
    }
    while k < run.len {
        // All rows are addressed from one register: the compiler would keep the address of each row, and there are more
        // rows than registers.
        if const { MR > 12 } && !run.by_column {
            run.a = again(run.a);
        }
        // SAFETY: `k < run.len`.
        unsafe { step::<T, W, S, MR, NR>(simd, tile, run, k, columns) };
        k += 1;
    }
}

/// One `k` of [`accumulate`].
///
/// # Safety
/// As [`accumulate`], and `k < run.len`.
#[inline(always)]
pub(super) unsafe fn step<T: Scalar, W: Storage<T>, S: Simd, const MR: usize, const NR: usize>(
    simd: S,
    tile: &mut Tile<T, S, MR, NR>,
    run: Run<T, W>,
    k: usize,
    columns: Columns,
) {
    // SAFETY: `k < run.len` and `m < MR`, for which the caller guarantees validity.
    unsafe {
        let (a, b) = (run.a.offset(k as isize * run.a_step), run.b.add(k * run.b_step));
        let mut right = [T::Vector::<S>::splat(simd, T::ZERO); NR];
        for n in 0..NR {
            right[n] = columns.load_packed::<T, W, S, NR>(simd, b, n);
        }
        for m in 0..MR {
            let a = a.add(m * run.a_row);
            if run.by_column {
                for n in 0..NR {
                    tile[m][n] = columns.load::<T, S, NR>(simd, a, n).mul_add(right[n], tile[m][n]);
                }
            } else {
                let left = T::Vector::<S>::splat(simd, *a);
                for n in 0..NR {
                    tile[m][n] = left.mul_add(right[n], tile[m][n]);
                }
            }
        }
    }
}

/// `a + b`.
#[inline(always)]
pub(super) fn sum<T: Scalar, S: Simd, const MR: usize, const NR: usize>(
    mut a: Tile<T, S, MR, NR>,
    b: Tile<T, S, MR, NR>,
) -> Tile<T, S, MR, NR> {
    for m in 0..MR {
        for n in 0..NR {
            a[m][n] = a[m][n] + b[m][n];
        }
    }
    a
}

/// A tile initialized with the same numbers in each row, or with zeros if there are none.
///
/// # Safety
/// The columns must be readable at `from`, if there is one.
#[inline(always)]
pub(crate) unsafe fn start<T: Scalar, S: Simd, const MR: usize, const NR: usize>(
    simd: S,
    from: Option<*const T>,
    columns: Columns,
) -> Tile<T, S, MR, NR> {
    share(
        simd,
        #[inline(always)]
        || {
            let mut tile = [[T::Vector::<S>::splat(simd, T::ZERO); NR]; MR];
            if let Some(from) = from {
                for n in 0..NR {
                    // SAFETY: the caller guarantees exactly this.
                    let bias = unsafe { columns.load::<T, S, NR>(simd, from, n) };
                    for m in 0..MR {
                        tile[m][n] = bias;
                    }
                }
            }
            tile
        },
    )
}

/// Multiplies a finished tile by the scales of its columns and adds the bias: `tile[m][n] ← scale[n] · tile[m][n] +
/// bias[n]`.
///
/// # Safety
/// The columns must be readable at `scale`, and at `bias` if there is one.
#[inline(always)]
pub(crate) unsafe fn rescale<T: Scalar, S: Simd, const MR: usize, const NR: usize>(
    simd: S,
    tile: &mut Tile<T, S, MR, NR>,
    scale: *const T,
    bias: Option<*const T>,
    columns: Columns,
) {
    share(
        simd,
        #[inline(always)]
        || {
            for n in 0..NR {
                // SAFETY: the caller guarantees exactly this.
                let scale = unsafe { columns.load::<T, S, NR>(simd, scale, n) };
                let bias = match bias {
                    // SAFETY: as above.
                    Some(bias) => unsafe { columns.load::<T, S, NR>(simd, bias, n) },
                    None => T::Vector::<S>::splat(simd, T::ZERO),
                };
                for m in 0..MR {
                    tile[m][n] = tile[m][n].mul_add(scale, bias);
                }
            }
        },
    )
}

/// `sums[m][n] += x[m·x_stride ..] · w[n·stride ..]`, lane by lane over `len` numbers; [`collect`] sums the lanes.
///
/// # Safety
/// `len` numbers must be readable at every `x + m·x_stride` and `w + n·stride`.
#[inline(always)]
pub(crate) unsafe fn dot<T: Scalar, S: Simd, const NR: usize, const MR: usize>(
    simd: S,
    sums: &mut Tile<T, S, MR, NR>,
    x: *const T,
    x_stride: usize,
    w: *const T,
    stride: usize,
    len: usize,
) {
    share(
        simd,
        #[inline(always)]
        || {
            let lanes = lanes::<S, T>();
            let mut k = 0;
            // SAFETY: there are `lanes` numbers from `k` on, and `len - k` at the end.
            unsafe {
                while k + lanes <= len {
                    dot_step::<T, S, NR, MR>(simd, sums, x.add(k), x_stride, w.add(k), stride, lanes);
                    k += lanes;
                }
                if k < len {
                    dot_step::<T, S, NR, MR>(simd, sums, x.add(k), x_stride, w.add(k), stride, len - k);
                }
            }
        },
    )
}

/// [`dot`] of `count` numbers, at most one register.
///
/// # Safety
/// As [`dot`].
#[inline(always)]
unsafe fn dot_step<T: Scalar, S: Simd, const NR: usize, const MR: usize>(
    simd: S,
    sums: &mut Tile<T, S, MR, NR>,
    x: *const T,
    x_stride: usize,
    w: *const T,
    stride: usize,
    count: usize,
) {
    let columns = Columns::first(count);
    // SAFETY: the caller guarantees exactly this.
    unsafe {
        let mut right = [T::Vector::<S>::splat(simd, T::ZERO); NR];
        for n in 0..NR {
            right[n] = columns.load::<T, S, 1>(simd, w.add(n * stride), 0);
        }
        for m in 0..MR {
            let left = columns.load::<T, S, 1>(simd, x.add(m * x_stride), 0);
            for n in 0..NR {
                sums[m][n] = left.mul_add(right[n], sums[m][n]);
            }
        }
    }
}

/// A register whose lane `n` is the sum of all lanes of `sums[n]`; there are at most as many sums
/// as lanes.
#[inline(always)]
pub(crate) fn collect<T: Scalar, S: Simd>(simd: S, sums: &[T::Vector<S>]) -> T::Vector<S> {
    share(
        simd,
        #[inline(always)]
        || {
            const { assert!(lanes::<S, T>() <= 16) };
            debug_assert!(sums.len() <= lanes::<S, T>());
            let mut parts = [T::Vector::<S>::splat(simd, T::ZERO); 16];
            for (part, sum) in parts.iter_mut().zip(sums) {
                *part = *sum;
            }
            // Adding the two zips of a pair halves the lanes of each sum and puts the two sums next to each other.
            // Pairs that are half the sums apart end up in order. Each halving has its own constant, so that the
            // compiler keeps the sums in registers.
            let lanes = const { lanes::<S, T>() };
            if lanes > 8 {
                halve::<T, S, 8>(&mut parts);
            }
            if lanes > 4 {
                halve::<T, S, 4>(&mut parts);
            }
            if lanes > 2 {
                halve::<T, S, 2>(&mut parts);
            }
            if lanes > 1 {
                halve::<T, S, 1>(&mut parts);
            }
            parts[0]
        },
    )
}

/// Adds the lanes of pairs of sums that are `HALF` apart.
#[inline(always)]
fn halve<T: Scalar, S: Simd, const HALF: usize>(parts: &mut [T::Vector<S>; 16]) {
    for n in 0..HALF {
        parts[n] = parts[n].zip_low(parts[n + HALF]) + parts[n].zip_high(parts[n + HALF]);
    }
}

/// `to[c] += Σ_rows from[row][c]`.
///
/// # Safety
/// `from` must be readable for `rows · width` numbers, `to` readable and writable for `width`.
#[inline(always)]
pub(crate) unsafe fn add_rows<T: Scalar, S: Simd>(simd: S, rows: usize, width: usize, from: *const T, to: *mut T) {
    share(
        simd,
        #[inline(always)]
        || {
            let lanes = lanes::<S, T>();
            let mut column = 0;
            while column < width {
                let columns = Columns::first(if width - column < lanes { width - column } else { lanes });
                // SAFETY: `row < rows`, and this many columns are left.
                unsafe {
                    let mut parts = [T::Vector::<S>::splat(simd, T::ZERO); 4];
                    let mut row = 0;
                    while row + 4 <= rows {
                        for way in 0..4 {
                            parts[way] =
                                parts[way] + columns.load::<T, S, 1>(simd, from.add((row + way) * width + column), 0);
                        }
                        row += 4;
                    }
                    while row < rows {
                        parts[0] = parts[0] + columns.load::<T, S, 1>(simd, from.add(row * width + column), 0);
                        row += 1;
                    }
                    let sum = columns.load::<T, S, 1>(simd, to.add(column), 0)
                        + ((parts[0] + parts[2]) + (parts[1] + parts[3]));
                    columns.store::<T, S, 1>(sum, to.add(column), 0);
                }
                column += lanes;
            }
        },
    )
}
