//! L-BFGS: Liu and Nocedal, *On the limited memory BFGS method for large scale optimization* (1989); Nocedal and Wright,
//! *Numerical Optimization* (2nd edition, 2006), Algorithms 7.4, 3.5 and 3.6.

use super::line_search::{Line, Search, Wolfe};
use super::vectors::{combine, dot, walk};
use super::{Memory, Objective, Optimizer, OptimizerError, Part};
use crate::hyperparameters::OutOfRange;
use crate::memory_parts;
use crate::parameters::Parameters;
use crate::plain::Plain;
use crate::scalar::Scalar;
use crate::simd::Simd;

/// Steps along `−H·g`, where `H` approximates the inverse of the Hessian from the last `M` steps `s` and changes of the
/// gradient `y`, by the two-loop recursion from `H₀ = sᵀy/yᵀy`.
///
/// The length `α` of a step fulfils the strong conditions of Wolfe: `f(θ + α·d) ≤ f(θ) + c₁·α·g·d` and
/// `|∇f(θ + α·d)·d| ≤ c₂·|g·d|`. It is searched from 1 on, by cubic interpolation. A pair without curvature
/// (`sᵀy ≤ ε·‖s‖·‖y‖`) is left out; where `−H·g` does not lead downward, the memory is emptied and the step goes along
/// `−g`.
///
/// It is for all samples at once, or batches so large that their noise is small; with small batches
/// [`Adam`](super::Adam) is the better choice. There is no learning rate. A [`Schedule`](super::Schedule) and
/// [clipping](super::clip) have no effect. [State](crate::parameters::Role::State) decreases by its gradient once, as in
/// any step. Rounding ends the descent in `f32` early: use `f64`.
///
/// # Errors
/// A search that finds no decrease in `max_evaluations`: the network is then unchanged. That happens at a minimum, where
/// rounding hides what is left.
///
/// ```
/// use monomorph::optim::Lbfgs;
/// use monomorph::prelude::*;
///
/// network! { Curve<T>: [1] -> [1] { Dense(8), Tanh, Dense(1) } }
/// let x: [_; 20] = std::array::from_fn(|n| [n as f64 / 10.0 - 1.0]);
/// let y = x.map(|[x]| [(3.0 * x).sin()]);
/// let mut net = Box::new(Curve::<f64>::zeroed());
/// net.initialize(Init::default(), &mut Noise::new(1));
/// let mut trainer = Trainer::<Curve<f64>, _, 20>::new(Lbfgs::<10>::default(), Mse);
/// let mut loss = 1.0;
/// for _ in 0..300 {
///     loss = trainer.step(&mut net, &x, &y)?.loss;
/// }
/// assert!(loss < 1e-5);
/// # Ok::<(), monomorph::train::TrainError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Lbfgs<const M: usize = 10> {
    /// c₁, the fraction of the promised decrease that is sufficient; above 0 and below 1, by default 1e-4.
    pub sufficient_decrease: f64,
    /// c₂, how steep a step may end, relative to its beginning; above c₁ and below 1, by default 0.9.
    pub curvature: f64,
    /// How often a search may evaluate the loss and its gradient, and once more where it was lowest if no step fulfils both
    /// conditions; at least 1, by default 25.
    pub max_evaluations: u32,
}

impl<const M: usize> Default for Lbfgs<M> {
    fn default() -> Self {
        Self { sufficient_decrease: 1e-4, curvature: 0.9, max_evaluations: 25 }
    }
}

impl<const M: usize> Lbfgs<M> {
    fn wolfe(&self) -> Wolfe {
        let Self { sufficient_decrease, curvature, max_evaluations } = *self;
        Wolfe { sufficient_decrease, curvature, max_evaluations }
    }
}

/// What [`Lbfgs`] keeps.
#[derive(Plain)]
pub struct LbfgsMemory<N: Parameters, const M: usize> {
    /// The last steps and changes of the gradient, in a ring.
    s: [N; M],
    y: [N; M],
    /// How many pairs were kept since the memory was emptied.
    pub pairs: u64,
    /// How often the loss and its gradient were evaluated, in addition to the gradient that each step begins with.
    pub evaluations: u64,
    /// Meaningless between steps.
    line: Line<N>,
}

impl<N: Parameters, const M: usize> Memory<N> for LbfgsMemory<N, M> {
    const PARTS: &'static [Part<Self, N>] =
        memory_parts! { s: networks, y: networks, pairs: counter, evaluations: counter };
}

impl<T: Scalar, const M: usize> Optimizer<T> for Lbfgs<M> {
    type Memory<N: Parameters<Scalar = T>> = LbfgsMemory<N, M>;

