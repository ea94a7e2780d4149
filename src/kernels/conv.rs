//! Convolutions, direct: no matrix of patches is ever made.
//!
//! A tile is some neighbouring pixels of an output row × registers of output channels. Where all
//! their windows lie on the input, a row of the kernel is one run of `gemm::accumulate`, because
//! channels come last: the numbers under it are adjacent in the input, and so are its weights. The
//! pixels at the left and right border, whose windows reach into the padding, are computed down
//! their column with the taps that lie on the input, those in the corners one by one; padding is
//! never read. An image of one channel has pixels in its registers, if output channels are few.
//!
//! Where only the maximum of 2 × 2 pixels is wanted, a tile is compared with the maxima that are there and never
//! written itself.
//!
//! | | rows × columns of a tile | sum over |
//! | --- | --- | --- |
//! | `y` | pixels × output channels | taps, input channels |
//! | `y` of one channel | output channels × pixels | taps |
//! | `∂x` | input channels × 1 pixel of some samples | taps, output channels |
//! | `∂W` | input channels (of one tap, or a row of taps) × output channels | pixels |
//!
//! Depthwise convolutions are the same with taps in place of input channels: they multiply channel
//! by channel.
//! A one-dimensional convolution is a two-dimensional one of a single row.

use core::marker::PhantomData;
use core::mem::MaybeUninit;

use crate::kernels::gemm::{self, Columns, Run, Tile, Tiles, copy, cover, with};
use crate::kernels::pool::larger;
use crate::layer::{Activation, lanes};
use crate::layers::Identity;
use crate::scalar::Scalar;
use crate::shapes;
use crate::simd::{SCALAR, Simd, Vector};
use crate::storage::Storage;

/// The sizes of a convolution; pairs are `[rows, columns]`.
pub(crate) trait Convolution: 'static {
    const INPUT: [usize; 2];
    const OUTPUT: [usize; 2];
    const KERNEL: [usize; 2];
    const STRIDE: [usize; 2];
    /// The padding before the input.
    const BEFORE: [usize; 2];
    const DILATION: [usize; 2];
    /// Input channels.
    const CHANNELS: usize;
    /// Input channels of a group: every output channel sees those of one group.
    const GROUP_CHANNELS: usize;
    /// Output channels.
    const OUTPUTS: usize;
}

/// How windows slide along one axis.
#[derive(Clone, Copy)]
struct Axis {
    input: usize,
    output: usize,
    kernel: usize,
    stride: usize,
    before: usize,
    dilation: usize,
}

impl Axis {
    /// Which tap positions `start ..` (already a multiple of the step) lie on an input that begins
    /// `before` later: those from the first to before the last, at most `most`.
    const fn clip(self, start: usize, step: usize, most: usize) -> (usize, usize) {
        let from = self.before.saturating_sub(start).div_ceil(step);
        let to = (self.input + self.before).saturating_sub(start).div_ceil(step);
        let to = if to < most { to } else { most };
        (if from < to { from } else { to }, to)
    }

    /// The taps of a window that lie on the input.
    #[inline(always)]
    const fn taps(self, window: usize) -> (usize, usize) {
        self.clip(window * self.stride, self.dilation, self.kernel)
    }

    /// The windows whose `tap` lies on the input.
    const fn windows(self, tap: usize) -> (usize, usize) {
        self.clip(tap * self.dilation, self.stride, self.output)
    }

    /// The windows that lie on the input with all their taps.
    const fn inside(self) -> (usize, usize) {
        let (from, to) = (self.windows(0).0, self.windows(self.kernel - 1).1);
        (if from < to { from } else { to }, to)
    }

    /// Where on the input a tap of a window lies, if it does.
    const fn position(self, window: usize, tap: usize) -> usize {
        window * self.stride + tap * self.dilation - self.before
    }

    /// The taps among which are all those that read a position of the input.
    const fn readers(self, position: usize) -> (usize, usize) {
        let at = position + self.before;
        let from = at.saturating_sub((self.output - 1) * self.stride).div_ceil(self.dilation);
        let to = at / self.dilation + 1;
        (from, if to < self.kernel { to } else { self.kernel })
    }

    /// The positions of the input for which no window is missing: every tap reads them, or with a stride those
    /// taps that can. None, if that are fewer than the stride.
    const fn read_by_all(self) -> (usize, usize) {
        let from = ((self.kernel - 1) * self.dilation).saturating_sub(self.before);
        let to = self.output.saturating_mul(self.stride).saturating_sub(self.before);
        let to = if to < self.input { to } else { self.input };
        (if to.saturating_sub(from) < self.stride { to } else { from }, to)
    }

