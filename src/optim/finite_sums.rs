//! Optimizers for a mean of finitely many functions, such as the losses of all samples: each step takes the gradient of
//! one of them, and yet they converge linearly.
//!
//! Schmidt, Le Roux and Bach, *Minimizing finite sums with the stochastic average gradient* (2017); Defazio, Bach and
//! Lacoste-Julien, *SAGA* (2014); Johnson and Zhang, *Accelerating stochastic gradient descent using predictive variance
//! reduction* (2013).

use core::fmt;

use super::{splat, update_parts};
use crate::memory::clear;
use crate::parameters::Parameters;
use crate::plain::Plain;
use crate::scalar::Scalar;
use crate::simd::{Simd, Task, Vector, dispatch, level};

/// SAG: moves along the mean of the last known gradients of all `M` functions; `M + 2` times the memory of the network.
///
/// With the function `i` of this step: `s ← s + f′ᵢ(θ) − tᵢ`, `tᵢ ← f′ᵢ(θ)`, `θ ← θ − η·s/m`, where `m` is the number of
/// functions seen so far. For `L`-smooth functions `η = 1/(16·L)` is proven, `1/L` is used.
///
/// The learning rate is an argument of each step; the order of the functions is the caller's, usually random. `gradient`
/// writes the gradient of one function at some parameters into a network of zeros.
///
/// ```
/// use monomorph::Parameters;
/// use monomorph::memory::zeroed;
/// use monomorph::optim::Sag;
///
/// #[derive(Parameters)]
/// #[repr(C)]
/// struct Point {
///     x: [f64; 1],
/// }
///
/// // The mean of (x − 1)²/2, (x − 2)²/2 and (x − 6)²/2.
/// let targets = [1.0, 2.0, 6.0];
/// let mut sag: Sag<Point, 3> = zeroed(); // or boxed(), or a static
/// let mut point = Point { x: [0.0] };
/// for step in 0..300 {
///     sag.step(0.3, step % 3, &mut point, |index, at, gradient| gradient.x[0] = at.x[0] - targets[index])?;
/// }
/// assert!((point.x[0] - 3.0).abs() < 1e-9);
/// # Ok::<(), monomorph::optim::NoSuchFunction>(())
/// ```
#[derive(Plain)]
pub struct Sag<N: Parameters, const M: usize> {
    table: [N; M],
    sum: N,
    gradient: N,
    seen: [bool; M],
    count: usize,
}

/// SAGA: as [`Sag`], but without a bias: `g = f′ᵢ(θ)`, `θ ← θ − η·(g − tᵢ + t̄)`, then `t̄ ← t̄ + (g − tᵢ)/M`, `tᵢ ← g`.
///
/// The first step takes the gradients of all functions, for the table and its mean `t̄`. `η = 1/(3·L)` is proven.
#[derive(Plain)]
pub struct Saga<N: Parameters, const M: usize> {
    table: [N; M],
    mean: N,
    gradient: N,
    begun: bool,
}

/// SVRG: the gradient at a snapshot `φ` in place of a table, so that it takes three times the memory of the network,
/// however many functions there are: `θ ← θ − η·(f′ᵢ(θ) − f′ᵢ(φ) + f̄′(φ))`.
///
/// Every `2·M` steps, `φ ← θ`, and the gradients of all `M` functions are taken; so a step takes 2.5 gradients in the
/// mean. `η = 0.1/L` is proven.
#[derive(Plain)]
pub struct Svrg<N: Parameters, const M: usize> {
    snapshot: N,
    mean: N,
    gradient: N,
    old: N,
    steps: u64,
}

/// A function that is not one of those of the sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct NoSuchFunction {
    /// Its index.
    pub index: usize,
    /// How many functions there are.
    pub functions: usize,
}

impl fmt::Display for NoSuchFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { index, functions } = self;
        write!(f, "there is no function {index} in a sum of {functions}: they are counted from 0")
    }
}

impl core::error::Error for NoSuchFunction {}

