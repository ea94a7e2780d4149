//! Losses of critics, which estimate how much two variables tell of each other.

use core::cell::Cell;

use super::{Loss, LossError, Reduction};
use crate::hyperparameters::{Range, check};
use crate::kernels::training::Sum;
use crate::scalar::Real;
use crate::simd::Simd;

/// MINE: the Donsker–Varadhan bound of the mutual information, `I ≥ E_p(x,y) t − ln E_p(x)p(y) eᵗ`, for a critic that gives a
/// number `t(x, y)` for a pair; Belghazi et al., *Mutual information neural estimation* (2018). The loss is `−I`.
///
/// An output is `[t]`, and its target whether the pair belongs together: `true` for a pair as it was drawn, `false` for an `x`
/// with the `y` of another pair. A batch has some of both, half of each as a rule.
///
/// With the `n` true outputs and the `m` false ones the gradient is `−1/n` to a true one, and `e^t/(m·a)` to a false one. The
/// mean of `eᵗ` over a batch in place of `a` would make it wrong on average, so `a` is a moving average over the batches, which
/// this keeps (their section 3.2): `a ← d·a + (1 − d)·mean eᵗ`, from the first batch's on. With `decay: 0.0` it is the mean
/// of the batch, and the gradient is that of the loss.
///
/// The loss is a function of the [whole batch](Reduction::Batch). Its variance grows as `e^I`, so above 3 nats or so it takes large
/// batches (McAllester and Stratos, *Formal limitations on the measurement of mutual information*, 2020).
///
/// ```
/// use monomorph::loss::{Loss, Mine};
///
/// // A critic that knows which pairs belong together.
/// let (loss, _) = Mine::default().loss_and_gradient(&[[2.0_f64], [-1.0], [-1.0]], &[true, false, false])?;
/// assert!((loss + 3.0).abs() < 1e-12);
/// # Ok::<(), monomorph::loss::LossError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Mine {
    /// `d`; at least 0 and below 1, by default 0.99.
    pub decay: f64,
    /// `ln a`, if a batch was seen.
    average: Cell<Option<f64>>,
}

impl Default for Mine {
    fn default() -> Self {
        Self::new(0.99)
    }
}

impl Mine {
    /// With this `decay`.
    pub const fn new(decay: f64) -> Self {
        Self { decay, average: Cell::new(None) }
    }

    /// The loss, and the largest false output, `Σ e^(t − that)` over false ones, and how many are true and false.
    fn bound<T: Real>(&self, output: &[[T; 1]], target: &[bool]) -> Result<(T, T, T, [f64; 2]), LossError> {
        check::<T>("Mine", &[("decay", self.decay, Range::Decay)]).map_err(LossError::OutOfRange)?;
        let pairs = || output.iter().zip(target).map(|([t], together)| (*t, *together));
        let count = |which: bool| pairs().filter(|(_, together)| *together == which).count() as f64;
        let counts = [count(true), count(false)];
        if counts.contains(&0.0) {
            return Err(LossError::NothingCounts);
        }
        let (mut of_true, mut powers) = (Sum::default(), Sum::default());
        let apart = || pairs().filter(|(_, together)| !together).map(|(t, _)| t);
        let largest = apart().fold(T::from_f64(f64::NEG_INFINITY), |largest, t| if t > largest { t } else { largest });
        pairs().filter(|(_, together)| *together).for_each(|(t, _)| of_true.add(t));
        apart().for_each(|t| powers.add((t - largest).exp()));
        let (of_true, powers): (T, T) = (of_true.value(), powers.value());
        let loss = largest + (powers / T::from_f64(counts[1])).ln() - of_true / T::from_f64(counts[0]);
        Ok((loss, largest, powers, counts))
    }
}

// The notes of the trait say it in words.
#[diagnostic::do_not_recommend]
impl<T: Real> Loss<T, [T; 1], bool> for Mine {
    const REDUCTION: Reduction = Reduction::Batch;

    #[inline(always)]
    fn loss<S: Simd, const B: usize>(
        &self,
        _simd: S,
        output: &[[T; 1]; B],
        target: &[bool; B],
        gradient: &mut [[T; 1]; B],
    ) -> Result<T, LossError> {
        let (loss, largest, powers, [together, apart]) = self.bound(output, target)?;
        let of_batch = largest.to_f64() + libm::log(powers.to_f64() / apart);
        let average = match self.average.get() {
            // As logarithms, so that nothing overflows.
            Some(average) if self.decay > 0.0 => {
                let (old, new) = (average + libm::log(self.decay), of_batch + libm::log(1.0 - self.decay));
                old.max(new) + libm::log1p(libm::exp(-libm::fabs(old - new)))
            }
            _ => of_batch,
        };
        // What is not finite is the trainer's to refuse, and is not remembered.
        if average.is_finite() {
            self.average.set(Some(average));
        }
        let (share, shift) = (T::from_f64(-1.0 / together), T::from_f64(average + libm::log(apart)));
        for (([gradient], [t]), together) in gradient.iter_mut().zip(output).zip(target) {
            *gradient = if *together { share } else { (*t - shift).exp() };
        }
        Ok(loss)
    }

