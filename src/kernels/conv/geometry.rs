//! The sizes of a convolution, and values derived from them.

use core::marker::PhantomData;

use crate::kernels::window::{Axis, Windows};
use crate::shapes;
use crate::simd::SCALAR;

/// The sizes of a convolution.
pub(crate) trait Convolution: 'static {
    const WINDOWS: Windows;
    /// Input channels of a group: every output channel sees those of one group.
    const GROUP_CHANNELS: usize;
    /// Output channels.
    const OUTPUTS: usize;

    const INPUT: [usize; 2] = Self::WINDOWS.input;
    const OUTPUT: [usize; 2] = Self::WINDOWS.output;
    const KERNEL: [usize; 2] = Self::WINDOWS.kernel;
    const STRIDE: [usize; 2] = Self::WINDOWS.stride;
    /// The padding before the input.
    const BEFORE: [usize; 2] = Self::WINDOWS.before;
    const DILATION: [usize; 2] = Self::WINDOWS.dilation;
    /// Input channels.
    const CHANNELS: usize = Self::WINDOWS.channels;
}

/// Values derived from the sizes.
pub(crate) struct Geometry<G>(PhantomData<G>);

impl<G: Convolution> Geometry<G> {
    /// Fails to compile for sizes that do not fit together.
    pub(crate) const VALID: () = {
        let mut axis = 0;
        while axis < 2 {
            assert!(G::STRIDE[axis] > 0, "convolution: the stride is 0");
            assert!(G::INPUT[axis] > 0 && G::OUTPUT[axis] > 0, "convolution: a size is 0");
            assert!(shapes::extent(G::KERNEL[axis], G::DILATION[axis]).is_ok(), "convolution: kernel or dilation is 0");
            // The padding after the input is whatever the last window needs, which may lie in the padding alone.
            let last = (G::OUTPUT[axis] - 1).checked_mul(G::STRIDE[axis]);
            assert!(last.is_some(), "convolution: the output is too large");
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

    /// Multiply-accumulate operations of one sample, including those on padding.
    pub(crate) const MACS: usize =
        G::OUTPUT[0] * G::OUTPUT[1] * G::OUTPUTS * G::KERNEL[0] * G::KERNEL[1] * G::GROUP_CHANNELS;

    pub(super) const C: usize = G::CHANNELS;
    pub(super) const CG: usize = G::GROUP_CHANNELS;
    pub(super) const OC: usize = G::OUTPUTS;
    pub(super) const KW: usize = G::KERNEL[1];
    /// Whether every channel is its own group. All of them are processed together, as if they were one group.
    pub(super) const DEPTHWISE: bool = Self::CG == 1 && Self::C == Self::OC && Self::C > 1;
    pub(super) const GROUPS: usize = if Self::DEPTHWISE { 1 } else { Self::C / Self::CG };
    /// Output channels of a group.
    pub(super) const WIDTH: usize = Self::OC / Self::GROUPS;
    /// Whether the numbers under a row of the kernel are contiguous.
    pub(super) const ADJACENT: bool = Self::CG == Self::C && G::DILATION[1] == 1;
    /// How far apart, in numbers, neighboring taps and pixels are in the input.
    pub(super) const TAP: usize = G::DILATION[1] * Self::C;
    pub(super) const PIXEL: usize = G::STRIDE[1] * Self::C;
    /// A product of the pixels with one matrix, so the image can be treated as a single row.
    pub(super) const POINTWISE: bool = G::KERNEL[0] * G::KERNEL[1] == 1
        && G::STRIDE[0] * G::STRIDE[1] == 1
        && G::BEFORE[0] + G::BEFORE[1] == 0
        && G::INPUT[0] == G::OUTPUT[0]
        && G::INPUT[1] == G::OUTPUT[1];

    pub(super) const ROWS: Axis =
        if Self::POINTWISE { Axis { input: 1, output: 1, ..Self::axis(0) } } else { Self::axis(0) };
    pub(super) const COLUMNS: Axis = if Self::POINTWISE {
        Axis { input: G::INPUT[0] * G::INPUT[1], output: G::INPUT[0] * G::INPUT[1], ..Self::axis(1) }
    } else {
        Self::axis(1)
    };
    /// The columns of the output whose windows lie on the input.
    pub(super) const INSIDE: (usize, usize) = Self::COLUMNS.inside();
    /// The rows of the output whose windows lie on the input, if there are several.
    pub(super) const INSIDE_ROWS: (usize, usize) = {
        let (from, to) = Self::ROWS.inside();
        (if to - from > 1 { from } else { to }, to)
    };
    /// The columns of the input that no border cuts off from a window.
    pub(super) const READ_BY_ALL: (usize, usize) = Self::COLUMNS.read_by_all();

    /// Whether the registers of a row should hold pixels instead of output channels, so that fewer lanes are idle. At
    /// the end the channels must be interleaved, which takes as long as about six taps. If pixels are `pooled`, those
    /// of a pair must be in one register.
    pub(super) const fn pixels_in_lanes(lanes: usize, pooled: bool) -> bool {
        let (from, to) = Self::INSIDE;
        let pairs = from.is_multiple_of(2) && to.is_multiple_of(2) && to - from >= lanes && lanes > 1;
        let (pixels, taps) = (Self::INSIDE.1 - Self::INSIDE.0, G::KERNEL[0] * Self::KW);
        let (across, along) = (Self::OC * pixels.div_ceil(lanes), pixels * Self::OC.div_ceil(lanes));
        !SCALAR && Self::C == 1 && G::STRIDE[1] == 1 && (!pooled || pairs) && across * (taps + 6) <= along * taps
    }

    /// The length of a sample of the output, or of the maxima of 2 × 2 pixels.
    pub(super) const fn kept(pooled: bool) -> usize {
        if pooled { G::OUTPUT[0] / 2 * (G::OUTPUT[1] / 2) * Self::OC } else { Self::Y_LEN }
    }

    pub(super) const X_LEN: usize = G::INPUT[0] * G::INPUT[1] * Self::C;
    pub(super) const Y_LEN: usize = G::OUTPUT[0] * G::OUTPUT[1] * Self::OC;
    pub(super) const WEIGHT_LEN: usize = G::KERNEL[0] * Self::KW * Self::CG * Self::OC;

    pub(super) const fn axis(axis: usize) -> Axis {
        G::WINDOWS.axis(axis)
    }

    /// The offset of a pixel in a sample of the input.
    #[inline(always)]
    pub(super) const fn x(row: usize, column: usize) -> usize {
        (row * Self::COLUMNS.input + column) * Self::C
    }

    /// The offset of a pixel in a sample of the output.
    #[inline(always)]
    pub(super) const fn y(row: usize, column: usize) -> usize {
        (row * Self::COLUMNS.output + column) * Self::OC
    }

    /// The offset of a pixel in a sample of the maxima of 2 × 2 pixels.
    #[inline(always)]
    pub(super) const fn maximum(row: usize, column: usize) -> usize {
        (row * (Self::COLUMNS.output / 2) + column) * Self::OC
    }

    /// The offset of a tap in the weight.
    #[inline(always)]
    pub(super) const fn weight(row: usize, column: usize) -> usize {
        (row * Self::KW + column) * Self::CG * Self::OC
    }

    /// Checks that the slices are a batch, its parameters and its result; all lengths are compile-time constants.
    /// Returns the number of samples.
    #[inline(always)]
    pub(super) fn samples(x: usize, weight: usize, bias: usize, y: usize) -> usize {
        Self::samples_kept(x, weight, bias, y, Self::Y_LEN)
    }

    /// [`samples`](Self::samples) with this length of the output.
    #[inline(always)]
    pub(super) fn samples_kept(x: usize, weight: usize, bias: usize, y: usize, kept: usize) -> usize {
        let () = Self::VALID;
        let samples = x / Self::X_LEN;
        assert!(x == samples * Self::X_LEN && y == samples * kept, "convolution: batches differ in length");
        assert!(weight == Self::WEIGHT_LEN, "convolution: the weight has another length");
        assert!(bias == 0 || bias == Self::OC, "convolution: the bias has another length");
        samples
    }
}
