//! Sharpness-aware minimization: Foret et al., *Sharpness-aware minimization for efficiently improving generalization*
//! (2021).

use super::{Memory, Objective, Optimizer, OptimizerError, Part, clip, copy_learned, for_each_stretch, learned, splat};
use crate::hyperparameters::{OutOfRange, Range, check};
use crate::memory_parts;
use crate::parameters::{Parameters, Role};
use crate::plain::Plain;
use crate::scalar::{Real, Scalar};
use crate::simd::{Simd, Vector};

/// Any optimizer with the gradient at the worst point nearby, which leads to flat minima: they generalize better.
///
/// `θ̂ = θ + ρ·g/‖g‖`, where the gradient of the same batch is taken again; the optimizer moves `θ` along that. So a step
/// takes two forward and two backward passes. [Clipping](super::clip) scales the second gradient by the factor that it
/// found for the first. The optimizer within is given one gradient, so a line search in it does not search.
///
/// # Errors
/// A gradient at `θ̂` that is not finite; the network is then unchanged.
///
/// ```
/// use monomorph::prelude::*;
/// network! { Line: [1] -> [1] { Dense(1) } }
///
/// let sgd = Sgd { learning_rate: 0.1, ..Sgd::default() };
/// let mut trainer = Trainer::<Line, _, 1>::new(Sam::new(sgd), Mse);
/// let mut net = Line::zeroed();
/// trainer.step(&mut net, &[[0.0]], &[[1.0]])?;
/// // (b − 1)² has the gradient −2.1 at b = −0.05.
/// assert!((net.dense1.bias[0] - 0.21).abs() < 1e-6);
/// # Ok::<(), monomorph::train::TrainError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Sam<O> {
    /// How parameters move.
    pub optimizer: O,
    /// ρ, how far away the gradient is taken; by default 0.05.
    pub rho: f64,
}

impl<O> Sam<O> {
    /// With the paper's `ρ = 0.05`.
    pub const fn new(optimizer: O) -> Self {
        Self { optimizer, rho: 0.05 }
    }
}

/// What [`Sam`] keeps.
#[derive(Plain)]
pub struct SamMemory<N: Parameters, O: Optimizer<N::Scalar>> {
    /// What the optimizer within keeps.
    pub inner: O::Memory<N>,
    /// The point nearby, then its gradient; meaningless between steps.
    nearby: N,
}

impl<N: Parameters, O: Optimizer<N::Scalar>> Memory<N> for SamMemory<N, O> {
    const PARTS: &'static [Part<Self, N>] = memory_parts! { inner: inner(N, O) };
}

/// Calls `f` with the state of both networks.
fn each_state<T: Scalar, N: Parameters<Scalar = T>>(x: &mut N, y: &N, f: impl Fn(&mut T, T)) {
    for_each_stretch::<T, N>(|role, range| {
        if role == Role::State {
            let y = y.as_slice().get(range.clone()).unwrap_or_default();
            let x = x.as_mut_slice().get_mut(range).unwrap_or_default();
            x.iter_mut().zip(y).for_each(|(x, y)| f(x, *y));
        }
    });
}

impl<T: Real, O: Optimizer<T>> Optimizer<T> for Sam<O> {
    type Memory<N: Parameters<Scalar = T>> = SamMemory<N, O>;

    fn check(&self, rate: f64) -> Result<(), OutOfRange> {
        self.optimizer.check(rate)?;
        check::<T>("Sam", &[("rho", self.rho, Range::NotNegative)])
    }

