//! Losses that compare outputs with each other: what belongs together is to be near.
//!
//! The parts of an output follow one another: those of a network with two or three outputs, such as
//! `(query: [32], key: [32])`, or equal parts of a single one. There is no target: it is `()`.

use super::{Loss, LossError, Reduction, reciprocal};
use crate::hyperparameters::{Range, check};
use crate::kernels::elementwise::add_scaled;
use crate::kernels::training::{Sum, compare};
use crate::kernels::{elementwise, reduce};
use crate::scalar::{Real, Vector};
use crate::simd::{Simd, outline};
use crate::tensor::Tensor;

/// Triplet loss: the mean over the samples of `max(0, d(a, p) − d(a, n) + margin)` for an anchor `a`, an output `p`
/// that belongs to it, and one that does not, `n`; `d(u, v) = ‖u − v + ε‖`.
///
/// Where it is above 0, its gradient is `(u − w)/B` to `a`, `−u/B` to `p` and `w/B` to `n`, with the unit vectors `u`
/// from `p` and `w` from `n` to `a`, for a batch of `B`.
///
/// The output is `a`, `p` and `n`, of the same length; the target is `()`. Schroff, Kalenichenko and Philbin, *FaceNet*
/// (2015); distance, ε and margin are those of PyTorch's `TripletMarginLoss`.
///
/// ```
/// use monomorph::loss::{Loss, Triplet};
///
/// let (loss, gradient) = Triplet::default().loss_and_gradient(&[[0.0_f64, 0.0, 5.0]], &[()])?;
/// assert_eq!((loss, gradient), (0.0, [[0.0; 3]])); // far enough
/// # Ok::<(), monomorph::loss::LossError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Triplet {
    /// By how much what does not belong is to be further away; at least 0, by default 1.
    pub margin: f64,
    /// ε, added to each difference; by default 10⁻⁶.
    pub epsilon: f64,
}

impl Default for Triplet {
    fn default() -> Self {
        Self { margin: 1.0, epsilon: 1e-6 }
    }
}

impl Triplet {
    #[inline(always)]
    fn mean<T: Real, X: Tensor<Element = T>, S: Simd>(
        self,
        simd: S,
        output: &[X],
        mut gradient: Option<&mut [X]>,
    ) -> Result<T, LossError> {
        const {
            assert!(
                X::LEN.is_multiple_of(3),
                "`Triplet` takes an output of three parts of the same length: anchor, positive and negative"
            );
        }
        let fields = [("margin", self.margin, Range::NotNegative), ("epsilon", self.epsilon, Range::Finite)];
        check::<T>("Triplet", &fields).map_err(LossError::OutOfRange)?;
        let share: T = reciprocal(output.len());
        Ok(outline(
            simd,
            #[inline(always)]
            move || {
                let len = X::LEN / 3;
                let epsilon = T::Vector::<S>::splat(simd, T::from_f64(self.epsilon));
                let mut sum = Sum::default();
                for (sample, output) in output.iter().enumerate() {
                    let (anchor, others) = output.numbers().split_at(len);
                    let (positive, negative) = others.split_at(len);
                    // The distance, and u − v + ε if there is memory for it.
                    let distance = |other: &[T], difference: Option<&mut [T]>| {
                        let squares = compare(
                            simd,
                            anchor,
                            other,
                            difference,
                            T::ONE,
                            #[inline(always)]
                            |u, v| {
                                let d = (u - v) + epsilon;
                                (d * d, d)
                            },
                        );
                        squares.sqrt()
                    };
                    let gradient = gradient.as_deref_mut().and_then(|gradient| gradient.get_mut(sample));
                    let Some(gradient) = gradient.map(Tensor::numbers_mut) else {
                        let difference = distance(positive, None) - distance(negative, None);
                        sum.add(hinge(difference + T::from_f64(self.margin)));
                        continue;
                    };
                    let (to_anchor, others) = gradient.split_at_mut(len);
                    let (to_positive, to_negative) = others.split_at_mut(len);
                    let near = distance(positive, Some(to_positive));
                    let far = distance(negative, Some(to_negative));
                    let loss = hinge((near - far) + T::from_f64(self.margin));
                    sum.add(loss);
                    // Points in the same place have no direction.
                    let [towards, away] = [near, far].map(|distance| {
                        if loss == T::ZERO || distance == T::ZERO { T::ZERO } else { share / distance }
                    });
                    elementwise::scale(simd, to_positive, -towards);
                    elementwise::scale(simd, to_negative, away);
                    elementwise::zip_to(
                        simd,
                        to_positive,
                        to_negative,
                        to_anchor,
                        #[inline(always)]
                        |positive, negative| -(positive + negative),
                    );
                }
                sum.value() * share
            },
        ))
    }
}

