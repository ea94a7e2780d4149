//! Upsampling of images: every pixel becomes a block of equal pixels (nearest neighbour).
//!
//! | | shape |
//! | --- | --- |
//! | input `x` | `[H, W, C]` |
//! | output `y` | `[H·FH, W·FW, C]` |
//!
//! `y[i][j][c] = x[⌊i/FH⌋][⌊j/FW⌋][c]`, as PyTorch's `Upsample(mode = "nearest")`.

use crate::kernels::elementwise::add_assign;
use crate::layer::{Layer, forward_evaluates, outline_layer};
use crate::parameters::Parameters;
use crate::scalar::Scalar;
use crate::simd::Simd;

/// Makes every pixel a block of `OH/H` by `OW/W` equal pixels.
///
/// ```
/// use monomorph::prelude::*;
///
/// network! { Zoom: [1, 2, 1] -> [2, 4, 1] { Upsample2d(2) } }
/// assert_eq!(Zoom::zeroed().evaluate(&[[[1.0], [2.0]]]), [[[1.0], [1.0], [2.0], [2.0]]; 2]);
/// ```
#[derive(Parameters)]
#[repr(C)]
pub struct Upsample2d<const H: usize, const W: usize, const C: usize, const OH: usize, const OW: usize>;

impl<const H: usize, const W: usize, const C: usize, const OH: usize, const OW: usize> Upsample2d<H, W, C, OH, OW> {
    const SHAPE: () = {
        assert!(H > 0 && W > 0 && C > 0, "Upsample2d: a size is 0");
        assert!(OH.is_multiple_of(H) && OW.is_multiple_of(W), "Upsample2d: the output is a multiple of the input");
    };
}

impl<T: Scalar, const H: usize, const W: usize, const C: usize, const OH: usize, const OW: usize> Layer<T>
    for Upsample2d<H, W, C, OH, OW>
{
    type Input = [[[T; C]; W]; H];
    type Output = [[[T; C]; OW]; OH];
    type Saved<const B: usize> = ();
    type Workspace<const B: usize> = ();
    const MACS: usize = 0;

    #[inline(always)]
    fn evaluate<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: &[Self::Input; B],
        output: &mut [Self::Output; B],
        _workspace: &mut (),
    ) {
        const { Self::SHAPE };
        outline_layer::<T, Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                for (x, y) in input.iter().zip(output) {
                    for (from, rows) in x.iter().zip(y.chunks_exact_mut(const { OH / H })) {
                        for row in rows {
                            for (pixel, block) in from.iter().zip(row.chunks_exact_mut(const { OW / W })) {
                                block.fill(*pixel);
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
        _input: &[Self::Input; B],
        _output: &[Self::Output; B],
        _saved: &mut (),
        grad_output: &mut [Self::Output; B],
        grad_input: Option<&mut [Self::Input; B]>,
        _gradient: &mut Self,
    ) {
        let Some(grad_input) = grad_input else { return };
        outline_layer::<T, Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                for (dx, dy) in grad_input.iter_mut().zip(grad_output) {
                    for (to, rows) in dx.iter_mut().zip(dy.chunks_exact(const { OH / H })) {
                        to.as_flattened_mut().fill(T::ZERO);
                        for row in rows {
                            for (pixel, block) in to.iter_mut().zip(row.chunks_exact(const { OW / W })) {
                                for part in block {
                                    add_assign(simd, pixel, part);
                                }
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
    use crate::testing::{check_gradients, golden};

    #[test]
    fn agrees_with_pytorch() {
        golden::check_layer::<f64, Upsample2d<4, 3, 6, 8, 6>, 1>("pool2d_upsample2_nearest");
        golden::check_layer::<f32, Upsample2d<4, 3, 6, 8, 6>, 1>("pool2d_upsample2_nearest");
    }

    #[test]
    fn gradients_agree_with_finite_differences() {
        let input = golden::random::<f64, [[[f64; 17]; 2]; 3], 2>(1);
        check_gradients(&mut Upsample2d::<3, 2, 17, 3, 6>, &input, 1e-7).unwrap();
        let input = golden::random::<f64, [[[f64; 1]; 1]; 2], 3>(2);
        check_gradients(&mut Upsample2d::<2, 1, 1, 6, 5>, &input, 1e-7).unwrap();
    }
}
