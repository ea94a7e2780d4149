//! Penalties and constraints around any optimizer.

use super::{Objective, Optimizer, OptimizerError, Rule};
use crate::hyperparameters::OutOfRange;
use crate::kernels::elementwise::scale;
use crate::parameters::{Parameters, for_each_tensor};
use crate::scalar::{Real, Scalar};
use crate::simd::{Simd, Task, dispatch, level, outline};

/// An optimizer with penalties and constraints on the weights, each for the tensors that its pattern names.
///
/// The gradient of the penalties joins that of the loss behind clipping, as PyTorch's `weight_decay` does; constraints
/// are applied in their order when the optimizer has taken its step. An optimizer that evaluates the loss several
/// times, such as [`GradientDescent`](super::GradientDescent), sees the penalties in each. The loss that a step reports
/// is that of the data alone; [`penalty`](Self::penalty) is the rest. It keeps nothing, so checkpoints are those of the
/// optimizer.
///
/// ```
/// use monomorph::prelude::*;
///
/// network! { Line: [2] -> [1] { hidden: Dense(4), Tanh, Dense(1) } }
///
/// let mut net = Line::zeroed();
/// net.initialize(Init::default(), &mut Noise::new(1));
/// let optimizer = Regularized::new(
///     Sgd { learning_rate: 0.1, ..Sgd::default() },
///     [Penalty::L1(0.01).on("hidden.weight"), Penalty::MaxNorm(0.5).on("*.weight")],
/// );
/// let mut trainer = Trainer::<Line, _, 1>::new(optimizer, Mse);
/// for _ in 0..10 {
///     trainer.step(&mut net, &[[1.0, 0.0]], &[[3.0]])?;
/// }
/// let norm = net.dense1.weight.iter().map(|[w]| w * w).sum::<f32>().sqrt();
/// assert!(norm < 0.501);
///
/// let mut trainer = Trainer::<Line, _, 1>::new(Regularized::new(Sgd::default(), [Penalty::L2(0.1).on("conv*")]), Mse);
/// let error = trainer.step(&mut net, &[[1.0, 0.0]], &[[3.0]]).unwrap_err();
/// assert!(error.to_string().starts_with("`conv*` fits the name of no tensor"));
/// # Ok::<(), monomorph::train::TrainError>(())
/// ```
///
/// It takes steps with an objective, as trainers and [`minimize`](Optimizer::minimize) do. [`apply`](Optimizer::apply),
/// which cannot change the gradient, does not compile with it. A trainer's
/// [`gradient`](crate::train::Trainer::gradient) is then clipped and has the penalties in it; for tensors with a
/// `SpectralNorm` it is scratch memory.
///
/// ```compile_fail,E0080
/// use monomorph::prelude::*;
///
/// network! { Line: [1] -> [1] { Dense(1) } }
/// let (mut net, gradient) = (Line::zeroed(), Line::zeroed());
/// Regularized::new(Sgd::default(), [Penalty::L1(0.1).everywhere()]).apply(1, &mut net, &gradient, &mut []);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Regularized<O, const K: usize> {
    /// How parameters move.
    pub optimizer: O,
    /// What is asked of them besides a small loss.
    pub rules: [Rule; K],
}

impl<O, const K: usize> Regularized<O, K> {
    /// An optimizer with these rules.
    pub const fn new(optimizer: O, rules: [Rule; K]) -> Self {
        Self { optimizer, rules }
    }

    /// What the penalties add to the loss at these parameters.
    pub fn penalty<N: Parameters<Scalar: Real>>(&self, parameters: &N) -> N::Scalar {
        dispatch(level(), Value { rules: &self.rules, parameters })
    }
}

struct Value<'a, N, const K: usize> {
    rules: &'a [Rule; K],
    parameters: &'a N,
}

impl<N: Parameters<Scalar: Real>, const K: usize> Task for Value<'_, N, K> {
    type Output = N::Scalar;

    #[inline(always)]
    fn run<S: Simd>(&mut self, simd: S) -> N::Scalar {
        penalties(simd, self.rules, self.parameters, None)
    }
}

/// The sum of all penalties; adds their derivatives to the gradient if there is one.
#[inline(always)]
fn penalties<N: Parameters<Scalar: Real>, S: Simd, const K: usize>(
    simd: S,
    rules: &[Rule; K],
    parameters: &N,
    mut gradient: Option<&mut N>,
) -> N::Scalar {
    let mut sum = N::Scalar::ZERO;
    for_each_tensor(N::ENTRIES, &mut |path, tensor, range| {
        for Rule { penalty, pattern } in rules {
            if penalty.concerns(tensor) && path.matches(pattern) {
                let columns = tensor.shape.last().copied().unwrap_or(1);
                let w = parameters.as_slice().get(range.clone()).unwrap_or_default();
                let to = gradient.as_deref_mut().and_then(|to| to.as_mut_slice().get_mut(range.clone()));
                sum += penalty.add(simd, columns, w, to);
            }
        }
    });
    sum
}

