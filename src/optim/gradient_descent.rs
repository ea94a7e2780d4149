//! Gradient descent with backtracking: Armijo, *Minimization of functions having Lipschitz continuous first partial
//! derivatives* (1966); Nocedal and Wright, *Numerical Optimization* (2nd edition, 2006), Algorithm 3.1. Beginning a
//! search near the last step is from Vaswani et al., *Painless stochastic gradient: interpolation, line-search, and
//! convergence rates* (2019).

use super::{Memory, Objective, Optimizer, OptimizerError, Part, clip, update};
use crate::hyperparameters::{OutOfRange, Range, check};
use crate::memory_parts;
use crate::parameters::Parameters;
use crate::plain::Plain;
use crate::scalar::Scalar;
use crate::simd::{Simd, Vector};

/// Gradient descent that determines the length of each step by backtracking line search.
///
/// A step `α` is tried and multiplied by `ρ` until the loss `f` of the batch has decreased by at least a fraction `c₁`
/// of what the gradient promises (Armijo's condition): `f(θ − α·g) ≤ f(θ) − c₁·α·g·g`, and has decreased at all in
/// floating point. Then `θ ← θ − α·g`. The first search begins with `initial_step`, every later one with `growth` times
/// the previous step, none with more than `max_step`. So no step increases the loss of its batch, and there is no
/// learning rate to choose.
///
/// A step takes a forward and a backward pass, and another forward pass for each `α` that is tried: usually one or two.
/// It is meant for batches that are large compared with the noise in them, ideally all samples at once; with small
/// batches [`Adam`](super::Adam) needs fewer passes. The batch's loss is the same function in all passes of a step,
/// including `Dropout`.
///
/// - A [`Schedule`](super::Schedule) multiplies `max_step`. It has no effect on steps below that bound.
/// - [Clipping](super::clip) shortens `g` before the search; `g·g` is then the product of the clipped and the original
///   gradient.
/// - [State](crate::parameters::Role::State) decreases by its gradient once, as in any step.
///
/// # Errors
/// A search that finds no step in
/// `max_evaluations`, which leaves the network bit for bit unchanged and is counted in
/// [`failures`](GradientDescentMemory::failures). That happens at a minimum, where the loss does not measurably
/// decrease any more: match on it to stop, or to continue with other samples.
///
/// ```
/// use monomorph::optim::OptimizerError;
/// use monomorph::prelude::*;
/// use monomorph::train::TrainError;
/// network! { Line: [1] -> [1] { Dense(1) } }
///
/// let (x, y) = ([[-1.0], [0.0], [1.0], [2.0]], [[-1.0], [1.0], [3.0], [5.0]]);
/// let mut net = Line::zeroed();
/// let mut trainer = Trainer::<Line, _, 4>::new(GradientDescent::default(), Mse);
/// let minimum = loop {
///     match trainer.step(&mut net, &x, &y) {
///         Ok(_) if trainer.steps() < 200 => {}
///         other => break other,
///     }
/// };
/// assert!(matches!(minimum, Ok(_) | Err(TrainError::Refused(OptimizerError::NoDecrease { .. }))));
/// assert!((net.evaluate(&[10.0])[0] - 21.0).abs() < 1e-2);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct GradientDescent {
    /// The first step of the first search; above 0, by default 1.
    pub initial_step: f64,
    /// The longest step that is tried; above 0, by default 10.
    pub max_step: f64,
    /// ρ, the factor that shortens a step that is too long; above 0 and below 1, by default ½.
    pub shrink: f64,
    /// The next search begins with the last step times this factor; at least 1, by default 2.
    pub growth: f64,
    /// c₁, the fraction of the promised decrease that is sufficient; above 0 and below 1, by default 1e-4.
    pub sufficient_decrease: f64,
    /// How many steps a search may try; at least 1, by default 40.
    pub max_evaluations: u32,
}

impl Default for GradientDescent {
    fn default() -> Self {
        Self {
            initial_step: 1.0,
            max_step: 10.0,
            shrink: 0.5,
            growth: 2.0,
            sufficient_decrease: 1e-4,
            max_evaluations: 40,
        }
    }
}