    fn check(&self, _rate: f64) -> Result<(), OutOfRange> {
        const { assert!(M > 0, "Lbfgs keeps at least one step") };
        self.wolfe().check::<T>("Lbfgs")
    }

    /// Moves along the last direction, without a search.
    #[inline(always)]
    fn update<N: Parameters<Scalar = T>, S: Simd>(
        &self,
        simd: S,
        _step: u64,
        _rate: f64,
        _gradient_scale: T,
        parameters: &mut N,
        gradient: &N,
        memory: &mut LbfgsMemory<N, M>,
    ) {
        walk(simd, parameters, gradient, &mut memory.line.direction);
    }

    #[inline(always)]
    fn step<N: Parameters<Scalar = T>, S: Simd>(
        &self,
        simd: S,
        _step: u64,
        _rate: f64,
        _gradient_scale: T,
        parameters: &mut N,
        objective: &mut impl Objective<N>,
        memory: &mut LbfgsMemory<N, M>,
    ) -> Result<(), OptimizerError> {
        let squares = dot(simd, objective.gradient(), objective.gradient());
        if !squares.is_finite() {
            return Err(OptimizerError::NotFinite);
        }
        memory.line.start.as_mut_slice().copy_from_slice(parameters.as_slice());
        memory.line.gradient.as_mut_slice().copy_from_slice(objective.gradient().as_slice());
        let mut slope = direct(simd, memory);
        if slope.is_nan() || slope >= 0.0 {
            memory.pairs = 0;
            slope = direct(simd, memory);
        }
        // Without a memory, the first step has the length 1 at most.
        let first = if memory.pairs == 0 { (1.0 / libm::sqrt(squares)).min(1.0) } else { 1.0 };
        let LbfgsMemory { line, pairs, evaluations, .. } = memory;
        let mut search = Search::new(simd, self.wolfe(), parameters, objective, line, evaluations, slope);
        if squares == 0.0 {
            search.place(0.0);
            return Ok(());
        }
        let Some(point) = search.find(first) else {
            *pairs = 0;
            return Err(search.give_up());
        };
        keep(simd, memory, objective.gradient(), point.length);
        Ok(())
    }
}

/// Computes the direction `−H·g`; gives its slope.
#[inline(always)]
fn direct<T: Scalar, N: Parameters<Scalar = T>, S: Simd, const M: usize>(
    simd: S,
    memory: &mut LbfgsMemory<N, M>,
) -> f64 {
    let LbfgsMemory { s, y, pairs, line: Line { gradient, direction: [direction], .. }, .. } = memory;
    let count = (*pairs).min(M as u64);
    combine(simd, -1.0, gradient, 0.0, direction);
    // Of each pair: its factor, and sᵀy.
    let mut factors = [[0.0; 2]; M];
    // From the newest to the oldest, and back.
    let places = || (*pairs - count..*pairs).map(|pair| (pair % M as u64) as usize);
    let mut scale = None;
    for place in places().rev() {
        let (Some(s), Some(y), Some(factor)) = (s.get(place), y.get(place), factors.get_mut(place)) else { continue };
        let along = dot(simd, s, y);
        scale.get_or_insert(along / dot(simd, y, y));
        *factor = [dot(simd, s, direction) / along, along];
        combine(simd, -factor[0], y, 1.0, direction);
    }
    if let Some(scale) = scale {
        combine(simd, 0.0, gradient, scale, direction);
    }
    for place in places() {
        let (Some(s), Some(y), Some([factor, along])) = (s.get(place), y.get(place), factors.get(place)) else {
            continue;
        };
        let other = dot(simd, y, direction) / along;
        combine(simd, factor - other, s, 1.0, direction);
    }
    dot(simd, gradient, direction)
}

/// Keeps a step of this length and the change of the gradient, if there is curvature between them.
#[inline(always)]
fn keep<T: Scalar, N: Parameters<Scalar = T>, S: Simd, const M: usize>(
    simd: S,
    memory: &mut LbfgsMemory<N, M>,
    after: &N,
    length: f64,
) {
    let LbfgsMemory { s, y, pairs, line: Line { gradient, direction: [direction], .. }, .. } = memory;
    let place = (*pairs % M as u64) as usize;
    // The change takes the place of the gradient before, until it is known whether it is kept.
    combine(simd, 1.0, after, -1.0, gradient);
    let along = length * dot(simd, gradient, direction);
    let sizes = length * libm::sqrt(dot(simd, gradient, gradient) * dot(simd, direction, direction));
    if along > f64::EPSILON * sizes
        && let (Some(s), Some(y)) = (s.get_mut(place), y.get_mut(place))
    {
        combine(simd, length, direction, 0.0, s);
        combine(simd, 1.0, gradient, 0.0, y);
        *pairs += 1;
    }
}

#[cfg(all(test, feature = "std"))]
mod tests;
