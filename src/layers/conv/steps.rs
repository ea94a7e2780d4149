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

/// The convolution of `N` steps, of which the inputs were gathered: what the first tap reads at all steps, then the next.
struct Gathered<L, const N: usize>(PhantomData<L>);

impl<L: Convolution, const N: usize> Convolution for Gathered<L, N> {
    const WINDOWS: Windows = Windows {
        input: [1, N * L::KERNEL[1]],
        output: [1, N],
        stride: [1, 1],
        before: [0, 0],
        dilation: [1, N],
        ..L::WINDOWS
    };
    const GROUP_CHANNELS: usize = L::GROUP_CHANNELS;
    const OUTPUTS: usize = L::OUTPUTS;
}

/// Copies as many numbers as both have.
#[inline(always)]
fn copy<T: Copy>(to: &mut [T], from: &[T]) {
    let len = to.len().min(from.len());
    to[..len].copy_from_slice(&from[..len]);
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

    /// The next `N` steps: gathers what each tap reads, and then convolves.
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
        for (tap, slot) in batch_slice_mut(&mut taps).chunks_exact_mut(const { N * X::CHANNELS }).enumerate() {
            // How far the tap reaches back: to inputs before this block, and then to the block.
            let back = delay - tap * P::DILATION[1];
            let (past, present) = slot.split_at_mut(back.min(N) * width);
            let oldest = next + delay - back;
            let oldest = if oldest >= delay { oldest - delay } else { oldest };
            let (first, second) = past.split_at_mut((delay - oldest).min(back.min(N)) * width);
            copy(first, ring.get(oldest * width..).unwrap_or_default());
            copy(second, ring);
            copy(present, input);
        }
        let kept = N.min(delay);
        let (first, second) =
            input.get((N - kept) * width..).unwrap_or_default().split_at((delay - next).min(kept) * width);
        copy(ring.get_mut(next * width..).unwrap_or_default(), first);
        copy(ring, second);
        state.next = if next + kept >= delay { next + kept - delay } else { next + kept };
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