    /// How far apart the taps are that read the same position, and the windows for which they do: stride and dilation
    /// over their greatest common divisor.
    const fn turns(self) -> (usize, usize) {
        let (mut divisor, mut rest) = (self.stride, self.dilation);
        while rest > 0 {
            (divisor, rest) = (rest, divisor % rest);
        }
        (self.stride / divisor, self.dilation / divisor)
    }

    /// The window whose `tap`, one of the `readers`, reads a position of the input.
    #[inline(always)]
    const fn window(self, position: usize, tap: usize) -> Option<usize> {
        let start = position + self.before - tap * self.dilation;
        if start.is_multiple_of(self.stride) { Some(start / self.stride) } else { None }
    }
}

/// What follows from the sizes.
pub(crate) struct Geometry<G>(PhantomData<G>);

impl<G: Convolution> Geometry<G> {
    /// Fails to compile for sizes that do not fit together.
    pub(crate) const VALID: () = {
        let mut axis = 0;
        while axis < 2 {
            assert!(G::STRIDE[axis] > 0, "convolution: the stride is 0");
            assert!(G::INPUT[axis] > 0 && G::OUTPUT[axis] > 0, "convolution: a size is 0");
            assert!(shapes::extent(G::KERNEL[axis], G::DILATION[axis]).is_ok(), "convolution: kernel or dilation is 0");
            // The padding after the input is whatever the last window needs.
            let last = (G::OUTPUT[axis] - 1) * G::STRIDE[axis];
            assert!(last < G::INPUT[axis] + G::BEFORE[axis], "convolution: the last window lies after the input");
            axis += 1;
        }
        let groups = shapes::divide(G::CHANNELS, G::GROUP_CHANNELS);
        let Ok(groups) = groups else { panic!("convolution: the channels are no multiple of a group's") };
        assert!(G::OUTPUTS > 0 && groups > 0, "convolution: a size is 0");
        assert!(
            shapes::divide(G::OUTPUTS, groups).is_ok(),
            "convolution: the groups do not divide the output channels"
        );
    };

    /// Multiply-accumulate operations of one sample, those on padding included.
    pub(crate) const MACS: usize =
        G::OUTPUT[0] * G::OUTPUT[1] * G::OUTPUTS * G::KERNEL[0] * G::KERNEL[1] * G::GROUP_CHANNELS;

    const C: usize = G::CHANNELS;
    const CG: usize = G::GROUP_CHANNELS;
    const OC: usize = G::OUTPUTS;
    const KW: usize = G::KERNEL[1];
    /// Every channel on its own. All of them are worked on together, as if they were one group.
    const DEPTHWISE: bool = Self::CG == 1 && Self::C == Self::OC && Self::C > 1;
    const GROUPS: usize = if Self::DEPTHWISE { 1 } else { Self::C / Self::CG };
    /// Output channels of a group.
    const WIDTH: usize = Self::OC / Self::GROUPS;
    /// Whether the numbers under a row of the kernel are adjacent.
    const ADJACENT: bool = Self::CG == Self::C && G::DILATION[1] == 1;
    /// How far apart, in numbers, neighbouring taps and pixels are in the input.
    const TAP: usize = G::DILATION[1] * Self::C;
    const PIXEL: usize = G::STRIDE[1] * Self::C;
    /// A product of the pixels with one matrix: the image may as well be a single row.
    const POINTWISE: bool = G::KERNEL[0] * G::KERNEL[1] == 1
        && G::STRIDE[0] * G::STRIDE[1] == 1
        && G::BEFORE[0] + G::BEFORE[1] == 0
        && G::INPUT[0] == G::OUTPUT[0]
        && G::INPUT[1] == G::OUTPUT[1];

    const ROWS: Axis = if Self::POINTWISE { Axis { input: 1, output: 1, ..Self::axis(0) } } else { Self::axis(0) };
    const COLUMNS: Axis = if Self::POINTWISE {
        Axis { input: G::INPUT[0] * G::INPUT[1], output: G::INPUT[0] * G::INPUT[1], ..Self::axis(1) }
    } else {
        Self::axis(1)
    };
    /// The columns of the output whose windows lie on the input.
    const INSIDE: (usize, usize) = Self::COLUMNS.inside();
    /// The rows of the output whose windows lie on the input, if there are several.
    const INSIDE_ROWS: (usize, usize) = {
        let (from, to) = Self::ROWS.inside();
        (if to - from > 1 { from } else { to }, to)
    };
    /// The columns of the input for which no window is missing.
    const READ_BY_ALL: (usize, usize) = Self::COLUMNS.read_by_all();