/// `max(0, x)`; NaN stays NaN.
#[inline(always)]
fn hinge<T: Real>(x: T) -> T {
    if x <= T::ZERO { T::ZERO } else { x }
}

// The notes of the trait say it in words.
#[diagnostic::do_not_recommend]
impl<T: Real, X: Tensor<Element = T>> Loss<T, X, ()> for Triplet {
    #[inline(always)]
    fn loss<S: Simd, const B: usize>(
        &self,
        simd: S,
        output: &[X; B],
        _target: &[(); B],
        gradient: &mut [X; B],
    ) -> Result<T, LossError> {
        self.mean(simd, output, Some(gradient))
    }

    #[inline(always)]
    fn value<S: Simd, const B: usize>(&self, simd: S, output: &[X; B], _target: &[(); B]) -> Result<T, LossError> {
        self.mean(simd, output, None)
    }
}

/// InfoNCE: each query `q` is to find its key `k` among those of the whole batch. The mean over the samples of
/// `−ln softmax(z)ᵢ` with the cosines `zⱼ = q̂ᵢ·k̂ⱼ/τ`, where `x̂ = x/‖x‖`; or with `x̂ = x`, if lengths count.
///
/// With `c = (softmax(z)ⱼ − [i = j])/(B·τ)` its gradient is `Σⱼ c·k̂ⱼ` to `q̂ᵢ` and `Σᵢ c·q̂ᵢ` to `k̂ⱼ`; a gradient `g`
/// to `x̂` is `(g − x̂(x̂·g))/‖x‖` to `x`.
///
/// The output is a query, then its key, of the same length, such as `(query: [32], key: [32])`; the target is `()`. The
/// loss of keys that tell nothing is `ln B`, so larger batches teach more: what it is less than that is a lower bound of the
/// [mutual information](Self::information) of what the two are made of. Van den Oord, Li and Vinyals,
/// *Representation learning with contrastive predictive coding* (2018); cosines as in SimCLR (2020).
///
/// It is a function of the [whole batch](Reduction::Batch), not a mean over samples: it works with the
/// [`Trainer`](crate::train::Trainer). To cut a batch in shards or to score sample by sample would be another loss, so
/// `ParallelTrainer` and `Evaluator` do not compile with it.
///
/// ```
/// use monomorph::loss::{InfoNce, Loss};
///
/// let pairs = [[1.0_f64, 0.0, 2.0, 0.0], [0.0, 3.0, 0.0, 1.0]];
/// let (loss, _) = InfoNce { temperature: 0.05, ..InfoNce::default() }.loss_and_gradient(&pairs, &[(); 2])?;
/// assert!(loss < 1e-8); // each query has the direction of its key
/// # Ok::<(), monomorph::loss::LossError>(())
/// ```
///
/// ```compile_fail,E0080
/// use monomorph::prelude::*;
///
/// network! { Pairs(x: [2]) -> (query: [1], key: [1]) {
///     let query = x |> Dense(1);
///     let key = x |> Dense(1);
/// } }
/// // Not sample by sample:
/// let _ = Evaluator::<Pairs, 4>::new().score(&Pairs::zeroed(), &InfoNce::default(), &[[0.0; 2]; 8], &[(); 8]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InfoNce {
    /// τ; above 0, by default 0.1.
    pub temperature: f64,
    /// Whether directions are compared and not lengths, by default so. Without, scores are as large as they need to be, which
    /// an estimate of [information](Self::information) takes; with a temperature of 1, then.
    pub normalize: bool,
}

