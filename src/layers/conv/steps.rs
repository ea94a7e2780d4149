//! Causal convolutions step by step.

use core::marker::PhantomData;

use super::Conv;
use crate::activation::{Activation, Identity};
use crate::kernels::conv::{self, Convolution};
use crate::kernels::window::Windows;
use crate::layer::outline_layer;
use crate::layers::Window;
use crate::memory;
use crate::plain::Plain;
use crate::scalar::Scalar;
use crate::simd::Simd;
use crate::streaming::Streaming;
use crate::tensor::Tensor;
use crate::weight::Weight;

/// The inputs that a causal convolution still needs: a ring buffer in which the next input replaces the oldest.
#[derive(Clone, Debug, Plain)]
pub struct Delay<H> {
    steps: H,
    next: usize,
}

/// The convolution of one window, whose taps are contiguous.
struct OneWindow<L>(PhantomData<L>);

impl<L: Convolution> Convolution for OneWindow<L> {
    const WINDOWS: Windows =
        Windows { input: L::KERNEL, output: [1, 1], stride: [1, 1], before: [0, 0], dilation: [1, 1], ..L::WINDOWS };
    const GROUP_CHANNELS: usize = L::GROUP_CHANNELS;
    const OUTPUTS: usize = L::OUTPUTS;
}

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

    #[inline(always)]
    fn step<S: Simd>(&self, simd: S, state: &mut Self::State, input: &X::Item, output: &mut Y::Item) {
        self.step_then::<S, Identity>(simd, state, input, output);
    }

    #[inline(always)]
    fn step_then<S: Simd, A: Activation<T>>(
        &self,
        simd: S,
        state: &mut Self::State,
        input: &X::Item,
        output: &mut Y::Item,
    ) {
        outline_layer::<Self, 1, _, _>(
            simd,
            #[inline(always)]
            || {
                let mut taps = memory::zeroed::<P::Taps<X::Item>>();
                let (ring, delay, step) = (state.steps.numbers_mut(), const { Self::DELAY }, X::CHANNELS);
                // The oldest input is where the next one goes; the others follow it around the ring.
                let mut at = if state.next < delay { state.next } else { 0 };
                let next = at;
                for (tap, slot) in taps.numbers_mut().chunks_exact_mut(step).enumerate() {
                    if tap + 1 == P::KERNEL[1] {
                        slot.copy_from_slice(input.numbers());
                    } else if let Some(past) = ring.get(at * step..(at + 1) * step) {
                        slot.copy_from_slice(past);
                    }
                    at += P::DILATION[1];
                    at = if at >= delay { at - delay } else { at };
                }
                if let Some(oldest) = ring.get_mut(next * step..(next + 1) * step) {
                    oldest.copy_from_slice(input.numbers());
                    state.next = if next + 1 < delay { next + 1 } else { 0 };
                }
                let (weight, scale, bias) = (self.weight.packed(), self.weight.scale(), self.bias.numbers());
                let (x, y) = (taps.numbers(), output.numbers_mut());
                conv::forward::<T, W::Format, S, A, OneWindow<Self>, false>(simd, x, weight, scale, bias, y);
            },
        );
    }
}
