//! Matrix products in register tiles.
//!
//! | product | rows × columns | sum over | kernel |
//! | --- | --- | --- | --- |
//! | `y = x·W + b` | batch × outputs | inputs | `accumulate`, broadcast `x` |
//! | `∂W += xᵀ·∂y` | inputs × outputs | batch | `accumulate`, broadcast `x` |
//! | `∂x = ∂y·Wᵀ` | batch × inputs | outputs | `dot`, `W` as it lies in memory |
//!
//! A tile of `MR` rows × `NR` registers of columns stays in registers while the sum runs.
//! `cover` chooses the tile for the sizes and the level and lays it over the result. Where a
//! size is no multiple of the tile, the last tile moves back over the one before it instead of
//! being a smaller one, so a product is one or two loops of machine code.

use core::marker::PhantomData;

use crate::kernels::cortex_m;
use crate::kernels::pool::larger;
use crate::layer::{Activation, lanes};
use crate::scalar::Scalar;
use crate::simd::{SCALAR, Simd, Vector, again, share, unknown};
use crate::storage::Storage;

/// Where the columns of a tile lie: `NR` registers, of which all but the last are adjacent.
#[derive(Clone, Copy)]
pub(crate) struct Columns {
    /// The first column of the last register; it may overlap the register before.
    last: usize,
    /// How many lanes of the last register are in use; fewer than all only in a tile of one.
    count: usize,
}

impl Columns {
    /// `width` columns in the fewest registers.
    const fn of<S: Simd, T: Scalar>(width: usize) -> Self {
        let lanes = lanes::<S, T>();
        if width < lanes { Self::first(width) } else { Self { last: width - lanes, count: lanes } }
    }

    /// The first lanes of a register.
    pub(crate) const fn first(count: usize) -> Self {
        Self { last: 0, count }
    }

    /// Whether `NR` registers of columns lie side by side.
    const fn adjacent<T: Scalar, S: Simd, const NR: usize>(self) -> bool {
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
        // SAFETY: the caller vouches for just this.
        unsafe { self.load_stored::<T, T, S, NR>(simd, from, n) }
    }

