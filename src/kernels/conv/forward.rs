//! The forward pass.

use core::marker::PhantomData;

use super::geometry::{Convolution, Geometry};
use crate::activation::{Activation, Identity};
use crate::kernels::blocks::larger;
use crate::kernels::gemm::{self, Columns, Tiles, copy, cover};
use crate::kernels::run::{Repeat, Run, Tile};
use crate::scalar::{Scalar, Storage, Vector, lanes};
use crate::simd::{SCALAR, Simd};

/// A sample and the parameters, starting at the first channel of a group.
struct Image<T, W, A, G, const POOLED: bool> {
    x: *const T,
    weight: *const W,
    /// The scales of the output channels, if the weights have scales.
    scale: *const T,
    bias: Option<*const T>,
    /// The output, or the maxima of its 2 × 2 pixels.
    y: *mut T,
    marker: PhantomData<(A, G)>,
}

copy!([T, W, A, G, const POOLED: bool] Image<T, W, A, G, POOLED>);

impl<T: Scalar, W: Storage<T>, A: Activation<T>, G: Convolution, const POOLED: bool> Image<T, W, A, G, POOLED> {
    /// Computes the group's output channels: interior pixels by rows, those at the left and right borders by columns,
    /// and the remaining ones in the corners one by one.
    ///
    /// # Safety
    /// The pointers must be valid for the sizes that `G` states.
    #[inline(always)]
    unsafe fn forward<S: Simd>(self, simd: S) {
        let (columns, rows) = (Geometry::<G>::COLUMNS, Geometry::<G>::ROWS);
        let (left, right) = Geometry::<G>::INSIDE;
        let (top, bottom) = Geometry::<G>::INSIDE_ROWS;
        // It is faster to widen packed weights a register at a time than one by one.
        let in_lanes = const {
            let whole = !W::SCALED && size_of::<W>() == size_of::<T>();
            whole && Geometry::<G>::pixels_in_lanes(lanes::<S, T>(), POOLED)
        };
        let mut row = 0;
        while const { Geometry::<G>::INSIDE.0 < Geometry::<G>::INSIDE.1 } && row < rows.output {
            // SAFETY: inside, all taps of a row of the kernel lie on the input.
            unsafe {
                if in_lanes {
                    // Two rows at a time, if their maxima are kept.
                    let channels = Channels::<T, W, A, G, POOLED> { image: self, row: row / (1 + POOLED as usize) };
                    cover::<T, S, _>(simd, Geometry::<G>::OC, channels);
                    row += POOLED as usize;
                } else {
                    let taps = [rows.taps(row), (0, Geometry::<G>::KW)];
                    let pixels = Pixels::<T, W, A, G, ACROSS, POOLED> { image: self, row, column: left, taps };
                    cover::<T, S, _>(simd, right - left, pixels);
                }
            }
            row += 1;
        }
        if const { Geometry::<G>::INSIDE.0 == 0 && Geometry::<G>::INSIDE.1 == Geometry::<G>::COLUMNS.output } {
            return;
        }
        let mut column = if left == 0 { right } else { 0 };
        while column < columns.output {
            let across = columns.taps(column);
            if const { Geometry::<G>::INSIDE_ROWS.0 < Geometry::<G>::INSIDE_ROWS.1 } {
                let taps = [(0, rows.kernel), across];
                let pixels = Pixels::<T, W, A, G, DOWN, POOLED> { image: self, row: top, column, taps };
                // SAFETY: inside, all taps of a column of the kernel lie on the input.
                unsafe { cover::<T, S, _>(simd, bottom - top, pixels) };
            }
            let mut row = if top == 0 { bottom } else { 0 };
            while row < rows.output {
                let pixels =
                    Pixels::<T, W, A, G, ALONE, POOLED> { image: self, row, column, taps: [rows.taps(row), across] };
                // SAFETY: these taps lie on the input.
                unsafe { cover::<T, S, _>(simd, 1, pixels) };
                row = if row + 1 == top { bottom } else { row + 1 };
            }
            column = if column + 1 == left { right } else { column + 1 };
        }
    }
}

