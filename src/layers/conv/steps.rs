//! Causal convolutions step by step.

use core::array;
use core::marker::PhantomData;

use super::Conv;
use crate::activation::Activation;
use crate::kernels::conv::{self, Convolution};
use crate::kernels::window::Windows;
use crate::layers::Window;
use crate::memory;
use crate::plain::Plain;
use crate::scalar::Scalar;
use crate::simd::Simd;
use crate::streaming::{Streaming, as_steps_then, outline_steps};
use crate::tensor::{Tensor, batch_slice, batch_slice_mut};
use crate::weight::Weight;

/// The inputs that a causal convolution still needs: a ring buffer in which the next input replaces the oldest.
#[derive(Clone, Debug, Plain)]
pub struct Delay<H> {
    steps: H,
    next: usize,
}

/// The convolution of the windows of `N` steps, whose taps were gathered: window after window.
struct Gathered<L, const N: usize>(PhantomData<L>);

impl<L: Convolution, const N: usize> Convolution for Gathered<L, N> {
    const WINDOWS: Windows = Windows {
        input: [1, N * L::KERNEL[1]],
        output: [1, N],
        stride: L::KERNEL,
        before: [0, 0],
        dilation: [1, 1],
        ..L::WINDOWS
    };
    const GROUP_CHANNELS: usize = L::GROUP_CHANNELS;
    const OUTPUTS: usize = L::OUTPUTS;
}

/// How many steps of a block are computed at a time.
const BLOCK: usize = 16;

impl<T: Scalar, X, W, Y, P, Bias> Conv<X, W, Y, P, Bias>
where
    X: Tensor<Element = T>,
    W: Weight<Scalar = T>,
    Y: Tensor<Element = T>,
    P: Window,
    Bias: Tensor<Element = T>,
{
    /// How many steps the delay holds.
    const DELAY: usize = {
        let [kernel, stride, before, dilation] = [P::KERNEL, P::STRIDE, P::BEFORE, P::DILATION];
        let is_sequence = X::SHAPE.len() == 2 && X::SHAPE[0] == Y::SHAPE[0];
        assert!(
            is_sequence && stride[1] == 1 && before[1] == dilation[1] * (kernel[1] - 1),
            "a convolution runs step by step if it is causal and has stride 1: `padding = causal`"
        );
        before[1]
    };

    /// The next `N` steps: gathers the taps of each window, and then convolves.
    #[inline(always)]
    fn block<S: Simd, A: Activation<T>, const N: usize>(
        &self,
        simd: S,
        state: &mut Delay<P::History<X::Item>>,
        input: &[X::Item; N],
        output: &mut [Y::Item; N],
    ) {
        let mut taps = memory::zeroed::<[P::Taps<X::Item>; N]>();
        let (delay, width) = (const { Self::DELAY }, X::CHANNELS);
        let (input, ring) = (batch_slice(input), state.steps.numbers_mut());
        // The oldest input is where the next one goes; the others follow it around the ring.
        let next = if state.next < delay { state.next } else { 0 };
        let mut windows = batch_slice_mut(&mut taps).chunks_exact_mut(const { P::KERNEL[1] * X::CHANNELS });
        for step in 0..N {
            let Some(window) = windows.next() else { break };
            for (tap, slot) in window.chunks_exact_mut(width).enumerate() {
                // How far the tap reaches back: to an input of this block, or to one before it.
                let back = delay - tap * P::DILATION[1];
                let (from, at) = match step.checked_sub(back) {
                    Some(at) => (input, at),
                    None if next + step >= back => (&*ring, next + step - back),
                    None => (&*ring, next + step + delay - back),
                };
                if let Some(from) = from.get(at * width..at * width + width) {
                    slot.copy_from_slice(from);
                }
            }
        }
        let mut at = next;
        for input in input.chunks_exact(width) {
            if let Some(oldest) = ring.get_mut(at * width..(at + 1) * width) {
                oldest.copy_from_slice(input);
                at = if at + 1 < delay { at + 1 } else { 0 };
            }
        }
        state.next = at;
        self.convolve::<S, A, N>(simd, batch_slice(&taps), output);
    }

    /// The convolution of the windows of `N` steps.
    #[inline(always)]
    fn convolve<S: Simd, A: Activation<T>, const N: usize>(&self, simd: S, taps: &[T], output: &mut [Y::Item; N]) {
        let (weight, scale, bias) = (self.weight.packed(), self.weight.scale(), self.bias.numbers());
        let y = batch_slice_mut(output);
        conv::forward::<T, W::Format, S, A, Gathered<Self, N>, false>(simd, taps, weight, scale, bias, y);
    }
}

impl<T: Scalar, X, W, Y, P, Bias> Streaming for Conv<X, W, Y, P, Bias>
where
    X: Tensor<Element = T>,
    W: Weight<Scalar = T>,
    Y: Tensor<Element = T>,
    P: Window,
    Bias: Tensor<Element = T>,
{
    type State = Delay<P::History<X::Item>>;
    type StepInput = X::Item;
    type StepOutput = Y::Item;
    const RECEPTIVE_FIELD: Option<usize> = Some(Self::DELAY + 1);

    as_steps_then!();

    #[inline(always)]
    fn steps_then<S: Simd, A: Activation<T>, const N: usize>(
        &self,
        simd: S,
        state: &mut Self::State,
        input: &[X::Item; N],
        output: &mut [Y::Item; N],
    ) {
        outline_steps::<Self, N, _, _>(
            simd,
            #[inline(always)]
            || {
                if const { Self::DELAY == 0 } {
                    return self.convolve::<S, A, N>(simd, batch_slice(input), output);
                }
                let ((blocks, steps), (results, outputs)) = (input.as_chunks::<BLOCK>(), output.as_chunks_mut());
                if const { N >= BLOCK } {
                    for (input, output) in blocks.iter().zip(results) {
                        self.block::<S, A, BLOCK>(simd, state, input, output);
                    }
                }
                for (input, output) in steps.iter().zip(outputs) {
                    self.block::<S, A, 1>(simd, state, array::from_ref(input), array::from_mut(output));
                }
            },
        );
    }
}