/// What [`GradientDescent`] keeps: read it with [`Trainer::moments`](crate::train::Trainer::moments).
#[derive(Plain)]
pub struct GradientDescentMemory<N: Parameters> {
    /// The last step taken, as a multiple of the gradient; 0 before the first.
    pub step: N::Scalar,
    /// How many steps were tried in all searches: evaluations of the loss in addition to that of the gradient.
    pub evaluations: u64,
    /// How many searches found no step.
    pub failures: u64,
    /// Where the search starts from; meaningless between steps.
    start: N,
}

impl<N: Parameters> Memory<N> for GradientDescentMemory<N> {
    const PARTS: &'static [Part<Self, N>] = memory_parts! { step: numbers, evaluations: counter, failures: counter };
}

/// `θ ← θ − length·g`, with state as in every step.
#[inline(always)]
fn descend<T: Scalar, N: Parameters<Scalar = T>, S: Simd>(
    simd: S,
    length: T,
    gradient_scale: T,
    parameters: &mut N,
    gradient: &N,
) {
    let down = T::Vector::<S>::splat(simd, -length);
    update(
        simd,
        gradient_scale,
        parameters,
        gradient,
        &mut [],
        #[inline(always)]
        move |p, g, []| (down.mul_add(g, p), []),
    );
}

impl<T: Scalar> Optimizer<T> for GradientDescent {
    type Memory<N: Parameters<Scalar = T>> = GradientDescentMemory<N>;

    fn check(&self, _rate: f64) -> Result<(), OutOfRange> {
        let Self { initial_step, max_step, shrink, growth, sufficient_decrease, max_evaluations } = *self;
        check::<T>(
            "GradientDescent",
            &[
                ("initial_step", initial_step, Range::Positive),
                ("max_step", max_step, Range::Positive),
                ("shrink", shrink, Range::Between),
                ("growth", growth, Range::AtLeastOne),
                ("sufficient_decrease", sufficient_decrease, Range::Between),
                ("max_evaluations", max_evaluations.into(), Range::AtLeastOne),
            ],
        )
    }

    /// Moves by the last step that a search found, without searching.
    #[inline(always)]
    fn update<N: Parameters<Scalar = T>, S: Simd>(
        &self,
        simd: S,
        _step: u64,
        _rate: f64,
        gradient_scale: T,
        parameters: &mut N,
        gradient: &N,
        memory: &mut GradientDescentMemory<N>,
    ) {
        descend(simd, memory.step, gradient_scale, parameters, gradient);
    }

    #[inline(always)]
    fn step<N: Parameters<Scalar = T>, S: Simd>(
        &self,
        simd: S,
        _step: u64,
        rate: f64,
        gradient_scale: T,
        parameters: &mut N,
        objective: &mut impl Objective<N>,
        memory: &mut GradientDescentMemory<N>,
    ) -> Result<(), OptimizerError> {
        let squares = clip::squares(simd, objective.gradient()).to_f64() * gradient_scale.to_f64();
        if !squares.is_finite() {
            return Err(OptimizerError::NotFinite);
        }
        let last = memory.step.to_f64();
        let begin = if last > 0.0 { last * self.growth } else { self.initial_step };
        let mut length = begin.min(self.max_step * rate);
        // Nowhere to go: the gradient is zero, or the schedule's rate is zero.
        if !(squares > 0.0 && length > 0.0) {
            descend(simd, T::ZERO, gradient_scale, parameters, objective.gradient());
            return Ok(());
        }
        let before = objective.loss().to_f64();
        memory.start.as_mut_slice().copy_from_slice(parameters.as_slice());
        let mut shortest = length;
        for _ in 0..self.max_evaluations {
            let step = T::from_f64(length);
            descend(simd, step, gradient_scale, parameters, objective.gradient());
            memory.evaluations += 1;
            let loss = objective.loss_at(parameters).to_f64();
            // Where rounding hides the promised decrease, some decrease is still required.
            if loss.is_finite() && loss < before && loss <= before - self.sufficient_decrease * length * squares {
                memory.step = step;
                return Ok(());
            }
            parameters.as_mut_slice().copy_from_slice(memory.start.as_slice());
            shortest = length;
            length *= self.shrink;
        }
        memory.failures += 1;
        Err(OptimizerError::NoDecrease { evaluations: self.max_evaluations, shortest })
    }
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use super::*;
    use crate::memory::zeroed;
    use crate::simd::{Task, dispatch, level, levels};
    use std::string::ToString;

