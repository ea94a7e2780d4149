//! The gradients of parameters and input.

use core::marker::PhantomData;
use core::mem::MaybeUninit;

use super::geometry::{Convolution, Geometry};
use super::turned::{self, Panel};
use crate::activation::Identity;
use crate::kernels::gemm::{self, Columns, Tiles, copy, cover, with};
use crate::kernels::run::Run;
use crate::scalar::{Scalar, Vector, lanes};
use crate::simd::Simd;

/// `∂W += …` and `∂b += Σ ∂y`: the derivative of [`forward`](super::forward()) with respect to its parameters.
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

/// `∂x` from `∂y`: the derivative of [`forward`](super::forward()) with respect to its input.
#[inline(always)]
pub(crate) fn backward_input<T: Scalar, S: Simd, G: Convolution>(
    simd: S,
    grad_y: &[T],
    weight: &[T],
    grad_x: &mut [T],
) {
    let samples = Geometry::<G>::samples(grad_x.len(), weight.len(), 0, grad_y.len());
    if const { Panel::<G>::pays::<T, S>() } {
        return turned::input_gradient::<T, S, G>(simd, grad_y, weight, grad_x);
    }
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

/// How many samples [`input_gradients`] computes at a time: with few channels, the sums of a single sample would be
/// limited by latency. The weights take a register for each channel, and so do the sums of every sample.
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

/// [`input_gradient`] for the channels `channel .. channel + NR` of a group, for several samples [`together`].
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
        // SAFETY: `sample` is less than the number of samples.
        let (grad_y, grad_x) =
            unsafe { (grad_y.add(sample * Geometry::<G>::Y_LEN), grad_x.add(sample * Geometry::<G>::X_LEN)) };
        let most = const { together::<S, T>(NR) };
        if most > 1 && sample + most <= samples {
            with!(together::<S, T>(NR), [2 3 4], pixel_gradients[T, S, G, NR](simd, grad_y, weight, grad_x, group, channel));
            sample += most;
        } else {
            // SAFETY: the conditions are those of the enclosing function, for one of the samples.
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
                // SAFETY: every channel of every pixel has its sum. The pixels have these channels, and no others if
                // there are several pixels.
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
/// possible ones, or a single pixel at the border.
struct Inputs<T, G, const BORDER: bool> {
    grad_y: *const T,
    weight: *const T,
    grad_x: *mut T,
    row: usize,
    /// The first pixel.
    column: usize,
    /// A range of taps that contains those that read it.
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
                // SAFETY: for these pixels, all windows exist.
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
    // With few channels a single tap makes a small tile, so a row of taps shares one. That requires all its taps to lie
    // on the input; the pixels at the border follow, tap by tap.
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
                // SAFETY: for interior columns all taps lie on the input, and this row of them does from row `top` on.
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
                            // The border is tall and narrow, and long runs are faster.
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
