//! Normalization of the data: `y = (x − mean) · factor`, where `factor` is 1 divided by the standard deviation, both
//! measured on the training data once. So whoever uses the network, such as firmware, gives it values as they come from
//! the sensor.
//!
//! | tensor | shape | initial value | role |
//! | --- | --- | --- | --- |
//! | input, output | `[.., C]`, any rank | | |
//! | `mean` | `[C]`, or the shape of the input | 0 | state |
//! | `factor` | the same | 1 | state |
//!
//! No optimizer moves it; it is saved with the weights. `∂L/∂x = ∂L/∂y · factor`. The deviation is that of the whole
//! population, as in scikit-learn's `StandardScaler` and Keras' `Normalization`. A feature that is the same in all data
//! has the factor 0, so its output is 0: it tells nothing, and if it varies after all in use, it cannot disturb.
//! (scikit-learn divides it by 1 instead.)

use core::fmt;
use core::marker::PhantomData;

use crate::kernels::elementwise::{zip_to, zip3_to};
use crate::layer::{Layer, Pass, Reads, forward_evaluates, outline_layer};
use crate::parameters::Parameters;
use crate::scalar::Scalar;
use crate::simd::Simd;
use crate::streaming::step_by_step;
use crate::tensor::{Tensor, batch_slice, batch_slice_mut};

/// Subtracts the mean and divides by the standard deviation of the data that it was [fitted](Self::fit) to: `X → X`, with a
/// mean for each channel, if `M` is `X::Last`, or for each number.
///
/// In a network, write `Normalize`, usually first; `Normalize(per = number)` for a mean and a deviation for each number of
/// the input instead of each channel.
///
/// ```
/// use monomorph::prelude::*;
///
/// network! { pub Room: [2] -> [1] { Normalize, Dense(8), Tanh, Dense(1) } }
/// let mut net = Room::zeroed();
/// net.initialize(Init::default(), &mut Noise::new(1));
/// // Degrees Celsius and hectopascals.
/// net.normalize1.fit(&[[18.0, 1000.0], [22.0, 1020.0]])?;
/// assert_eq!(net.normalize1.mean, [20.0, 1010.0]);
/// assert_eq!(net.normalize1.factor, [0.5, 0.1]);
/// # Ok::<(), monomorph::layers::NormalizeError>(())
/// ```
#[derive(Clone, Copy, Debug, Parameters)]
#[parameters(of = X)]
#[repr(C)]
pub struct Normalize<X, M> {
    /// The mean of each feature.
    #[parameters(tensor, start = 0.0, state)]
    pub mean: M,
    /// 1 divided by the standard deviation of each feature; 0 for a feature that does not vary.
    #[parameters(tensor, start = 1.0, state)]
    pub factor: M,
    shape: PhantomData<X>,
}

impl<T: Scalar, X: Tensor<Element = T>, M: Tensor<Element = T>> Normalize<X, M> {
    /// After how many numbers the features repeat.
    const PERIOD: usize = {
        let valid = M::LEN > 0 && (M::LEN == X::LEN || M::LEN == X::CHANNELS);
        assert!(valid, "Normalize: a mean for each channel or each number of X");
        M::LEN
    };

    /// Measures mean and standard deviation of samples, in `f64` and in two passes, so that values far from 0 lose no
    /// digits. Do so once, before training and after the network is initialized.
    ///
    /// # Errors
    /// No sample, or one with a value that is not finite; the layer is then unchanged.
    pub fn fit(&mut self, samples: &[X]) -> Result<(), NormalizeError> {
        if samples.is_empty() {
            return Err(NormalizeError::NoSample);
        }
        let period = const { Self::PERIOD };
        for (sample, x) in samples.iter().enumerate() {
            if let Some(at) = x.numbers().iter().position(|x| !x.to_f64().is_finite()) {
                return Err(NormalizeError::NotFinite { sample, feature: at % period });
            }
        }
        let count = (samples.len() * (X::LEN / period)) as f64;
        for (feature, (mean, factor)) in self.mean.numbers_mut().iter_mut().zip(self.factor.numbers_mut()).enumerate() {
            let values = || batch_slice(samples).iter().skip(feature).step_by(period).map(|x| x.to_f64());
            let middle = values().sum::<f64>() / count;
            let deviation = libm::sqrt(values().map(|x| (x - middle) * (x - middle)).sum::<f64>() / count);
            // Equal values may differ from their mean by its rounding.
            let varies = deviation > 1e-12 * libm::fabs(middle);
            *mean = T::from_f64(middle);
            *factor = T::from_f64(if varies { 1.0 / deviation } else { 0.0 });
        }
        Ok(())
    }

    #[inline(always)]
    fn apply<S: Simd>(&self, simd: S, x: &[T], y: &mut [T]) {
        let period = const { Self::PERIOD };
        for (x, y) in x.chunks_exact(period).zip(y.chunks_exact_mut(period)) {
            zip3_to(
                simd,
                x,
                self.mean.numbers(),
                self.factor.numbers(),
                y,
                #[inline(always)]
                |x, mean, factor| (x - mean) * factor,
            );
        }
    }
}

impl<T: Scalar, X: Tensor<Element = T>, M: Tensor<Element = T>> Layer for Normalize<X, M> {
    type Input = X;
    type Output = X;
    type Saved<const B: usize> = ();
    type Workspace<const B: usize> = ();
    const MACS: usize = X::LEN;
    const BACKWARD_READS: Reads = Reads::NOTHING;

