//! Learning rates by layer, and layers that are frozen.

use super::{Memory, Objective, Optimizer, OptimizerError, Part, splat};
use crate::hyperparameters::{OutOfRange, Range, check};
use crate::kernels::elementwise::zip;
use crate::memory_parts;
use crate::parameters::{Parameters, Path, Role, for_each_tensor, matches_any};
use crate::plain::Plain;
use crate::scalar::Scalar;
use crate::simd::{Simd, Vector, outline};

/// Any optimizer, whose learning rate is multiplied by a factor of its own in the layers that patterns name; 0 freezes
/// them.
///
/// The first pattern that means a tensor counts ([`Path::matches`]); what none means moves as ever. Moments and running
/// statistics are not affected, so a frozen layer can be released later. It takes the memory of one more network, and a
/// copy per step; a frozen layer saves no time.
///
/// ```
/// use monomorph::prelude::*;
/// network! { Net: [2] -> [1] { stem: Dense(3), Tanh, Dense(3), Tanh, Dense(1) } }
///
/// let rates = layer_rates!(Net, { "stem": 0.0, "*.bias": 2.0 }); // checked during compilation
/// let optimizer = PerLayer { optimizer: Sgd::default(), rates };
/// let mut trainer = Trainer::<Net, _, 1>::new(optimizer, Mse);
/// let mut net = Net::zeroed();
/// net.initialize(Init::default(), &mut Noise::new(1));
/// let before = net.stem.weight;
/// trainer.step(&mut net, &[[1.0, 2.0]], &[[1.0]])?;
/// assert_eq!(net.stem.weight, before);
/// # Ok::<(), monomorph::train::TrainError>(())
/// ```
///
/// # Errors
/// A pattern that means nothing, if it was not checked by [`layer_rates!`](crate::layer_rates).
///
/// ```compile_fail
/// # use monomorph::prelude::*;
/// network! { Net: [2] -> [1] { stem: Dense(3), Tanh, Dense(1) } }
/// let rates = layer_rates!(Net, { "conv*": 0.1 }); // no layer or tensor of this network is called `conv*`
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct PerLayer<O> {
    /// How parameters move.
    pub optimizer: O,
    /// Patterns, and the factors of the learning rate.
    pub rates: &'static [(&'static str, f64)],
}

/// The `rates` of a [`PerLayer`] optimizer: `layer_rates!(Net, { "pattern": factor, .. })`. A pattern that means nothing
/// in the network does not compile.
#[macro_export]
macro_rules! layer_rates {
    ($network:ty, { $($pattern:literal: $factor:expr),* $(,)? }) => {{
        const __RATES: &[(&str, f64)] = &[$(($pattern, $factor)),*];
        const _: () =
            $crate::parameters::assert_matches(<$network as $crate::parameters::Parameters>::ENTRIES, __RATES);
        __RATES
    }};
}

/// What [`PerLayer`] keeps.
#[derive(Plain)]
pub struct PerLayerMemory<N: Parameters, O: Optimizer<N::Scalar>> {
    /// What the optimizer within keeps.
    pub inner: O::Memory<N>,
    /// The parameters before the step; meaningless between steps.
    before: N,
}

impl<N: Parameters, O: Optimizer<N::Scalar>> Memory<N> for PerLayerMemory<N, O> {
    const PARTS: &'static [Part<Self, N>] = memory_parts! { inner: inner(N, O) };
}

impl<O> PerLayer<O> {
    fn factor(&self, path: &Path<'_>) -> f64 {
        self.rates.iter().find(|(pattern, _)| path.matches(pattern)).map_or(1.0, |(_, factor)| *factor)
    }

    /// Leaves of each tensor's step what its factor says. All steps are proportional to the learning rate.
    #[inline(always)]
    fn shorten<T: Scalar, N: Parameters<Scalar = T>, S: Simd>(&self, simd: S, parameters: &mut N, before: &N) {
        for_each_tensor(N::ENTRIES, &mut |path, tensor, range| {
            let factor = self.factor(&path);
            if tensor.role == Role::State || factor == 1.0 {
                return;
            }
            let before = before.as_slice().get(range.clone()).unwrap_or_default();
            let now = parameters.as_mut_slice().get_mut(range).unwrap_or_default();
            if factor == 0.0 {
                return now.copy_from_slice(before);
            }
            outline(
                simd,
                #[inline(always)]
                move || {
                    let share = splat::<T, S>(simd, factor);
                    zip(
                        simd,
                        now,
                        before,
                        #[inline(always)]
                        |now, before| share.mul_add(now - before, before),
                    );
                },
            );
        });
    }
}

