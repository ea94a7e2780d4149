//! K-FAC: Martens and Grosse, *Optimizing neural networks with Kronecker-factored approximate curvature* (2015); for
//! convolutions, Grosse and Martens (2016) and Eschenhagen et al., *Kronecker-factored approximate curvature for modern neural
//! network architectures* (2023).

mod factors;

#[cfg(all(feature = "nalgebra", feature = "alloc"))]
pub(crate) use factors::sizes;
use factors::{Layer, factor, for_each_layer, solve};

use super::vectors::{combine, dot, walk};
use super::{Matrix, Memory, Objective, Optimizer, OptimizerError, Part};
use crate::hyperparameters::{OutOfRange, Range, check};
use crate::memory_parts;
use crate::parameters::{Entry, Parameters};
use crate::plain::Plain;
use crate::scalar::Scalar;
use crate::simd::Simd;

/// Steps along `−A⁻¹·∇W·G⁻¹` for each layer with a `weight` and a `bias`: the inverse of its part of the Fisher matrix is
/// approximated by that of a Kronecker product `A ⊗ G`, of the input's second moments (with a 1 for the bias) and those of the
/// output's gradient.
///
/// Gradients are those for targets drawn from the model, as of [`Matrix::Fisher`]. `A` and `G` are averages of 0.95 over the
/// steps; they are damped as `A + π√λ` and `G + √λ/π` with `π = √((tr A/d_A)/(tr G/d_G))` and factored by Cholesky every 5
/// steps. Of a convolution the positions of a sample are taken together: its input is the mean of all windows, weighted by
/// how much the gradients there go along their sum ("reduce"). All other tensors use the diagonal of the Fisher matrix.
///
/// There is no learning rate: the step is `α·Δ + μ·δ`, of the direction `Δ` and the last step `δ`, with the `α` and `μ` that
/// minimize the quadratic model `g·s + ½ sᵀ(B + λ)s` with the Gauss–Newton matrix `B`, which takes two products. `λ` falls where
/// the model predicts the loss well, and grows where it does not. Steps that do not make the loss smaller are not taken, so
/// this is for all samples at once or for large batches.
///
/// `F` is the number of the factors' numbers, [`kfac_numbers`]. Train with [`SecondOrder`](crate::train::SecondOrder), which
/// takes the samples' gradients one by one, for networks without running statistics.
///
/// # Errors
/// No step that makes the loss smaller in `max_trials`, as at a minimum; a trainer without second derivatives. The network
/// is then unchanged.
///
/// ```
/// use monomorph::Dual;
/// use monomorph::prelude::*;
/// use monomorph::train::SecondOrder;
///
/// network! { Classes<T>: [2] -> [3] { Dense(8), Tanh, Dense(3) } }
/// type Real = Classes<f64>;
///
/// let x = [[0.0, 1.0], [1.0, 0.0], [-1.0, -1.0]];
/// let mut net = Real::zeroed();
/// net.initialize(Init::default(), &mut Noise::new(1));
/// let kfac = Kfac::<{ kfac_numbers(Real::ENTRIES) }>::default();
/// let mut trainer = SecondOrder::<Real, Classes<Dual<f64>>, _, 3>::new(kfac, CrossEntropy);
/// let mut loss = 1.0;
/// for _ in 0..20 {
///     loss = trainer.step(&mut net, &x, &[0_u8, 1, 2])?.loss;
/// }
/// assert!(loss < 0.1);
/// # Ok::<(), monomorph::train::TrainError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Kfac<const F: usize> {
    /// λ at the first step; above 0, by default 1e-2.
    pub damping: f64,
    /// What remains of the averages at each step; at least 0 and below 1, by default 0.95.
    pub decay: f64,
    /// After how many steps the factors are inverted again; at least 1, by default 5.
    pub interval: u32,
    /// The most trials of a step; at least 1, by default 20.
    pub max_trials: u32,
}

impl<const F: usize> Default for Kfac<F> {
    fn default() -> Self {
        Self { damping: 1e-2, decay: 0.95, interval: 5, max_trials: 20 }
    }
}

/// How many numbers the factors of a network have, given its table of contents.
pub const fn kfac_numbers(entries: &[Entry]) -> usize {
    let (mut sum, mut index) = (0, 0);
    if let Some((inputs, outputs)) = factors::sizes(entries) {
        sum += inputs * inputs + outputs * outputs;
    }
    while index < entries.len() {
        if let Entry::Layer(_, inner) = entries[index] {
            sum += kfac_numbers(inner);
        }
        index += 1;
    }
    sum
}