    #[derive(Parameters)]
    #[repr(C)]
    struct Point<T: Scalar> {
        x: [T; 2],
        #[parameters(state)]
        running: [T; 1],
    }

    type Function = fn([f64; 2]) -> (f64, [f64; 2]);

    /// A function, and its value and gradient at some point.
    struct Landscape<T: Scalar>(Function, T, Point<T>);

    impl<T: Scalar> Landscape<T> {
        fn at(function: Function, point: &Point<T>) -> Self {
            let (value, gradient) = function(point.x.map(T::to_f64));
            let running = [T::from_f64(0.25)];
            Self(function, T::from_f64(value), Point { x: gradient.map(T::from_f64), running })
        }
    }

    impl<T: Scalar> Objective<Point<T>> for Landscape<T> {
        fn loss(&self) -> T {
            self.1
        }
        fn gradient(&self) -> &Point<T> {
            &self.2
        }
        fn gradient_mut(&mut self) -> &mut Point<T> {
            &mut self.2
        }
        fn loss_at(&mut self, at: &Point<T>) -> T {
            Self::at(self.0, at).1
        }
        fn gradient_at(&mut self, at: &Point<T>) -> T {
            *self = Self::at(self.0, at);
            self.1
        }
    }

    /// A search from some point.
    struct Search<T: Scalar> {
        function: Function,
        descent: GradientDescent,
        point: Point<T>,
        memory: GradientDescentMemory<Point<T>>,
        rate: f64,
        scale: f64,
    }

    impl<T: Scalar> Search<T> {
        fn new(descent: GradientDescent, function: Function, start: [f64; 2]) -> Self {
            let point = Point { x: start.map(T::from_f64), running: [T::ONE] };
            Self { function, descent, point, memory: zeroed(), rate: 1.0, scale: 1.0 }
        }
    }

    impl<T: Scalar> Task for &mut Search<T> {
        type Output = Result<(), OptimizerError>;
        #[inline(always)]
        fn run<S: Simd>(&mut self, simd: S) -> Self::Output {
            let Search { function, descent, point, memory, rate, scale } = &mut **self;
            let mut objective = Landscape::at(*function, point);
            descent.step(simd, 1, *rate, T::from_f64(*scale), point, &mut objective, memory)
        }
    }

    /// x² + 10·y².
    fn bowl([x, y]: [f64; 2]) -> (f64, [f64; 2]) {
        (x * x + 10.0 * y * y, [2.0 * x, 20.0 * y])
    }

    /// x².
    fn parabola([x, _]: [f64; 2]) -> (f64, [f64; 2]) {
        (x * x, [2.0 * x, 0.0])
    }

    /// Its gradient has the wrong sign.
    fn liar(at: [f64; 2]) -> (f64, [f64; 2]) {
        let (value, gradient) = bowl(at);
        (value, gradient.map(|g| -g))
    }

    /// Rosenbrock, *An automatic method for finding the greatest or least value of a function* (1960).
    fn valley([x, y]: [f64; 2]) -> (f64, [f64; 2]) {
        let (a, b) = (1.0 - x, y - x * x);
        (a * a + 100.0 * b * b, [-2.0 * a - 400.0 * x * b, 200.0 * b])
    }

