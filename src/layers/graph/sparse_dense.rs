//! A dense layer over rows that are mostly zeros, given as a list of those that are not.
//!
//! `y[r] = b + Σ v[e]·W[c]` over the entries `e` in row `r` and column `c`
//!
//! | tensor | shape | initial value |
//! | --- | --- | --- |
//! | entries | `[ENTRIES, 2]`, whole numbers: row and column | |
//! | `values` (v) | `[ENTRIES]` | |
//! | `weight` (W) | `[COLUMNS, OUT]` | random |
//! | `bias` (b) | `[OUT]`, or `[0]`: none | 0 |
//! | `y` | `[ROWS, OUT]` | |
//!
//! An entry outside of the matrix is an error in training, which leaves the network unchanged. At inference it counts
//! nothing. An entry that occurs twice counts twice. The order of the entries changes nothing but rounding; passes are
//! faster if those of a row lie together.

use core::marker::PhantomData;

use super::{row, row_mut};
use crate::kernels::elementwise::{add_assign, add_scaled};
use crate::kernels::reduce::dot;
use crate::layer::{Batch, GradientOf, InputError, Layer, Pass, Reads, outline_layer};
use crate::parameters::Parameters;
use crate::plain::WholeNumber;
use crate::scalar::Scalar;
use crate::simd::Simd;
use crate::tensor::Tensor;

/// The product of a sparse matrix, with entries `E` of values `V`, and a weight, which is a `Y`.
///
/// In a network, write `(entries, values) |> SparseDense(16, rows = 2708, columns = 1433)`; option: `bias = false`.
///
/// ```
/// use monomorph::prelude::*;
///
/// network! {
///     pub Words(entries: [[u16; 2]; 3], values: [3]) -> [2, 1] {
///         (entries, values) |> SparseDense(1, rows = 2, columns = 1000)
///     }
/// }
/// let mut net = Words::zeroed();
/// net.sparse1.weight[999] = [5.0];
/// let y = net.evaluate(&WordsInput { entries: [[0, 7], [1, 999], [1, 0]], values: [1.0, 2.0, 3.0] });
/// assert_eq!(y, [[0.0], [10.0]]);
/// ```
#[derive(Clone, Debug, PartialEq, Parameters)]
#[parameters(of = W)]
#[repr(C)]
pub struct SparseDense<E, V, W: Tensor, Y, B: Tensor> {
    /// W: a row of `OUT` numbers for each column of the matrix.
    #[parameters(tensor)]
    pub weight: W,
    /// b.
    #[parameters(tensor, start = 0.0)]
    pub bias: B,
    /// The entries, their values, and the output.
    pub shapes: PhantomData<(E, V, Y)>,
}

impl<T, E, V, W, Y, Bias> SparseDense<E, V, W, Y, Bias>
where
    T: Scalar,
    E: Tensor<Element: WholeNumber>,
    V: Tensor<Element = T>,
    W: Tensor<Element = T>,
    Y: Tensor<Element = T>,
    Bias: Tensor<Element = T>,
{
    /// The rows and columns of the matrix.
    const MATRIX: [usize; 2] = {
        let (&[rows, units], &[columns, outputs]) = (Y::SHAPE, W::SHAPE) else {
            panic!("SparseDense: the weight is `[[T; OUT]; COLUMNS]` and the output `[[T; OUT]; ROWS]`")
        };
        assert!(rows > 0 && columns > 0 && units > 0, "SparseDense: a size is 0");
        assert!(units == outputs, "SparseDense: the weight has a column for each output");
        assert!(matches!(E::SHAPE, &[_, 2]), "SparseDense: entries are `[[u16; 2]; ENTRIES]`");
        assert!(E::LEN == 2 * V::LEN, "SparseDense: each entry has a value");
        assert!(Bias::LEN == units || Bias::LEN == 0, "SparseDense: the bias has a number for each output, or none");
        [rows, columns]
    };

    /// The entries of a sample that are in the matrix: index, row and column.
    #[inline(always)]
    fn entries(entries: &E) -> impl Iterator<Item = (usize, usize, usize)> {
        let [rows, columns] = const { Self::MATRIX };
        let places = entries.numbers().as_chunks::<2>().0.iter().enumerate();
        places
            .map(
                #[inline(always)]
                |(index, [row, column])| (index, row.index(), column.index()),
            )
            .filter(
                #[inline(always)]
                move |(_, row, column)| *row < rows && *column < columns,
            )
    }
}

