//! Embedding: a row of a table for every token.
//!
//! `y[i] = W[x[i]]`, `∂L/∂W[v] = Σ ∂L/∂y[i]` over all `i` with `x[i] = v`
//!
//! | tensor | shape | initial value |
//! | --- | --- | --- |
//! | `x` | `[..]` of integers below `V` | |
//! | `weight` (W) | `[V, D]` | normal, standard deviation 1 |
//! | `y` | `[.., D]` | |
//!
//! A token that is not below `V` is an error in training, which leaves the network unchanged. At inference its
//! embedding is 0, because evaluation cannot fail.
//!
//! The layout and the initial values are those of PyTorch's `Embedding`.

use core::marker::PhantomData;

use crate::layer::{InputError, Layer, Pass, Reads, outline_layer};
use crate::parameters::Parameters;
use crate::scalar::{Scalar, Storage};
use crate::simd::Simd;
use crate::streaming::step_by_step;
use crate::tensor::{Tensor, WholeNumber, batch_slice, batch_slice_mut};
use crate::weight::Weight;

/// Looks up the integers of an `X` in the rows of a table `W`, and gives a `Y`.
///
/// ```
/// use monomorph::prelude::*;
///
/// network! { pub Words: [u8; 3] -> [3, 2] { Embedding(5, 2) } }
/// let mut net = Words::zeroed();
/// net.embedding1.weight[4] = [0.5, -0.5];
/// assert_eq!(net.evaluate(&[4, 0, 4]), [[0.5, -0.5], [0.0, 0.0], [0.5, -0.5]]);
///
/// // There is no token 5.
/// assert_eq!(net.evaluate(&[5, 0, 4])[0], [0.0, 0.0]);
/// let mut trainer = Trainer::<Words, _, 1>::new(Sgd::default(), Mse);
/// assert!(trainer.step(&mut net, &[[5, 0, 4]], &[[[0.0; 2]; 3]]).is_err());
/// ```
#[derive(Clone, Debug, Parameters)]
#[repr(C)]
pub struct Embedding<X, W, Y> {
    /// W: a row for each token.
    #[parameters(packed, normal = 1.0)]
    pub weight: W,
    /// The input and the output.
    pub shapes: PhantomData<(X, Y)>,
}

impl<X: Tensor<Element: WholeNumber>, W: Weight, Y: Tensor<Element = W::Scalar>> Embedding<X, W, Y> {
    /// The number of tokens, and the size of a row.
    const TABLE: [usize; 2] = {
        let &[tokens, features] = W::SHAPE else { panic!("Embedding: the table is `[[T; D]; V]`") };
        assert!(tokens > 0 && features > 0, "Embedding: a size is 0");
        assert!(
            Y::CHANNELS == features && Y::LEN == X::LEN * features,
            "Embedding: the output has a row for each token"
        );
        [tokens, features]
    };

    /// Writes the rows of the given tokens.
    #[inline(always)]
    fn look_up(&self, tokens: &[X::Element], output: &mut [W::Scalar]) {
        let [_, features] = const { Self::TABLE };
        let (table, scale) = (self.weight.packed(), self.weight.scale());
        for (token, y) in tokens.iter().zip(output.chunks_exact_mut(features)) {
            let Some(row) = table.chunks_exact(features).nth(token.index()) else {
                y.fill(W::Scalar::ZERO);
                continue;
            };
            for (y, number) in y.iter_mut().zip(row) {
                *y = number.widen();
            }
            for (y, scale) in y.iter_mut().zip(scale) {
                *y *= *scale;
            }
        }
    }
}

impl<T: Scalar, X, W, Y> Layer for Embedding<X, W, Y>
where
    X: Tensor<Element: WholeNumber>,
    W: Weight<Scalar = T>,
    Y: Tensor<Element = T>,
{
    type Input = X;
    type Output = Y;
    type Saved<const B: usize> = ();
    type Workspace<const B: usize> = ();
    const MACS: usize = 0;
    const BACKWARD_READS: Reads = Reads::INPUT;

    #[inline(always)]
    fn evaluate<S: Simd, const B: usize>(&self, simd: S, input: &[X; B], output: &mut [Y; B], _workspace: &mut ()) {
        outline_layer::<Self, B, _, _>(
            simd,
            #[inline(always)]
            || self.look_up(batch_slice(input), batch_slice_mut(output)),
        );
    }

    #[inline(always)]
    fn forward<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: &[X; B],
        output: &mut [Y; B],
        _saved: &mut (),
        pass: &mut Pass<T>,
    ) {
        let [limit, _] = const { Self::TABLE };
        for (position, token) in batch_slice(input).iter().enumerate() {
            let index = token.index();
            if index >= limit {
                let (sample, position) = (position / X::LEN, position % X::LEN);
                pass.refuse(InputError::OutOfRange { sample, position, index, limit });
            }
        }
        self.evaluate(simd, input, output, &mut ());
    }

    /// `∂W[x[i]] += ∂y[i]`; tokens have no gradient.
    #[inline(always)]
    fn backward<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: &[X; B],
        _output: &[Y; B],
        _saved: &mut (),
        grad_output: &mut [Y; B],
        _grad_input: Option<&mut [X; B]>,
        gradient: &mut Self,
        _pass: &Pass<T>,
    ) {
        const { assert!(!W::PACKED, "Embedding: a packed table is not trained; train the layer that it is packed from") };
        outline_layer::<Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                let [_, features] = const { Self::TABLE };
                let table = gradient.weight.trained_mut();
                for (token, dy) in batch_slice(input).iter().zip(batch_slice(grad_output).chunks_exact(features)) {
                    let Some(row) = table.chunks_exact_mut(features).nth(token.index()) else { continue };
                    for (gradient, dy) in row.iter_mut().zip(dy) {
                        *gradient += *dy;
                    }
                }
            },
        );
    }
}

