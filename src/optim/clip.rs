//! Gradient clipping: a bound on how far one step can go.
//!
//! Pascanu, Mikolov and Bengio, *On the difficulty of training recurrent neural networks* (2013).

use super::for_each_stretch;
use crate::kernels::training::{Sum, sum_of_squares};
use crate::parameters::{Parameters, Role};
use crate::scalar::{Real, Scalar};
use crate::simd::{Simd, Task, dispatch, level, outline};

/// The norm of the whole gradient as one vector, `√Σ g²`, over the learned parameters.
///
/// [State](Role::State) is left out. A gradient that overflows has an infinite norm.
#[inline(always)]
pub fn global_norm<T: Real, N: Parameters<Scalar = T>, S: Simd>(simd: S, gradient: &N) -> T {
    squares(simd, gradient).sqrt()
}

/// [`global_norm`] at the best SIMD level.
///
/// ```
/// use monomorph::optim::clip::gradient_norm;
/// use monomorph::prelude::*;
///
/// network! { Line: [1] -> [1] { Dense(1) } }
/// let mut gradient = Line::zeroed();
/// (gradient.dense1.weight, gradient.dense1.bias) = ([[3.0]], [-4.0]);
/// assert_eq!(gradient_norm(&gradient), 5.0);
/// ```
pub fn gradient_norm<T: Real, N: Parameters<Scalar = T>>(gradient: &N) -> T {
    dispatch(level(), Squares(gradient)).sqrt()
}

/// [`squares`] as a task.
pub(crate) struct Squares<'a, N>(pub &'a N);

impl<N: Parameters> Task for Squares<'_, N> {
    type Output = N::Scalar;

    #[inline(always)]
    fn run<S: Simd>(&mut self, simd: S) -> N::Scalar {
        squares(simd, self.0)
    }
}

/// `Σ g²` over the learned parameters.
#[inline(always)]
pub(crate) fn squares<T: Scalar, N: Parameters<Scalar = T>, S: Simd>(simd: S, gradient: &N) -> T {
    let mut total = Sum::default();
    for_each_stretch::<T, N>(
        #[inline(always)]
        |role, range| {
            if role == Role::Learned {
                let numbers = gradient.as_slice().get(range).unwrap_or_default();
                total.add(outline(
                    simd,
                    #[inline(always)]
                    move || sum_of_squares(simd, numbers),
                ));
            }
        },
    );
    total.value()
}

/// Whether every number that is subtracted from a [state](Role::State) tensor is finite.
pub(crate) fn state_is_finite<T: Scalar, N: Parameters<Scalar = T>>(gradient: &N) -> bool {
    let mut finite = true;
    for_each_stretch::<T, N>(|role, range| {
        let numbers = gradient.as_slice().get(range).unwrap_or_default();
        finite &= role == Role::Learned || numbers.iter().all(|x| x.is_finite());
    });
    finite
}

/// The factor that scales a gradient of norm `norm` down to at most `max_norm`: `min(1, max_norm / (norm + 10⁻⁶))`.
///
/// A norm that is NaN gives NaN, not 1, so that the error is visible.
///
/// ```
/// use monomorph::optim::clip::clip_scale;
/// assert_eq!(clip_scale(0.5_f32, 1.0), 1.0);
/// assert!((clip_scale(4.0_f32, 1.0) - 0.25).abs() < 1e-6);
/// ```
#[inline]
pub fn clip_scale<T: Scalar>(norm: T, max_norm: T) -> T {
    let scale = max_norm / (norm + T::from_f64(1e-6));
    if scale > T::ONE { T::ONE } else { scale }
}

#[cfg(all(test, feature = "safetensors", feature = "std"))]
mod tests {
    use super::*;
    use crate::memory::boxed;
    use crate::simd::{Task, dispatch, levels};
    use crate::testing::golden::{Case, assert_close};
    use std::boxed::Box;
    use std::vec::Vec;