    /// Whether the registers of a row should hold pixels and not output channels, so that fewer lanes are idle.
    /// At the end the channels must be woven together, which takes as long as some six taps.
    /// Where pixels are `pooled`, those of a pair must be in one register.
    const fn pixels_in_lanes(lanes: usize, pooled: bool) -> bool {
        let (from, to) = Self::INSIDE;
        let pairs = from.is_multiple_of(2) && to.is_multiple_of(2) && to - from >= lanes && lanes > 1;
        let (pixels, taps) = (Self::INSIDE.1 - Self::INSIDE.0, G::KERNEL[0] * Self::KW);
        let (across, along) = (Self::OC * pixels.div_ceil(lanes), pixels * Self::OC.div_ceil(lanes));
        !SCALAR && Self::C == 1 && G::STRIDE[1] == 1 && (!pooled || pairs) && across * (taps + 6) <= along * taps
    }

    /// How long a sample of the output is, or of the maxima of 2 × 2 pixels.
    const fn kept(pooled: bool) -> usize {
        if pooled { G::OUTPUT[0] / 2 * (G::OUTPUT[1] / 2) * Self::OC } else { Self::Y_LEN }
    }

    const X_LEN: usize = G::INPUT[0] * G::INPUT[1] * Self::C;
    const Y_LEN: usize = G::OUTPUT[0] * G::OUTPUT[1] * Self::OC;
    const WEIGHT_LEN: usize = G::KERNEL[0] * Self::KW * Self::CG * Self::OC;

    const fn axis(axis: usize) -> Axis {
        Axis {
            input: G::INPUT[axis],
            output: G::OUTPUT[axis],
            kernel: G::KERNEL[axis],
            stride: G::STRIDE[axis],
            before: G::BEFORE[axis],
            dilation: G::DILATION[axis],
        }
    }

    /// The offset of a pixel in a sample of the input.
    #[inline(always)]
    const fn x(row: usize, column: usize) -> usize {
        (row * Self::COLUMNS.input + column) * Self::C
    }

    /// The offset of a pixel in a sample of the output.
    #[inline(always)]
    const fn y(row: usize, column: usize) -> usize {
        (row * Self::COLUMNS.output + column) * Self::OC
    }

    /// The offset of a pixel in a sample of the maxima of 2 × 2 pixels.
    #[inline(always)]
    const fn maximum(row: usize, column: usize) -> usize {
        (row * (Self::COLUMNS.output / 2) + column) * Self::OC
    }

    /// The offset of a tap in the weight.
    #[inline(always)]
    const fn weight(row: usize, column: usize) -> usize {
        (row * Self::KW + column) * Self::CG * Self::OC
    }

    /// Checks that the slices are a batch, its parameters and its result; all are constants for
    /// the compiler. Returns the number of samples.
    #[inline(always)]
    fn samples(x: usize, weight: usize, bias: usize, y: usize) -> usize {
        Self::samples_kept(x, weight, bias, y, Self::Y_LEN)
    }

    /// [`samples`](Self::samples) of which the output is so long.
    #[inline(always)]
    fn samples_kept(x: usize, weight: usize, bias: usize, y: usize, kept: usize) -> usize {
        let () = Self::VALID;
        let samples = x / Self::X_LEN;
        assert!(x == samples * Self::X_LEN && y == samples * kept, "convolution: batches differ in length");
        assert!(weight == Self::WEIGHT_LEN, "convolution: the weight has another length");
        assert!(bias == 0 || bias == Self::OC, "convolution: the bias has another length");
        samples
    }
}

/// A sample and the parameters, from the first channel of a group on.
struct Image<T, W, A, G, const POOLED: bool> {
    x: *const T,
    weight: *const W,
    /// The scales of the output channels, where the weights have scales.
    scale: *const T,
    bias: Option<*const T>,
    /// The output, or the maxima of its 2 × 2 pixels.
    y: *mut T,
    marker: PhantomData<(A, G)>,
}

copy!([T, W, A, G, const POOLED: bool] Image<T, W, A, G, POOLED>);