impl Default for InfoNce {
    fn default() -> Self {
        Self { temperature: 0.1, normalize: true }
    }
}

impl InfoNce {
    /// `ln B − L`: what a loss over batches of `B` pairs says of the mutual information of query and key, in nats. It is
    /// not above the true one but for chance, if the pairs are others than those that were learned from, and never above
    /// `ln B`.
    ///
    /// ```
    /// use monomorph::loss::InfoNce;
    /// assert!((InfoNce::information(0.5, 64) - (64.0_f64.ln() - 0.5)).abs() < 1e-12);
    /// ```
    pub fn information(loss: f64, batch: usize) -> f64 {
        libm::log(batch as f64) - loss
    }
}

/// Shorter vectors count as this long, as in PyTorch's `normalize`.
const SHORTEST: f64 = 1e-12;

impl InfoNce {
    #[inline(always)]
    fn of_batch<T: Real, X: Tensor<Element = T>, S: Simd, const B: usize>(
        self,
        simd: S,
        output: &[X; B],
        mut gradient: Option<&mut [X; B]>,
    ) -> Result<T, LossError> {
        const {
            assert!(
                X::LEN.is_multiple_of(2),
                "`InfoNce` takes an output of two parts of the same length: query and key"
            );
        }
        check::<T>("InfoNce", &[("temperature", self.temperature, Range::Positive)]).map_err(LossError::OutOfRange)?;
        let share: T = reciprocal(B);
        let sharp = T::from_f64(1.0 / self.temperature);
        Ok(outline(
            simd,
            #[inline(always)]
            move || {
                let inverse = |x: &[T]| {
                    if !self.normalize {
                        return T::ONE;
                    }
                    let norm = reduce::sum_of_squares(simd, x).sqrt();
                    T::ONE / norm.max(T::from_f64(SHORTEST))
                };
                let (mut of_queries, mut of_keys) = ([T::ZERO; B], [T::ZERO; B]);
                for ((sample, query), key) in output.iter().zip(&mut of_queries).zip(&mut of_keys) {
                    let (q, k) = sample.numbers().split_at(X::LEN / 2);
                    (*query, *key) = (inverse(q), inverse(k));
                }
                if let Some(gradient) = gradient.as_deref_mut() {
                    gradient.iter_mut().for_each(|sample| sample.numbers_mut().fill(T::ZERO));
                }
                let mut sum = Sum::default();
                for (i, sample) in output.iter().enumerate() {
                    let (q, _) = sample.numbers().split_at(X::LEN / 2);
                    let scale = of_queries.get(i).copied().unwrap_or_default();
                    let (mut scores, mut own) = ([T::ZERO; B], T::ZERO);
                    for (j, ((score, other), of_key)) in scores.iter_mut().zip(output).zip(&of_keys).enumerate() {
                        *score =
                            reduce::dot(simd, q, other.numbers().split_at(X::LEN / 2).1) * (scale * *of_key * sharp);
                        if i == j {
                            own = *score;
                        }
                    }
                    let (max, powers) = reduce::max_and_sum_exp(simd, &scores);
                    sum.add((max - own) + powers.ln());
                    let Some(gradient) = gradient.as_deref_mut() else { continue };
                    for (j, (score, of_key)) in scores.iter().zip(&of_keys).enumerate() {
                        let mut factor = (*score - max).exp() / powers;
                        if i == j {
                            factor -= T::ONE;
                        }
                        factor *= share * sharp;
                        if let (Some(to), Some(other)) = (gradient.get_mut(i), output.get(j)) {
                            let key = other.numbers().split_at(X::LEN / 2).1;
                            add_scaled(simd, to.numbers_mut().split_at_mut(X::LEN / 2).0, key, factor * *of_key);
                        }
                        if let Some(to) = gradient.get_mut(j) {
                            add_scaled(simd, to.numbers_mut().split_at_mut(X::LEN / 2).1, q, factor * scale);
                        }
                    }
                }
                // From the directions to the vectors.
                if let Some(gradient) = gradient.filter(|_| self.normalize) {
                    let scales = of_queries.iter().zip(&of_keys);
                    for ((to, sample), (of_query, of_key)) in gradient.iter_mut().zip(output).zip(scales) {
                        let (to_query, to_key) = to.numbers_mut().split_at_mut(X::LEN / 2);
                        let (query, key) = sample.numbers().split_at(X::LEN / 2);
                        for (to, x, scale) in [(to_query, query, *of_query), (to_key, key, *of_key)] {
                            let along = reduce::dot(simd, x, to) * (scale * scale);
                            // A vector that counts as longer than it is has no such part.
                            let along = if scale >= T::from_f64(1.0 / SHORTEST) { T::ZERO } else { along };
                            add_scaled(simd, to, x, -along);
                            elementwise::scale(simd, to, scale);
                        }
                    }
                }
                sum.value() * share
            },
        ))
    }
}

