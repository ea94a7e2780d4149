//! DropConnect (Wan and others, 2013): dropout of weights instead of activations, inverted.
//!
//! | pass | computes with |
//! | --- | --- |
//! | training | `M ∘ W`, `M = 0` with probability `RATE`, else `1 / (1 − RATE)`, drawn for each weight |
//! | inference | `W`, the mean of `M ∘ W` |
//!
//! `∂L/∂W = M ∘ ∂L/∂(M ∘ W)`. Biases and whatever is not called `weight` stay. The weights are drawn once for a batch,
//! as for the recurrent weights of Merity and others (2018), and not for each sample as in the paper, which would
//! compute a product of its own for every sample.

use crate::layer::{Batch, GradientOf, Layer, Pass, Reads};
use crate::memory;
use crate::noise::Noise;
use crate::parameters::{Parameters, for_each_tensor};
use crate::plain::Plain;
use crate::scalar::Scalar;
use crate::simd::Simd;

/// A layer whose weights are dropped at random during training; `RATE` is the [`bits`](crate::scalar::bits) of the
/// probability, at least 0 and below 1.
///
/// In training it holds two more copies of the layer, in evaluation one, which only `sample` uses.
///
/// ```
/// use monomorph::prelude::*;
///
/// network! { pub Net: [4] -> [2] { DropConnect(8, 0.5), Relu, Dense(2) } }
/// let mut net = Net::zeroed();
/// net.connect1.layer.weight = [[1.0; 8]; 4];
/// net.dense1.weight = [[1.0; 2]; 8];
/// assert_eq!(net.evaluate(&[1.0; 4]), [32.0; 2]);
/// assert!(net.sample(&[1.0; 4], &mut Noise::new(1)) != [32.0; 2]);
/// ```
#[derive(Clone, Debug, PartialEq, Parameters)]
#[repr(C)]
pub struct DropConnect<L: Layer, const RATE: u64> {
    /// The layer with all its weights.
    pub layer: L,
}

/// What a batch needs until its backward pass.
#[derive(Plain)]
pub struct Saved<L: Layer, const B: usize> {
    /// The state of the noise that the weights were dropped with.
    noise: Noise,
    /// The layer that computed the batch.
    masked: L,
    /// Its gradient.
    gradient: L,
    inner: L::Saved<B>,
}

impl<L: Layer, const RATE: u64> DropConnect<L, RATE> {
    /// The probability of dropping a weight.
    pub const RATE: f64 = {
        let rate = f64::from_bits(RATE);
        assert!(rate >= 0.0 && rate < 1.0, "DropConnect: the rate is at least 0 and below 1");
        rate
    };

    /// Calls `f` with the index of every number and its factor.
    fn factors(noise: &mut Noise, mut f: impl FnMut(core::ops::Range<usize>, &mut dyn FnMut() -> L::Scalar)) {
        let scale = L::Scalar::from_f64(1.0 / (1.0 - Self::RATE));
        for_each_tensor(L::ENTRIES, &mut |_, tensor, range| {
            if tensor.name == "weight" {
                f(range, &mut || if noise.uniform() < Self::RATE { L::Scalar::ZERO } else { scale });
            } else {
                f(range, &mut || L::Scalar::ONE);
            }
        });
    }

    /// Copies the layer and drops weights of the copy.
    fn mask(&self, masked: &mut L, noise: &mut Noise) {
        let from = self.layer.as_slice();
        let to = masked.as_mut_slice();
        Self::factors(noise, |range, factor| {
            let numbers = from.get(range.clone()).unwrap_or_default().iter();
            for (from, to) in numbers.zip(to.get_mut(range).unwrap_or_default()) {
                *to = *from * factor();
            }
        });
    }
}

impl<L: Layer + Send, const RATE: u64> Layer for DropConnect<L, RATE> {
    type Input = L::Input;
    type Output = L::Output;
    type Saved<const B: usize> = Saved<L, B>;
    type Workspace<const B: usize> = (L::Workspace<B>, L);
    const MACS: usize = L::MACS;
    const BACKWARD_READS: Reads = L::BACKWARD_READS;