/// Neighboring pixels of the output that share their taps.
struct Pixels<T, W, A, G, const NEXT: u8, const POOLED: bool> {
    image: Image<T, W, A, G, POOLED>,
    /// The first pixel.
    row: usize,
    column: usize,
    /// The taps of its window that lie on the input.
    taps: [(usize, usize); 2],
}

/// There is one pixel.
const ALONE: u8 = 0;
/// The pixels are interior ones along a row.
const ACROSS: u8 = 1;
/// The pixels are interior ones down a column.
const DOWN: u8 = 2;

copy!([T, W, A, G, const NEXT: u8, const POOLED: bool] Pixels<T, W, A, G, NEXT, POOLED>);

impl<T: Scalar, W: Storage<T>, S: Simd, A: Activation<T>, G: Convolution, const NEXT: u8, const POOLED: bool>
    Tiles<T, S> for Pixels<T, W, A, G, NEXT, POOLED>
{
    const ROWS: usize = match NEXT {
        ACROSS => Geometry::<G>::INSIDE.1 - Geometry::<G>::INSIDE.0,
        DOWN => Geometry::<G>::INSIDE_ROWS.1 - Geometry::<G>::INSIDE_ROWS.0,
        _ => 1,
    };
    const COLUMNS: usize = Geometry::<G>::WIDTH;

    #[inline(always)]
    unsafe fn tile<const MR: usize, const NR: usize>(
        self,
        simd: S,
        row: usize,
        _skip: usize,
        column: usize,
        columns: Columns,
    ) {
        let (pixel_row, pixel) =
            if const { NEXT == DOWN } { (self.row + row, self.column) } else { (self.row, self.column + row) };
        let a_row = const {
            if NEXT == DOWN { Geometry::<G>::ROWS.stride * Geometry::<G>::x(1, 0) } else { Geometry::<G>::PIXEL }
        };
        let [(row_from, row_to), (from, to)] = self.taps;
        // A window may also lie entirely in the padding.
        let row_to = if from < to { row_to } else { row_from };
        // SAFETY: the taps lie on the input for all pixels of the tile, the columns are output
        // channels of the group, and `k` counts its input channels.
        unsafe {
            let bias = self.image.bias.map(|bias| bias.add(column));
            let mut tile = gemm::start::<T, S, MR, NR>(simd, if W::SCALED { None } else { bias }, columns);
            // `len` taps of a row of the kernel, whose inputs are contiguous.
            let run = |tap_row, tap, len| {
                let x_row = Geometry::<G>::ROWS.position(pixel_row, tap_row);
                let (x, weight) = (
                    Geometry::<G>::x(x_row, Geometry::<G>::COLUMNS.position(pixel, tap)),
                    Geometry::<G>::weight(tap_row, tap) + column,
                );
                if const { Geometry::<G>::DEPTHWISE } {
                    let (a, b) = (self.image.x.add(x + column), self.image.weight.add(weight));
                    let (a_step, b_step) = (Geometry::<G>::TAP as isize, Geometry::<G>::OC);
                    return Run { a, a_row, a_step, by_column: true, b, b_step, len };
                }
                let (a, b) = (self.image.x.add(x), self.image.weight.add(weight));
                let len = len * Geometry::<G>::CG;
                Run { a, a_row, a_step: 1, by_column: false, b, b_step: Geometry::<G>::OC, len }
            };
            // A microcontroller's kernel sums the whole window in one call.
            let mut first = row_from;
            if const { SCALAR && Geometry::<G>::ADJACENT && !Geometry::<G>::DEPTHWISE } && row_from < row_to {
                let repeat = Repeat {
                    times: row_to - row_from,
                    a: const { Geometry::<G>::x(Geometry::<G>::ROWS.dilation, 0) },
                    b: const { Geometry::<G>::weight(1, 0) },
                };
                if gemm::accumulate_all(&mut tile, run(row_from, from, to - from), repeat, columns) {
                    first = row_to;
                }
            }
            for tap_row in first..row_to {
                if const { Geometry::<G>::DEPTHWISE } {
                    gemm::accumulate(simd, &mut tile, run(tap_row, from, to - from), columns);
                    continue;
                }
                // A run is a row of the kernel, or a single tap.
                let stretch = if const { Geometry::<G>::ADJACENT } { to - from } else { 1 };
                let mut tap = from;
                while tap < to {
                    gemm::accumulate(simd, &mut tile, run(tap_row, tap, stretch), columns);
                    tap += stretch;
                }
            }
            if const { W::SCALED } {
                gemm::rescale::<T, S, MR, NR>(simd, &mut tile, self.image.scale.add(column), bias, columns);
            }
            if const { POOLED } {
                let to = self.image.y.add(Geometry::<G>::maximum(pixel_row / 2, pixel / 2) + column);
                let stride = const { if NEXT == DOWN { Geometry::<G>::maximum(1, 0) } else { Geometry::<G>::OC } };
                if (if const { NEXT == DOWN } { pixel_row } else { pixel }).is_multiple_of(2) {
                    gemm::write_maxima::<T, S, A, MR, NR, 0>(simd, tile, to, stride, columns);
                } else {
                    gemm::write_maxima::<T, S, A, MR, NR, 1>(simd, tile, to, stride, columns);
                }
                return;
            }
            let to = self.image.y.add(Geometry::<G>::y(pixel_row, pixel) + column);
            let stride = const { if NEXT == DOWN { Geometry::<G>::y(1, 0) } else { Geometry::<G>::OC } };
            gemm::write::<T, S, A, MR, NR>(simd, tile, to, stride, columns);
        }
    }
}

