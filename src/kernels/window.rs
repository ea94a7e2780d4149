//! How windows slide over rows and columns: the geometry that convolutions and pools share.

use crate::shapes;

/// The sizes of an image and of the windows that slide over it, rows before columns; a sequence is an image of one row.
#[derive(Clone, Copy, Debug)]
pub struct Windows {
    pub(crate) input: [usize; 2],
    pub(crate) output: [usize; 2],
    pub(crate) channels: usize,
    pub(crate) kernel: [usize; 2],
    pub(crate) stride: [usize; 2],
    /// The padding above and to the left.
    pub(crate) before: [usize; 2],
    pub(crate) dilation: [usize; 2],
    /// Whether window `i` reaches from `⌊i · input / output⌋` to `⌈(i + 1) · input / output⌉`, without the sizes above.
    pub(crate) adaptive: bool,
}

/// Rows and columns of a shape, channels last.
pub(crate) const fn spatial(shape: &[usize]) -> [usize; 2] {
    match *shape {
        [_] => [1, 1],
        [length, _] => [1, length],
        [height, width, _] => [height, width],
        _ => panic!("windows slide over [length, channels] or [height, width, channels]"),
    }
}

impl Windows {
    /// The windows that map a tensor of one shape to one of another.
    pub const fn new(
        input: &[usize],
        output: &[usize],
        kernel: [usize; 2],
        stride: [usize; 2],
        before: [usize; 2],
        dilation: [usize; 2],
    ) -> Self {
        let channels = input[input.len() - 1];
        Self {
            input: spatial(input),
            output: spatial(output),
            channels,
            kernel,
            stride,
            before,
            dilation,
            adaptive: false,
        }
    }

    /// Returns the windows if every window has a tap inside the input and no position overflows.
    ///
    /// # Panics
    /// If a size is 0, if a window lies entirely in the padding, or if the output is larger than [`shapes::window`]
    /// allows. Meant for constants, where this is a compile error.
    pub const fn checked(self) -> Self {
        let Self { input, output, channels, kernel, stride, before, dilation, adaptive } = self;
        assert!(shapes::product(&[input[0], input[1], channels]).is_ok(), "pool: the input is too large");
        assert!(shapes::product(&[output[0], output[1], channels]).is_ok(), "pool: the output is too large");
        assert!(channels > 0, "pool: no channels");
        let mut axis = 0;
        while axis < 2 {
            assert!(input[axis] > 0 && output[axis] > 0, "pool: a size is 0");
            if adaptive {
                axis += 1;
                continue;
            }
            let Ok(extent) = shapes::extent(kernel[axis], dilation[axis]) else {
                panic!("pool: the kernel and its dilation must be at least 1")
            };
            let Some(last) = (output[axis] - 1).checked_mul(stride[axis]) else {
                panic!("pool: the output is too large")
            };
            let (Some(end), Some(known)) = (last.checked_add(extent), input[axis].checked_add(before[axis])) else {
                panic!("pool: the window is too large")
            };
            // The padding after the input is whatever the last window needs.
            match shapes::window(
                input[axis],
                kernel[axis],
                stride[axis],
                dilation[axis],
                before[axis] + end.saturating_sub(known),
            ) {
                Ok(count) => assert!(output[axis] <= count, "pool: more windows than the input has room for"),
                Err(_) => panic!("pool: the window does not fit the input"),
            }
            let mut at = 0;
            while at < output[axis] {
                let (from, to) = self.axis(axis).taps(at);
                assert!(from < to, "pool: a window lies in the padding alone");
                at += 1;
            }
            axis += 1;
        }
        self
    }

    /// The rows, axis 0, or the columns, axis 1.
    #[inline(always)]
    pub(crate) const fn axis(&self, axis: usize) -> Axis {
        Axis {
            input: self.input[axis],
            output: self.output[axis],
            kernel: self.kernel[axis],
            stride: self.stride[axis],
            before: self.before[axis],
            dilation: self.dilation[axis],
        }
    }
}

/// How windows slide along one axis.
#[derive(Clone, Copy)]
pub(crate) struct Axis {
    pub(crate) input: usize,
    pub(crate) output: usize,
    pub(crate) kernel: usize,
    pub(crate) stride: usize,
    pub(crate) before: usize,
    pub(crate) dilation: usize,
}

impl Axis {
    /// Which tap positions `start ..` (already a multiple of the step) lie on an input that begins at `before`: a
    /// half-open range that ends at `most` at the latest.
    pub(crate) const fn clip(self, start: usize, step: usize, most: usize) -> (usize, usize) {
        let from = self.before.saturating_sub(start).div_ceil(step);
        let to = (self.input + self.before).saturating_sub(start).div_ceil(step);
        let to = if to < most { to } else { most };
        (if from < to { from } else { to }, to)
    }

    /// The taps of a window that lie on the input.
    #[inline(always)]
    pub(crate) const fn taps(self, window: usize) -> (usize, usize) {
        self.clip(window * self.stride, self.dilation, self.kernel)
    }

    /// The windows whose `tap` lies on the input.
    pub(crate) const fn windows(self, tap: usize) -> (usize, usize) {
        self.clip(tap * self.dilation, self.stride, self.output)
    }

    /// The windows whose taps all lie on the input.
    pub(crate) const fn inside(self) -> (usize, usize) {
        let (from, to) = (self.windows(0).0, self.windows(self.kernel - 1).1);
        (if from < to { from } else { to }, to)
    }

    /// Where on the input a tap of a window lies, if it does.
    pub(crate) const fn position(self, window: usize, tap: usize) -> usize {
        window * self.stride + tap * self.dilation - self.before
    }

    /// A range of taps that contains all those that read a position of the input.
    pub(crate) const fn readers(self, position: usize) -> (usize, usize) {
        let at = position + self.before;
        let from = at.saturating_sub((self.output - 1) * self.stride).div_ceil(self.dilation);
        let to = at / self.dilation + 1;
        (from, if to < self.kernel { to } else { self.kernel })
    }

    /// The positions of the input that no border cuts off from a window: every tap reads them, or with a stride all
    /// taps that can. Empty if these are fewer than the stride.
    pub(crate) const fn read_by_all(self) -> (usize, usize) {
        let from = ((self.kernel - 1) * self.dilation).saturating_sub(self.before);
        let to = self.output.saturating_mul(self.stride).saturating_sub(self.before);
        let to = if to < self.input { to } else { self.input };
        (if to.saturating_sub(from) < self.stride { to } else { from }, to)
    }

    /// How far apart the taps are that read the same position, and how far apart their windows are: stride and dilation
    /// divided by their greatest common divisor.
    pub(crate) const fn turns(self) -> (usize, usize) {
        let (mut divisor, mut rest) = (self.stride, self.dilation);
        while rest > 0 {
            (divisor, rest) = (rest, divisor % rest);
        }
        (self.stride / divisor, self.dilation / divisor)
    }

    /// The window whose `tap`, one of the `readers`, reads a position of the input.
    #[inline(always)]
    pub(crate) const fn window(self, position: usize, tap: usize) -> Option<usize> {
        let start = position + self.before - tap * self.dilation;
        if start.is_multiple_of(self.stride) { Some(start / self.stride) } else { None }
    }
}