impl<T: Scalar, W: Storage<T>, A: Activation<T>, G: Convolution, const POOLED: bool> Image<T, W, A, G, POOLED> {
    /// Computes the group's output channels: pixels inside by rows, those at the borders on the left and on
    /// the right by columns, and what is left in the corners one by one.
    ///
    /// # Safety
    /// The pointers must be valid for the sizes that `G` states.
    #[inline(always)]
    unsafe fn forward<S: Simd>(self, simd: S) {
        let (columns, rows) = (Geometry::<G>::COLUMNS, Geometry::<G>::ROWS);
        let (left, right) = Geometry::<G>::INSIDE;
        let (top, bottom) = Geometry::<G>::INSIDE_ROWS;
        // Weights in fewer bits are better widened a register at a time than one by one.
        let in_lanes = const {
            let whole = !W::SCALED && size_of::<W>() == size_of::<T>();
            whole && Geometry::<G>::pixels_in_lanes(lanes::<S, T>(), POOLED)
        };
        let mut row = 0;
        while const { Geometry::<G>::INSIDE.0 < Geometry::<G>::INSIDE.1 } && row < rows.output {
            // SAFETY: inside, all taps of a row of the kernel lie on the input.
            unsafe {
                if in_lanes {
                    // Of two rows at a time, where their maxima are kept.
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

/// Neighbouring pixels of the output that share their taps.
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
/// The pixels are those inside, along a row.
const ACROSS: u8 = 1;
/// The pixels are those inside, down a column.
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
        // A window may also lie on the padding alone.
        let row_to = if from < to { row_to } else { row_from };
        // SAFETY: the taps lie on the input for all pixels of the tile, the columns are output
        // channels of the group, and `k` counts its input channels.
        unsafe {
            let bias = self.image.bias.map(|bias| bias.add(column));
            let mut tile = gemm::start::<T, S, MR, NR>(simd, if W::SCALED { None } else { bias }, columns);
            for tap_row in row_from..row_to {
                let x_row = Geometry::<G>::ROWS.position(pixel_row, tap_row);
                let x = |tap| Geometry::<G>::x(x_row, Geometry::<G>::COLUMNS.position(pixel, tap));
                if const { Geometry::<G>::DEPTHWISE } {
                    let run = Run {
                        a: self.image.x.add(x(from) + column),
                        a_row,
                        a_step: Geometry::<G>::TAP as isize,
                        by_column: true,
                        b: self.image.weight.add(Geometry::<G>::weight(tap_row, from) + column),
                        b_step: Geometry::<G>::OC,
                        len: to - from,
                    };
                    gemm::accumulate(simd, &mut tile, run, columns);
                    continue;
                }
                // A run is a row of the kernel, or a single tap.
                let stretch = if const { Geometry::<G>::ADJACENT } { to - from } else { 1 };
                let mut tap = from;
                while tap < to {
                    let run = Run {
                        a: self.image.x.add(x(tap)),
                        a_row,
                        a_step: 1,
                        by_column: false,
                        b: self.image.weight.add(Geometry::<G>::weight(tap_row, tap) + column),
                        b_step: Geometry::<G>::OC,
                        len: stretch * Geometry::<G>::CG,
                    };
                    gemm::accumulate(simd, &mut tile, run, columns);
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

/// Output channels × the pixels of a row inside: the image has one channel, so that what neighbouring pixels read is
/// adjacent, too. Its weights have no scales.
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
    /// The sums of a row of the output, from a channel and a pixel on.
    ///
    /// # Safety
    /// The output must have these channels, and the pixels be inside.
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

/// `y = f(W ∗ x + b)` for a batch, or `y = f(s·(W ∗ x) + b)` where the weights have scales; if `POOLED`, the maximum of
/// every 2 × 2 pixels of it, of which both axes must have an even number.
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
        // Every pixel is compared with what is there.
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

/// `∂W += …` and `∂b += Σ ∂y`: the derivative of [`forward`] by its parameters.
#[inline(always)]
pub(crate) fn backward_parameters<T: Scalar, S: Simd, G: Convolution>(
    simd: S,
    x: &[T],
    grad_y: &[T],
    grad_weight: &mut [T],
    grad_bias: &mut [T],
) {
    let samples = Geometry::<G>::samples(x.len(), grad_weight.len(), grad_bias.len(), grad_y.len());
    // SAFETY: `samples` checked the lengths.
    unsafe {
        for sample in 0..samples {
            let x = x.as_ptr().add(sample * Geometry::<G>::X_LEN);
            let grad_y = grad_y.as_ptr().add(sample * Geometry::<G>::Y_LEN);
            if !grad_bias.is_empty() {
                let pixels = G::OUTPUT[0] * G::OUTPUT[1];
                gemm::add_rows::<T, S>(simd, pixels, Geometry::<G>::OC, grad_y, grad_bias.as_mut_ptr());
            }
            weight_gradient::<T, S, G>(simd, x, grad_y, grad_weight.as_mut_ptr());
        }
    }
}

/// `∂x` from `∂y`: the derivative of [`forward`] by its input.
#[inline(always)]
pub(crate) fn backward_input<T: Scalar, S: Simd, G: Convolution>(
    simd: S,
    grad_y: &[T],
    weight: &[T],
    grad_x: &mut [T],
) {
    let samples = Geometry::<G>::samples(grad_x.len(), weight.len(), 0, grad_y.len());
    // SAFETY: `samples` checked the lengths.
    unsafe {
        if const { Geometry::<G>::DEPTHWISE } {
            for sample in 0..samples {
                let grad_x = grad_x.as_mut_ptr().add(sample * Geometry::<G>::X_LEN);
                let grad_y = grad_y.as_ptr().add(sample * Geometry::<G>::Y_LEN);
                depthwise_input_gradient::<T, S, G>(simd, grad_y, weight.as_ptr(), grad_x);
            }
        } else {
            input_gradient::<T, S, G>(simd, samples, grad_y.as_ptr(), weight.as_ptr(), grad_x.as_mut_ptr());
        }
    }
}

/// `∂x` of a batch.
///
/// # Safety
/// The pointers must be valid for the samples of the output, the weight, and the samples of the input.
#[inline(always)]
unsafe fn input_gradient<T: Scalar, S: Simd, G: Convolution>(
    simd: S,
    samples: usize,
    grad_y: *const T,
    weight: *const T,
    grad_x: *mut T,
) {
    for group in 0..Geometry::<G>::GROUPS {
        let mut channel = 0;
        while channel + lanes::<S, T>() <= Geometry::<G>::CG {
            with!(lanes::<S, T>(), [1 2 4 8 16],
                input_gradients[T, S, G](simd, samples, grad_y, weight, grad_x, group, channel));
            channel += lanes::<S, T>();
        }
        with!(Geometry::<G>::CG % lanes::<S, T>(), [1 2 3 4 5 6 7 8 9 10 11 12 13 14 15],
            input_gradients[T, S, G](simd, samples, grad_y, weight, grad_x, group, channel));
    }
}

/// How many samples [`input_gradients`] computes at a time: with few channels, the sums of one would wait for
/// themselves. The weights take a register for each channel, and so do the sums of every sample.
const fn together<S: Simd, T: Scalar>(channels: usize) -> usize {
    let most = (gemm::registers::<S, T>() - 1).saturating_sub(channels) / channels;
    if most < 1 {
        1
    } else if most < 4 {
        most
    } else {
        4
    }
}

/// [`input_gradient`] for the channels `channel .. channel + NR` of a group, of some samples [`together`].
///
/// # Safety
/// As [`input_gradient`], and the group must have these channels.
#[inline(always)]
unsafe fn input_gradients<T: Scalar, S: Simd, G: Convolution, const NR: usize>(
    simd: S,
    samples: usize,
    grad_y: *const T,
    weight: *const T,
    grad_x: *mut T,
    group: usize,
    channel: usize,
) {
    let mut sample = 0;
    while sample < samples {
        // SAFETY: the samples before this one are `sample` of those there are.
        let (grad_y, grad_x) =
            unsafe { (grad_y.add(sample * Geometry::<G>::Y_LEN), grad_x.add(sample * Geometry::<G>::X_LEN)) };
        let most = const { together::<S, T>(NR) };
        if most > 1 && sample + most <= samples {
            with!(together::<S, T>(NR), [2 3 4], pixel_gradients[T, S, G, NR](simd, grad_y, weight, grad_x, group, channel));
            sample += most;
        } else {
            // SAFETY: the conditions are those of the function around, for one of the samples.
            unsafe { pixel_gradients::<T, S, G, NR, 1>(simd, grad_y, weight, grad_x, group, channel) };
            sample += 1;
        }
    }
}

/// [`input_gradients`] of `MR` samples.
///
/// # Safety
/// As [`input_gradient`], and the group must have these channels.
#[inline(always)]
unsafe fn pixel_gradients<T: Scalar, S: Simd, G: Convolution, const NR: usize, const MR: usize>(
    simd: S,
    grad_y: *const T,
    weight: *const T,
    grad_x: *mut T,
    group: usize,
    channel: usize,
) {
    let (rows, columns) = (Geometry::<G>::ROWS, Geometry::<G>::COLUMNS);
    let outputs = group * Geometry::<G>::WIDTH;
    // Pixels with few channels are adjacent, and several share a register.
    let pixels = const {
        let most = if NR == Geometry::<G>::C { lanes::<S, T>() / NR } else { 1 };
        if most < Geometry::<G>::COLUMNS.input { most } else { Geometry::<G>::COLUMNS.input }
    };
    for row in 0..rows.input {
        let (row_from, row_to) = rows.readers(row);
        let mut next = 0;
        while next < columns.input {
            let first = if next + pixels <= columns.input { next } else { columns.input - pixels };
            let mut sums = [[const { MaybeUninit::<T::Vector<S>>::uninit() }; 16]; MR];
            for pixel in 0..pixels {
                let column = first + pixel;
                let (from, to) = columns.readers(column);
                let mut tile = [[T::Vector::<S>::splat(simd, T::ZERO); NR]; MR];
                for tap_row in row_from..row_to {
                    let Some(y_row) = rows.window(row, tap_row) else { continue };
                    for tap in from..to {
                        let Some(y_column) = columns.window(column, tap) else { continue };
                        // SAFETY: the window is one of the output's, and the channels are a group's.
                        unsafe {
                            let x = grad_y.add(Geometry::<G>::y(y_row, y_column) + outputs);
                            let tap = Geometry::<G>::weight(tap_row, tap);
                            let w = weight.add(tap + channel * Geometry::<G>::OC + outputs);
                            let (x_stride, stride, len) =
                                (Geometry::<G>::Y_LEN, Geometry::<G>::OC, Geometry::<G>::WIDTH);
                            gemm::dot::<T, S, NR, MR>(simd, &mut tile, x, x_stride, w, stride, len);
                        }
                    }
                }
                for m in 0..MR {
                    for n in 0..NR {
                        sums[m][pixel * NR + n].write(tile[m][n]);
                    }
                }
            }
            let count = pixels * NR;
            for m in 0..MR {
                // SAFETY: every channel of every pixel has got its sum. The pixels have these channels, and no others if
                // they are several.
                unsafe {
                    let sums = core::slice::from_raw_parts(sums[m].as_ptr().cast(), count);
                    let sum = gemm::collect::<T, S>(simd, sums);
                    let to = grad_x.add(m * Geometry::<G>::X_LEN + Geometry::<G>::x(row, first));
                    let to = to.add(group * Geometry::<G>::CG + channel);
                    if count == lanes::<S, T>() { sum.store(to) } else { sum.store_partial(to, count) }
                }
            }
            next += pixels;
        }
    }
}

/// Pixels of a row of the input of a depthwise convolution that are a stride apart and read by the same taps: by all
/// that can, or one at the border.
struct Inputs<T, G, const BORDER: bool> {
    grad_y: *const T,
    weight: *const T,
    grad_x: *mut T,
    row: usize,
    /// The first pixel.
    column: usize,
    /// The taps among which are those that read it.
    taps: [(usize, usize); 2],
    marker: PhantomData<G>,
}

copy!([T, G, const BORDER: bool] Inputs<T, G, BORDER>);

impl<T: Scalar, S: Simd, G: Convolution, const BORDER: bool> Tiles<T, S> for Inputs<T, G, BORDER> {
    const ROWS: usize =
        if BORDER { 1 } else { (Geometry::<G>::READ_BY_ALL.1 - Geometry::<G>::READ_BY_ALL.0) / G::STRIDE[1] };
    const COLUMNS: usize = Geometry::<G>::C;

    #[inline(always)]
    unsafe fn tile<const MR: usize, const NR: usize>(
        self,
        simd: S,
        row: usize,
        _skip: usize,
        column: usize,
        columns: Columns,
    ) {
        let pixel = self.column + row * G::STRIDE[1];
        let [(row_from, row_to), (mut first, to)] = self.taps;
        while first < to && Geometry::<G>::COLUMNS.window(pixel, first).is_none() {
            first += 1;
        }
        let (taps, windows) = const { Geometry::<G>::COLUMNS.turns() };
        // SAFETY: the windows are the output's for all pixels of the tile, and the columns are
        // channels.
        unsafe {
            let mut tile = gemm::start::<T, S, MR, NR>(simd, None, columns);
            for tap_row in row_from..row_to {
                let Some(y_row) = Geometry::<G>::ROWS.window(self.row, tap_row) else { continue };
                if first >= to {
                    continue;
                }
                let Some(y_column) = Geometry::<G>::COLUMNS.window(pixel, first) else { continue };
                let run = Run {
                    a: self.grad_y.add(Geometry::<G>::y(y_row, y_column) + column),
                    a_row: Geometry::<G>::OC,
                    a_step: -((windows * Geometry::<G>::OC) as isize),
                    by_column: true,
                    b: self.weight.add(Geometry::<G>::weight(tap_row, first) + column),
                    b_step: taps * Geometry::<G>::OC,
                    len: (to - first).div_ceil(taps),
                };
                gemm::accumulate(simd, &mut tile, run, columns);
            }
            let to = self.grad_x.add(Geometry::<G>::x(self.row, pixel) + column);
            gemm::write::<T, S, Identity, MR, NR>(simd, tile, to, Geometry::<G>::PIXEL, columns);
        }
    }
}

/// `∂x` of a sample, every channel on its own.
///
/// # Safety
/// As [`input_gradient`].
#[inline(always)]
unsafe fn depthwise_input_gradient<T: Scalar, S: Simd, G: Convolution>(
    simd: S,
    grad_y: *const T,
    weight: *const T,
    grad_x: *mut T,
) {
    let (inside, to_inside) = Geometry::<G>::READ_BY_ALL;
    for row in 0..Geometry::<G>::ROWS.input {
        let row_taps = Geometry::<G>::ROWS.readers(row);
        if const { Geometry::<G>::READ_BY_ALL.0 < Geometry::<G>::READ_BY_ALL.1 } {
            for column in inside..inside + G::STRIDE[1] {
                let (taps, marker) = ([row_taps, (0, Geometry::<G>::KW)], PhantomData::<G>);
                let inputs = Inputs::<T, G, false> { grad_y, weight, grad_x, row, column, taps, marker };
                // SAFETY: for these pixels no window is missing.
                unsafe { cover::<T, S, _>(simd, (to_inside - column).div_ceil(G::STRIDE[1]), inputs) };
            }
        }
        let mut column = if inside == 0 { to_inside } else { 0 };
        while column < Geometry::<G>::COLUMNS.input {
            let (taps, marker) = ([row_taps, Geometry::<G>::COLUMNS.readers(column)], PhantomData::<G>);
            let inputs = Inputs::<T, G, true> { grad_y, weight, grad_x, row, column, taps, marker };
            // SAFETY: only these taps read the pixel.
            unsafe { cover::<T, S, _>(simd, 1, inputs) };
            column = if column + 1 == inside { to_inside } else { column + 1 };
        }
    }
}

/// The weights of one tap, or of a row of taps where `ROW`, in one group: taps and input channels ×
/// output channels, summed over `outer` runs of `len` pixels.
struct Taps<T, G, const ROW: bool> {
    x: *const T,
    x_outer: usize,
    x_step: usize,
    grad_y: *const T,
    y_outer: usize,
    y_step: usize,
    outer: usize,
    len: usize,
    gradient: *mut T,
    marker: PhantomData<G>,
}

copy!([T, G, const ROW: bool] Taps<T, G, ROW>);

impl<T: Scalar, S: Simd, G: Convolution, const ROW: bool> Tiles<T, S> for Taps<T, G, ROW> {
    const ROWS: usize = if ROW { Geometry::<G>::KW * Geometry::<G>::CG } else { Geometry::<G>::CG };
    const COLUMNS: usize = Geometry::<G>::WIDTH;

    #[inline(always)]
    unsafe fn tile<const MR: usize, const NR: usize>(
        self,
        simd: S,
        row: usize,
        skip: usize,
        column: usize,
        columns: Columns,
    ) {
        // SAFETY: the rows are adjacent numbers of `x` under every pixel of the runs, the columns
        // are channels of `grad_y`, and both are within the gradient.
        unsafe {
            let mut tile = gemm::start::<T, S, MR, NR>(simd, None, columns);
            let (a_row, shift) = const { if Geometry::<G>::DEPTHWISE { (Geometry::<G>::TAP, 1) } else { (1, 0) } };
            for outer in 0..self.outer {
                let run = Run {
                    a: self.x.add(outer * self.x_outer + row * a_row + column * shift),
                    a_row,
                    a_step: self.x_step as isize,
                    by_column: const { Geometry::<G>::DEPTHWISE },
                    b: self.grad_y.add(outer * self.y_outer + column),
                    b_step: self.y_step,
                    len: self.len,
                };
                gemm::accumulate(simd, &mut tile, run, columns);
            }
            let to = self.gradient.add(row * Geometry::<G>::OC + column);
            gemm::add::<T, S, MR, NR>(simd, tile, to, Geometry::<G>::OC, skip, columns);
        }
    }
}

/// Adds a sample's `∂W`.
///
/// # Safety
/// The pointers must be valid for a sample of the input, one of the output, and the weight.
#[inline(always)]
unsafe fn weight_gradient<T: Scalar, S: Simd, G: Convolution>(
    simd: S,
    x: *const T,
    grad_y: *const T,
    gradient: *mut T,
) {
    let (rows, columns) = (Geometry::<G>::ROWS, Geometry::<G>::COLUMNS);
    let (inside, to_inside) = Geometry::<G>::INSIDE;
    // With few channels a tap alone makes a small tile, so a row of taps shares one. That needs
    // all its taps on the input; the pixels at the border come after, tap by tap.
    let joint = const {
        (Geometry::<G>::ADJACENT || Geometry::<G>::DEPTHWISE)
            && Geometry::<G>::KW > 1
            && Geometry::<G>::CG < 8
            && Geometry::<G>::INSIDE.0 < Geometry::<G>::INSIDE.1
    };
    let x_row = rows.stride * Geometry::<G>::x(1, 0);
    let y_row = Geometry::<G>::y(1, 0);
    let y_column = Geometry::<G>::OC;
    for group in 0..Geometry::<G>::GROUPS {
        for tap_row in 0..rows.kernel {
            let (top, bottom) = rows.windows(tap_row);
            if top == bottom {
                continue;
            }
            let at_row = rows.position(top, tap_row);
            let (channel, output) = (group * Geometry::<G>::CG, group * Geometry::<G>::WIDTH);
            if joint {
                // SAFETY: inside, all taps lie on the input, as does this row of them from `top` on.
                unsafe {
                    let taps = Taps::<T, G, true> {
                        x: x.add(Geometry::<G>::x(at_row, columns.position(inside, 0)) + channel),
                        x_outer: x_row,
                        x_step: Geometry::<G>::PIXEL,
                        grad_y: grad_y.add(Geometry::<G>::y(top, inside) + output),
                        y_outer: y_row,
                        y_step: y_column,
                        outer: bottom - top,
                        len: to_inside - inside,
                        gradient: gradient.add(Geometry::<G>::weight(tap_row, 0) + output),
                        marker: PhantomData,
                    };
                    cover::<T, S, _>(simd, Geometry::<G>::KW * Geometry::<G>::CG, taps);
                }
            }
            for tap in 0..Geometry::<G>::KW {
                let (left, right) = columns.windows(tap);
                let stretches = if joint { [(left, inside), (to_inside, right)] } else { [(left, right), (0, 0)] };
                for (left, right) in stretches {
                    if left >= right {
                        continue;
                    }
                    // SAFETY: the tap lies on the input for the windows from `left` to `right`.
                    unsafe {
                        let mut taps = Taps::<T, G, false> {
                            x: x.add(Geometry::<G>::x(at_row, columns.position(left, tap)) + channel),
                            x_outer: x_row,
                            x_step: Geometry::<G>::PIXEL,
                            grad_y: grad_y.add(Geometry::<G>::y(top, left) + output),
                            y_outer: y_row,
                            y_step: y_column,
                            outer: bottom - top,
                            len: right - left,
                            gradient: gradient.add(Geometry::<G>::weight(tap_row, tap) + output),
                            marker: PhantomData,
                        };
                        if joint {
                            // The border is high and narrow, and long runs are better.
                            (taps.x_outer, taps.x_step) = (Geometry::<G>::PIXEL, x_row);
                            (taps.y_outer, taps.y_step) = (y_column, y_row);
                            (taps.outer, taps.len) = (taps.len, taps.outer);
                        }
                        cover::<T, S, _>(simd, Geometry::<G>::CG, taps);
                    }
                }
            }
        }
    }
}