    struct Norm<'a, N>(&'a N);
    impl<N> Norm<'_, N> {
        fn at<T: Real>(self, level: crate::simd::Level) -> T
        where
            N: Parameters<Scalar = T>,
        {
            dispatch(level, NormOf(self.0, core::marker::PhantomData))
        }
    }
    struct NormOf<'a, N, T>(&'a N, core::marker::PhantomData<T>);
    impl<T: Real, N: Parameters<Scalar = T>> Task for NormOf<'_, N, T> {
        type Output = T;
        #[inline(always)]
        fn run<S: Simd>(&mut self, simd: S) -> T {
            global_norm(simd, self.0)
        }
    }

    #[derive(Parameters)]
    #[repr(C)]
    struct Two<T: Real> {
        g0: [T; 4],
        #[parameters(state)]
        running: [T; 3],
        g1: [[T; 2]; 3],
    }

    fn golden<T: Real>(tolerance: f64) {
        let case = Case::open("clip_global_norm");
        let mut gradient: Two<T> = crate::memory::zeroed();
        gradient.running = [T::from_f64(1e6); 3];
        for (to, from) in gradient.g0.iter_mut().zip(case.numbers("g0")) {
            *to = T::from_f64(from);
        }
        for (to, from) in gradient.g1.as_flattened_mut().iter_mut().zip(case.numbers("g1")) {
            *to = T::from_f64(from);
        }
        for level in levels() {
            let norm: T = Norm(&gradient).at(level);
            assert_close("norm", &[norm], &case.numbers("norm"), tolerance);
            // The maximum norm is in the metadata.
            let scale = clip_scale(norm, T::ONE);
            let clipped: Vec<T> = gradient.g0.iter().map(|g| *g * scale).collect();
            assert_close("c0", &clipped, &case.numbers("c0"), tolerance);
            let clipped: Vec<T> = gradient.g1.as_flattened().iter().map(|g| *g * scale).collect();
            assert_close("c1", &clipped, &case.numbers("c1"), tolerance);
        }
    }

    #[test]
    fn agrees_with_pytorch() {
        golden::<f64>(1e-10);
        golden::<f32>(1e-6);
    }

    #[derive(Parameters)]
    #[repr(C)]
    struct Flat<const N: usize> {
        w: [f32; N],
    }

    /// A running sum in `f32` would be off by 1e-2 here.
    #[test]
    fn millions_of_numbers_lose_nothing() {
        let mut gradient: Box<Flat<3_000_001>> = boxed();
        gradient.w.fill(0.1);
        let expected = 0.1_f32 as f64 * libm::sqrt(3_000_001.0);
        for level in levels() {
            let norm: f32 = Norm(&*gradient).at(level);
            assert_close("norm", &[norm], &[expected], 2e-6);
        }
    }

    #[test]
    fn every_length() {
        fn check<const N: usize>() {
            let gradient = Flat::<N> { w: core::array::from_fn(|i| (i + 1) as f32) };
            let expected = libm::sqrt((1..=N).map(|i| (i * i) as f64).sum());
            for level in levels() {
                let norm: f32 = Norm(&gradient).at(level);
                assert_close("norm", &[norm], &[expected], 1e-6);
            }
        }
        check::<1>();
        check::<2>();
        check::<3>();
        check::<15>();
        check::<16>();
        check::<17>();
        check::<33>();
        check::<64>();
        check::<100>();
    }

    #[test]
    fn what_is_not_finite_shows() {
        for level in levels() {
            let norm: f32 = Norm(&Flat { w: [1e30; 5] }).at(level);
            assert!(norm == f32::INFINITY && clip_scale(norm, 1.0) == 0.0);
            let norm: f32 = Norm(&Flat { w: [f32::NAN; 1] }).at(level);
            assert!(norm.is_nan() && clip_scale(norm, 1.0).is_nan());
        }
    }
}
