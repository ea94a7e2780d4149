//! L-BFGS: Liu and Nocedal, *On the limited memory BFGS method for large scale optimization* (1989); Nocedal and Wright,
//! *Numerical Optimization* (2nd edition, 2006), Algorithms 7.4, 3.5 and 3.6.

use super::{Memory, Objective, Optimizer, OptimizerError, Part, for_each_stretch, learned, splat, update};
use crate::hyperparameters::{OutOfRange, Range, check};
use crate::kernels::reduce;
use crate::memory_parts;
use crate::parameters::{Parameters, Role};
use crate::plain::Plain;
use crate::scalar::Scalar;
use crate::simd::{Simd, Vector, outline};

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
/// [clipping](super::clip) have no effect. [State](Role::State) decreases by its gradient once, as in any step. Rounding
/// ends the descent in `f32` early: use `f64`.
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
    /// Meaningless between steps: where the step begins, its gradient, and its direction.
    start: N,
    gradient: N,
    direction: [N; 1],
}

impl<N: Parameters, const M: usize> Memory<N> for LbfgsMemory<N, M> {
    const PARTS: &'static [Part<Self, N>] =
        memory_parts! { s: networks, y: networks, pairs: counter, evaluations: counter };
}

/// `Σ a·b` over the learned parameters.
#[inline(always)]
fn dot<T: Scalar, N: Parameters<Scalar = T>, S: Simd>(simd: S, a: &N, b: &N) -> f64 {
    let mut sum = 0.0;
    for_each_stretch::<T, N>(
        #[inline(always)]
        |role, range| {
            if role == Role::Learned {
                let a = a.as_slice().get(range.clone()).unwrap_or_default();
                let b = b.as_slice().get(range).unwrap_or_default();
                let part = outline(
                    simd,
                    #[inline(always)]
                    move || reduce::dot(simd, a, b),
                );
                sum += part.to_f64();
            }
        },
    );
    sum
}

/// `to ← beta·to + alpha·from` for the learned parameters.
#[inline(always)]
fn combine<T: Scalar, N: Parameters<Scalar = T>, S: Simd>(simd: S, alpha: f64, from: &N, beta: f64, to: &mut N) {
    let (alpha, beta) = (splat::<T, S>(simd, alpha), splat::<T, S>(simd, beta));
    learned(
        simd,
        to,
        from,
        #[inline(always)]
        move |to, from| from.mul_add(alpha, to * beta),
    );
}

/// A point of a line search: the length of the step, and the loss and its slope there.
#[derive(Clone, Copy)]
struct Point {
    length: f64,
    loss: f64,
    slope: f64,
}

impl Point {
    /// The minimum of the cubic through two points, if it is inside of the middle four fifths; otherwise the middle.
    fn between(self, other: Self) -> f64 {
        let (low, high) = (self.length.min(other.length), self.length.max(other.length));
        let margin = 0.1 * (high - low);
        match self.cubic(other) {
            Some(length) if length > low + margin && length < high - margin => length,
            _ => (low + high) / 2.0,
        }
    }

    /// The minimum of the cubic through two points: Nocedal and Wright, equation 3.59.
    fn cubic(self, other: Self) -> Option<f64> {
        let way = other.length - self.length;
        let d1 = self.slope + other.slope - 3.0 * (other.loss - self.loss) / way;
        let d2 = libm::copysign(libm::sqrt(d1 * d1 - self.slope * other.slope), way);
        let length = other.length - way * (other.slope + d2 - d1) / (other.slope - self.slope + 2.0 * d2);
        length.is_finite().then_some(length)
    }
}

/// A search along a direction.
struct Search<'a, N: Parameters, J, S, const M: usize> {
    simd: S,
    settings: &'a Lbfgs<M>,
    parameters: &'a mut N,
    objective: &'a mut J,
    memory: &'a mut LbfgsMemory<N, M>,
    begin: Point,
    left: u32,
    shortest: f64,
}

