//! Several losses, one for each output of a network, with weights.

use super::{Loss, LossError, Reduction};
use crate::kernels::elementwise::scale;
use crate::kernels::training::Sum;
use crate::scalar::Scalar;
use crate::simd::{Simd, outline};
use crate::tensor::{Part, Tensor};

impl Reduction {
    /// What the weighted sum of several losses is.
    const fn of_all(all: &[Self]) -> Self {
        let (mut means, mut sums, mut index) = (0, 0, 0);
        while index < all.len() {
            match all[index] {
                Self::Mean => means += 1,
                Self::Sum => sums += 1,
                Self::WeightedMean | Self::Batch => {}
            }
            index += 1;
        }
        if means == all.len() {
            Self::Mean
        } else if sums == all.len() {
            Self::Sum
        } else {
            Self::Batch
        }
    }
}

/// By what the sum over a batch is divided.
#[inline(always)]
fn divisor_of<T: Scalar, P: Tensor<Element = T>, Y, L: Loss<T, P, Y>, A>(
    loss: &L,
    target: &[A],
    of: impl Fn(&A) -> &Y,
) -> f64 {
    const {
        assert!(
            !matches!(L::REDUCTION, Reduction::Batch),
            "a loss of the whole batch, such as `InfoNce`, cannot be one of several: it is not a sum over samples"
        );
    }
    match L::REDUCTION {
        Reduction::Sum => 1.0,
        _ => target.iter().map(|target| loss.divisor(core::array::from_ref(of(target)))).sum(),
    }
}

/// How much a sample counts in the loss of a batch.
#[inline(always)]
fn share_of<T: Scalar, P: Tensor<Element = T>, Y, L: Loss<T, P, Y>>(
    loss: &L,
    target: &Y,
    weight: f64,
    divisor: f64,
) -> T {
    T::from_f64(match L::REDUCTION {
        Reduction::Sum => weight,
        _ if divisor == 0.0 => 0.0,
        _ => weight * loss.divisor(core::array::from_ref(target)) / divisor,
    })
}

/// A tuple of losses with their weights.
macro_rules! several {
    ($($loss:ident $part:ident $target:ident $index:tt),*) => {
        // The notes of the trait say it in words.
        #[diagnostic::do_not_recommend]
        impl<T, X, $($loss, $part, $target),*> Loss<T, X, ($($target,)*)> for ($((f64, $loss),)*)
        where
            T: Scalar,
            X: Tensor<Element = T> $(+ Part<$index, Type = $part>)*,
            $($part: Tensor<Element = T>, $loss: Loss<T, $part, $target>,)*
        {
            const REDUCTION: Reduction = Reduction::of_all(&[$($loss::REDUCTION),*]);

            #[inline(always)]
            fn loss<S: Simd, const B: usize>(
                &self,
                simd: S,
                output: &[X; B],
                target: &[($($target,)*); B],
                gradient: &mut [X; B],
            ) -> Result<T, LossError> {
                let mut sum = Sum::default();
                $(
                    let (weight, loss) = &self.$index;
                    let whole = divisor_of::<T, $part, $target, _, _>(loss, target, |target| &target.$index);
                    for (sample, ((output, target), gradient)) in
                        output.iter().zip(target).zip(gradient.iter_mut()).enumerate()
                    {
                        let share = share_of::<T, $part, $target, _>(loss, &target.$index, *weight, whole);
                        let gradient: &mut $part = Part::<$index>::part_mut(gradient);
                        let value = loss
                            .loss(
                                simd,
                                core::array::from_ref(Part::<$index>::part(output)),
                                core::array::from_ref(&target.$index),
                                core::array::from_mut(gradient),
                            )
                            .map_err(|error| error.later_by(sample))?;
                        outline(
                            simd,
                            #[inline(always)]
                            move || scale(simd, gradient.numbers_mut(), share),
                        );
                        sum.add(value * share);
                    }
                )*
                Ok(sum.value())
            }

            #[inline(always)]
            fn value<S: Simd, const B: usize>(
                &self,
                simd: S,
                output: &[X; B],
                target: &[($($target,)*); B],
            ) -> Result<T, LossError> {
                let mut sum = Sum::default();
                $(
                    let (weight, loss) = &self.$index;
                    let whole = divisor_of::<T, $part, $target, _, _>(loss, target, |target| &target.$index);
                    for (sample, (output, target)) in output.iter().zip(target).enumerate() {
                        let share = share_of::<T, $part, $target, _>(loss, &target.$index, *weight, whole);
                        let output = core::array::from_ref(Part::<$index>::part(output));
                        let value = loss
                            .value(simd, output, core::array::from_ref(&target.$index))
                            .map_err(|error| error.later_by(sample))?;
                        sum.add(value * share);
                    }
                )*
                Ok(sum.value())
            }

            #[inline(always)]
            fn divisor<const B: usize>(&self, target: &[($($target,)*); B]) -> f64 {
                // If nothing counts for any of them, there is nothing to learn.
                let divisors = [$({
                    divisor_of::<T, $part, $target, _, _>(&self.$index.1, target, |target| &target.$index)
                }),*];
                if divisors.iter().any(|divisor| *divisor != 0.0) { B as f64 } else { 0.0 }
            }
        }
    };
}
several!(L0 P0 Y0 0, L1 P1 Y1 1);
several!(L0 P0 Y0 0, L1 P1 Y1 1, L2 P2 Y2 2);
several!(L0 P0 Y0 0, L1 P1 Y1 1, L2 P2 Y2 2, L3 P3 Y3 3);
