//! Upsampling of images: every pixel becomes a block of equal pixels (nearest neighbor).
//!
//! | | shape |
//! | --- | --- |
//! | input `x` | `[H, W, C]` |
//! | output `y` | `[H·FH, W·FW, C]` |
//!
//! `y[i][j][c] = x[⌊i/FH⌋][⌊j/FW⌋][c]`, as PyTorch's `Upsample(mode = "nearest")`.

use core::marker::PhantomData;

use crate::kernels::elementwise::add_assign;
use crate::layer::{Layer, Pass, Reads, forward_evaluates, outline_layer};
use crate::parameters::Parameters;
use crate::scalar::Scalar;
use crate::simd::Simd;
use crate::tensor::{Tensor, batch_slice, batch_slice_mut};

/// Turns every pixel into a block of `OH/H` by `OW/W` equal pixels.
///
/// ```
/// use monomorph::prelude::*;
///
/// network! { Zoom: [1, 2, 1] -> [2, 4, 1] { Upsample2d(2) } }
/// assert_eq!(Zoom::zeroed().evaluate(&[[[1.0], [2.0]]]), [[[1.0], [1.0], [2.0], [2.0]]; 2]);
/// ```
#[derive(Clone, Copy, Debug, Parameters)]
#[parameters(of = X)]
#[repr(C)]
pub struct Upsample2d<X, Y>(PhantomData<(X, Y)>);

impl<X: Tensor, Y: Tensor> Upsample2d<X, Y> {
    /// The rows and columns of the block that a pixel becomes.
    const FACTORS: [usize; 2] = {
        let (&[h, w, c], &[oh, ow, channels]) = (X::SHAPE, Y::SHAPE) else { panic!("Upsample2d: not images") };
        assert!(X::LEN > 0 && c == channels, "Upsample2d: a size is 0, or the channels differ");
        assert!(oh.is_multiple_of(h) && ow.is_multiple_of(w), "Upsample2d: the output is a multiple of the input");
        [oh / h, ow / w]
    };
    /// How many numbers a row of the input and of the output has.
    const ROWS: [usize; 2] = [X::SHAPE[1] * X::SHAPE[2], Y::SHAPE[1] * Y::SHAPE[2]];
}

impl<T: Scalar, X: Tensor<Element = T>, Y: Tensor<Element = T>> Layer for Upsample2d<X, Y> {
    type Input = X;
    type Output = Y;
    type Saved<const B: usize> = ();
    type Workspace<const B: usize> = ();
    const MACS: usize = 0;
    const BACKWARD_READS: Reads = Reads::NOTHING;

    #[inline(always)]
    fn evaluate<S: Simd, const B: usize>(&self, simd: S, input: &[X; B], output: &mut [Y; B], _workspace: &mut ()) {
        outline_layer::<Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                let ([tall, wide], [from_row, to_row]) = const { (Self::FACTORS, Self::ROWS) };
                let rows = batch_slice(input).chunks_exact(from_row);
                for (from, rows) in rows.zip(batch_slice_mut(output).chunks_exact_mut(tall * to_row)) {
                    for row in rows.chunks_exact_mut(to_row) {
                        let blocks = row.chunks_exact_mut(wide * X::CHANNELS);
                        for (pixel, block) in from.chunks_exact(X::CHANNELS).zip(blocks) {
                            for part in block.chunks_exact_mut(X::CHANNELS) {
                                part.copy_from_slice(pixel);
                            }
                        }
                    }
                }
            },
        );
    }

    forward_evaluates!();

    /// `dx[i][j] = Σ dy` over the block of the pixel.
    #[inline(always)]
    fn backward<S: Simd, const B: usize>(
        &self,
        simd: S,
        _input: &[X; B],
        _output: &[Y; B],
        _saved: &mut (),
        grad_output: &mut [Y; B],
        grad_input: Option<&mut [X; B]>,
        _gradient: &mut Self,
        _pass: &Pass<T>,
    ) {
        let Some(grad_input) = grad_input else { return };
        outline_layer::<Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                let ([tall, wide], [from_row, to_row]) = const { (Self::FACTORS, Self::ROWS) };
                let rows = batch_slice_mut(grad_input).chunks_exact_mut(from_row);
                for (to, rows) in rows.zip(batch_slice(grad_output).chunks_exact(tall * to_row)) {
                    to.fill(T::ZERO);
                    for row in rows.chunks_exact(to_row) {
                        let blocks = row.chunks_exact(wide * X::CHANNELS);
                        for (pixel, block) in to.chunks_exact_mut(X::CHANNELS).zip(blocks) {
                            for part in block.chunks_exact(X::CHANNELS) {
                                add_assign(simd, pixel, part);
                            }
                        }
                    }
                }
            },
        );
    }
}

#[cfg(all(test, feature = "safetensors", feature = "std"))]
mod tests {
    use super::*;
    use crate::memory::zeroed;
    use crate::testing::{check_gradients, golden};

    type Image<T, const H: usize, const W: usize, const C: usize> = [[[T; C]; W]; H];

    #[test]
    fn agrees_with_pytorch() {
        golden::check_layer::<Upsample2d<Image<f64, 4, 3, 6>, Image<f64, 8, 6, 6>>, 1>("pool2d_upsample2_nearest");
        golden::check_layer::<Upsample2d<Image<f32, 4, 3, 6>, Image<f32, 8, 6, 6>>, 1>("pool2d_upsample2_nearest");
    }

    #[test]
    fn gradients_agree_with_finite_differences() {
        let input = golden::random::<Image<f64, 3, 2, 17>, 2>(1);
        let mut layer: Upsample2d<Image<f64, 3, 2, 17>, Image<f64, 3, 6, 17>> = zeroed();
        check_gradients(&mut layer, &input, 1e-7).unwrap();
        let input = golden::random::<Image<f64, 2, 1, 1>, 3>(2);
        let mut layer: Upsample2d<Image<f64, 2, 1, 1>, Image<f64, 6, 5, 1>> = zeroed();
        check_gradients(&mut layer, &input, 1e-7).unwrap();
    }
}