    #[inline(always)]
    fn evaluate<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: Batch<'_, L::Input, B>,
        output: &mut [L::Output; B],
        workspace: &mut (L::Workspace<B>, L),
    ) {
        self.layer.evaluate(simd, input, output, &mut workspace.0);
    }

    #[inline(always)]
    fn sample<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: Batch<'_, L::Input, B>,
        output: &mut [L::Output; B],
        (workspace, masked): &mut (L::Workspace<B>, L),
        noise: &mut Noise,
    ) {
        self.mask(masked, noise);
        masked.sample(simd, input, output, workspace, noise);
    }

    #[inline(always)]
    fn forward<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: Batch<'_, L::Input, B>,
        output: &mut [L::Output; B],
        saved: &mut Saved<L, B>,
        pass: &mut Pass<L::Scalar>,
    ) {
        saved.noise = pass.noise;
        self.mask(&mut saved.masked, &mut pass.noise);
        saved.masked.forward(simd, input, output, &mut saved.inner, pass);
    }

    #[inline(always)]
    fn backward<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: Batch<'_, L::Input, B>,
        output: &[L::Output; B],
        saved: &mut Saved<L, B>,
        grad_output: &mut [L::Output; B],
        grad_input: GradientOf<'_, L::Input, B>,
        gradient: &mut Self,
        pass: &Pass<L::Scalar>,
    ) {
        let Saved { noise, masked, gradient: inner, inner: kept } = saved;
        memory::clear(inner);
        masked.backward(simd, input, output, kept, grad_output, grad_input, inner, pass);
        let mut noise = *noise;
        let (from, to) = (inner.as_slice(), gradient.layer.as_mut_slice());
        Self::factors(&mut noise, |range, factor| {
            let numbers = from.get(range.clone()).unwrap_or_default().iter();
            for (from, to) in numbers.zip(to.get_mut(range).unwrap_or_default()) {
                *to += *from * factor();
            }
        });
    }
}

#[cfg(all(test, feature = "safetensors", feature = "std"))]
mod tests {
    use super::*;
    use crate::layers::Dense;
    use crate::memory::boxed;
    use crate::scalar::bits;
    use crate::testing::golden::random;
    use crate::testing::{check_gradients, passes};

    type Dropped<const I: usize, const O: usize, const RATE: u64> =
        DropConnect<Dense<[f64; I], [[f64; O]; I], [f64; O]>, RATE>;

    fn filled<const I: usize, const O: usize, const RATE: u64>() -> std::boxed::Box<Dropped<I, O, RATE>> {
        let mut layer: std::boxed::Box<Dropped<I, O, RATE>> = boxed();
        let mut noise = Noise::new(2);
        layer.as_mut_slice().fill_with(|| noise.uniform() - 0.5);
        layer
    }

    #[test]
    fn finite_differences_and_all_levels_agree() {
        fn every<const I: usize, const O: usize, const B: usize>() {
            let mut layer = filled::<I, O, { bits(0.4) }>();
            check_gradients(&mut *layer, &random::<[f64; I], B>(4), 1e-7).unwrap();
            passes(&*layer, &*random::<[f64; I], B>(4), &random::<[f64; O], B>(5)).unwrap();
        }
        every::<1, 1, 1>();
        every::<3, 17, 2>();
        every::<33, 3, 3>();
    }

    #[test]
    fn drops_weights_at_the_rate_and_no_bias() {
        let layer = filled::<100, 90, { bits(0.25) }>();
        let mut masked = boxed();
        layer.mask(&mut masked, &mut Noise::new(5));
        assert_eq!(masked.bias, layer.layer.bias);
        let pairs = || layer.layer.weight.as_flattened().iter().zip(masked.weight.as_flattened());
        let dropped = pairs().filter(|(_, to)| **to == 0.0).count() as f64;
        assert!((dropped / 9000.0 - 0.25).abs() < 0.02, "{dropped} of 9000");
        assert!(pairs().all(|(from, to)| *to == 0.0 || (to - from / 0.75).abs() < 1e-12));
    }
}