/// An objective with penalties; its loss and its gradient are multiplied by `scale` before.
struct Penalized<'a, N: Parameters, S, J, const K: usize> {
    simd: S,
    rules: &'a [Rule; K],
    objective: &'a mut J,
    scale: N::Scalar,
    loss: N::Scalar,
}

impl<N: Parameters<Scalar: Real>, S: Simd, J: Objective<N>, const K: usize> Penalized<'_, N, S, J, K> {
    /// Completes the loss and the gradient that the objective has.
    #[inline(always)]
    fn complete(&mut self, parameters: &N) -> N::Scalar {
        let (simd, factor) = (self.simd, self.scale);
        let loss = self.objective.loss() * factor;
        let gradient = self.objective.gradient_mut();
        if factor != N::Scalar::ONE {
            super::for_each_stretch::<N::Scalar, N>(
                #[inline(always)]
                |role, range| {
                    if role == crate::parameters::Role::Learned {
                        let part = gradient.as_mut_slice().get_mut(range).unwrap_or_default();
                        outline(
                            simd,
                            #[inline(always)]
                            move || scale(simd, part, factor),
                        );
                    }
                },
            );
        }
        self.loss = loss + penalties(simd, self.rules, parameters, Some(gradient));
        self.loss
    }
}

impl<N: Parameters<Scalar: Real>, S: Simd, J: Objective<N>, const K: usize> Objective<N> for Penalized<'_, N, S, J, K> {
    #[inline(always)]
    fn loss(&self) -> N::Scalar {
        self.loss
    }

    #[inline(always)]
    fn gradient(&self) -> &N {
        self.objective.gradient()
    }

    #[inline(always)]
    fn gradient_mut(&mut self) -> &mut N {
        self.objective.gradient_mut()
    }

    #[inline(always)]
    fn loss_at(&mut self, parameters: &N) -> N::Scalar {
        self.objective.loss_at(parameters) * self.scale + penalties(self.simd, self.rules, parameters, None)
    }

    #[inline(always)]
    fn gradient_at(&mut self, parameters: &N) -> N::Scalar {
        if !self.objective.gradient_at(parameters).is_finite() {
            self.loss = N::Scalar::from_f64(f64::NAN);
            return self.loss;
        }
        self.complete(parameters)
    }
}

impl<T: Real, O: Optimizer<T>, const K: usize> Optimizer<T> for Regularized<O, K> {
    const MEMORY: &'static [&'static str] = O::MEMORY;
    type Memory<N: Parameters<Scalar = T>> = O::Memory<N>;

    fn check(&self, rate: f64) -> Result<(), OutOfRange> {
        self.rules.iter().try_for_each(|rule| rule.penalty.check::<T>())?;
        self.optimizer.check(rate)
    }

    fn update<N: Parameters<Scalar = T>, S: Simd>(
        &self,
        _: S,
        _: u64,
        _: f64,
        _: T,
        _: &mut N,
        _: &N,
        _: &mut O::Memory<N>,
    ) {
        const { panic!("`Regularized` changes the gradient: use a trainer or `minimize`, not `apply` or `update`") }
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
        memory: &mut O::Memory<N>,
    ) -> Result<(), OptimizerError> {
        let rules = &self.rules;
        let mut fits = [false; K];
        for_each_tensor(N::ENTRIES, &mut |path, tensor, _| {
            for (fits, rule) in fits.iter_mut().zip(rules) {
                *fits |= rule.penalty.concerns(tensor) && path.matches(rule.pattern);
            }
        });
        if let Some((_, Rule { pattern, .. })) = fits.iter().zip(rules).find(|(fits, _)| !**fits) {
            return Err(OptimizerError::NoSuchTensor { pattern });
        }
        let mut penalized = Penalized { simd, rules, objective, scale: gradient_scale, loss: T::ZERO };
        penalized.complete(parameters);
        self.optimizer.step(simd, step, rate, T::ONE, parameters, &mut penalized, memory)?;
        let scratch = penalized.gradient_mut();
        for_each_tensor(N::ENTRIES, &mut |path, tensor, range| {
            for Rule { penalty, pattern } in rules {
                if penalty.concerns(tensor) && path.matches(pattern) {
                    let columns = tensor.shape.last().copied().unwrap_or(1);
                    let w = parameters.as_mut_slice().get_mut(range.clone()).unwrap_or_default();
                    let scratch = scratch.as_mut_slice().get_mut(range.clone()).unwrap_or_default();
                    penalty.apply(simd, rate, columns, w, scratch);
                }
            }
        });
        Ok(())
    }
}