    #[inline(always)]
    fn evaluate<S: Simd, const B: usize>(&self, simd: S, input: &[X; B], output: &mut [X; B], (): &mut ()) {
        outline_layer::<Self, B, _, _>(
            simd,
            #[inline(always)]
            || self.apply(simd, batch_slice(input), batch_slice_mut(output)),
        );
    }

    forward_evaluates!();

    #[inline(always)]
    fn backward<S: Simd, const B: usize>(
        &self,
        simd: S,
        _input: &[X; B],
        _output: &[X; B],
        (): &mut (),
        grad_output: &mut [X; B],
        grad_input: Option<&mut [X; B]>,
        _gradient: &mut Self,
        _pass: &Pass<T>,
    ) {
        let Some(grad_input) = grad_input else { return };
        outline_layer::<Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                let period = const { Self::PERIOD };
                let (from, to) = (batch_slice(grad_output), batch_slice_mut(grad_input));
                for (from, to) in from.chunks_exact(period).zip(to.chunks_exact_mut(period)) {
                    zip_to(
                        simd,
                        from,
                        self.factor.numbers(),
                        to,
                        #[inline(always)]
                        |gradient, factor| gradient * factor,
                    );
                }
            },
        );
    }
}

step_by_step!(
    [T: Scalar, X: Tensor<Element = T>, M: Tensor<Element = T>] Normalize<X, M>,
    |self, simd, x, y| {
        const { assert!(Self::PERIOD == X::CHANNELS, "Normalize: steps share the mean of each channel, not each number") };
        self.apply(simd, x, y)
    }
);

/// Why [`Normalize::fit`] measured nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum NormalizeError {
    /// There is no sample.
    NoSample,
    /// A value is infinite or NaN.
    NotFinite {
        /// In which sample, counted from 0.
        sample: usize,
        /// Of which feature, counted from 0.
        feature: usize,
    },
}

impl fmt::Display for NormalizeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSample => f.write_str("no sample has no mean: fit to at least one"),
            Self::NotFinite { sample, feature } => write!(
                f,
                "feature {feature} of sample {sample} is infinite or NaN: leave such samples out, or replace the value"
            ),
        }
    }
}

impl core::error::Error for NormalizeError {}

#[cfg(all(test, feature = "safetensors", feature = "std"))]
mod tests {
    use super::*;
    use crate::layers::passes::{check, numbers, random};
    use crate::testing::{check_gradients, golden};
    use std::vec;

    fn agrees<T: Scalar, X: Tensor<Element = T>, M: Tensor<Element = T>, const B: usize>() {
        let layer = random::<Normalize<X, M>>();
        let (input, grad_output) = (golden::random::<X, B>(2), golden::random::<X, B>(3));
        let (x, dy) = (numbers(&input[..]), numbers(&grad_output[..]));
        let (mut y, mut dx) = (x.clone(), dy.clone());
        for at in 0..x.len() {
            let of = |tensor: &M| tensor.numbers()[at % M::LEN].to_f64();
            y[at] = (x[at] - of(&layer.mean)) * of(&layer.factor);
            dx[at] = dy[at] * of(&layer.factor);
        }
        check::<X, Normalize<X, M>, B>(&layer, &input, &grad_output, [&y, &y, &dx, &vec![0.0; 2 * M::LEN]]);
    }

    #[test]
    fn agrees_with_the_definition() {
        agrees::<f32, [[[f32; 17]; 2]; 3], [f32; 17], 2>();
        agrees::<f64, [[f64; 3]; 5], [f64; 3], 3>();
        agrees::<f64, [[f64; 3]; 5], [[f64; 3]; 5], 3>();
        agrees::<f32, [f32; 33], [f32; 33], 1>();
        agrees::<f64, [f64; 1], [f64; 1], 2>();
    }

    #[test]
    fn finite_differences_agree() {
        let input = golden::random::<[[f64; 9]; 2], 3>(4);
        check_gradients(&mut *random::<Normalize<[[f64; 9]; 2], [f64; 9]>>(), &input, 1e-7).unwrap();
    }

    #[test]
    fn what_it_measures() {
        let mut layer: Normalize<[[f64; 2]; 2], [f64; 2]> = crate::memory::zeroed();
        // The second feature is always 0.1, which is no sum of powers of two.
        layer.fit(&[[[1e9, 0.1], [1e9 + 2.0, 0.1]], [[1e9 + 4.0, 0.1], [1e9 + 6.0, 0.1]]]).unwrap();
        assert_eq!(layer.mean[0], 1e9 + 3.0);
        assert!((layer.factor[0] - 1.0 / 5.0_f64.sqrt()).abs() < 1e-12);
        assert_eq!(layer.factor[1], 0.0);
        let before = layer;
        let empty: &[[[f64; 2]; 2]] = &[];
        assert_eq!(layer.fit(empty), Err(NormalizeError::NoSample));
        let error = layer.fit(&[[[1.0, 1.0]; 2], [[1.0, 1.0], [1.0, f64::NAN]]]).unwrap_err();
        assert_eq!(
            std::string::ToString::to_string(&error),
            "feature 1 of sample 1 is infinite or NaN: leave such samples out, or replace the value"
        );
        assert_eq!((layer.mean, layer.factor), (before.mean, before.factor));
    }

    #[test]
    fn each_number_has_its_own() {
        let mut layer: Normalize<[[f32; 1]; 3], [[f32; 1]; 3]> = crate::memory::zeroed();
        layer.fit(&[[[1.0], [2.0], [5.0]], [[3.0], [2.0], [1.0]]]).unwrap();
        assert_eq!((layer.mean, layer.factor), ([[2.0], [2.0], [3.0]], [[1.0], [0.0], [0.5]]));
    }
}
