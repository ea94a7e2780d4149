//! Layers whose weights are stored in fewer bits than the network computes with.
//!
//! `y = W(x) + b` with `W` widened on the way into registers, or `y = s·Q(x) + b` where the format has a scale `s`
//! for each output channel. Formats and their formulas: [`storage`](crate::storage).
//!
//! | tensor | shape |
//! | --- | --- |
//! | `weight` | that of the layer, of the format's numbers |
//! | `scale` (s) | `[OUT]`, or none |
//! | `bias` (b) | that of the layer |
//!
//! Such a layer evaluates; it is not trained.

use crate::__private::untrained;
use crate::kernels::{conv, gemm};
use crate::layer::{Activation, Layer, outline_layer};
use crate::layers::{Conv1d, Conv2d, Dense, Identity, Window1, Window2};
use crate::memory::Plain;
use crate::parameters::{Entry, Parameters};
use crate::scalar::Scalar;
use crate::simd::Simd;
use crate::storage::Storage;
use crate::tensor::{Tensor, batch_slice, batch_slice_mut};
use crate::weights;

/// A layer with a weight that can be stored in fewer bits.
#[diagnostic::on_unimplemented(
    message = "the weights of `{Self}` cannot be stored in fewer bits",
    note = "those of dense and convolutional layers can"
)]
pub trait Storable<T: Scalar>: Layer<T> {
    /// The weight, of numbers `W`; its last axis is the output channels.
    type Weight<W: Plain>: Plain;
    /// A number for each output channel.
    type Channels: Tensor<T>;
    /// The bias.
    type Bias: Tensor<T>;

    /// Weight and bias.
    fn weight_and_bias(&self) -> (&Self::Weight<T>, &Self::Bias);
    /// All numbers of a weight.
    fn numbers<W: Plain>(weight: &Self::Weight<W>) -> &[W];
    /// All numbers of a weight, to change.
    fn numbers_mut<W: Plain>(weight: &mut Self::Weight<W>) -> &mut [W];

    /// [`Layer::evaluate_then`] with a weight that is stored as `W`, its scales, and a bias.
    fn evaluate_stored<W: Storage<T>, S: Simd, const B: usize, A: Activation<T>>(
        simd: S,
        weight: &Self::Weight<W>,
        scale: &[T],
        bias: &Self::Bias,
        input: &[Self::Input; B],
        output: &mut [Self::Output; B],
    );
}

/// The layer `L` with its weight stored as `W`: [`Bf16`](crate::storage::Bf16), [`F16`](crate::storage::F16) or `i8`.
///
/// `#[stored(..)]` on a network makes networks of them.
///
/// ```
/// use monomorph::layers::{Dense, Stored};
/// use monomorph::memory;
///
/// let dense = Dense { weight: [[127.0, 0.5], [-3.2, 0.1]], bias: [3.0, 4.0] };
/// let mut stored: Stored<f32, Dense<f32, 2, 2>, i8> = memory::zeroed();
/// stored.store(&dense);
/// assert_eq!(stored.weight, [[127, 127], [-3, 25]]);
/// assert_eq!(stored.scale, [[1.0, 0.5 / 127.0]]);
/// assert_eq!(stored.bias, [3.0, 4.0]);
/// ```
#[repr(C)]
pub struct Stored<T: Scalar, L: Storable<T>, W: Storage<T>> {
    /// The weight in the format's numbers.
    pub weight: L::Weight<W>,
    /// What each output channel is multiplied by, if the format has scales.
    pub scale: W::Scale<L::Channels>,
    /// The bias, as it was.
    pub bias: L::Bias,
}

// SAFETY: all fields are plain data.
unsafe impl<T: Scalar, L: Storable<T>, W: Storage<T>> Plain for Stored<T, L, W> {}

// SAFETY: it begins with no number of the table of contents, because it is not trained; it is made of arrays of
// `T` and of `W`.
unsafe impl<T: Scalar, L: Storable<T>, W: Storage<T>> Parameters<T> for Stored<T, L, W> {
    const ENTRIES: &'static [Entry] = &[];
}