#[cfg(all(test, feature = "safetensors", feature = "std"))]
mod tests {
    use super::*;
    use crate::memory::zeroed;
    use crate::noise::Noise;
    use crate::optim::{Adam, GradientDescent, Penalty, Sgd};
    use crate::simd::levels;
    use crate::testing::golden::assert_close;

    #[derive(Parameters)]
    #[repr(C)]
    struct Net<const I: usize, const O: usize> {
        weight: [[f64; O]; I],
        bias: [f64; O],
    }

    /// Half the squared distance from ones, with its gradient.
    struct Parabola<const I: usize, const O: usize>(f64, Net<I, O>);

    impl<const I: usize, const O: usize> Objective<Net<I, O>> for Parabola<I, O> {
        fn loss(&self) -> f64 {
            self.0
        }
        fn gradient(&self) -> &Net<I, O> {
            &self.1
        }
        fn gradient_mut(&mut self) -> &mut Net<I, O> {
            &mut self.1
        }
        fn loss_at(&mut self, at: &Net<I, O>) -> f64 {
            at.as_slice().iter().map(|w| 0.5 * (w - 1.0) * (w - 1.0)).sum()
        }
        fn gradient_at(&mut self, at: &Net<I, O>) -> f64 {
            self.1.as_mut_slice().iter_mut().zip(at.as_slice()).for_each(|(g, w)| *g = w - 1.0);
            self.0 = self.loss_at(at);
            self.0
        }
    }

    fn random<const I: usize, const O: usize>(seed: u64) -> Net<I, O> {
        let (mut net, mut noise): (Net<I, O>, _) = (zeroed(), Noise::new(seed));
        net.as_mut_slice().fill_with(|| noise.uniform() * 2.0 - 1.0);
        net
    }