/// Output channels × the interior pixels of a row: the image has one channel, so the inputs of neighboring pixels are
/// adjacent, too. The weights have no scales.
struct Channels<T, W, A, G, const POOLED: bool> {
    image: Image<T, W, A, G, POOLED>,
    /// The row of the output, or of the maxima.
    row: usize,
}

copy!([T, W, A, G, const POOLED: bool] Channels<T, W, A, G, POOLED>);

impl<T: Scalar, W: Storage<T>, S: Simd, A: Activation<T>, G: Convolution, const POOLED: bool> Tiles<T, S>
    for Channels<T, W, A, G, POOLED>
{
    const ROWS: usize = Geometry::<G>::OC;
    const COLUMNS: usize = Geometry::<G>::INSIDE.1 - Geometry::<G>::INSIDE.0;

    #[inline(always)]
    unsafe fn tile<const MR: usize, const NR: usize>(
        self,
        simd: S,
        row: usize,
        _skip: usize,
        column: usize,
        columns: Columns,
    ) {
        let pixel = Geometry::<G>::INSIDE.0 + column;
        // SAFETY: the pixels and the channels are those of the output.
        unsafe {
            if const { POOLED } {
                let mut above = self.sums::<S, MR, NR>(simd, 2 * self.row, row, pixel, columns);
                let below = self.sums::<S, MR, NR>(simd, 2 * self.row + 1, row, pixel, columns);
                for m in 0..MR {
                    for n in 0..NR {
                        let rows = larger::<T, S>(A::apply(simd, above[m][n]), A::apply(simd, below[m][n]));
                        above[m][n] = larger::<T, S>(rows.unzip_low(rows), rows.unzip_high(rows));
                    }
                }
                for n in 0..NR {
                    let mut halves = [[T::Vector::<S>::splat(simd, T::ZERO); 1]; MR];
                    for m in 0..MR {
                        halves[m][0] = above[m][n];
                    }
                    let (at, count) = columns.place::<T, S, NR>(n);
                    let to = self.image.y.add(Geometry::<G>::maximum(self.row, (pixel + at) / 2) + row);
                    let pairs = Columns::first(count / 2);
                    gemm::write_across::<T, S, Identity, MR, 1>(simd, halves, to, Geometry::<G>::OC, pairs);
                }
            } else {
                let tile = self.sums::<S, MR, NR>(simd, self.row, row, pixel, columns);
                let to = self.image.y.add(Geometry::<G>::y(self.row, pixel) + row);
                gemm::write_across::<T, S, A, MR, NR>(simd, tile, to, Geometry::<G>::OC, columns);
            }
        }
    }
}