impl<T: Scalar, O: Optimizer<T>> Optimizer<T> for PerLayer<O> {
    type Memory<N: Parameters<Scalar = T>> = PerLayerMemory<N, O>;

    fn check(&self, rate: f64) -> Result<(), OutOfRange> {
        self.optimizer.check(rate)?;
        self.rates.iter().try_for_each(|(_, factor)| check::<T>("PerLayer", &[("rates", *factor, Range::LearningRate)]))
    }

    #[inline(always)]
    fn update<N: Parameters<Scalar = T>, S: Simd>(
        &self,
        simd: S,
        step: u64,
        rate: f64,
        gradient_scale: T,
        parameters: &mut N,
        gradient: &N,
        memory: &mut PerLayerMemory<N, O>,
    ) {
        memory.before.as_mut_slice().copy_from_slice(parameters.as_slice());
        self.optimizer.update(simd, step, rate, gradient_scale, parameters, gradient, &mut memory.inner);
        self.shorten(simd, parameters, &memory.before);
    }

    #[inline(always)]
    fn step<N: Parameters<Scalar = T>, S: Simd>(
        &self,
        simd: S,
        step: u64,
        rate: f64,
        gradient_scale: T,
        parameters: &mut N,
        objective: &mut impl Objective<N>,
        memory: &mut PerLayerMemory<N, O>,
    ) -> Result<(), OptimizerError> {
        if let Some(&(pattern, _)) = self.rates.iter().find(|(pattern, _)| !matches_any(N::ENTRIES, pattern)) {
            return Err(OptimizerError::NoSuchLayer { pattern });
        }
        memory.before.as_mut_slice().copy_from_slice(parameters.as_slice());
        self.optimizer.step(simd, step, rate, gradient_scale, parameters, objective, &mut memory.inner)?;
        self.shorten(simd, parameters, &memory.before);
        Ok(())
    }

    fn averaged<N: Parameters<Scalar = T>>(&self, parameters: &N, memory: &PerLayerMemory<N, O>, out: &mut N) {
        self.optimizer.averaged(parameters, &memory.inner, out);
    }
}

#[cfg(all(test, feature = "safetensors", feature = "std"))]
mod tests {
    use super::*;
    use crate::memory::zeroed;
    use crate::optim::{AdamW, testing};
    use crate::testing::golden::assert_close;
    use std::string::ToString;

    #[derive(Parameters)]
    #[repr(C)]
    struct Two {
        slow: [f64; 3],
        frozen: [f64; 2],
        rest: [f64; 1],
        #[parameters(state)]
        running: [f64; 1],
    }

    #[test]
    fn a_factor_is_a_learning_rate() {
        let adam = AdamW { learning_rate: 0.1, weight_decay: 0.5, ..AdamW::default() };
        let optimizer = PerLayer { optimizer: adam, rates: layer_rates!(Two, { "slow": 0.25, "f*": 0.0 }) };
        let slow = AdamW { learning_rate: 0.025, ..adam };
        let start = || Two { slow: [1.0, -2.0, 3.0], frozen: [4.0, 5.0], rest: [6.0], running: [1.0] };
        let (mut net, mut memory) = (start(), zeroed());
        let (mut fast, mut fast_memory, mut slower, mut slow_memory) = (start(), zeroed(), start(), zeroed());
        for step in 1..6 {
            let g = step as f64;
            let gradient = Two { slow: [g, 1.0, -g], frozen: [1.0; 2], rest: [g], running: [0.125] };
            optimizer.apply(step, &mut net, &gradient, &mut memory);
            adam.apply(step, &mut fast, &gradient, &mut fast_memory);
            slow.apply(step, &mut slower, &gradient, &mut slow_memory);
        }
        assert_eq!((net.frozen, net.rest, net.running), ([4.0, 5.0], fast.rest, fast.running));
        assert_close("slow", &net.slow, &slower.slow, 1e-12);
    }

    #[test]
    fn without_rates_it_is_the_optimizer() {
        let adam = AdamW { learning_rate: 0.01, weight_decay: 0.1, ..AdamW::default() };
        testing::optimizer("optim_adamw", &PerLayer { optimizer: adam, rates: &[] });
    }

    #[test]
    fn a_pattern_that_means_nothing() {
        let error = OptimizerError::NoSuchLayer { pattern: "conv*" }.to_string();
        assert!(error.starts_with("no layer or tensor of this network is called `conv*`"), "{error}");
        assert!(matches_any(Two::ENTRIES, "*o*") && !matches_any(Two::ENTRIES, "conv*"));
        let wrong = PerLayer { optimizer: AdamW::default(), rates: &[("slow", -1.0)] };
        assert_eq!(Optimizer::<f64>::check(&wrong, 1.0).unwrap_err().name, "rates");
    }
}