/// `θ ← θ − η·d(g, a, b)` and what becomes of `a` and `b`.
struct Move<'a, N: Parameters, const K: usize> {
    rule: Rule,
    learning_rate: f64,
    /// The number of functions that count.
    count: f64,
    parameters: &'a mut N,
    gradient: &'a N,
    memory: [&'a mut N; K],
}

#[derive(Clone, Copy)]
enum Rule {
    /// `a` is the sum, `b` the entry of the table.
    Sag,
    /// `a` is the mean, `b` the entry of the table.
    Saga,
    /// `a` is the mean, `b` the gradient at the snapshot.
    Svrg,
}

impl<N: Parameters> Task for Move<'_, N, 2> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(&mut self, simd: S) {
        let Self { rule, learning_rate, count, parameters, gradient, memory } = self;
        let [a, b] = memory;
        let share = splat::<N::Scalar, S>(simd, 1.0 / *count);
        let down = splat::<N::Scalar, S>(simd, -*learning_rate);
        let down_sum = splat::<N::Scalar, S>(simd, -*learning_rate / *count);
        let (one, memory) = (N::Scalar::ONE, [&mut **a, &mut **b]);
        match rule {
            Rule::Sag => update_parts(
                simd,
                one,
                *parameters,
                *gradient,
                memory,
                #[inline(always)]
                move |p, g, [sum, entry]| {
                    let sum = sum + (g - entry);
                    (down_sum.mul_add(sum, p), [sum, g])
                },
            ),
            Rule::Saga => update_parts(
                simd,
                one,
                *parameters,
                *gradient,
                memory,
                #[inline(always)]
                move |p, g, [mean, entry]| {
                    let change = g - entry;
                    (down.mul_add(change + mean, p), [share.mul_add(change, mean), g])
                },
            ),
            Rule::Svrg => update_parts(
                simd,
                one,
                *parameters,
                *gradient,
                memory,
                #[inline(always)]
                move |p, g, [mean, old]| (down.mul_add((g - old) + mean, p), [mean, old]),
            ),
        }
    }
}

/// `to ← to + from/count`.
fn add_share<N: Parameters>(to: &mut N, from: &N, count: usize) {
    let share = N::Scalar::from_f64(1.0 / count as f64);
    for (to, from) in to.as_mut_slice().iter_mut().zip(from.as_slice()) {
        *to += *from * share;
    }
}

impl<N: Parameters, const M: usize> Sag<N, M> {
    /// One step along the mean, after the gradient of the function `index` was taken.
    ///
    /// # Errors
    /// An index that is not below `M`; nothing is changed.
    pub fn step(
        &mut self,
        learning_rate: f64,
        index: usize,
        parameters: &mut N,
        mut gradient: impl FnMut(usize, &N, &mut N),
    ) -> Result<(), NoSuchFunction> {
        let Self { table, sum, gradient: fresh, seen, count } = self;
        let (Some(entry), Some(seen)) = (table.get_mut(index), seen.get_mut(index)) else {
            return Err(NoSuchFunction { index, functions: M });
        };
        *count += usize::from(!*seen);
        *seen = true;
        clear(fresh);
        gradient(index, parameters, fresh);
        let (count, memory) = (*count as f64, [sum, entry]);
        dispatch(level(), Move { rule: Rule::Sag, learning_rate, count, parameters, gradient: fresh, memory });
        Ok(())
    }
}

impl<N: Parameters, const M: usize> Saga<N, M> {
    /// One step along the gradient of the function `index`, corrected by the table.
    ///
    /// # Errors
    /// An index that is not below `M`; nothing is changed.
    pub fn step(
        &mut self,
        learning_rate: f64,
        index: usize,
        parameters: &mut N,
        mut gradient: impl FnMut(usize, &N, &mut N),
    ) -> Result<(), NoSuchFunction> {
        let Self { table, mean, gradient: fresh, begun } = self;
        if index < M && !*begun {
            *begun = true;
            for (index, entry) in table.iter_mut().enumerate() {
                clear(entry);
                gradient(index, parameters, entry);
                add_share(mean, entry, M);
            }
        }
        let Some(entry) = table.get_mut(index) else {
            return Err(NoSuchFunction { index, functions: M });
        };
        clear(fresh);
        gradient(index, parameters, fresh);
        let (count, memory) = (M as f64, [mean, entry]);
        dispatch(level(), Move { rule: Rule::Saga, learning_rate, count, parameters, gradient: fresh, memory });
        Ok(())
    }
}