impl<T, E, V, W, Y, Bias> Layer for SparseDense<E, V, W, Y, Bias>
where
    T: Scalar,
    E: Tensor<Element: WholeNumber>,
    V: Tensor<Element = T>,
    W: Tensor<Element = T>,
    Y: Tensor<Element = T>,
    Bias: Tensor<Element = T>,
{
    type Input = (E, V);
    type Output = Y;
    type Saved<const B: usize> = ();
    type Workspace<const B: usize> = ();
    const MACS: usize = V::LEN * Y::CHANNELS;
    const BACKWARD_READS: Reads = Reads::INPUT;

    #[inline(always)]
    fn evaluate<S: Simd, const B: usize>(
        &self,
        simd: S,
        (entries, values): Batch<'_, (E, V), B>,
        output: &mut [Y; B],
        (): &mut (),
    ) {
        outline_layer::<Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                let (weight, bias) = (self.weight.numbers(), self.bias.numbers());
                for ((entries, values), output) in entries.iter().zip(values).zip(output) {
                    let (values, y) = (values.numbers(), output.numbers_mut());
                    if Bias::LEN > 0 {
                        y.chunks_exact_mut(Y::CHANNELS).for_each(|y| y.copy_from_slice(bias));
                    } else {
                        y.fill(T::ZERO);
                    }
                    for (index, to, column) in Self::entries(entries) {
                        let value = super::at(values, index);
                        add_scaled(simd, row_mut(y, to, Y::CHANNELS), row(weight, column, Y::CHANNELS), value);
                    }
                }
            },
        );
    }

    #[inline(always)]
    fn forward<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: Batch<'_, (E, V), B>,
        output: &mut [Y; B],
        (): &mut (),
        pass: &mut Pass<T>,
    ) {
        for (sample, entries) in input.0.iter().enumerate() {
            for (position, number) in entries.numbers().iter().enumerate() {
                let (index, limit) = (number.index(), const { Self::MATRIX }[position % 2]);
                if index >= limit {
                    pass.refuse(InputError::OutOfRange { sample, position, index, limit });
                }
            }
        }
        self.evaluate(simd, input, output, &mut ());
    }

    /// `∂W[c] += v[e]·∂y[r]`, `∂v[e] = W[c]·∂y[r]`, `∂b += Σ ∂y` over the rows.
    #[inline(always)]
    fn backward<S: Simd, const B: usize>(
        &self,
        simd: S,
        (entries, values): Batch<'_, (E, V), B>,
        _output: &[Y; B],
        (): &mut (),
        grad_output: &mut [Y; B],
        (_, mut grad_values): GradientOf<'_, (E, V), B>,
        gradient: &mut Self,
        _pass: &Pass<T>,
    ) {
        outline_layer::<Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                for (sample, grad_y) in grad_output.iter().enumerate() {
                    let (grad_y, values) = (grad_y.numbers(), values[sample].numbers());
                    if Bias::LEN > 0 {
                        for row in grad_y.chunks_exact(Y::CHANNELS) {
                            add_assign(simd, gradient.bias.numbers_mut(), row);
                        }
                    }
                    let grad_weight = gradient.weight.numbers_mut();
                    for (index, from, column) in Self::entries(&entries[sample]) {
                        let (slope, grad_y) =
                            (row_mut(grad_weight, column, Y::CHANNELS), row(grad_y, from, Y::CHANNELS));
                        add_scaled(simd, slope, grad_y, super::at(values, index));
                    }
                    let Some(all) = grad_values.as_deref_mut() else { continue };
                    let (grad_values, weight) = (all[sample].numbers_mut(), self.weight.numbers());
                    grad_values.fill(T::ZERO);
                    for (index, from, column) in Self::entries(&entries[sample]) {
                        let agreement = dot(simd, row(weight, column, Y::CHANNELS), row(grad_y, from, Y::CHANNELS));
                        row_mut(grad_values, index, 1).fill(agreement);
                    }
                }
            },
        );
    }
}
