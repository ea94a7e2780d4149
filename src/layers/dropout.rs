//! Dropout (Srivastava and others, 2014), inverted: the scaling is done while training.
//!
//! | pass | `y` | `∂L/∂x` |
//! | --- | --- | --- |
//! | training | `m · x` | `m · ∂L/∂y` |
//! | inference | `x` | |
//!
//! with `m = 0` with probability `RATE`, else `1 / (1 − RATE)`, drawn independently for every number, so that the
//! expectation of `y` is `x`. Input and output: any shape.

use core::marker::PhantomData;

use crate::kernels::elementwise;
use crate::layer::{Layer, Pass, Reads, outline_layer};
use crate::noise::Noise;
use crate::parameters::Parameters;
use crate::scalar::Scalar;
use crate::simd::Simd;
use crate::streaming::step_by_step;
use crate::tensor::{Tensor, batch_slice, batch_slice_mut};

/// Sets numbers to 0 at random during training; does nothing at inference.
///
/// `RATE` is the [`bits`](crate::scalar::bits) of the probability, at least 0 and below 1.
///
/// ```
/// use monomorph::layers::Dropout;
/// use monomorph::scalar::bits;
/// use monomorph::testing::check_gradients;
/// let mut layer: Dropout<[f64; 4], { bits(0.5) }> = monomorph::memory::zeroed();
/// check_gradients(&mut layer, &[[0.5, -1.0, 2.0, 3.0]], 1e-7)?;
/// # Ok::<(), monomorph::testing::GradientError>(())
/// ```
#[derive(Clone, Copy, Debug, Parameters)]
#[parameters(of = X)]
#[repr(C)]
pub struct Dropout<X, const RATE: u64>(PhantomData<X>);

impl<X, const RATE: u64> Dropout<X, RATE> {
    /// The probability of dropping a number.
    pub const RATE: f64 = {
        let rate = f64::from_bits(RATE);
        assert!(rate >= 0.0 && rate < 1.0, "dropout: the rate is at least 0 and below 1");
        rate
    };

    /// A number is kept if 32 random bits are not below this.
    const THRESHOLD: u64 = (Self::RATE * (1_u64 << 32) as f64) as u64;
}

/// `y ← m · x`, with the mask that `noise` gives.
///
/// The mask is drawn number by number and does not depend on the SIMD level.
#[inline(always)]
fn mask<T: Scalar, S: Simd, X, const RATE: u64>(simd: S, x: &[T], y: &mut [T], noise: &mut Noise) {
    let scale = T::from_f64(1.0 / (1.0 - Dropout::<X, RATE>::RATE));
    let factor = |bits: u64| if bits < Dropout::<X, RATE>::THRESHOLD { T::ZERO } else { scale };
    let mut factors = [T::ZERO; 64];
    for (x, y) in x.chunks(factors.len()).zip(y.chunks_mut(64)) {
        for pair in factors[..x.len().next_multiple_of(2)].chunks_exact_mut(2) {
            let bits = noise.next_u64();
            pair[0] = factor(bits >> 32);
            pair[1] = factor(bits & u64::from(u32::MAX));
        }
        elementwise::zip_to(
            simd,
            x,
            &factors,
            y,
            #[inline(always)]
            |x, factor| x * factor,
        );
    }
}

impl<T: Scalar, X: Tensor<Element = T>, const RATE: u64> Layer for Dropout<X, RATE> {
    type Input = X;
    type Output = X;
    /// The state of the noise: `backward` draws the same mask again, which needs no memory.
    type Saved<const B: usize> = Noise;
    type Workspace<const B: usize> = ();
    const MACS: usize = 0;
    const BACKWARD_READS: Reads = Reads::NOTHING;

    #[inline(always)]
    fn evaluate<S: Simd, const B: usize>(&self, _: S, input: &[X; B], output: &mut [X; B], (): &mut ()) {
        const { assert!(Self::RATE >= 0.0) };
        batch_slice_mut(output).copy_from_slice(batch_slice(input));
    }

    #[inline(always)]
    fn forward<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: &[X; B],
        output: &mut [X; B],
        saved: &mut Noise,
        pass: &mut Pass<T>,
    ) {
        *saved = pass.noise;
        outline_layer::<Self, B, _, _>(
            simd,
            #[inline(always)]
            || mask::<T, S, X, RATE>(simd, batch_slice(input), batch_slice_mut(output), &mut pass.noise),
        );
    }

    #[inline(always)]
    fn sample<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: &[X; B],
        output: &mut [X; B],
        (): &mut (),
        noise: &mut Noise,
    ) {
        outline_layer::<Self, B, _, _>(
            simd,
            #[inline(always)]
            || mask::<T, S, X, RATE>(simd, batch_slice(input), batch_slice_mut(output), noise),
        );
    }

    #[inline(always)]
    fn backward<S: Simd, const B: usize>(
        &self,
        simd: S,
        _: &[X; B],
        _: &[X; B],
        saved: &mut Noise,
        grad_output: &mut [X; B],
        grad_input: Option<&mut [X; B]>,
        _: &mut Self,
        _pass: &Pass<T>,
    ) {
        let Some(grad_input) = grad_input else { return };
        let mut noise = *saved;
        outline_layer::<Self, B, _, _>(
            simd,
            #[inline(always)]
            || mask::<T, S, X, RATE>(simd, batch_slice(grad_output), batch_slice_mut(grad_input), &mut noise),
        );
    }
}