/// What [`Kfac`] keeps.
#[derive(Plain)]
pub struct KfacMemory<N: Parameters, const F: usize> {
    /// λ, or 0 before the first step.
    pub damping: N::Scalar,
    /// How often the loss was evaluated, in addition to the gradient that each step begins with.
    pub evaluations: u64,
    /// How many steps the averages have seen.
    seen: u64,
    /// A and G of each layer.
    averages: [N::Scalar; F],
    /// Of all other tensors.
    diagonal: N,
    /// The last step.
    last: N,
    /// The factors of Cholesky, of the damped averages.
    inverses: [N::Scalar; F],
    /// Meaningless between steps.
    start: N,
    gradient: N,
    direction: N,
    products: [N; 2],
    step: [N; 1],
}

impl<N: Parameters, const F: usize> Memory<N> for KfacMemory<N, F> {
    const PARTS: &'static [Part<Self, N>] = memory_parts! {
        damping: numbers,
        evaluations: counter,
        seen: counter,
        averages: numbers,
        inverses: numbers,
        diagonal: network,
        last: network,
    };
}

impl<const F: usize> Kfac<F> {
    /// Adds the second moments at the parameters to the averages.
    #[inline(always)]
    fn observe<T: Scalar, N: Parameters<Scalar = T>, S: Simd>(
        &self,
        simd: S,
        parameters: &N,
        objective: &mut impl Objective<N>,
        memory: &mut KfacMemory<N, F>,
    ) -> Result<(), OptimizerError> {
        // The mean of all that was seen, until that is less than the average of 0.95.
        memory.seen += 1;
        let kept = self.decay.min(1.0 - 1.0 / memory.seen as f64);
        let KfacMemory { averages, diagonal, direction, .. } = memory;
        averages.iter_mut().for_each(|x| *x = T::from_f64(kept) * *x);
        diagonal.as_mut_slice().iter_mut().for_each(|x| *x = T::from_f64(kept) * *x);
        objective.drawn(parameters, &mut |drawn: &N, samples| {
            let mut numbers = averages.as_mut_slice();
            for_each_layer(N::ENTRIES, 0, &mut |layer| match layer {
                Layer::Factored { range, inputs, outputs } => {
                    let (a, rest) = core::mem::take(&mut numbers).split_at_mut(inputs * inputs);
                    let (g, rest) = rest.split_at_mut(outputs * outputs);
                    numbers = rest;
                    let gradient = drawn.as_slice().get(range).unwrap_or_default();
                    let input = direction.as_mut_slice().get_mut(..inputs).unwrap_or_default();
                    factors::observe(simd, gradient, input, (a, g), (inputs, outputs), 1.0 - kept, samples as f64);
                }
                Layer::Other(range) => {
                    let to = diagonal.as_mut_slice().get_mut(range.clone()).unwrap_or_default();
                    for (to, x) in to.iter_mut().zip(drawn.as_slice().get(range).unwrap_or_default()) {
                        *to += T::from_f64(1.0 - kept) * *x * *x;
                    }
                }
            });
        })
    }

    /// Factors the damped averages.
    #[inline(always)]
    fn invert<T: Scalar, N: Parameters<Scalar = T>, S: Simd>(&self, simd: S, memory: &mut KfacMemory<N, F>) {
        let KfacMemory { averages, inverses, damping, .. } = memory;
        inverses.copy_from_slice(averages);
        let (mut numbers, root) = (inverses.as_mut_slice(), libm::sqrt(damping.to_f64()));
        for_each_layer(N::ENTRIES, 0, &mut |layer| {
            let Layer::Factored { inputs, outputs, .. } = layer else { return };
            let (a, rest) = core::mem::take(&mut numbers).split_at_mut(inputs * inputs);
            let (g, rest) = rest.split_at_mut(outputs * outputs);
            numbers = rest;
            let trace =
                |x: &[T], size: usize| x.iter().step_by(size + 1).map(|x| x.to_f64()).sum::<f64>() / size as f64;
            let ratio = libm::sqrt(trace(a, inputs) / trace(g, outputs));
            let pi = if ratio.is_finite() && ratio > 0.0 { ratio } else { 1.0 };
            factor(simd, a, inputs, pi * root);
            factor(simd, g, outputs, root / pi);
        });
    }

    /// Leaves `−A⁻¹·g·G⁻¹` in `direction`.
    #[inline(always)]
    fn direct<T: Scalar, N: Parameters<Scalar = T>, S: Simd>(&self, simd: S, memory: &mut KfacMemory<N, F>) {
        let KfacMemory { inverses, diagonal, gradient, direction, damping, .. } = memory;
        combine(simd, -1.0, gradient, 0.0, direction);
        let mut numbers = inverses.as_slice();
        for_each_layer(N::ENTRIES, 0, &mut |layer| match layer {
            Layer::Factored { range, inputs, outputs } => {
                let (a, rest) = numbers.split_at(inputs * inputs);
                let (g, rest) = rest.split_at(outputs * outputs);
                numbers = rest;
                let to = direction.as_mut_slice().get_mut(range).unwrap_or_default();
                solve(simd, to, (a, g), (inputs, outputs));
            }
            Layer::Other(range) => {
                let to = direction.as_mut_slice().get_mut(range.clone()).unwrap_or_default();
                for (to, x) in to.iter_mut().zip(diagonal.as_slice().get(range).unwrap_or_default()) {
                    *to /= *x + *damping;
                }
            }
        });
    }
}