impl<N: Parameters, const M: usize> Svrg<N, M> {
    /// One step along the gradient of the function `index`, corrected by the snapshot.
    ///
    /// # Errors
    /// An index that is not below `M`; nothing is changed.
    pub fn step(
        &mut self,
        learning_rate: f64,
        index: usize,
        parameters: &mut N,
        mut gradient: impl FnMut(usize, &N, &mut N),
    ) -> Result<(), NoSuchFunction> {
        if index >= M {
            return Err(NoSuchFunction { index, functions: M });
        }
        let Self { snapshot, mean, gradient: fresh, old, steps } = self;
        if steps.is_multiple_of(2 * M as u64) {
            snapshot.as_mut_slice().copy_from_slice(parameters.as_slice());
            clear(mean);
            for index in 0..M {
                clear(old);
                gradient(index, snapshot, old);
                add_share(mean, old, M);
            }
        }
        *steps += 1;
        clear(fresh);
        clear(old);
        gradient(index, parameters, fresh);
        gradient(index, snapshot, old);
        let (count, memory) = (M as f64, [mean, old]);
        dispatch(level(), Move { rule: Rule::Svrg, learning_rate, count, parameters, gradient: fresh, memory });
        Ok(())
    }
}

#[cfg(all(test, feature = "safetensors", feature = "std"))]
mod tests {
    use super::*;
    use crate::memory::boxed;
    use crate::noise::Noise;
    use crate::testing::golden::{Case, assert_close};
    use std::string::ToString;
    use std::vec::Vec;

    #[derive(Parameters)]
    #[repr(C)]
    struct Point<const D: usize> {
        x: [f64; D],
    }

    fn dot<const D: usize>(a: &[f64], b: &[f64; D]) -> f64 {
        a.iter().zip(b).map(|(a, b)| a * b).sum()
    }

    #[test]
    fn agree_with_the_references() {
        let case = Case::open("optim_finite_sums");
        let (a, y, start) = (case.numbers("a"), case.numbers("y"), case.numbers("x0"));
        let smooth = 9.705825130486534; // from the metadata, as λ
        let gradient = |index: usize, at: &Point<4>, gradient: &mut Point<4>| {
            let a = &a[4 * index..4 * index + 4];
            let error = dot(a, &at.x) - y[index];
            gradient.x = core::array::from_fn(|i| error * a[i] + 0.05 * at.x[i]);
        };
        let begin = || Point { x: core::array::from_fn(|i| start[i]) };
        let (mut sag, mut saga, mut svrg) = (boxed::<Sag<_, 12>>(), boxed::<Saga<_, 12>>(), boxed::<Svrg<_, 12>>());
        let (mut x, mut y, mut z) = (begin(), begin(), begin());
        let [of_sag, of_saga, of_svrg] = ["sag", "saga", "svrg"].map(|name| case.numbers(name));
        for (step, index) in case.numbers("order").into_iter().enumerate() {
            let (index, here) = (index as usize, 4 * step..4 * step + 4);
            sag.step(1.0 / (16.0 * smooth), index, &mut x, gradient).expect("a step");
            saga.step(1.0 / (3.0 * smooth), index, &mut y, gradient).expect("a step");
            svrg.step(1.0 / (4.0 * smooth), index, &mut z, gradient).expect("a step");
            assert_close("sag", &x.x, &of_sag[here.clone()], 1e-10);
            assert_close("saga", &y.x, &of_saga[here.clone()], 1e-10);
            assert_close("svrg", &z.x, &of_svrg[here], 1e-10);
        }
    }

    /// `log(1 + e^(−y·a·x)) + α/2·x²` of each of `M` samples.
    const M: usize = 100;
    const ALPHA: f64 = 0.1;