impl<T: Scalar, L: Storable<T>, W: Storage<T>> Stored<T, L, W> {
    /// Stores the parameters of `layer`, in place.
    pub fn store(&mut self, layer: &L) {
        let (weight, bias) = layer.weight_and_bias();
        let scale = batch_slice_mut(self.scale.as_mut());
        W::store(L::numbers(weight), L::Channels::LEN, L::numbers_mut(&mut self.weight), scale);
        self.bias.as_mut_slice().copy_from_slice(bias.as_slice());
    }

    /// Calls `f` with every array it is made of, as bytes.
    #[doc(hidden)]
    pub fn pieces(&self, f: &mut dyn FnMut(&[u8]))
    where
        T: weights::Stored,
    {
        f(weights::blob::bytes_of_stored::<T, W>(L::numbers(&self.weight)));
        f(weights::blob::bytes_of(batch_slice::<T, _>(self.scale.as_ref())));
        f(weights::blob::bytes_of(self.bias.as_slice()));
    }
}

impl<T: Scalar, L: Storable<T>, W: Storage<T>> Layer<T> for Stored<T, L, W> {
    type Input = L::Input;
    type Output = L::Output;
    type Saved<const B: usize> = ();
    type Workspace<const B: usize> = ();
    const MACS: usize = L::MACS;

    #[inline(always)]
    fn evaluate<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: &[Self::Input; B],
        output: &mut [Self::Output; B],
        workspace: &mut (),
    ) {
        self.evaluate_then::<S, B, Identity>(simd, input, output, workspace);
    }

    #[inline(always)]
    fn evaluate_then<S: Simd, const B: usize, A: Activation<T>>(
        &self,
        simd: S,
        input: &[Self::Input; B],
        output: &mut [Self::Output; B],
        _workspace: &mut (),
    ) {
        outline_layer::<T, Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                let scale = batch_slice(self.scale.as_ref());
                L::evaluate_stored::<W, S, B, A>(simd, &self.weight, scale, &self.bias, input, output);
            },
        );
    }

    untrained!("a stored layer cannot be trained; train the layer that it is stored from, and store it then");
}

impl<T: Scalar, const IN: usize, const OUT: usize, const BIAS: usize> Storable<T> for Dense<T, IN, OUT, BIAS> {
    type Weight<W: Plain> = [[W; OUT]; IN];
    type Channels = [T; OUT];
    type Bias = [T; BIAS];

    fn weight_and_bias(&self) -> (&Self::Weight<T>, &Self::Bias) {
        (&self.weight, &self.bias)
    }
    fn numbers<W: Plain>(weight: &Self::Weight<W>) -> &[W] {
        weight.as_flattened()
    }
    fn numbers_mut<W: Plain>(weight: &mut Self::Weight<W>) -> &mut [W] {
        weight.as_flattened_mut()
    }

    #[inline(always)]
    fn evaluate_stored<W: Storage<T>, S: Simd, const B: usize, A: Activation<T>>(
        simd: S,
        weight: &[[W; OUT]; IN],
        scale: &[T],
        bias: &[T; BIAS],
        input: &[[T; IN]; B],
        output: &mut [[T; OUT]; B],
    ) {
        gemm::stored_dense_forward::<T, W, S, A, B, IN, OUT, BIAS>(simd, input, weight, scale, bias, output);
    }
}