impl<T: Scalar, const F: usize> Optimizer<T> for Kfac<F> {
    type Memory<N: Parameters<Scalar = T>> = KfacMemory<N, F>;

    fn check(&self, _rate: f64) -> Result<(), OutOfRange> {
        check::<T>(
            "Kfac",
            &[
                ("damping", self.damping, Range::Positive),
                ("decay", self.decay, Range::Decay),
                ("interval", self.interval.into(), Range::AtLeastOne),
                ("max_trials", self.max_trials.into(), Range::AtLeastOne),
            ],
        )
    }

    /// Takes the last step again.
    #[inline(always)]
    fn update<N: Parameters<Scalar = T>, S: Simd>(
        &self,
        simd: S,
        _step: u64,
        _rate: f64,
        _gradient_scale: T,
        parameters: &mut N,
        gradient: &N,
        memory: &mut KfacMemory<N, F>,
    ) {
        walk(simd, parameters, gradient, &mut memory.step);
    }

    #[inline(always)]
    fn step<N: Parameters<Scalar = T>, S: Simd>(
        &self,
        simd: S,
        number: u64,
        rate: f64,
        gradient_scale: T,
        parameters: &mut N,
        objective: &mut impl Objective<N>,
        memory: &mut KfacMemory<N, F>,
    ) -> Result<(), OptimizerError> {
        const { assert!(F == kfac_numbers(N::ENTRIES), "the number of `Kfac` is `kfac_numbers(Network::ENTRIES)`") };
        memory.start.as_mut_slice().copy_from_slice(parameters.as_slice());
        combine(simd, 1.0, objective.gradient(), 0.0, &mut memory.gradient);
        self.observe(simd, parameters, objective, memory)?;
        let is_first = memory.damping == T::ZERO;
        if is_first {
            memory.damping = T::from_f64(self.damping);
        }
        if is_first || (memory.seen - 1).is_multiple_of(self.interval.into()) {
            self.invert(simd, memory);
        }
        let loss = objective.loss().to_f64();
        let mut shortest = f64::INFINITY;
        for _ in 0..self.max_trials {
            self.direct(simd, memory);
            let lambda = memory.damping.to_f64();
            let KfacMemory {
                start, gradient, direction, last, products: [of_direction, of_last], step: [step], ..
            } = &mut *memory;
            objective.product(Matrix::GaussNewton, start, direction, of_direction)?;
            objective.product(Matrix::GaussNewton, start, last, of_last)?;
            combine(simd, lambda, direction, 1.0, of_direction);
            combine(simd, lambda, last, 1.0, of_last);
            let (dd, dl, ll) =
                (dot(simd, direction, of_direction), dot(simd, direction, of_last), dot(simd, last, of_last));
            let (gd, gl) = (dot(simd, gradient, direction), dot(simd, gradient, last));
            let determinant = dd * ll - dl * dl;
            let (alpha, mu) = if determinant > 1e-9 * dd * ll {
                ((dl * gl - ll * gd) / determinant, (dl * gd - dd * gl) / determinant)
            } else {
                (if dd > 0.0 { -gd / dd } else { 0.0 }, 0.0)
            };
            if !(alpha.is_finite() && mu.is_finite()) {
                return Err(OptimizerError::NotFinite);
            }
            combine(simd, alpha, direction, 0.0, step);
            combine(simd, mu, last, 1.0, step);
            let decrease = -0.5 * (alpha * gd + mu * gl);
            let length = libm::sqrt(dot(simd, step, step));
            shortest = shortest.min(length);
            self.update(simd, number, rate, gradient_scale, parameters, objective.gradient(), memory);
            if length == 0.0 {
                return Ok(());
            }
            memory.evaluations += 1;
            let ratio = (loss - objective.loss_at(parameters).to_f64()) / decrease;
            if ratio > 1e-4 {
                let factor = if ratio > 0.75 {
                    0.8
                } else if ratio < 0.25 {
                    1.25
                } else {
                    1.0
                };
                memory.damping = T::from_f64(lambda * factor);
                let KfacMemory { last, step: [step], .. } = memory;
                combine(simd, 1.0, step, 0.0, last);
                return Ok(());
            }
            memory.damping = T::from_f64(4.0 * lambda);
            memory.last.as_mut_slice().fill(T::ZERO);
            self.invert(simd, memory);
            parameters.as_mut_slice().copy_from_slice(memory.start.as_slice());
        }
        // The next step begins anew.
        memory.damping = T::ZERO;
        Err(OptimizerError::NoDecrease { evaluations: self.max_trials, shortest })
    }
}