    /// Linear convergence: the distance to the minimum falls by the same factor again and again. SGD with `1/√t`, over the
    /// same functions, does not get near.
    #[test]
    fn logistic_regression_converges_linearly() {
        let mut noise = Noise::new(11);
        let samples: Vec<([f64; 5], f64)> = (0..M)
            .map(|_| {
                let a: [f64; 5] = core::array::from_fn(|_| noise.normal());
                (a, if a[0] - 0.5 * a[1] + noise.normal() > 0.0 { 1.0 } else { -1.0 })
            })
            .collect();
        let gradient = |index: usize, at: &Point<5>, gradient: &mut Point<5>| {
            let (a, y) = &samples[index];
            let slope = -y / (1.0 + libm::exp(y * dot(a, &at.x)));
            gradient.x = core::array::from_fn(|i| slope * a[i] + ALPHA * at.x[i]);
        };
        let smooth = 0.25 * samples.iter().map(|(a, _)| dot(a, a)).fold(0.0, f64::max) + ALPHA;
        let mut minimum = Point { x: [0.0; 5] };
        for _ in 0..5000 {
            let (mut sum, mut one) = ([0.0; 5], Point { x: [0.0; 5] });
            for index in 0..M {
                gradient(index, &minimum, &mut one);
                (0..5).for_each(|i| sum[i] += one.x[i] / M as f64);
            }
            (0..5).for_each(|i| minimum.x[i] -= sum[i] / smooth);
        }
        // The distance after each 25 passes over the functions.
        let distances = |step: &mut dyn FnMut(usize, usize, &mut Point<5>)| -> [f64; 4] {
            let (mut noise, mut at) = (Noise::new(3), Point { x: [1.0; 5] });
            let mut time = 0;
            [(); 4].map(|()| {
                for _ in 0..25 * M {
                    step(time, (noise.uniform() * M as f64) as usize, &mut at);
                    time += 1;
                }
                libm::sqrt(at.x.iter().zip(&minimum.x).map(|(a, b)| (a - b) * (a - b)).sum())
            })
        };
        let (mut sag, mut saga, mut svrg) = (boxed::<Sag<_, M>>(), boxed::<Saga<_, M>>(), boxed::<Svrg<_, M>>());
        let linear = [
            distances(&mut |_, index, at| sag.step(1.0 / smooth, index, at, gradient).expect("a step")),
            distances(&mut |_, index, at| saga.step(1.0 / (3.0 * smooth), index, at, gradient).expect("a step")),
            distances(&mut |_, index, at| svrg.step(0.1 / smooth, index, at, gradient).expect("a step")),
        ];
        for distances in linear {
            assert!(distances[0] < 0.05, "{linear:?}");
            for pair in distances.windows(2) {
                assert!(pair[1] < 0.05 * pair[0] || pair[1] < 1e-12, "{linear:?}");
            }
        }
        let sgd = distances(&mut |time, index, at| {
            let mut one = Point { x: [0.0; 5] };
            gradient(index, at, &mut one);
            let rate = 1.0 / (smooth * libm::sqrt(1.0 + time as f64));
            (0..5).for_each(|i| at.x[i] -= rate * one.x[i]);
        });
        assert!(sgd[3] > 1e-4 && linear.iter().all(|distances| distances[3] < 1e-5), "{sgd:?} {linear:?}");
    }

    #[test]
    fn a_function_that_is_not_there() {
        let mut point = Point { x: [1.0] };
        let nothing = |_: usize, _: &Point<1>, _: &mut Point<1>| panic!("no gradient is taken");
        let errors = [
            boxed::<Sag<_, 3>>().step(0.1, 3, &mut point, nothing).unwrap_err(),
            boxed::<Saga<_, 3>>().step(0.1, 3, &mut point, nothing).unwrap_err(),
            boxed::<Svrg<_, 3>>().step(0.1, 3, &mut point, nothing).unwrap_err(),
        ];
        assert_eq!(errors[0].to_string(), "there is no function 3 in a sum of 3: they are counted from 0");
        assert!(errors.iter().all(|error| *error == errors[0]) && point.x == [1.0]);
    }
}
