//! The gradient of the input as products of parts of the weight that are turned around.

use core::marker::PhantomData;

use super::geometry::{Convolution, Geometry};
use crate::kernels::gemm::{Extent, PART, Strided, panel, product, registers, transpose};
use crate::kernels::window::Axis;
use crate::scalar::{Scalar, lanes};
use crate::simd::{SCALAR, Simd};

/// The product of a row of the output with a part of the weight of one tap: pixels × input channels.
pub(super) struct Panel<G>(PhantomData<G>);

impl<G: Convolution> Panel<G> {
    const ROW: Axis = Geometry::<G>::axis(1);
    /// How many output channels are summed at a time: as many as fit the memory of a part.
    const DEPTH: usize = PART / <Self as Extent>::COLUMNS;
    /// How many rows of the output are computed while a part of the weight is turned around: as many as stay in a cache
    /// together with their rows of the input.
    const BLOCK: usize = {
        let numbers = G::INPUT[1] * Geometry::<G>::C * G::STRIDE[0] + G::OUTPUT[1] * Geometry::<G>::OC;
        if numbers < 1 << 15 { (1 << 15) / numbers } else { 1 }
    };
    /// The least number of pixels of a row whose tap lies on the input.
    const LEAST: usize = {
        let (mut least, mut tap) = (G::OUTPUT[1], 0);
        while tap < Geometry::<G>::KW {
            let (from, to) = Self::ROW.windows(tap);
            if to - from < least && to > from {
                least = to - from;
            }
            tap += 1;
        }
        least
    };

    /// Whether this takes less time than sums over lanes of output channels, which leave lanes idle where these are few
    /// and exchange them at the end.
    pub(super) const fn pays<T: Scalar, S: Simd>() -> bool {
        let (lanes, taps) = (lanes::<S, T>(), G::KERNEL[0] * Geometry::<G>::KW);
        let (inputs, outputs) = (Geometry::<G>::CG, Geometry::<G>::WIDTH);
        // In multiply-adds of registers, for a pixel and a tap.
        let (turned, summed) =
            (inputs.div_ceil(lanes) * (outputs + 2), inputs * outputs.div_ceil(lanes) + 4 * inputs / taps);
        // Of a larger image, each row of a tile would be a stream of its own from beyond the L2 cache.
        let is_small = Geometry::<G>::X_LEN + Geometry::<G>::Y_LEN < 1 << 18;
        let is_wide = Self::LEAST >= 4 && G::OUTPUT[0] * G::OUTPUT[1] >= 16;
        // Measured: with sixteen registers it loses as often as it gains, unless most lanes would be idle.
        let is_faster = turned < summed && (registers::<S, T>() > 16 || 2 * outputs <= lanes);
        !SCALAR && !Geometry::<G>::DEPTHWISE && is_faster && is_small && is_wide
    }
}

impl<G: Convolution> Extent for Panel<G> {
    /// The height of a tile with which the taps' rows need the fewest: they differ by the pixels at the border.
    const ROWS: usize = {
        let (mut best, mut least, mut height) = (1, usize::MAX, 1);
        while height <= Self::LEAST && height <= 12 {
            let (mut cost, mut tap) = (0, 0);
            while tap < Geometry::<G>::KW {
                let (from, to) = Self::ROW.windows(tap);
                // A tile takes about as long as two more rows to begin and to end.
                cost += (to - from).div_ceil(height) * (height + 2);
                tap += 1;
            }
            if cost <= least {
                (best, least) = (height, cost);
            }
            height += 1;
        }
        best
    };
    const COLUMNS: usize = panel(Geometry::<G>::CG);
}

/// `∂x` of a batch: for every tap and row, `∂x[pixels under the tap] += ∂y[row] · W[tap]ᵀ`.
#[inline(always)]
pub(super) fn input_gradient<T: Scalar, S: Simd, G: Convolution>(
    simd: S,
    grad_y: &[T],
    weight: &[T],
    grad_x: &mut [T],
) {
    let mut turned = [T::ZERO; PART];
    grad_x.fill(T::ZERO);
    let rows = grad_y.len() / (G::OUTPUT[1] * Geometry::<G>::OC);
    for first in (0..rows).step_by(Panel::<G>::BLOCK) {
        let block = first..rows.min(first + Panel::<G>::BLOCK);
        for tap in 0..G::KERNEL[0] * Geometry::<G>::KW {
            for group in 0..Geometry::<G>::GROUPS {
                add_tap::<T, S, G>(
                    simd,
                    block.clone(),
                    (tap / Geometry::<G>::KW, tap % Geometry::<G>::KW),
                    group,
                    [grad_y, weight],
                    grad_x,
                    &mut turned,
                );
            }
        }
    }
}

/// The part of one tap in rows of the output, counted over all samples.
#[inline(always)]
fn add_tap<T: Scalar, S: Simd, G: Convolution>(
    simd: S,
    rows: core::ops::Range<usize>,
    (tap_row, tap): (usize, usize),
    group: usize,
    [grad_y, weight]: [&[T]; 2],
    grad_x: &mut [T],
    turned: &mut [T; PART],
) {
    let (row, width) = (const { Geometry::<G>::axis(0) }, const { <Panel<G> as Extent>::COLUMNS });
    let ((top, bottom), (left, right)) = (row.windows(tap_row), Panel::<G>::ROW.windows(tap));
    let mut next = 0;
    while next < Geometry::<G>::CG {
        // The last panel may overlap the one before; it then adds only what is missing.
        let skip = next - next.min(Geometry::<G>::CG - width);
        let channel = next - skip;
        for output in (0..Geometry::<G>::WIDTH).step_by(Panel::<G>::DEPTH) {
            let depth = Panel::<G>::DEPTH.min(Geometry::<G>::WIDTH - output);
            let output = group * Geometry::<G>::WIDTH + output;
            let part = Geometry::<G>::weight(tap_row, tap) + channel * Geometry::<G>::OC + output;
            let part = weight.get(part..).unwrap_or(&[]);
            transpose(simd, [width, depth], (part, Geometry::<G>::OC), (turned, width));
            for part in turned.chunks_exact_mut(width).take(if skip > 0 { depth } else { 0 }) {
                part.iter_mut().take(skip).for_each(|weight| *weight = T::ZERO);
            }
            for row_of_all in rows.clone() {
                let (sample, y_row) = (row_of_all / G::OUTPUT[0], row_of_all % G::OUTPUT[0]);
                if y_row < top || y_row >= bottom || left >= right {
                    continue;
                }
                let x_row = sample * G::INPUT[0] + row.position(y_row, tap_row);
                let x = (x_row * G::INPUT[1] + Panel::<G>::ROW.position(left, tap)) * Geometry::<G>::C;
                let y = (row_of_all * G::OUTPUT[1] + left) * Geometry::<G>::OC + output;
                let a = Strided { numbers: grad_y.get(y..).unwrap_or(&[]), row: Geometry::<G>::OC, step: 1 };
                let x = x + group * Geometry::<G>::CG + channel;
                let to = (grad_x.get_mut(x..).unwrap_or(&mut []), G::STRIDE[1] * Geometry::<G>::C);
                product::<T, S, Panel<G>, true>(simd, [right - left, depth], a, (turned.as_slice(), width), to);
            }
        }
        next = channel + width;
    }
}