    struct At<'a, const I: usize, const O: usize>(&'a [Rule; 1], &'a Net<I, O>, &'a mut Net<I, O>);

    impl<const I: usize, const O: usize> Task for At<'_, I, O> {
        type Output = f64;
        #[inline(always)]
        fn run<S: Simd>(&mut self, simd: S) -> f64 {
            penalties(simd, self.0, self.1, Some(self.2))
        }
    }

    /// The derivatives of the penalties are those of their terms, at every level.
    #[test]
    fn gradients() {
        fn every<const I: usize, const O: usize>() {
            let all = [
                Penalty::L1(0.3),
                Penalty::L2(0.7),
                Penalty::ElasticNet { l1: 0.1, l2: 0.2 },
                Penalty::Orthogonal(0.4),
            ];
            for (penalty, pattern) in all.into_iter().flat_map(|penalty| [(penalty, "*"), (penalty, "weight")]) {
                let (rules, mut net) = ([penalty.on(pattern)], random::<I, O>(1));
                for level in levels() {
                    let mut gradient = random::<I, O>(2);
                    let before = random::<I, O>(2);
                    let value = dispatch(level, At(&rules, &net, &mut gradient));
                    let whole = Regularized::new((), rules);
                    assert_close("value", &[whole.penalty(&net)], &[value], 1e-13);
                    for index in (0..Net::<I, O>::COUNT).step_by(1 + I * O / 40) {
                        let here = net.as_slice()[index];
                        let mut at = |w: f64| {
                            net.as_mut_slice()[index] = w;
                            whole.penalty(&net)
                        };
                        let difference = (at(here + 1e-5) - at(here - 1e-5)) / 2e-5;
                        at(here);
                        let added = gradient.as_slice()[index] - before.as_slice()[index];
                        // Differences of large terms have fewer digits.
                        assert_close("derivative", &[added], &[difference], (1e-11 * value).max(1e-8));
                    }
                }
            }
        }
        every::<1, 1>();
        every::<3, 17>();
        every::<33, 3>();
        every::<2, 70>();
        every::<70, 66>();
    }

    fn step<O: Optimizer<f64>, const I: usize, const N: usize, const K: usize>(
        optimizer: O,
        rules: [Rule; K],
        net: &mut Net<I, N>,
    ) {
        let mut parabola = Parabola(0.0, zeroed());
        parabola.gradient_at(net);
        Regularized::new(optimizer, rules).minimize(1, net, &mut parabola, &mut zeroed()).expect("a step");
    }

    #[test]
    fn steps_by_hand() {
        let sgd = |weight_decay| Sgd { learning_rate: 0.1, weight_decay };
        let (mut net, mut plain) = (random::<3, 5>(3), random::<3, 5>(3));
        step(sgd(0.0), [Penalty::L2(0.5).everywhere()], &mut net);
        step(sgd(0.5), [], &mut plain);
        assert_close("L2 is weight decay", net.as_slice(), plain.as_slice(), 1e-14);

        let (mut net, mut plain) = (random::<3, 5>(3), random::<3, 5>(3));
        step(sgd(0.0), [Penalty::Shrink(0.2).on("weight"), Penalty::Decay(0.25).on("bias")], &mut net);
        step(sgd(0.0), [], &mut plain);
        let shrunk = plain.weight.as_flattened().iter().map(|w| w.signum() * (w.abs() - 0.2).max(0.0));
        assert_close("shrunk", net.weight.as_flattened(), &shrunk.collect::<std::vec::Vec<_>>(), 1e-14);
        assert_close("decayed", &net.bias, &plain.bias.map(|b| 0.75 * b), 1e-14);
        assert!(net.weight.as_flattened().contains(&0.0));
    }

    #[test]
    fn norms_are_bounded() {
        fn every<const I: usize, const O: usize>() {
            let (mut net, mut plain) = (random::<I, O>(3), random::<I, O>(3));
            step(Sgd::default(), [Penalty::MaxNorm(0.6).on("*")], &mut net);
            step(Sgd::default(), [], &mut plain);
            assert_eq!(net.bias, plain.bias, "no matrix");
            for o in 0..O {
                let norm = |net: &Net<I, O>| net.weight.iter().map(|row| row[o] * row[o]).sum::<f64>().sqrt();
                assert!((norm(&net) - norm(&plain).min(0.6)).abs() < 1e-12);
            }
            let mut net = random::<I, O>(3);
            step(Sgd::default(), [Penalty::SpectralNorm(0.5).on("weight")], &mut net);
            let matrix = nalgebra::DMatrix::from_row_slice(I, O, net.weight.as_flattened());
            let largest = matrix.singular_values()[0];
            assert!(largest < 0.5 * (1.0 + 1e-4), "{largest}");
            let free = nalgebra::DMatrix::from_row_slice(I, O, plain.weight.as_flattened()).singular_values()[0];
            assert!(largest > free.min(0.5) * (1.0 - 1e-9), "{largest}");
        }
        every::<1, 3>();
        every::<3, 1>();
        every::<17, 33>();
        every::<5, 70>();
    }

    /// A penalty of orthogonality alone makes a matrix orthogonal.
    #[test]
    fn columns_become_orthonormal() {
        let mut net = random::<9, 4>(5);
        let optimizer = Regularized::new(GradientDescent::default(), [Penalty::Orthogonal(1.0).on("weight")]);
        /// Nothing but the penalty.
        struct Nothing(Net<9, 4>);
        impl Objective<Net<9, 4>> for Nothing {
            fn loss(&self) -> f64 {
                0.0
            }
            fn gradient(&self) -> &Net<9, 4> {
                &self.0
            }
            fn gradient_mut(&mut self) -> &mut Net<9, 4> {
                &mut self.0
            }
            fn loss_at(&mut self, _: &Net<9, 4>) -> f64 {
                0.0
            }
            fn gradient_at(&mut self, _: &Net<9, 4>) -> f64 {
                self.0.as_mut_slice().fill(0.0);
                0.0
            }
        }
        let mut memory = zeroed();
        for index in 1..=60 {
            if optimizer.penalty(&net) < 1e-12 {
                break;
            }
            optimizer.minimize(index, &mut net, &mut Nothing(zeroed()), &mut memory).expect("a step");
        }
        assert!(optimizer.penalty(&net) < 1e-8, "{}", optimizer.penalty(&net));
    }

    #[test]
    fn refuses_what_fits_nothing_and_checks_ranges() {
        let adam = Adam::default();
        let rule = |penalty: Penalty| Regularized::new(adam, [penalty.on("bias")]);
        let mut net = random::<2, 2>(1);
        let result = rule(Penalty::MaxNorm(1.0)).minimize(1, &mut net, &mut Parabola(0.0, zeroed()), &mut zeroed());
        assert_eq!(result, Err(OptimizerError::NoSuchTensor { pattern: "bias" }));
        assert!(net.as_slice() == random::<2, 2>(1).as_slice());
        assert!(Optimizer::<f64>::check(&rule(Penalty::L1(-1.0)), 1.0).is_err());
        assert!(Optimizer::<f64>::check(&rule(Penalty::Decay(1.5)), 1.0).is_err());
        assert!(Optimizer::<f64>::check(&rule(Penalty::L2(1.5)), 1.0).is_ok());
    }
}