step_by_step!(
    [T: Scalar, X: Tensor<Element = T>, const RATE: u64] Dropout<X, RATE>,
    |self, _simd, x, y| y.copy_from_slice(x)
);

#[cfg(all(test, feature = "safetensors", feature = "std"))]
mod tests {
    use super::*;
    use crate::memory::{boxed, zeroed};
    use crate::scalar::bits;
    use crate::simd::{Task, dispatch, levels};
    use crate::testing::check_gradients;
    use crate::testing::golden::random;
    use std::boxed::Box;

    fn gradients<X: Tensor<Element = f64>, const RATE: u64, const B: usize>() {
        check_gradients(&mut zeroed::<Dropout<X, RATE>>(), &random::<X, B>(4), 1e-7).unwrap();
    }

    #[test]
    fn finite_differences_agree() {
        gradients::<[f64; 1], { bits(0.5) }, 1>();
        gradients::<[f64; 3], { bits(0.5) }, 1>();
        gradients::<[[f64; 17]; 2], { bits(0.2) }, 2>();
        gradients::<[f64; 33], { bits(0.9) }, 3>();
        gradients::<[f64; 64], { bits(0.1) }, 1>();
        gradients::<[f64; 100], { bits(0.0) }, 1>();
    }

    struct Forward<'a, const N: usize, const RATE: u64>(&'a mut Noise, &'a [[f32; N]; 2]);

    impl<const N: usize, const RATE: u64> Task for Forward<'_, N, RATE> {
        type Output = Box<[[f32; N]; 2]>;
        #[inline(always)]
        fn run<S: Simd>(&mut self, simd: S) -> Self::Output {
            let mut output = boxed();
            let layer = zeroed::<Dropout<[f32; N], RATE>>();
            let mut pass = Pass::new(*self.0, 1.0);
            layer.forward(simd, self.1, &mut output, &mut Noise::new(0), &mut pass);
            *self.0 = pass.noise;
            output
        }
    }

    fn statistics<const RATE: u64>() {
        let mut ones = boxed::<[[f32; 20_001]; 2]>();
        ones.as_flattened_mut().fill(1.0);
        let rate = f64::from_bits(RATE);
        let mut noise = Noise::new(17);
        let output = dispatch(crate::simd::level(), Forward::<20_001, RATE>(&mut noise, &ones));
        let numbers = output.as_flattened();
        let count = numbers.len() as f64;
        let dropped = numbers.iter().filter(|y| **y == 0.0).count() as f64;
        let deviation = (rate * (1.0 - rate) / count).sqrt();
        assert!((dropped / count - rate).abs() <= 4.0 * deviation, "{dropped} of {count} dropped at rate {rate}");
        let mean = numbers.iter().map(|y| f64::from(*y)).sum::<f64>() / count;
        assert!((mean - 1.0).abs() <= 4.0 * deviation / (1.0 - rate) + 1e-6, "the mean of ones is {mean}");
        assert!(numbers.iter().all(|y| *y == 0.0 || *y == (1.0 / (1.0 - rate)) as f32));
        // Neighbors, which may share a random word, are independent.
        let both = numbers.windows(2).filter(|pair| pair[0] == 0.0 && pair[1] == 0.0).count() as f64;
        assert!((both / count - rate * rate).abs() <= 6.0 * deviation, "{both} pairs dropped");
    }

    #[test]
    fn drops_at_the_rate_and_keeps_the_expectation() {
        statistics::<{ bits(0.0) }>();
        statistics::<{ bits(0.1) }>();
        statistics::<{ bits(0.5) }>();
        statistics::<{ bits(0.9) }>();
    }

    #[test]
    fn the_same_noise_drops_the_same_at_every_level() {
        let input = random::<[f32; 133], 2>(1);
        let mut first = None;
        for level in levels() {
            let mut noise = Noise::new(9);
            let output = dispatch(level, Forward::<133, { bits(0.4) }>(&mut noise, &input));
            assert!(noise != Noise::new(9));
            let next = dispatch(level, Forward::<133, { bits(0.4) }>(&mut noise, &input));
            assert!(output != next, "the next step drops others");
            assert_eq!(*first.get_or_insert_with(|| output.clone()), output);
        }
    }
}