    /// [`load`](Self::load) of numbers that are stored as `W`.
    ///
    /// # Safety
    /// The columns must be readable at `from`.
    #[inline(always)]
    unsafe fn load_stored<T: Scalar, W: Storage<T>, S: Simd, const NR: usize>(
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
    unsafe fn store<T: Scalar, S: Simd, const NR: usize>(self, vector: T::Vector<S>, to: *mut T, n: usize) {
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

/// The accumulators of a tile.
pub(crate) type Tile<T, S, const MR: usize, const NR: usize> = [[<T as Scalar>::Vector<S>; NR]; MR];

/// Both operands of a sum of products: `Σₖ a[m·a_row + k·a_step] · b[k·b_step + n]`, or
/// `Σₖ a[m·a_row + k·a_step + n] · b[k·b_step + n]` if `by_column`. The right one may be stored in fewer bits.
#[derive(Clone, Copy)]
pub(crate) struct Run<T, W = T> {
    pub(crate) a: *const T,
    pub(crate) a_row: usize,
    pub(crate) a_step: isize,
    pub(crate) by_column: bool,
    pub(crate) b: *const W,
    pub(crate) b_step: usize,
    pub(crate) len: usize,
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
            // A fused multiply-add takes about four cycles and two start in each, so that a tile of fewer
            // than eight registers would wait for itself; several partial sums fill the gap.
            // SAFETY: the caller vouches for just this.
            unsafe {
                if cortex_m::accumulate::<T, W, S, MR, NR>(tile, &run, columns.adjacent::<T, S, NR>()) {
                } else if const { MR * NR >= 8 || SCALAR } {
                    interleave::<T, W, S, MR, NR, 1>(simd, tile, run, columns);
                } else if const { MR * NR >= 4 } {
                    interleave::<T, W, S, MR, NR, 2>(simd, tile, run, columns);
                } else if const { MR * NR >= 2 } || run.len < 16 {
                    interleave::<T, W, S, MR, NR, 4>(simd, tile, run, columns);
                } else {
                    interleave::<T, W, S, MR, NR, 8>(simd, tile, run, columns);
                }
            }
        },
    )
}

/// What a sum begins with: −0 and not 0, because adding it changes no number, not even −0, and so the compiler
/// leaves it out.
#[inline(always)]
fn nothing<T: Scalar, S: Simd>(simd: S) -> T::Vector<S> {
    T::Vector::<S>::splat(simd, -T::ZERO)
}

/// The first `count` lanes of a sum, and [`nothing`] in the others.
#[inline(always)]
fn only<T: Scalar, S: Simd>(simd: S, count: usize, sum: T::Vector<S>) -> T::Vector<S> {
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
            // Where the compiler has `a` in a register, of the layer before, it spreads its lanes by shuffles, most by
            // two. They take longer than reading, so that all but the first eight are to be read while those are shuffled.
            if const { WAYS == 8 } {
                run.a = again(run.a);
            }
        }
        // Pairwise, which is also the more exact order.
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
        // One register to count rows from: the compiler would keep the address of each, more than there are registers.
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
unsafe fn step<T: Scalar, W: Storage<T>, S: Simd, const MR: usize, const NR: usize>(
    simd: S,
    tile: &mut Tile<T, S, MR, NR>,
    run: Run<T, W>,
    k: usize,
    columns: Columns,
) {
    // SAFETY: `k < run.len` and `m < MR`, for which the caller vouches.
    unsafe {
        let (a, b) = (run.a.offset(k as isize * run.a_step), run.b.add(k * run.b_step));
        let mut right = [T::Vector::<S>::splat(simd, T::ZERO); NR];
        for n in 0..NR {
            right[n] = columns.load_stored::<T, W, S, NR>(simd, b, n);
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

/// The sums of [`accumulate`] for a `b` that is read once and does not come from the first cache: of sixteen rows, 0 to 3 and
/// 8 to 11 are read first, then 4 to 7 and 12 to 15; with shorter registers half as many together, of eight.
///
/// Where an instruction reads at equal distances, a processor may ask ahead for each of its lines though it foresees
/// the next lines anyway. On Zen 5 that halves what arrives from the second cache. Here no distance comes twice in
/// a row, because an instruction goes on by four rows and by twelve in turn (two and six).
///
/// # Safety
/// As [`accumulate`].
#[inline(always)]
unsafe fn stream<T: Scalar, W: Storage<T>, S: Simd, const MR: usize, const NR: usize>(
    simd: S,
    run: Run<T, W>,
    columns: Columns,
) -> Tile<T, S, MR, NR> {
    // A second sum for tiles that would wait for themselves.
    let mut parts = [[[nothing::<T, S>(simd); NR]; MR]; 2];
    // Measured: best of 1 to 4; with shorter registers, best of 2 to 4.
    let together = const { if lanes::<S, T>() * size_of::<T>() == 64 { 4 } else { 2 } };
    let mut k = 0;
    while k + 4 * together <= run.len {
        let mut first = 0;
        while first < 2 * together {
            for index in 0..2 * together {
                let row = first + if index < together { index } else { together + index };
                let part = if NR < 8 { index % 2 } else { 0 };
                // SAFETY: `row < 4 · together`.
                unsafe { step::<T, W, S, MR, NR>(simd, &mut parts[part], run, k + row, columns) };
            }
            first = unknown(first + together);
        }
        k += 4 * together;
    }
    while k < run.len {
        // SAFETY: `k < run.len`.
        unsafe { step::<T, W, S, MR, NR>(simd, &mut parts[0], run, k, columns) };
        k += 1;
    }
    if NR < 8 { sum::<T, S, MR, NR>(parts[0], parts[1]) } else { parts[0] }
}

/// `a + b`.
#[inline(always)]
fn sum<T: Scalar, S: Simd, const MR: usize, const NR: usize>(
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

/// A tile that starts with the same numbers in each row, or with zeros where there are none.
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
                    // SAFETY: the caller vouches for just this.
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

/// The columns of what multiplies and is added to a finished tile: `tile[m][n] ← scale[n] · tile[m][n] + bias[n]`.
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
                // SAFETY: the caller vouches for just this.
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

/// Writes `f(tile)`, row `m` at `to + m·stride`.
///
/// # Safety
/// The columns must be writable at every row.
#[inline(always)]
pub(crate) unsafe fn write<T: Scalar, S: Simd, A: Activation<T>, const MR: usize, const NR: usize>(
    simd: S,
    tile: Tile<T, S, MR, NR>,
    to: *mut T,
    stride: usize,
    columns: Columns,
) {
    share(
        simd,
        #[inline(always)]
        || {
            for m in 0..MR {
                for n in 0..NR {
                    // SAFETY: the caller vouches for just this.
                    unsafe { columns.store::<T, S, NR>(A::apply(simd, tile[m][n]), to.add(m * stride), n) };
                }
            }
        },
    )
}

/// Where two neighbouring rows share a place, puts the larger of `f(tile)` and of what is there to it: row `m` at
/// `to + (m + ODD) / 2 · stride`, where `ODD` says that row 0 is the second of its place.
///
/// # Safety
/// The columns must be readable and writable at every place.
#[inline(always)]
pub(crate) unsafe fn write_maxima<
    T: Scalar,
    S: Simd,
    A: Activation<T>,
    const MR: usize,
    const NR: usize,
    const ODD: usize,
>(
    simd: S,
    tile: Tile<T, S, MR, NR>,
    to: *mut T,
    stride: usize,
    columns: Columns,
) {
    share(
        simd,
        #[inline(always)]
        || {
            for m in 0..MR {
                let second = !(m + ODD).is_multiple_of(2);
                if second && m > 0 {
                    continue;
                }
                for n in 0..NR {
                    let mut maximum = A::apply(simd, tile[m][n]);
                    if !second && m + 1 < MR {
                        maximum = larger::<T, S>(maximum, A::apply(simd, tile[m + 1][n]));
                    }
                    // SAFETY: the caller vouches for just this.
                    unsafe {
                        let to = to.add((m + ODD) / 2 * stride);
                        let there = columns.load::<T, S, NR>(simd, to, n);
                        columns.store::<T, S, NR>(larger::<T, S>(there, maximum), to, n);
                    }
                }
            }
        },
    )
}

/// Writes `f(tile)` with rows and columns exchanged: column `c` at `to + c·stride`.
///
/// # Safety
/// `MR` numbers must be writable at every column.
#[inline(always)]
pub(crate) unsafe fn write_across<T: Scalar, S: Simd, A: Activation<T>, const MR: usize, const NR: usize>(
    simd: S,
    tile: Tile<T, S, MR, NR>,
    to: *mut T,
    stride: usize,
    columns: Columns,
) {
    const { assert!(MR <= 16 && lanes::<S, T>() <= 16) };
    let height = const { MR.next_power_of_two() };
    for n in 0..NR {
        let mut parts = [T::Vector::<S>::splat(simd, T::ZERO); 16];
        for m in 0..MR {
            parts[m] = A::apply(simd, tile[m][n]);
        }
        // What is at `m · lanes + c` goes to `c · height + m`: the binary digits of the place are turned round by
        // those of the height, and by one if the halves of all of it are zipped.
        let mut times = 1;
        while times < height {
            let before = parts;
            for m in 0..height / 2 {
                parts[2 * m] = before[m].zip_low(before[m + height / 2]);
                parts[2 * m + 1] = before[m].zip_high(before[m + height / 2]);
            }
            times *= 2;
        }
        let (at, count) = columns.place::<T, S, NR>(n);
        if MR == height && stride == MR && count == lanes::<S, T>() {
            for m in 0..height {
                // SAFETY: the caller vouches for `MR` numbers at every column, and nothing lies between them.
                unsafe { parts[m].store(to.add(at * stride + m * lanes::<S, T>())) };
            }
            continue;
        }
        let mut woven = [[T::ZERO; 16]; 16];
        for m in 0..height {
            // SAFETY: a register has at most 16 lanes.
            unsafe { parts[m].store(woven.as_mut_ptr().cast::<T>().add(m * lanes::<S, T>())) };
        }
        for c in 0..count {
            // SAFETY: the caller vouches for just this.
            unsafe { woven.as_ptr().cast::<T>().add(c * height).copy_to_nonoverlapping(to.add((at + c) * stride), MR) };
        }
    }
}

/// Adds the tile to what is there, from row `skip` on; row `m` at `to + m·stride`.
///
/// # Safety
/// The columns must be readable and writable at every row.
#[inline(always)]
pub(crate) unsafe fn add<T: Scalar, S: Simd, const MR: usize, const NR: usize>(
    simd: S,
    mut tile: Tile<T, S, MR, NR>,
    to: *mut T,
    stride: usize,
    skip: usize,
    columns: Columns,
) {
    share(
        simd,
        #[inline(always)]
        || {
            // All loads come before all stores: the last register may overlap the one before, and then
            // both write the same sums; and a processor makes a load wait for a masked store near it.
            for m in 0..MR {
                if m >= skip {
                    for n in 0..NR {
                        // SAFETY: the caller vouches for just this.
                        tile[m][n] = unsafe { columns.load::<T, S, NR>(simd, to.add(m * stride), n) } + tile[m][n];
                    }
                }
            }
            for m in 0..MR {
                if m >= skip {
                    for n in 0..NR {
                        // SAFETY: the caller vouches for just this.
                        unsafe { columns.store::<T, S, NR>(tile[m][n], to.add(m * stride), n) };
                    }
                }
            }
        },
    )
}

/// A matrix that [`cover`] computes tile by tile.
pub(crate) trait Tiles<T: Scalar, S: Simd>: Copy {
    /// How many rows there are at least; the tile is chosen for them.
    const ROWS: usize;
    /// How many columns there are.
    const COLUMNS: usize;

    /// Computes the tile at `row` and `column`. Its first `skip` rows have been computed before.
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

/// The tile and how often it fits: chosen while compiling.
struct Cover<T, S, K>(PhantomData<(T, S, K)>);

impl<T: Scalar, S: Simd, K: Tiles<T, S>> Cover<T, S, K> {
    const TILE: (usize, usize) =
        best_tile(K::ROWS, K::COLUMNS.div_ceil(lanes::<S, T>()), registers::<S, T>(), shuffles::<S, T>());
    /// The columns of a full tile.
    const WIDTH: usize = Self::TILE.1 * lanes::<S, T>();
    /// How many full tiles lie side by side.
    const PANELS: usize = K::COLUMNS / Self::WIDTH;
    /// The columns that are left.
    const REST: usize = K::COLUMNS % Self::WIDTH;
    /// The registers that they take.
    const REST_VECTORS: usize = Self::REST.div_ceil(lanes::<S, T>());
}

/// How many registers the level has.
pub(crate) const fn registers<S: Simd, T: Scalar>() -> usize {
    if SCALAR {
        // Seven vectors of four leave four of 32 registers to spare.
        return 7;
    }
    if lanes::<S, T>() * size_of::<T>() == 64 || cfg!(target_arch = "aarch64") { 32 } else { 16 }
}

/// How many instructions beside the load it takes to fill a register with one number.
const fn shuffles<S: Simd, T: Scalar>() -> usize {
    let sse = cfg!(any(target_arch = "x86", target_arch = "x86_64")) && lanes::<S, T>() * size_of::<T>() == 16;
    if sse { 2 } else { 0 }
}

/// The rows a tile may have.
const MOST_ROWS: usize = 16;
/// The registers of columns a tile may have.
const MOST_VECTORS: usize = 8;

/// The tile that covers `rows` × `vectors` registers with the least work.
const fn best_tile(rows: usize, vectors: usize, registers: usize, shuffles: usize) -> (usize, usize) {
    let (mut best, mut least) = ((1, 1), usize::MAX);
    let mut nr = 1;
    while nr <= MOST_VECTORS && nr <= vectors {
        let mut mr = 1;
        while mr <= MOST_ROWS && mr <= rows {
            // The accumulators, a row of the right operand, one number of the left, one to spare.
            // A single row needs nothing of the right operand twice.
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

/// About what a step of a tile costs: the arithmetic and the loads run side by side, but loads
/// that miss the first cache come on top.
const fn tile_cost(mr: usize, nr: usize, shuffles: usize) -> usize {
    let (arithmetic, loads) = (mr * nr, mr + nr);
    4 * (if arithmetic > loads { arithmetic } else { loads }) + loads + 4 + shuffles * mr
}

/// Makes a type `Copy` whatever its parameters are; a derive would want them to be `Copy` too.
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

/// Calls an unsafe function with, as its last const argument, the one of the literals that equals
/// a constant; with none, if none does.
///
/// The function is chosen as a pointer while compiling, not by branches on constants: the compiler
/// would look through the dead branches too, and all they call, for every literal anew.
macro_rules! with {
    ($value:expr, [$first:literal $($literal:literal)*], $function:ident $generics:tt $arguments:tt) => {
        if const { $crate::kernels::gemm::listed($value, &[$first $(, $literal)*]) } {
            with!(@call $value, [$first $($literal)*], $function $generics $arguments);
        }
    };
    (@call $value:expr, [$first:literal $($literal:literal)*], $function:ident $generics:tt $arguments:tt) => {
        let function = const {
            with!(@choose $value, $first, [$($literal)*], $function $generics)
        };
        // SAFETY: the conditions are those of the function around, or hold by its loop.
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

/// All rows of some columns, so that the right operand stays in the cache.
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
    // Without optimization every value has its own place on the stack, so the tiles of a layer should
    // not share a frame.
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

/// `y = f(x·W + b)`, or `y = f(s·(x·W) + b)` where the weights have scales.
struct Forward<T, W, A, const ROWS: usize, const IN: usize, const OUT: usize> {
    x: *const T,
    weight: *const W,
    scale: *const T,
    bias: Option<*const T>,
    y: *mut T,
    activation: PhantomData<A>,
}

copy!([T, W, A, const ROWS: usize, const IN: usize, const OUT: usize] Forward<T, W, A, ROWS, IN, OUT>);

impl<T: Scalar, W: Storage<T>, S: Simd, A: Activation<T>, const ROWS: usize, const IN: usize, const OUT: usize>
    Tiles<T, S> for Forward<T, W, A, ROWS, IN, OUT>
{
    const ROWS: usize = ROWS;
    const COLUMNS: usize = OUT;

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
        // and `y`, and `k < IN`.
        unsafe {
            let bias = self.bias.map(|bias| bias.add(column));
            let begin = if W::SCALED { None } else { bias };
            let (a, b) = (self.x.add(row * IN), self.weight.add(column));
            let run = Run { a, a_row: IN, a_step: 1, by_column: false, b, b_step: OUT, len: IN };
            let streams = const { Self::streams::<S>(32) && NR >= 4 };
            let mut tile = start::<T, S, MR, NR>(simd, if streams { None } else { begin }, columns);
            if streams {
                tile = stream::<T, W, S, MR, NR>(simd, run, columns);
                // Only now, because the bias lies where the stream has arrived.
                tile = sum::<T, S, MR, NR>(tile, start::<T, S, MR, NR>(simd, begin, columns));
            } else {
                accumulate(simd, &mut tile, run, columns);
            }
            if const { W::SCALED } {
                rescale::<T, S, MR, NR>(simd, &mut tile, self.scale.add(column), bias, columns);
            }
            write::<T, S, A, MR, NR>(simd, tile, self.y.add(row * OUT + column), OUT, columns);
        }
    }
}

impl<T: Scalar, W: Storage<T>, A: Activation<T>, const ROWS: usize, const IN: usize, const OUT: usize>
    Forward<T, W, A, ROWS, IN, OUT>
{
    /// Whether there is one sample, a weight that does not stay in the first cache, and registers of so many bytes; with
    /// shorter ones, arithmetic takes longer than reading.
    const fn streams<S: Simd>(bytes: usize) -> bool {
        ROWS == 1 && !SCALAR && lanes::<S, T>() * size_of::<T>() >= bytes && IN * OUT * size_of::<W>() > 49_152
    }

    /// How many registers of a streamed row [`by_rows`] reads at a time; 0 if all fit one tile. At most half of them, or
    /// its distances would be equal too.
    const fn vectors<S: Simd>() -> usize {
        if !Self::streams::<S>(64) || OUT <= MOST_VECTORS * lanes::<S, T>() {
            return 0;
        }
        let (vectors, most) = (OUT / lanes::<S, T>(), registers::<S, T>() - 4);
        vectors / (if vectors < 2 * most { 2 } else { vectors.div_ceil(most) })
    }

    /// Adds up to four rows; the first to the bias, and after the last the sums are done.
    ///
    /// # Safety
    /// The pointers must be valid for one sample, and `first + rows <= IN`.
    #[inline(always)]
    unsafe fn add_rows<S: Simd, const NR: usize>(self, simd: S, first: usize, rows: usize) {
        let width = NR * lanes::<S, T>();
        let mut column = 0;
        // SAFETY: the columns are within a row, and `first + rows <= IN`.
        unsafe {
            while column + width <= OUT {
                let columns = const { Columns::of::<S, T>(NR * lanes::<S, T>()) };
                self.add_tile::<S, NR>(simd, first, rows, column, columns);
                column = unknown(column + width);
            }
            while column < OUT {
                let columns = Columns::first((OUT - column).min(lanes::<S, T>()));
                self.add_tile::<S, 1>(simd, first, rows, column, columns);
                column = unknown(column + lanes::<S, T>());
            }
        }
    }

    /// [`add_rows`](Self::add_rows) for some columns.
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
        // SAFETY: the caller vouches for just this.
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
            let (a, b) = (self.x.add(first), self.weight.add(first * OUT + column));
            let run = Run { a, a_row: IN, a_step: 1, by_column: false, b, b_step: OUT, len: rows };
            for row in 0..rows {
                step::<T, W, S, 1, NR>(simd, &mut tile, run, row, columns);
            }
            if first + rows < IN {
                for n in 0..NR {
                    columns.store::<T, S, NR>(tile[0][n], y, n);
                }
                return;
            }
            if const { W::SCALED } {
                rescale::<T, S, 1, NR>(simd, &mut tile, self.scale.add(column), bias, columns);
            }
            write::<T, S, A, 1, NR>(simd, tile, y, OUT, columns);
        }
    }
}

/// [`Forward`] where rows are too wide for one tile: the weight is read from end to end, four rows at a time, while the sums
/// stay in `y`. Tiles would leap from row to row; see [`stream`].
///
/// # Safety
/// The pointers must be valid for one sample.
#[inline(always)]
unsafe fn by_rows<
    T: Scalar,
    W: Storage<T>,
    S: Simd,
    A: Activation<T>,
    const ROWS: usize,
    const IN: usize,
    const OUT: usize,
    const NR: usize,
>(
    simd: S,
    layer: Forward<T, W, A, ROWS, IN, OUT>,
) {
    let mut row = const { (IN - 1) % 4 + 1 };
    // SAFETY: the rows are within the weight.
    unsafe {
        layer.add_rows::<S, NR>(simd, 0, row);
        while row + 4 < IN {
            layer.add_rows::<S, NR>(simd, row, 4);
            row += 4;
        }
        if const { IN > 4 } {
            layer.add_rows::<S, NR>(simd, IN - 4, 4);
        }
    }
}

/// `∂W += xᵀ·∂y`.
#[derive(Clone, Copy)]
struct WeightGradient<T, const IN: usize, const OUT: usize> {
    x: *const T,
    grad_y: *const T,
    samples: usize,
    gradient: *mut T,
}

impl<T: Scalar, S: Simd, const IN: usize, const OUT: usize> Tiles<T, S> for WeightGradient<T, IN, OUT> {
    const ROWS: usize = IN;
    const COLUMNS: usize = OUT;

    #[inline(always)]
    unsafe fn tile<const MR: usize, const NR: usize>(
        self,
        simd: S,
        row: usize,
        skip: usize,
        column: usize,
        columns: Columns,
    ) {
        // SAFETY: the rows are columns of `x`, the columns are within a row of `grad_y` and
        // `gradient`, and `k` is a sample.
        unsafe {
            let mut tile = start::<T, S, MR, NR>(simd, None, columns);
            let (a, b) = (self.x.add(row), self.grad_y.add(column));
            let run = Run { a, a_row: 1, a_step: IN as isize, by_column: false, b, b_step: OUT, len: self.samples };
            accumulate(simd, &mut tile, run, columns);
            add::<T, S, MR, NR>(simd, tile, self.gradient.add(row * OUT + column), OUT, skip, columns);
        }
    }
}

/// `sums[m][n] += x[m·x_stride ..] · w[n·stride ..]`, lane by lane over `len` numbers; [`collect`] adds the lanes.
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

/// [`dot`] of `count` numbers, at most a register.
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
    // SAFETY: the caller vouches for just this.
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

/// `start + Σₖ x[k]·w[k]`: a dense layer of one output, whose weights are one row.
#[inline(always)]
fn inner_product<T: Scalar, W: Storage<T>, S: Simd, const LEN: usize>(simd: S, start: T, x: &[T; LEN], w: &[W]) -> T {
    // As many sums as the multiply-adds that are under way at the same time, or as there are registers.
    let mut sums = [nothing::<T, S>(simd); 8];
    sums[0] = only::<T, S>(simd, 1, T::Vector::<S>::splat(simd, start));
    let (lanes, x, w) = (lanes::<S, T>(), x.as_ptr(), w[..LEN].as_ptr());
    let (mut k, mut way) = (0, 0);
    while k < LEN {
        let count = if LEN - k < lanes { LEN - k } else { lanes };
        // SAFETY: `k + count <= LEN`, the length of both.
        let (a, b) = unsafe {
            if count == lanes {
                (T::Vector::<S>::load(simd, x.add(k)), W::load(simd, w.add(k)))
            } else {
                (T::Vector::<S>::load_partial(simd, x.add(k), count), W::load_partial(simd, w.add(k), count))
            }
        };
        sums[way] = a.mul_add(b, sums[way]);
        (k, way) = (k + lanes, (way + 1) % 8);
    }
    let [a, b, c, d, e, f, g, h] = sums;
    let sum = ((a + e) + (c + g)) + ((b + f) + (d + h));
    // What is known to be nothing is not added up.
    if 2 * LEN <= lanes { only::<T, S>(simd, LEN, sum).reduce_sum() } else { sum.reduce_sum() }
}

/// `start + x·W` of one sample, in the first `OUT` lanes, where several rows of `W` fit in a register: each
/// number of `x` meets its row in lanes of its own, and those of a column are added up at the end.
#[inline(always)]
fn narrow<T: Scalar, W: Storage<T>, S: Simd, const IN: usize, const OUT: usize>(
    simd: S,
    start: T::Vector<S>,
    x: &[T; IN],
    w: &[W],
) -> T::Vector<S> {
    let rows = const { lanes::<S, T>() / OUT };
    let nothing = nothing::<T, S>(simd);
    let mut sums = [start, nothing, nothing, nothing];
    let (x, w) = (x.as_ptr(), w[..IN * OUT].as_ptr());
    let (mut k, mut way) = (0, 0);
    while k < IN {
        let count = if IN - k < rows { IN - k } else { rows };
        // SAFETY: `k + count <= IN`, and a row of `w` has `OUT` numbers.
        let (mut left, right) = unsafe {
            let right = w.add(k * OUT);
            let right = if count == rows { W::load(simd, right) } else { W::load_partial(simd, right, count * OUT) };
            (T::Vector::<S>::load_partial(simd, x.add(k), count), right)
        };
        let mut times = 1;
        while times < OUT {
            left = left.zip_low(left);
            times *= 2;
        }
        sums[way] = left.mul_add(right, sums[way]);
        (k, way) = (k + rows, (way + 1) % 4);
    }
    let mut sum = (sums[0] + sums[2]) + (sums[1] + sums[3]);
    // A zip with itself puts lanes a half apart at the same place, and every number there twice.
    let mut times = 1;
    while times < rows {
        sum = sum.zip_low(sum) + sum.zip_high(sum);
        times *= 2;
    }
    while times > 1 {
        sum = sum.unzip_low(sum);
        times /= 2;
    }
    sum
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
            // Adding the two zips of a pair halves each sum and puts the two next to each other. Pairs a
            // half apart end up in order.
            let mut half = lanes::<S, T>() / 2;
            while half > 0 {
                for n in 0..half {
                    parts[n] = parts[n].zip_low(parts[n + half]) + parts[n].zip_high(parts[n + half]);
                }
                half /= 2;
            }
            parts[0]
        },
    )
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
                // SAFETY: `row < rows`, and so many columns are left.
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

/// `y = f(x·W + b)`: a dense layer for a batch. `BIAS` is `OUT`, or 0 for no bias.
#[inline(always)]
pub fn dense_forward<
    T: Scalar,
    S: Simd,
    A: Activation<T>,
    const B: usize,
    const IN: usize,
    const OUT: usize,
    const BIAS: usize,
>(
    simd: S,
    x: &[[T; IN]; B],
    weight: &[[T; OUT]; IN],
    bias: &[T; BIAS],
    y: &mut [[T; OUT]; B],
) {
    stored_dense_forward::<T, T, S, A, B, IN, OUT, BIAS>(simd, x, weight, &[], bias, y);
}

/// [`dense_forward`] of weights that are stored as `W`: `y = f(s·(x·W) + b)`, where `W` has scales.
#[inline(always)]
pub fn stored_dense_forward<
    T: Scalar,
    W: Storage<T>,
    S: Simd,
    A: Activation<T>,
    const B: usize,
    const IN: usize,
    const OUT: usize,
    const BIAS: usize,
>(
    simd: S,
    x: &[[T; IN]; B],
    weight: &[[W; OUT]; IN],
    scale: &[T],
    bias: &[T; BIAS],
    y: &mut [[T; OUT]; B],
) {
    const { assert!(BIAS == OUT || BIAS == 0, "the bias has as many numbers as there are outputs, or none") };
    assert!(scale.len() == if W::SCALED { OUT } else { 0 }, "there is a scale for every output, or none");
    if const { OUT == 1 } {
        for (x, y) in x.iter().zip(y) {
            let bias = if BIAS == 0 { -T::ZERO } else { bias[0] };
            let start = if W::SCALED { -T::ZERO } else { bias };
            let sum = inner_product::<T, W, S, IN>(simd, start, x, weight.as_flattened());
            let sum = if W::SCALED { sum * scale[0] + bias } else { sum };
            y[0] = A::apply(simd, T::Vector::<S>::splat(simd, sum)).lane(0);
        }
        return;
    }
    if const { B == 1 && OUT < lanes::<S, T>() && lanes::<S, T>().is_multiple_of(OUT) && 2 * lanes::<S, T>() <= IN * OUT }
    {
        // SAFETY: the scale and the bias are empty or have `OUT` numbers, as the output has.
        unsafe {
            let bias = T::Vector::<S>::load_partial(simd, bias.as_ptr(), BIAS);
            let sum = if const { W::SCALED } {
                let sum = narrow::<T, W, S, IN, OUT>(simd, nothing::<T, S>(simd), &x[0], weight.as_flattened());
                sum.mul_add(T::Vector::<S>::load_partial(simd, scale.as_ptr(), OUT), bias)
            } else {
                narrow::<T, W, S, IN, OUT>(simd, bias, &x[0], weight.as_flattened())
            };
            A::apply(simd, sum).store_partial(y[0].as_mut_ptr(), OUT);
        }
        return;
    }
    let tiles = Forward::<T, W, A, B, IN, OUT> {
        x: x.as_ptr().cast(),
        weight: weight.as_ptr().cast(),
        scale: scale.as_ptr(),
        bias: if BIAS == 0 { None } else { Some(bias.as_ptr()) },
        y: y.as_mut_ptr().cast(),
        activation: PhantomData,
    };
    if const { Forward::<T, W, A, B, IN, OUT>::vectors::<S>() > 0 } {
        with!(
            Forward::<T, W, A, B, IN, OUT>::vectors::<S>(),
            [4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28],
            by_rows[T, W, S, A, B, IN, OUT](simd, tiles)
        );
        return;
    }
    // SAFETY: the arrays have just these sizes, and `B` is the number of rows.
    unsafe { cover::<T, S, _>(simd, B, tiles) };
}

/// `∂W += xᵀ·∂y` and `∂b += Σ ∂y`: the derivative of [`dense_forward`] by its parameters.
#[inline(always)]
pub fn dense_weight_gradient<
    T: Scalar,
    S: Simd,
    const B: usize,
    const IN: usize,
    const OUT: usize,
    const BIAS: usize,
>(
    simd: S,
    x: &[[T; IN]; B],
    grad_y: &[[T; OUT]; B],
    grad_weight: &mut [[T; OUT]; IN],
    grad_bias: &mut [T; BIAS],
) {
    const { assert!(BIAS == OUT || BIAS == 0, "the bias has as many numbers as there are outputs, or none") };
    let grad_y = grad_y.as_ptr().cast();
    let gradient = grad_weight.as_mut_ptr().cast();
    let tiles = WeightGradient::<T, IN, OUT> { x: x.as_ptr().cast(), grad_y, samples: B, gradient };
    // SAFETY: the arrays have just these sizes, and `IN` is the number of rows.
    unsafe {
        cover::<T, S, _>(simd, IN, tiles);
        if const { BIAS == OUT } {
            add_rows::<T, S>(simd, B, OUT, grad_y, grad_bias.as_mut_ptr());
        }
    }
}

/// `∂x = ∂y·Wᵀ`: the derivative of [`dense_forward`] by its input.
#[inline(always)]
pub fn dense_input_gradient<T: Scalar, S: Simd, const B: usize, const IN: usize, const OUT: usize>(
    simd: S,
    grad_y: &[[T; OUT]; B],
    weight: &[[T; OUT]; IN],
    grad_x: &mut [[T; IN]; B],
) {
    let mut input = 0;
    while input + lanes::<S, T>() <= IN {
        with!(lanes::<S, T>(), [1 2 4 8 16], input_gradients[T, S, B, IN, OUT](simd, grad_y, weight, grad_x, input));
        input += lanes::<S, T>();
    }
    with!(IN % lanes::<S, T>(), [1 2 3 4 5 6 7 8 9 10 11 12 13 14 15],
        input_gradients[T, S, B, IN, OUT](simd, grad_y, weight, grad_x, input));
}

/// [`dense_input_gradient`] for the inputs `input .. input + NR`.
///
/// # Safety
/// `input + NR <= IN`.
#[inline(always)]
unsafe fn input_gradients<T: Scalar, S: Simd, const B: usize, const IN: usize, const OUT: usize, const NR: usize>(
    simd: S,
    grad_y: &[[T; OUT]; B],
    weight: &[[T; OUT]; IN],
    grad_x: &mut [[T; IN]; B],
    input: usize,
) {
    for (grad_y, grad_x) in grad_y.iter().zip(grad_x) {
        // SAFETY: `input + NR <= IN`, and a row of the weight has `OUT` numbers as `grad_y` has.
        unsafe {
            let mut sums = [[T::Vector::<S>::splat(simd, T::ZERO); NR]];
            let weight = weight.as_ptr().cast::<T>().add(input * OUT);
            dot::<T, S, NR, 1>(simd, &mut sums, grad_y.as_ptr(), 0, weight, OUT, OUT);
            let sum = collect::<T, S>(simd, &sums[0]);
            let to = grad_x.as_mut_ptr().add(input);
            if const { NR == lanes::<S, T>() } { sum.store(to) } else { sum.store_partial(to, NR) }
        }
    }
}
