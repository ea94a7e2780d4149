//! Weights as layers read them: plain tensors, or tensors packed in fewer bits.

use crate::plain::Plain;

use crate::scalar::{Scalar, Storage};
use crate::tensor::{Tensor, batch_slice, batch_slice_mut};

/// A weight as a layer reads it: any [`Tensor`], or a [`Packed`] one.
///
/// A layer that is generic over its weight can be evaluated with either. The last axis is the output channels.
pub trait Weight: Plain + Send + Sync {
    /// The type of the numbers used in computation.
    type Scalar: Scalar;
    /// The type of the numbers in memory.
    type Format: Storage<Self::Scalar>;
    /// A number for each output channel.
    type Channels: Tensor<Element = Self::Scalar>;
    /// A number for each row: its shape without the last axis.
    type Rows: Tensor<Element = Self::Scalar>;
    /// The sizes of its axes, outermost first.
    const SHAPE: &'static [usize];
    /// Whether it is packed in fewer bits, and so not trained.
    const PACKED: bool;

    /// All numbers in memory order.
    fn packed(&self) -> &[Self::Format];
    /// The factors that multiply the numbers of each output channel; empty if the format has no scales.
    fn scale(&self) -> &[Self::Scalar];
    /// All trainable numbers, mutably; empty if it is packed.
    fn trained_mut(&mut self) -> &mut [Self::Scalar];
    /// All trainable numbers; empty if it is packed.
    fn trained(&self) -> &[Self::Scalar];
}

impl<T: Scalar, W: Tensor<Element = T>> Weight for W {
    type Scalar = T;
    type Format = T;
    type Channels = W::Last;
    type Rows = W::Rows;
    const SHAPE: &'static [usize] = W::SHAPE;
    const PACKED: bool = false;

    #[inline(always)]
    fn packed(&self) -> &[T] {
        self.numbers()
    }
    #[inline(always)]
    fn scale(&self) -> &[T] {
        &[]
    }
    #[inline(always)]
    fn trained_mut(&mut self) -> &mut [T] {
        self.numbers_mut()
    }
    #[inline(always)]
    fn trained(&self) -> &[T] {
        self.numbers()
    }
}

/// The weight `W` in the format `F`: [`Bf16`](crate::storage::Bf16), [`F16`](crate::storage::F16) or `i8`.
///
/// A layer with such a weight can be evaluated, not trained. `#[packed(..)]` on a network declares networks of such
/// layers.
///
/// ```
/// use monomorph::weight::Packed;
///
/// let mut packed: Packed<[[f32; 2]; 2], i8> = monomorph::memory::zeroed();
/// packed.pack(&[[127.0, 0.5], [-3.2, 0.1]]);
/// assert_eq!(packed.numbers, [[127, 127], [-3, 25]]);
/// assert_eq!(packed.scale, [[1.0, 0.5 / 127.0]]);
/// ```
#[derive(Plain)]
#[repr(C)]
pub struct Packed<W: Tensor<Element: Scalar>, F: Storage<W::Element>> {
    /// The weight in the format's numbers.
    pub numbers: W::With<F>,
    /// The factor that multiplies each output channel, if the format has scales.
    pub scale: F::Scale<W::Last>,
}

impl<W: Tensor<Element: Scalar>, F: Storage<W::Element>> Packed<W, F> {
    /// Packs a weight, in place.
    pub fn pack(&mut self, weight: &W) {
        let scale = batch_slice_mut(self.scale.as_mut());
        F::store(weight.numbers(), W::CHANNELS, self.numbers.numbers_mut(), scale);
    }
}

impl<W: Tensor<Element: Scalar>, F: Storage<W::Element>> Weight for Packed<W, F> {
    type Scalar = W::Element;
    type Format = F;
    type Channels = W::Last;
    type Rows = W::Rows;
    const SHAPE: &'static [usize] = W::SHAPE;
    const PACKED: bool = true;

    #[inline(always)]
    fn packed(&self) -> &[F] {
        self.numbers.numbers()
    }
    #[inline(always)]
    fn scale(&self) -> &[W::Element] {
        batch_slice(self.scale.as_ref())
    }
    #[inline(always)]
    fn trained_mut(&mut self) -> &mut [W::Element] {
        &mut []
    }
    #[inline(always)]
    fn trained(&self) -> &[W::Element] {
        &[]
    }
}