/// [`Storable`] for a convolution of so many spatial axes: its weight, and how often its arrays are flattened.
macro_rules! convolution {
    ($layer:ident, $window:ident, [$($size:ident),*], $weight:ty, $($flatten:ident, $flatten_mut:ident);*) => {
        impl<T: Scalar, $(const $size: usize,)* P: $window> Storable<T> for $layer<T, $($size,)* P> {
            type Weight<W: Plain> = $weight;
            type Channels = [T; OC];
            type Bias = [T; BIAS];

            fn weight_and_bias(&self) -> (&Self::Weight<T>, &Self::Bias) {
                (&self.weight, &self.bias)
            }
            #[inline(always)]
            fn numbers<W: Plain>(weight: &Self::Weight<W>) -> &[W] {
                weight$(.$flatten())*
            }
            fn numbers_mut<W: Plain>(weight: &mut Self::Weight<W>) -> &mut [W] {
                weight$(.$flatten_mut())*
            }

            #[inline(always)]
            fn evaluate_stored<W: Storage<T>, S: Simd, const B: usize, A: Activation<T>>(
                simd: S,
                weight: &Self::Weight<W>,
                scale: &[T],
                bias: &[T; BIAS],
                input: &[Self::Input; B],
                output: &mut [Self::Output; B],
            ) {
                let (x, weight, y) = (batch_slice(input), Self::numbers(weight), batch_slice_mut(output));
                conv::forward::<T, W, S, A, Self, false>(simd, x, weight, scale, bias, y);
            }
        }

        impl<T: Scalar, $(const $size: usize,)* P: $window, W: Storage<T>> Stored<T, $layer<T, $($size,)* P>, W> {
            /// As [`Conv2d::evaluate_pooled`].
            #[doc(hidden)]
            #[inline(always)]
            pub fn evaluate_pooled<S: Simd, const B: usize, A: Activation<T>, Y: Tensor<T>>(
                &self,
                simd: S,
                input: &[<Self as Layer<T>>::Input; B],
                output: &mut [Y; B],
            ) {
                outline_layer::<T, Self, B, _, _>(
                    simd,
                    #[inline(always)]
                    || {
                        let weight = $layer::<T, $($size,)* P>::numbers(&self.weight);
                        let (x, scale, y) = (batch_slice(input), batch_slice(self.scale.as_ref()), batch_slice_mut(output));
                        conv::forward::<T, W, S, A, $layer<T, $($size,)* P>, true>(simd, x, weight, scale, &self.bias, y);
                    },
                );
            }
        }
    };
}
convolution!(Conv1d, Window1, [L, C, OL, OC, K, CG, BIAS], [[[W; OC]; CG]; K],
    as_flattened, as_flattened_mut; as_flattened, as_flattened_mut);
convolution!(Conv2d, Window2, [H, WIDTH, C, OH, OW, OC, KH, KW, CG, BIAS], [[[[W; OC]; CG]; KW]; KH],
    as_flattened, as_flattened_mut; as_flattened, as_flattened_mut; as_flattened, as_flattened_mut);

#[cfg(all(test, feature = "safetensors", feature = "std"))]
mod tests {
    use super::*;
    use crate::kernels::conv::Convolution;
    use crate::layers::{Relu, Window1d, Window2d};
    use crate::memory::boxed;
    use crate::noise::Noise;
    use crate::simd::{Task, dispatch, levels};
    use crate::storage::{Bf16, F16};
    use crate::testing::golden::{assert_close, random};
    use std::boxed::Box;
    use std::vec::Vec;
    use std::{format, vec};