// The notes of the trait say it in words.
#[diagnostic::do_not_recommend]
impl<T: Real, X: Tensor<Element = T>> Loss<T, X, ()> for InfoNce {
    const REDUCTION: Reduction = Reduction::Batch;

    #[inline(always)]
    fn loss<S: Simd, const B: usize>(
        &self,
        simd: S,
        output: &[X; B],
        _target: &[(); B],
        gradient: &mut [X; B],
    ) -> Result<T, LossError> {
        self.of_batch(simd, output, Some(gradient))
    }

    #[inline(always)]
    fn value<S: Simd, const B: usize>(&self, simd: S, output: &[X; B], _target: &[(); B]) -> Result<T, LossError> {
        self.of_batch(simd, output, None)
    }
}

#[cfg(all(test, feature = "safetensors", feature = "std"))]
mod tests {
    use super::*;
    use crate::loss::check;
    use crate::testing::golden::random;

    #[test]
    fn agree_with_pytorch() {
        check::golden::<f64, [f64; 12], _, 5>("loss_triplet", &Triplet::default(), &[(); 5]);
        check::golden::<f32, [f32; 12], _, 5>("loss_triplet", &Triplet::default(), &[(); 5]);
        check::golden::<f64, [f64; 8], _, 5>("loss_info_nce", &InfoNce::default(), &[(); 5]);
        check::golden::<f32, [f32; 8], _, 5>("loss_info_nce", &InfoNce::default(), &[(); 5]);
    }

    #[test]
    fn gradients() {
        fn every<const M: usize>() {
            let mut output = random::<[f64; M], 3>(1);
            check::differences(&Triplet { margin: 0.3, ..Triplet::default() }, &mut output, &[(); 3]);
            check::differences(&InfoNce { temperature: 0.5, normalize: true }, &mut output, &[(); 3]);
            check::differences(&InfoNce { temperature: 0.5, normalize: false }, &mut output, &[(); 3]);
            let mut one = random::<[f64; M], 1>(2);
            check::differences(&InfoNce::default(), &mut one, &[()]);
        }
        every::<6>();
        every::<18>();
        every::<102>();
        every::<198>();
    }

    #[test]
    fn points_in_one_place_have_no_direction() {
        let same = Triplet { margin: 1.0, epsilon: 0.0 };
        assert_eq!(same.loss_and_gradient(&[[0.5_f64; 3]], &[()]).unwrap(), (1.0, [[0.0; 3]]));
        let (loss, gradient) = InfoNce::default().loss_and_gradient(&[[0.0_f64; 4]; 2], &[(); 2]).unwrap();
        assert!((loss - 2.0_f64.ln()).abs() < 1e-12 && gradient == [[0.0; 4]; 2]);
        assert!(
            InfoNce { temperature: 0.0, ..InfoNce::default() }.loss_and_gradient(&[[0.0_f64; 4]; 2], &[(); 2]).is_err()
        );
    }
}