impl<N: Parameters, J: Objective<N>, S: Simd, const M: usize> Search<'_, N, J, S, M> {
    /// Places the parameters a part of the way along the direction.
    #[inline(always)]
    fn place(&mut self, length: f64) {
        let LbfgsMemory { start, gradient, direction, .. } = &mut *self.memory;
        self.parameters.as_mut_slice().copy_from_slice(start.as_slice());
        let length = <N::Scalar as Scalar>::Vector::<S>::splat(self.simd, N::Scalar::from_f64(length));
        update(
            self.simd,
            N::Scalar::ONE,
            self.parameters,
            gradient,
            direction,
            #[inline(always)]
            move |p, _, [d]| (d.mul_add(length, p), [d]),
        );
    }

    /// The loss and the slope there; infinite where they cannot be computed.
    #[inline(always)]
    fn evaluate(&mut self, length: f64) -> Point {
        self.place(length);
        self.left = self.left.saturating_sub(1);
        self.shortest = self.shortest.min(length);
        self.memory.evaluations += 1;
        let loss = self.objective.gradient_at(self.parameters).to_f64();
        let [direction] = &self.memory.direction;
        let slope = dot(self.simd, self.objective.gradient(), direction);
        if loss.is_finite() && slope.is_finite() {
            Point { length, loss, slope }
        } else {
            Point { length, loss: f64::INFINITY, slope: f64::INFINITY }
        }
    }

    fn is_low(&self, point: Point) -> bool {
        let Point { loss, slope, .. } = self.begin;
        point.loss <= loss + self.settings.sufficient_decrease * point.length * slope
    }

    fn is_flat(&self, point: Point) -> bool {
        point.slope.abs() <= -self.settings.curvature * self.begin.slope
    }

    /// A point that fulfils the conditions, or the lowest one; the objective is then there.
    #[inline(always)]
    fn find(&mut self, first: f64) -> Option<Point> {
        let (mut before, mut length) = (self.begin, first);
        while self.left > 0 {
            let point = self.evaluate(length);
            if !self.is_low(point) || (before.length > 0.0 && point.loss >= before.loss) {
                return self.zoom(before, point);
            }
            if self.is_flat(point) {
                return Some(point);
            }
            if point.slope >= 0.0 {
                return self.zoom(point, before);
            }
            let far = before.cubic(point).filter(|_| point.slope > before.slope).unwrap_or(f64::INFINITY);
            length = far.clamp(point.length + 0.1 * (point.length - before.length), 10.0 * point.length);
            before = point;
        }
        self.lowest(before)
    }

    /// Between a low point and one beyond a minimum.
    #[inline(always)]
    fn zoom(&mut self, mut low: Point, mut high: Point) -> Option<Point> {
        while self.left > 0 {
            let point = self.evaluate(low.between(high));
            if !self.is_low(point) || point.loss >= low.loss {
                high = point;
            } else {
                if self.is_flat(point) {
                    return Some(point);
                }
                if point.slope * (high.length - low.length) >= 0.0 {
                    high = low;
                }
                low = point;
            }
            // As close as numbers can be.
            if (high.length - low.length).abs() <= 1e-15 * high.length.max(low.length) {
                break;
            }
        }
        self.lowest(low)
    }

    /// The lowest point that was found, if it is lower than the beginning.
    #[inline(always)]
    fn lowest(&mut self, low: Point) -> Option<Point> {
        if low.length <= 0.0 || low.loss >= self.begin.loss {
            return None;
        }
        Some(self.evaluate(low.length))
    }
}

impl<T: Scalar, const M: usize> Optimizer<T> for Lbfgs<M> {
    type Memory<N: Parameters<Scalar = T>> = LbfgsMemory<N, M>;

    fn check(&self, _rate: f64) -> Result<(), OutOfRange> {
        const { assert!(M > 0, "Lbfgs keeps at least one step") };
        check::<T>(
            "Lbfgs",
            &[
                ("sufficient_decrease", self.sufficient_decrease, Range::Between),
                ("curvature", self.curvature, Range::Between),
                ("curvature less sufficient_decrease", self.curvature - self.sufficient_decrease, Range::Positive),
                ("max_evaluations", self.max_evaluations.into(), Range::AtLeastOne),
            ],
        )
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
        update(
            simd,
            T::ONE,
            parameters,
            gradient,
            &mut memory.direction,
            #[inline(always)]
            |p, _, [d]| (p + d, [d]),
        );
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
        memory.start.as_mut_slice().copy_from_slice(parameters.as_slice());
        memory.gradient.as_mut_slice().copy_from_slice(objective.gradient().as_slice());
        let mut slope = direct(simd, memory);
        if slope.is_nan() || slope >= 0.0 {
            memory.pairs = 0;
            slope = direct(simd, memory);
        }
        let begin = Point { length: 0.0, loss: objective.loss().to_f64(), slope };
        // Without a memory, the first step has the length 1 at most.
        let first = if memory.pairs == 0 { (1.0 / libm::sqrt(squares)).min(1.0) } else { 1.0 };
        let mut search = Search {
            simd,
            settings: self,
            parameters,
            objective,
            memory,
            begin,
            left: self.max_evaluations,
            shortest: f64::INFINITY,
        };
        if squares == 0.0 {
            search.place(0.0);
            return Ok(());
        }
        let Some(point) = search.find(first) else {
            let (evaluations, shortest) = (self.max_evaluations - search.left, search.shortest);
            let LbfgsMemory { start, pairs, .. } = memory;
            parameters.as_mut_slice().copy_from_slice(start.as_slice());
            *pairs = 0;
            return Err(OptimizerError::NoDecrease { evaluations, shortest });
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
    let LbfgsMemory { s, y, pairs, gradient, direction: [direction], .. } = memory;
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
    let LbfgsMemory { s, y, pairs, gradient, direction: [direction], .. } = memory;
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