    fn by_hand<T: Scalar>() {
        for level in levels() {
            let mut search = Search::<T>::new(GradientDescent::default(), bowl, [1.0, 1.0]);
            // f = 11, g = (2, 20). Steps of 1, ½, ¼ and ⅛ lead to 3611, 810, 160.25 and 23.0625, one of 1/16 to
            // (0.875, −0.25), where f = 1.390625.
            dispatch(level, &mut search).expect("a step");
            assert_eq!(search.point.x.map(T::to_f64), [0.875, -0.25]);
            assert_eq!((search.memory.step.to_f64(), search.memory.evaluations), (0.0625, 5));
            // g = (1.75, −5). ⅛ leads to (0.65625, 0.375) and 1.8369, 1/16 to (0.765625, 0.0625) and 0.6252.
            dispatch(level, &mut search).expect("a step");
            assert_eq!(search.point.x.map(T::to_f64), [0.765625, 0.0625]);
            assert_eq!((search.memory.step.to_f64(), search.memory.evaluations), (0.0625, 7));
            assert_eq!((search.point.running[0].to_f64(), search.memory.failures), (0.5, 0), "state falls once a step");
        }
    }

    #[test]
    fn a_bowl_by_hand() {
        by_hand::<f32>();
        by_hand::<f64>();
    }

    #[test]
    fn the_share_of_the_decrease_bounds_the_step() {
        // (1 − 2α)² ≤ 1 − 4·c₁·α, that is α ≤ 1 − c₁.
        for (sufficient_decrease, step) in [(1e-4, 0.5), (0.5, 0.5), (0.51, 0.25), (0.75, 0.25), (0.9, 0.0625)] {
            let descent = GradientDescent { sufficient_decrease, ..GradientDescent::default() };
            let mut search = Search::<f64>::new(descent, parabola, [1.0, 3.0]);
            dispatch(level(), &mut search).expect("a step");
            assert_eq!((search.memory.step, search.point.x), (step, [1.0 - 2.0 * step, 3.0]), "{sufficient_decrease}");
        }
    }

    #[test]
    fn steps_grow_up_to_the_longest() {
        let descent = GradientDescent { initial_step: 0.01, max_step: 0.05, ..GradientDescent::default() };
        let mut search = Search::<f64>::new(descent, parabola, [1.0, 0.0]);
        for step in [0.01, 0.02, 0.04, 0.05, 0.05] {
            dispatch(level(), &mut search).expect("a step");
            assert_eq!(search.memory.step, step);
        }
        // The schedule lowers the longest step, to 0 in the end.
        search.rate = 0.5;
        dispatch(level(), &mut search).expect("a step");
        assert_eq!(search.memory.step, 0.025);
        search.rate = 0.0;
        let (x, running) = (search.point.x, search.point.running[0]);
        dispatch(level(), &mut search).expect("a step");
        assert_eq!((search.memory.step, search.point.x, search.point.running[0]), (0.025, x, running - 0.25));
        assert_eq!(search.memory.evaluations, 6);
    }

    #[test]
    fn a_clipped_gradient_is_what_is_followed() {
        let mut search = Search::<f64>::new(GradientDescent::default(), parabola, [1.0, 0.0]);
        search.scale = 0.25;
        dispatch(level(), &mut search).expect("a step");
        assert_eq!((search.memory.step, search.point.x[0]), (1.0, 0.5));
        // Along half a gradient, (1 − α)² ≤ 1 − 2·c₁·α, that is α ≤ 2·(1 − c₁).
        for (sufficient_decrease, step) in [(0.5, 1.0), (0.51, 0.5)] {
            let descent = GradientDescent { sufficient_decrease, ..GradientDescent::default() };
            let mut search = Search::<f64>::new(descent, parabola, [1.0, 0.0]);
            search.scale = 0.5;
            dispatch(level(), &mut search).expect("a step");
            assert_eq!(search.memory.step, step);
        }
    }

    #[test]
    fn at_a_minimum_nothing_moves() {
        let mut search = Search::<f32>::new(GradientDescent::default(), bowl, [0.0, 0.0]);
        dispatch(level(), &mut search).expect("a step");
        assert_eq!((search.point.x, search.memory.step, search.memory.evaluations), ([0.0, 0.0], 0.0, 0));
    }