    #[inline(always)]
    fn value<S: Simd, const B: usize>(
        &self,
        _simd: S,
        output: &[[T; 1]; B],
        target: &[bool; B],
    ) -> Result<T, LossError> {
        self.bound(output, target).map(|(loss, ..)| loss)
    }
}

#[cfg(all(test, feature = "safetensors", feature = "std"))]
mod tests {
    use super::*;
    use crate::loss::check;
    use crate::testing::golden::random;

    #[test]
    fn gradients() {
        let exact = Mine::new(0.0);
        check::differences(&exact, &mut random::<[f64; 1], 2>(1), &[true, false]);
        check::differences(&exact, &mut random::<[f64; 1], 3>(2), &[false, true, false]);
        check::differences(&exact, &mut random::<[f64; 1], 17>(3), &core::array::from_fn(|index| index % 3 == 0));
        check::differences(&exact, &mut random::<[f64; 1], 33>(4), &core::array::from_fn(|index| index % 2 == 0));
    }

    #[test]
    fn the_average_takes_the_place_of_the_batch() {
        let mine = Mine::new(0.75);
        let target = [true, false, false];
        let (_, first) = mine.loss_and_gradient(&[[0.5_f64], [0.0], [0.0]], &target).unwrap();
        assert_eq!(first, [[-1.0], [0.5], [0.5]]);
        // ¾ · 1 + ¼ · e² for the average of 1 and e².
        let (loss, second) = mine.loss_and_gradient(&[[0.5_f64], [2.0], [2.0]], &target).unwrap();
        let average = 0.75 + 0.25 * 2.0_f64.exp();
        assert!((second[1][0] - 2.0_f64.exp() / (2.0 * average)).abs() < 1e-12 && (loss - 1.5).abs() < 1e-12);
        // Nothing overflows, and a batch of one kind says nothing.
        let (_, gradient) = Mine::default().loss_and_gradient(&[[0.0_f64], [1e4], [0.0]], &target).unwrap();
        assert!((gradient[1][0] - 1.0).abs() < 1e-9);
        assert_eq!(mine.loss_and_gradient(&[[0.0_f64]], &[true]), Err(LossError::NothingCounts));
        assert!(Mine::new(1.0).loss_and_gradient(&[[0.0_f64]; 2], &[true, false]).is_err());
    }

    crate::network! { Critic: [2] -> [1] { Dense(16), Relu, Dense(16), Relu, Dense(1) } }
    crate::network! { Towers(x: [1], y: [1]) -> (query: [8], key: [8]) {
        let query = x |> Dense(16) |> Relu |> Dense(8);
        let key = y |> Dense(16) |> Relu |> Dense(8);
    } }

    /// Both estimates of a Gaussian pair, beside `−½ ln(1 − ρ²)`.
    #[test]
    fn estimates_approach_the_exact_value() {
        use crate::loss::InfoNce;
        use crate::metrics::information::gaussian_information;
        use crate::prelude::*;

        const PAIRS: usize = 64;
        let correlation = 0.8;
        let mut noise = Noise::new(1);
        let mut pair = move || {
            let x = noise.normal();
            [x as f32, (correlation * x + 0.6 * noise.normal()) as f32]
        };
        let exact = gaussian_information(correlation);
        let target: [bool; 2 * PAIRS] = core::array::from_fn(|index| index < PAIRS);
        let adam = Adam { learning_rate: 5e-3, ..Adam::default() };

        let mut critic = Critic::zeroed();
        critic.initialize(Init::default(), &mut Noise::new(2));
        let mut trainer = Trainer::<Critic, _, { 2 * PAIRS }>::new(adam, Mine::default());
        let mut found = 0.0;
        const STEPS: u32 = 800;
        for step in 0..STEPS {
            let drawn: [[f32; 2]; PAIRS] = core::array::from_fn(|_| pair());
            let batch: [[f32; 2]; 2 * PAIRS] = core::array::from_fn(|index| match index.checked_sub(PAIRS) {
                None => drawn[index],
                Some(other) => [drawn[other][0], drawn[(other + 1) % PAIRS][1]],
            });
            let loss = trainer.step(&mut critic, &batch, &target).unwrap().loss;
            if step >= STEPS - 200 {
                found -= f64::from(loss) / 200.0;
            }
        }
        assert!((found - exact).abs() < 0.1, "MINE: {found} instead of {exact}");

        let mut towers = Towers::zeroed();
        towers.initialize(Init::default(), &mut Noise::new(2));
        let loss = InfoNce { temperature: 1.0, normalize: false };
        let mut trainer = Trainer::<Towers, _, PAIRS>::new(adam, loss);
        let mut found = 0.0;
        for step in 0..STEPS {
            let batch = core::array::from_fn(|_| {
                let [x, y] = pair();
                TowersInput { x: [x], y: [y] }
            });
            let loss = trainer.step(&mut towers, &batch, &[(); PAIRS]).unwrap().loss;
            if step >= STEPS - 200 {
                found += InfoNce::information(f64::from(loss), PAIRS) / 200.0;
            }
        }
        assert!((found - exact).abs() < 0.1, "InfoNCE: {found} instead of {exact}");
    }
}