    /// Moves along this gradient, without looking nearby.
    #[inline(always)]
    fn update<N: Parameters<Scalar = T>, S: Simd>(
        &self,
        simd: S,
        step: u64,
        rate: f64,
        gradient_scale: T,
        parameters: &mut N,
        gradient: &N,
        memory: &mut SamMemory<N, O>,
    ) {
        self.optimizer.update(simd, step, rate, gradient_scale, parameters, gradient, &mut memory.inner);
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
        memory: &mut SamMemory<N, O>,
    ) -> Result<(), OptimizerError> {
        let SamMemory { inner, nearby } = memory;
        let norm = clip::global_norm(simd, objective.gradient());
        // Where the gradient is 0 there is no direction.
        let far = if norm > T::ZERO { self.rho / norm.to_f64() } else { 0.0 };
        let far = splat::<T, S>(simd, far);
        nearby.as_mut_slice().copy_from_slice(parameters.as_slice());
        learned(
            simd,
            nearby,
            objective.gradient(),
            #[inline(always)]
            move |p, g| far.mul_add(g, p),
        );
        // Running statistics are those of the first pass, as if there were no second.
        each_state(nearby, objective.gradient(), |state, change| *state -= change);
        if !objective.gradient_at(nearby).is_finite() {
            return Err(OptimizerError::NotFinite);
        }
        each_state(parameters, nearby, |state, new| *state = new);
        each_state(nearby, parameters, |change, _| *change = T::ZERO);
        copy_learned(objective.gradient(), nearby);
        self.optimizer.update(simd, step, rate, gradient_scale, parameters, nearby, inner);
        Ok(())
    }

    fn averaged<N: Parameters<Scalar = T>>(&self, parameters: &N, memory: &SamMemory<N, O>, out: &mut N) {
        self.optimizer.averaged(parameters, &memory.inner, out);
    }
}

#[cfg(all(test, feature = "safetensors", feature = "std"))]
mod tests {
    use super::*;
    use crate::memory::zeroed;
    use crate::optim::{Sgd, testing};
    use crate::testing::golden::assert_close;

    #[derive(Parameters)]
    #[repr(C)]
    struct Point {
        x: [f64; 2],
        #[parameters(state)]
        running: [f64; 1],
    }

    /// x² + 10·y², or infinite far from the middle.
    struct Bowl(Point);

    fn slope([x, y]: [f64; 2]) -> [f64; 2] {
        [2.0 * x, 20.0 * y]
    }

    impl Objective<Point> for Bowl {
        fn loss(&self) -> f64 {
            0.0
        }
        fn gradient(&self) -> &Point {
            &self.0
        }
        fn gradient_mut(&mut self) -> &mut Point {
            &mut self.0
        }
        fn loss_at(&mut self, _: &Point) -> f64 {
            0.0
        }
        fn gradient_at(&mut self, at: &Point) -> f64 {
            self.0 = Point { x: slope(at.x), running: [100.0] };
            if at.x[0] > 50.0 { f64::NAN } else { 0.0 }
        }
    }

    #[test]
    fn the_gradient_is_that_nearby() {
        let optimizer = Sam { rho: 0.5, ..Sam::new(Sgd { learning_rate: 0.1, ..Sgd::default() }) };
        let (mut point, mut memory) = (Point { x: [1.0, 1.0], running: [1.0] }, zeroed());
        let mut bowl = Bowl(Point { x: [2.0, 20.0], running: [0.25] });
        optimizer.minimize(1, &mut point, &mut bowl, &mut memory).expect("a step");
        let norm = libm::sqrt(404.0);
        let [x, y] = slope([1.0 + 0.5 * 2.0 / norm, 1.0 + 0.5 * 20.0 / norm]);
        assert_close("θ", &point.x, &[1.0 - 0.1 * x, 1.0 - 0.1 * y], 1e-14);
        assert_eq!(point.running, [0.75], "state falls once, by what the first pass says");

        let mut point = Point { x: [51.0, 1.0], running: [1.0] };
        bowl.0 = Point { x: [1.0, 0.0], running: [0.25] };
        let refused = optimizer.minimize(1, &mut point, &mut bowl, &mut memory);
        assert_eq!((refused, point.x, point.running), (Err(OptimizerError::NotFinite), [51.0, 1.0], [1.0]));
    }

    #[test]
    fn without_a_second_look_it_is_the_optimizer() {
        testing::optimizer("optim_sgd", &Sam::new(Sgd { learning_rate: 0.05, ..Sgd::default() }));
    }
}