    struct Evaluate<'a, T: Scalar, L: Storable<T>, W: Storage<T>, const B: usize> {
        layer: &'a Stored<T, L, W>,
        x: &'a [L::Input; B],
        y: &'a mut [L::Output; B],
    }

    impl<T: Scalar, L: Storable<T>, W: Storage<T>, const B: usize> Task for Evaluate<'_, T, L, W, B> {
        type Output = ();
        #[inline(always)]
        fn run<S: Simd>(&mut self, simd: S) {
            self.layer.evaluate_then::<S, B, Relu>(simd, self.x, self.y, &mut ());
        }
    }

    /// At every level the same as `reference` computes from the weights that are stored, widened one by one.
    fn check<T: Scalar, L: Storable<T>, W: Storage<T>, const B: usize>(
        reference: impl Fn(&[f64], &[f64], &[f64]) -> Vec<f64>,
    ) {
        let mut layer: Box<L> = boxed();
        let mut noise = Noise::new(1);
        layer.as_mut_slice().fill_with(|| T::from_f64(noise.uniform() * 2.0 - 1.0));
        let mut stored: Box<Stored<T, L, W>> = boxed();
        stored.store(&layer);

        let scale: &[T] = batch_slice(stored.scale.as_ref());
        assert_eq!(scale.len(), if W::SCALED { L::Channels::LEN } else { 0 });
        let scale = |index: usize| if W::SCALED { scale[index % L::Channels::LEN].to_f64() } else { 1.0 };
        let widened: Vec<f64> =
            L::numbers(&stored.weight).iter().enumerate().map(|(i, w)| w.widen().to_f64() * scale(i)).collect();
        // What storing may change: half of the last place.
        for (index, (weight, stored)) in L::numbers(layer.weight_and_bias().0).iter().zip(&widened).enumerate() {
            let weight = weight.to_f64();
            let bound = match W::NAME {
                "bf16" => weight.abs() / 256.0,
                "f16" => (weight.abs() / 2048.0).max(2.0_f64.powi(-25)),
                _ => 0.500_001 * scale(index),
            };
            assert!((weight - stored).abs() <= bound, "{weight} as {} is {stored}", W::NAME);
        }

        let x: Box<[L::Input; B]> = random(3);
        let numbers = |numbers: &[T]| numbers.iter().map(|number| number.to_f64()).collect::<Vec<f64>>();
        let bias = numbers(layer.weight_and_bias().1.as_slice());
        let expected: Vec<f64> = batch_slice::<T, _>(&x[..])
            .chunks_exact(L::Input::LEN)
            .flat_map(|x| reference(&numbers(x), &widened, &bias))
            .map(|y| y.max(0.0))
            .collect();
        for level in levels() {
            // Every number must be written, not added to.
            let mut y: Box<[L::Output; B]> = random(4);
            dispatch(level, Evaluate { layer: &*stored, x: &x, y: &mut y });
            let what = format!("{} as {} at {level:?}", core::any::type_name::<L>(), W::NAME);
            assert_close(&what, batch_slice::<T, _>(&y[..]), &expected, 200.0 * T::EPSILON.to_f64());
        }
    }

    fn dense<const IN: usize, const OUT: usize, const BIAS: usize, const B: usize>() {
        let reference = |x: &[f64], w: &[f64], b: &[f64]| {
            let sum = |o: usize| (0..IN).map(|i| x[i] * w[i * OUT + o]).sum::<f64>();
            (0..OUT).map(|o| sum(o) + if BIAS == 0 { 0.0 } else { b[o] }).collect()
        };
        check::<f32, Dense<f32, IN, OUT, BIAS>, Bf16, B>(reference);
        check::<f32, Dense<f32, IN, OUT, BIAS>, F16, B>(reference);
        check::<f32, Dense<f32, IN, OUT, BIAS>, i8, B>(reference);
        check::<f64, Dense<f64, IN, OUT, BIAS>, F16, B>(reference);
        check::<f64, Dense<f64, IN, OUT, BIAS>, i8, B>(reference);
        check::<f32, Dense<f32, IN, OUT, BIAS>, f32, B>(reference);
    }

    fn convolution<G: Convolution>(x: &[f64], w: &[f64], b: &[f64]) -> Vec<f64> {
        let ([height, width], [rows, columns], [kh, kw]) = (G::INPUT, G::OUTPUT, G::KERNEL);
        let (c, cg, oc) = (G::CHANNELS, G::GROUP_CHANNELS, G::OUTPUTS);
        let mut y = vec![0.0; rows * columns * oc];
        for (index, y) in y.iter_mut().enumerate() {
            let (row, column, o) = (index / oc / columns, index / oc % columns, index % oc);
            *y = if b.is_empty() { 0.0 } else { b[o] };
            for tap in 0..kh * kw * cg {
                let (i, j, channel) = (tap / cg / kw, tap / cg % kw, tap % cg);
                let at_row = (row * G::STRIDE[0] + i * G::DILATION[0]).wrapping_sub(G::BEFORE[0]);
                let at_column = (column * G::STRIDE[1] + j * G::DILATION[1]).wrapping_sub(G::BEFORE[1]);
                if at_row < height && at_column < width {
                    let channel = o / (oc / (c / cg)) * cg + channel;
                    *y += x[(at_row * width + at_column) * c + channel] * w[tap * oc + o];
                }
            }
        }
        y
    }

    fn conv<L: Storable<f32> + Convolution, const B: usize>() {
        check::<f32, L, Bf16, B>(convolution::<L>);
        check::<f32, L, F16, B>(convolution::<L>);
        check::<f32, L, i8, B>(convolution::<L>);
    }

    macro_rules! dense {
        ($($name:ident: $in:literal -> $out:literal, $bias:literal, $batch:literal;)*) => { $(
            #[test]
            fn $name() {
                dense::<$in, $out, $bias, $batch>();
            }
        )* };
    }
    dense! {
        one_output: 1 -> 1, 1, 1;
        inner_product: 161 -> 1, 1, 3;
        inner_product_without_bias: 35 -> 1, 0, 1;
        narrow_two: 19 -> 2, 2, 1;
        narrow_four: 37 -> 4, 0, 1;
        narrow_eight: 9 -> 8, 8, 1;
        seven: 13 -> 7, 7, 1;
        ten: 84 -> 10, 10, 1;
        fifteen: 15 -> 15, 15, 3;
        sixteen: 16 -> 16, 16, 1;
        seventeen: 17 -> 17, 0, 8;
        thirty_three: 33 -> 33, 33, 1;
        panels: 31 -> 128, 128, 13;
        wide: 5 -> 161, 161, 2;
        streamed: 499 -> 100, 100, 1;
        streamed_by_rows: 201 -> 323, 323, 1;
    }

    macro_rules! conv {
        ($($name:ident: $batch:literal, $type:ty;)*) => { $(
            #[test]
            fn $name() {
                conv::<$type, $batch>();
            }
        )* };
    }
    // H, W, C, OH, OW, OC, KH, KW, CG, BIAS.
    conv! {
        grey_padded: 3, Conv2d<f32, 9, 15, 1, 9, 15, 6, 5, 5, 1, 6, Window2d<1, 1, 2, 2, 1, 1>>;
        colour_strided: 1, Conv2d<f32, 17, 15, 3, 9, 8, 16, 3, 3, 3, 16, Window2d<2, 2, 1, 1, 1, 1>>;
        general: 1, Conv2d<f32, 4, 19, 5, 4, 19, 33, 3, 3, 5, 0, Window2d<1, 1, 1, 1, 1, 1>>;
        pointwise: 2, Conv2d<f32, 3, 5, 17, 3, 5, 35, 1, 1, 17, 35, Window2d<1, 1, 0, 0, 1, 1>>;
        dilated: 1, Conv2d<f32, 11, 12, 3, 7, 9, 5, 3, 3, 3, 5, Window2d<1, 1, 0, 1, 2, 2>>;
        groups: 1, Conv2d<f32, 7, 7, 6, 4, 4, 12, 3, 3, 2, 12, Window2d<2, 2, 1, 1, 1, 1>>;
        depthwise: 2, Conv2d<f32, 8, 9, 20, 8, 9, 20, 3, 3, 1, 20, Window2d<1, 1, 1, 1, 1, 1>>;
        depthwise_strided: 1, Conv2d<f32, 9, 9, 33, 5, 5, 33, 5, 3, 1, 0, Window2d<2, 2, 2, 1, 1, 1>>;
        one_dimension: 1, Conv1d<f32, 23, 3, 12, 7, 5, 3, 7, Window1d<2, 2, 1>>;
        one_dimension_depthwise: 1, Conv1d<f32, 20, 18, 20, 18, 3, 1, 18, Window1d<1, 1, 1>>;
    }
}