// Each token is a step.
step_by_step!(
    [T: Scalar, X: Tensor<Element: WholeNumber>, W: Weight<Scalar = T>, Y: Tensor<Element = T>] Embedding<X, W, Y> => Y,
    |self, _simd, x, y| self.look_up(x, y)
);

#[cfg(all(test, feature = "safetensors", feature = "std"))]
mod tests {
    use super::*;
    use crate::memory::{boxed, zeroed};
    use crate::noise::Noise;
    use crate::simd::{Task, dispatch, levels};
    use crate::testing::check_gradients;
    use crate::testing::golden::{Case, assert_close};
    use std::boxed::Box;

    type Table<T> = Embedding<[u16; 5], [[T; 6]; 11], [[T; 6]; 5]>;

    struct Passes<'a, T: Scalar> {
        layer: &'a Table<T>,
        x: &'a [[u16; 5]; 2],
        y: &'a mut [[[T; 6]; 5]; 2],
        dy: &'a mut [[[T; 6]; 5]; 2],
        gradient: &'a mut Table<T>,
    }

    impl<T: Scalar> Task for Passes<'_, T> {
        type Output = Option<InputError>;
        #[inline(always)]
        fn run<S: Simd>(&mut self, simd: S) -> Self::Output {
            let mut pass = Pass::new(Noise::new(1), T::ONE);
            self.layer.forward(simd, self.x, self.y, &mut (), &mut pass);
            self.layer.backward(simd, self.x, self.y, &mut (), self.dy, None, self.gradient, &pass);
            pass.error()
        }
    }

    fn agrees<T: Scalar>(tolerance: f64) {
        let case = Case::open("embedding");
        let read = |name: &str, to: &mut [T]| {
            to.iter_mut().zip(case.numbers(name)).for_each(|(to, from)| *to = T::from_f64(from));
        };
        let (mut layer, mut dy) = (boxed::<Table<T>>(), boxed::<[[[T; 6]; 5]; 2]>());
        read("p.weight", layer.weight.numbers_mut());
        read("dy", batch_slice_mut(&mut dy[..]));
        let mut x = [[0; 5]; 2];
        x.as_flattened_mut().iter_mut().zip(case.numbers("x")).for_each(|(to, from)| *to = from as u16);
        for level in levels() {
            let (mut y, mut gradient) = (boxed::<[[[T; 6]; 5]; 2]>(), boxed::<Table<T>>());
            let passes = Passes { layer: &layer, x: &x, y: &mut y, dy: &mut dy, gradient: &mut gradient };
            assert_eq!(dispatch(level, passes), None);
            assert_close("y", batch_slice(&y[..]), &case.numbers("y"), tolerance);
            assert_close("g.weight", gradient.weight.numbers(), &case.numbers("g.weight"), tolerance);
        }
    }

    #[test]
    fn agrees_with_pytorch() {
        agrees::<f64>(1e-10);
        agrees::<f32>(2e-6);
    }

    #[test]
    fn gradients_agree_with_finite_differences() {
        let mut layer: Box<Table<f64>> = boxed();
        let mut noise = Noise::new(2);
        layer.weight.numbers_mut().fill_with(|| noise.uniform());
        check_gradients(&mut *layer, &[[0, 10, 3, 3, 7], [3, 3, 0, 1, 2]], 1e-7).unwrap();
    }

    #[test]
    fn a_token_out_of_range_is_named_and_changes_nothing_else() {
        let mut layer: Box<Table<f32>> = boxed();
        layer.weight = [[1.0; 6]; 11];
        let (mut y, mut gradient) = (zeroed(), boxed::<Table<f32>>());
        let (x, mut dy) = ([[1, 2, 3, 4, 10], [0, 11, 5, u16::MAX, 0]], [[[1.0; 6]; 5]; 2]);
        let passes = Passes { layer: &layer, x: &x, y: &mut y, dy: &mut dy, gradient: &mut gradient };
        let error = dispatch(crate::simd::level(), passes);
        assert_eq!(error, Some(InputError::OutOfRange { sample: 1, position: 1, index: 11, limit: 11 }));
        assert_eq!((y[1][1], y[1][3], y[1][4]), ([0.0; 6], [0.0; 6], [1.0; 6]));
        assert_eq!(gradient.weight.iter().map(|row| row[0]).sum::<f32>(), 8.0);
    }
}