    fn valley_to<T: Scalar>(steps: usize, loss: f64) {
        for level in levels() {
            let mut search = Search::<T>::new(GradientDescent::default(), valley, [-1.2, 1.0]);
            let mut last = valley([-1.2, 1.0]).0;
            for step in 0..steps {
                match dispatch(level, &mut search) {
                    Ok(()) => {
                        let now = Landscape::at(valley, &search.point).1.to_f64();
                        assert!(now < last, "{now} after {last} at step {step}");
                        last = now;
                    }
                    Err(OptimizerError::NoDecrease { .. }) => break,
                    Err(error) => panic!("{error}"),
                }
            }
            assert!(last < loss, "{last} at {level:?}");
        }
    }

    #[test]
    fn down_the_valley_of_rosenbrock() {
        valley_to::<f64>(20_000, 1e-6);
        valley_to::<f32>(2_000, 1e-2);
    }

    #[test]
    fn a_search_that_fails_leaves_everything_as_it_was() {
        let mut search = Search::<f32>::new(GradientDescent::default(), liar, [1.0, 1e-3]);
        search.memory.step = 0.5;
        let error = dispatch(level(), &mut search).expect_err("no step");
        assert_eq!(error, OptimizerError::NoDecrease { evaluations: 40, shortest: libm::exp2(-39.0) });
        assert!(error.to_string().contains("40 were tried, the shortest 1.8189894035458565e-12 times the gradient"));
        assert_eq!((search.point.x, search.point.running, search.memory.step), ([1.0, 1e-3], [1.0], 0.5));
        assert_eq!((search.memory.evaluations, search.memory.failures), (40, 1));
    }

    #[test]
    fn what_is_not_finite_is_no_step() {
        for at in [f64::NAN, f64::INFINITY, 1e25] {
            let mut search = Search::<f32>::new(GradientDescent::default(), bowl, [at, 0.0]);
            assert_eq!(dispatch(level(), &mut search), Err(OptimizerError::NotFinite));
            assert_eq!((search.memory.evaluations, search.point.running), (0, [1.0]));
        }
        // A loss that is infinite or NaN on the way is not small enough: here beyond 2.
        let mut search = Search::<f64>::new(
            GradientDescent::default(),
            |[x, _]| (if x.abs() > 2.0 { f64::NEG_INFINITY } else { x * x }, [8.0 * x, 0.0]),
            [1.0, 0.0],
        );
        dispatch(level(), &mut search).expect("a step");
        assert_eq!(search.memory.step, 0.125);
    }

    #[test]
    fn hyper_parameters_out_of_range_are_refused() {
        type Set = fn(&mut GradientDescent, f64);
        let set: [(Set, &str, &[f64], &str); 5] = [
            (|d, x| d.initial_step = x, "initial_step", &[0.0, -1.0, f64::NAN, f64::INFINITY], "above 0 and finite"),
            (|d, x| d.max_step = x, "max_step", &[0.0, -1.0, f64::NAN, f64::INFINITY], "above 0 and finite"),
            (|d, x| d.shrink = x, "shrink", &[0.0, 1.0, -0.5, f64::NAN], "above 0 and below 1"),
            (|d, x| d.growth = x, "growth", &[0.99, -1.0, f64::NAN, f64::INFINITY], "at least 1 and finite"),
            (|d, x| d.sufficient_decrease = x, "sufficient_decrease", &[0.0, 1.0, f64::NAN], "above 0 and below 1"),
        ];
        let refused =
            |descent: GradientDescent| Optimizer::<f32>::check(&descent, 1.0).expect_err("out of range").to_string();
        assert_eq!(Optimizer::<f32>::check(&GradientDescent::default(), 1.0), Ok(()));
        for (change, name, values, must_be) in set {
            for value in values {
                let mut descent = GradientDescent::default();
                change(&mut descent, *value);
                let expected = std::format!("`{name}` of `GradientDescent` is {value}, but must be {must_be}");
                assert_eq!(refused(descent), expected);
            }
        }
        let error = refused(GradientDescent { max_evaluations: 0, ..GradientDescent::default() });
        assert_eq!(error, "`max_evaluations` of `GradientDescent` is 0, but must be at least 1 and finite");
    }
}