impl<T: Scalar, W: Storage<T>, A: Activation<T>, G: Convolution, const POOLED: bool> Channels<T, W, A, G, POOLED> {
    /// The sums of a row of the output, starting at a channel and a pixel.
    ///
    /// # Safety
    /// The output must have these channels, and the pixels must be interior.
    #[inline(always)]
    unsafe fn sums<S: Simd, const MR: usize, const NR: usize>(
        self,
        simd: S,
        pixel_row: usize,
        channel: usize,
        pixel: usize,
        columns: Columns,
    ) -> Tile<T, S, MR, NR> {
        let mut tile = [[T::Vector::<S>::splat(simd, T::ZERO); NR]; MR];
        if let Some(bias) = self.image.bias {
            for m in 0..MR {
                // SAFETY: `channel + m` is one of the output channels.
                tile[m] = [T::Vector::<S>::splat(simd, unsafe { *bias.add(channel + m) }); NR];
            }
        }
        let (from, to) = Geometry::<G>::ROWS.taps(pixel_row);
        for tap_row in from..to {
            for tap in 0..Geometry::<G>::KW {
                // SAFETY: the tap lies on the input for the pixels of the tile, and has a weight for every
                // output channel.
                unsafe {
                    let x_row = Geometry::<G>::ROWS.position(pixel_row, tap_row);
                    let x = self.image.x.add(Geometry::<G>::x(x_row, Geometry::<G>::COLUMNS.position(pixel, tap)));
                    let mut pixels = [T::Vector::<S>::splat(simd, T::ZERO); NR];
                    for n in 0..NR {
                        pixels[n] = columns.load::<T, S, NR>(simd, x, n);
                    }
                    let weight = self.image.weight.add(Geometry::<G>::weight(tap_row, tap) + channel);
                    for m in 0..MR {
                        let weight = T::Vector::<S>::splat(simd, (*weight.add(m)).widen());
                        for n in 0..NR {
                            tile[m][n] = weight.mul_add(pixels[n], tile[m][n]);
                        }
                    }
                }
            }
        }
        tile
    }
}

/// `y = f(W ∗ x + b)` for a batch, or `y = f(s·(W ∗ x) + b)` if the weights have scales; if `POOLED`, the maximum of
/// every 2 × 2 pixels of it, where both axes must be even.
#[inline(always)]
pub(crate) fn forward<T: Scalar, W: Storage<T>, S: Simd, A: Activation<T>, G: Convolution, const POOLED: bool>(
    simd: S,
    x: &[T],
    weight: &[W],
    scale: &[T],
    bias: &[T],
    y: &mut [T],
) {
    const {
        let even = G::OUTPUT[0].is_multiple_of(2) && G::OUTPUT[1].is_multiple_of(2);
        assert!(!POOLED || even && !Geometry::<G>::POINTWISE, "convolution: it cannot keep maxima");
    }
    if const { POOLED } {
        // Every pixel is compared with the stored maximum.
        y.fill(T::from_f64(f64::NEG_INFINITY));
    }
    assert!(scale.len() == if W::SCALED { G::OUTPUTS } else { 0 }, "convolution: the scale has another length");
    let kept = const { Geometry::<G>::kept(POOLED) };
    let samples = Geometry::<G>::samples_kept(x.len(), weight.len(), bias.len(), y.len(), kept);
    for sample in 0..samples {
        for group in 0..Geometry::<G>::GROUPS {
            // SAFETY: the slices hold the samples, as `samples` checked, and the offsets are those of a
            // sample and of a group's first channel.
            let image = unsafe {
                let outputs = group * Geometry::<G>::WIDTH;
                Image::<T, W, A, G, POOLED> {
                    x: x.as_ptr().add(sample * Geometry::<G>::X_LEN + group * Geometry::<G>::CG),
                    weight: weight.as_ptr().add(outputs),
                    scale: if W::SCALED { scale.as_ptr().add(outputs) } else { scale.as_ptr() },
                    bias: if bias.is_empty() { None } else { Some(bias.as_ptr().add(outputs)) },
                    y: y.as_mut_ptr().add(sample * kept + outputs),
                    marker: PhantomData,
                }
            };
            // SAFETY: as above.
            unsafe { image.forward(simd) };
        }
    }
}
