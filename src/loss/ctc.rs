//! Connectionist temporal classification: labels without a place in time.

use super::{Class, Loss, LossError, reciprocal};
use crate::kernels::reduce;
use crate::scalar::Real;
use crate::simd::{Simd, outline};

/// What is written in a sequence, at most `L` labels: the target of [`Ctc`].
///
/// ```
/// use monomorph::loss::Labels;
///
/// // "1 2 2" in a sequence of which eight steps are used.
/// let target = Labels { labels: [1_u8, 2, 2, 0], length: 3, steps: 8 };
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Labels<const L: usize, K = u8> {
    /// The labels; what follows the first [`length`](Self::length) is not read.
    pub labels: [K; L],
    /// How many labels there are.
    pub length: usize,
    /// How many steps of the output count; the rest is padding.
    pub steps: usize,
}

/// The negative log-likelihood of a sequence of labels, summed over all ways in which a longer sequence of outputs can
/// spell it: each label for one step or more, with any number of blanks between them, of which equal neighbors need
/// one. The mean over the samples of `−ln p(labels)/max(1, length)`.
///
/// | output | target |
/// | --- | --- |
/// | `[[T; C]; N]`, logits of `C` classes, one of them the blank, at `N` steps | [`Labels`]: up to `L` labels |
///
/// With the labels `l` between blanks, `α` and `β` the log-probabilities of all beginnings up to and all endings after
/// a step in state `s`, and `y = softmax(x)`, its gradient is
/// `(yₜₖ − Σ_{s: lₛ = k} e^(αₜₛ + βₜₛ − ln p))/(B·max(1, length))`, and 0 at steps that do not count.
///
/// Graves, Fernández, Gomez and Schmidhuber (2006). The mean is PyTorch's. It takes `N·(2L + 1)` numbers of the stack.
///
/// # Errors
/// Labels that are blanks or not among the classes; a length or a number of steps beyond what there is; fewer steps
/// than the labels need, for which PyTorch gives an infinite loss.
///
/// ```
/// use monomorph::loss::{Ctc, Labels, Loss};
///
/// // Two steps, of which either can be the label, or both: three of four ways.
/// let target = Labels { labels: [1_u8], length: 1, steps: 2 };
/// let (loss, _) = Ctc::default().loss_and_gradient(&[[[0.0_f64; 2]; 2]], &[target])?;
/// assert!((loss + 0.75_f64.ln()).abs() < 1e-12);
///
/// let twice = Labels { labels: [1_u8, 1], length: 2, steps: 2 };
/// let error = Ctc::default().loss_and_gradient(&[[[0.0_f64; 2]; 2]], &[twice]).unwrap_err();
/// assert!(error.to_string().contains("needs at least 3 steps"));
/// # Ok::<(), monomorph::loss::LossError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ctc {
    /// The class of the blank; by default 0.
    pub blank: usize,
}

/// Log-probabilities of the states of a step: blanks at even places, labels at odd ones.
#[derive(Clone, Copy)]
struct States<T, const L: usize> {
    /// The blank before each label, and the label.
    pairs: [[T; 2]; L],
    /// The blank after the last of `L` labels.
    last: T,
}

impl<T: Real, const L: usize> States<T, L> {
    #[inline(always)]
    fn get(&self, state: usize) -> T {
        self.pairs.as_flattened().get(state).copied().unwrap_or(self.last)
    }

    #[inline(always)]
    fn set(&mut self, state: usize, value: T) {
        *self.pairs.as_flattened_mut().get_mut(state).unwrap_or(&mut self.last) = value;
    }

    #[inline(always)]
    fn never() -> Self {
        let low = T::from_f64(f64::NEG_INFINITY);
        Self { pairs: [[low; 2]; L], last: low }
    }
}

/// `ln Σ eˣ` of three numbers, which may be `−∞`.
#[inline(always)]
fn add<T: Real>([a, b, c]: [T; 3]) -> T {
    let max = a.max(b).max(c);
    if max == T::from_f64(f64::NEG_INFINITY) {
        return max;
    }
    max + ((a - max).exp() + (b - max).exp() + (c - max).exp()).ln()
}

impl Ctc {
    /// The class of a state.
    #[inline(always)]
    fn class<const L: usize, K: Class>(self, target: &Labels<L, K>, state: usize) -> usize {
        match target.labels.get(state / 2) {
            Some(label) if state % 2 == 1 => label.class(),
            _ => self.blank,
        }
    }

    /// Whether a state can follow the one two places before: a label after another one.
    #[inline(always)]
    fn skips<const L: usize, K: Class>(self, target: &Labels<L, K>, state: usize) -> bool {
        state % 2 == 1 && state >= 2 && self.class(target, state) != self.class(target, state - 2)
    }

    fn check<const L: usize, K: Class>(
        self,
        target: &Labels<L, K>,
        sample: usize,
        classes: usize,
        steps: usize,
    ) -> Result<(), LossError> {
        if self.blank >= classes {
            return Err(LossError::ClassOutOfRange { sample, class: self.blank, classes });
        }
        for (name, value, most) in [("length", target.length, L), ("steps", target.steps, steps)] {
            if value > most {
                return Err(LossError::TooLong { sample, name, value, most });
            }
        }
        let labels = target.labels.get(..target.length).unwrap_or_default();
        let mut needed = labels.len();
        for (position, label) in labels.iter().enumerate() {
            let class = label.class();
            if class >= classes {
                return Err(LossError::ClassOutOfRange { sample, class, classes });
            }
            if class == self.blank {
                return Err(LossError::Blank { sample, position, class });
            }
            if position > 0 && labels.get(position - 1).is_some_and(|before| before.class() == class) {
                needed += 1;
            }
        }
        if target.steps < needed {
            return Err(LossError::TooFewSteps { sample, steps: target.steps, needed });
        }
        Ok(())
    }

    /// The loss of a sample, and its gradient times `share` if requested.
    #[inline(always)]
    fn sample<T: Real, S: Simd, const C: usize, const N: usize, const L: usize, K: Class>(
        self,
        simd: S,
        output: &[[T; C]; N],
        target: &Labels<L, K>,
        gradient: Option<&mut [[T; C]; N]>,
        share: T,
    ) -> T {
        let (steps, states) = (target.steps, 2 * target.length + 1);
        let low = T::from_f64(f64::NEG_INFINITY);
        // ln Σ eˣ of each step, and the log-probability of a class.
        let mut normalizers = [T::ZERO; N];
        for (row, normalizer) in output.iter().zip(&mut normalizers) {
            let (max, sum) = reduce::max_and_sum_exp(simd, row);
            *normalizer = max + sum.ln();
        }
        let log = |step: usize, class: usize| match (
            output.get(step).and_then(|row| row.get(class)),
            normalizers.get(step),
        ) {
            (Some(x), Some(normalizer)) => *x - *normalizer,
            _ => low,
        };
        if steps == 0 {
            if let Some(gradient) = gradient {
                gradient.as_flattened_mut().fill(T::ZERO);
            }
            return T::ZERO;
        }
        let mut alpha = [States::<T, L>::never(); N];
        let mut before = States::<T, L>::never();
        for (step, alpha) in alpha.iter_mut().enumerate().take(steps) {
            for state in 0..states {
                let reached = match step {
                    0 if state < 2 => T::ZERO,
                    0 => low,
                    _ => add([
                        before.get(state),
                        if state >= 1 { before.get(state - 1) } else { low },
                        if self.skips(target, state) { before.get(state - 2) } else { low },
                    ]),
                };
                alpha.set(state, reached + log(step, self.class(target, state)));
            }
            before = *alpha;
        }
        let label = if states >= 2 { before.get(states - 2) } else { low };
        let likelihood = add([before.get(states - 1), label, low]);
        let Some(gradient) = gradient else { return -likelihood };
        let mut beta = States::<T, L>::never();
        for (step, gradient) in gradient.iter_mut().enumerate().rev() {
            if step >= steps {
                gradient.fill(T::ZERO);
                continue;
            }
            let after = beta;
            for state in 0..states {
                let ends = if step + 1 == steps {
                    if state + 2 >= states { T::ZERO } else { low }
                } else {
                    let next = |next: usize| {
                        if next < states { after.get(next) + log(step + 1, self.class(target, next)) } else { low }
                    };
                    let skip = state + 2 < states && self.skips(target, state + 2);
                    add([next(state), next(state + 1), if skip { next(state + 2) } else { low }])
                };
                beta.set(state, ends);
            }
            for (class, to) in gradient.iter_mut().enumerate() {
                *to = log(step, class).exp() * share;
            }
            if let Some(alpha) = alpha.get(step) {
                for state in 0..states {
                    let posterior = ((alpha.get(state) + beta.get(state)) - likelihood).exp();
                    if let Some(to) = gradient.get_mut(self.class(target, state)) {
                        *to -= posterior * share;
                    }
                }
            }
        }
        -likelihood
    }

    #[inline(always)]
    fn mean<T: Real, S: Simd, const C: usize, const N: usize, const L: usize, K: Class>(
        self,
        simd: S,
        output: &[[[T; C]; N]],
        target: &[Labels<L, K>],
        mut gradient: Option<&mut [[[T; C]; N]]>,
    ) -> Result<T, LossError> {
        for (sample, target) in target.iter().enumerate() {
            self.check(target, sample, C, N)?;
        }
        let share: T = reciprocal(output.len());
        let mut sum = T::ZERO;
        for (sample, (output, target)) in output.iter().zip(target).enumerate() {
            let gradient = gradient.as_deref_mut().and_then(|gradient| gradient.get_mut(sample));
            let share = share * T::from_f64(1.0 / target.length.max(1) as f64);
            let loss = outline(
                simd,
                #[inline(always)]
                move || self.sample(simd, output, target, gradient, share),
            );
            sum += loss * share;
        }
        Ok(sum)
    }
}

// The notes of the trait say it in words.
#[diagnostic::do_not_recommend]
impl<T: Real, K: Class, const C: usize, const N: usize, const L: usize> Loss<T, [[T; C]; N], Labels<L, K>> for Ctc {
    #[inline(always)]
    fn loss<S: Simd, const B: usize>(
        &self,
        simd: S,
        output: &[[[T; C]; N]; B],
        target: &[Labels<L, K>; B],
        gradient: &mut [[[T; C]; N]; B],
    ) -> Result<T, LossError> {
        self.mean(simd, output, target, Some(gradient))
    }

    #[inline(always)]
    fn value<S: Simd, const B: usize>(
        &self,
        simd: S,
        output: &[[[T; C]; N]; B],
        target: &[Labels<L, K>; B],
    ) -> Result<T, LossError> {
        self.mean(simd, output, target, None)
    }
}

#[cfg(all(test, feature = "safetensors", feature = "std"))]
mod tests {
    use super::*;
    use crate::loss::check;
    use crate::testing::golden::{Case, random};
    use std::string::ToString;

    #[test]
    fn agrees_with_pytorch() {
        let case = Case::open("loss_ctc");
        let whole = |name: &str| case.numbers(name).iter().map(|x| *x as usize).collect::<std::vec::Vec<_>>();
        let (labels, lengths, steps) = (whole("target"), whole("target_lengths"), whole("input_lengths"));
        let target: [Labels<3, usize>; 2] = core::array::from_fn(|sample| Labels {
            labels: core::array::from_fn(|index| labels[sample * 3 + index]),
            length: lengths[sample],
            steps: steps[sample],
        });
        check::golden::<f64, [[f64; 5]; 8], _, 2>("loss_ctc", &Ctc::default(), &target);
        check::golden::<f32, [[f32; 5]; 8], _, 2>("loss_ctc", &Ctc::default(), &target);
    }

    #[test]
    fn gradients() {
        fn every<const C: usize, const N: usize>(blank: usize, length: usize) {
            let mut output = random::<[[f64; C]; N], 3>(1);
            let label = |index: usize| ((blank + 1 + index / 2 % (C - 1)) % C) as u16;
            let labels: [u16; 4] = core::array::from_fn(label);
            let full = Labels { labels, length, steps: N };
            check::differences(
                &Ctc { blank },
                &mut output,
                &[full, Labels { length: 0, ..full }, Labels { steps: 3, length: 1, ..full }],
            );
        }
        every::<2, 3>(0, 1);
        every::<3, 17>(2, 3);
        every::<17, 9>(5, 4);
        every::<33, 8>(32, 4);
    }

    /// All paths of a short sequence, one by one.
    #[test]
    fn is_the_sum_over_all_paths() {
        let output = random::<[[f64; 3]; 5], 1>(3);
        let target = Labels { labels: [1_u8, 1, 2], length: 3, steps: 5 };
        let logs = output[0].map(|row| row.map(|x| x - row.iter().map(|x| x.exp()).sum::<f64>().ln()));
        let mut sum = 0.0;
        for code in 0..3_usize.pow(5) {
            let path: [usize; 5] = core::array::from_fn(|step| code / 3_usize.pow(step as u32) % 3);
            let mut spelled = std::vec::Vec::new();
            for (step, class) in path.iter().enumerate() {
                if *class != 0 && (step == 0 || path[step - 1] != *class) {
                    spelled.push(*class as u8);
                }
            }
            if spelled == target.labels {
                sum += path.iter().zip(&logs).map(|(class, row)| row[*class]).sum::<f64>().exp();
            }
        }
        let (loss, _) = Ctc::default().loss_and_gradient(&output, &[target]).unwrap();
        assert!((loss + sum.ln() / 3.0).abs() < 1e-12);
    }

    #[test]
    fn refuses_bad_targets() {
        let good = Labels { labels: [1_u8, 2, 2], length: 3, steps: 4 };
        let error =
            |ctc: Ctc, target| ctc.loss_and_gradient(&[[[0.0_f32; 3]; 4]; 2], &[good, target]).unwrap_err().to_string();
        let ctc = Ctc::default();
        assert!(error(ctc, Labels { labels: [1, 3, 1], ..good }).contains("sample 1 is class 3"));
        assert!(
            error(ctc, Labels { labels: [1, 0, 1], ..good })
                .contains("label 1 of the target of sample 1 is class 0, which is the blank")
        );
        assert!(
            error(ctc, Labels { length: 4, ..good })
                .contains("`length` of the target of sample 1 is 4, but there are only 3")
        );
        assert!(
            error(ctc, Labels { steps: 5, ..good })
                .contains("`steps` of the target of sample 1 is 5, but there are only 4")
        );
        assert!(error(ctc, Labels { steps: 3, ..good }).contains("needs at least 4 steps, but has 3"));
        assert!(error(Ctc { blank: 7 }, good).contains("class 7"));
    }
}
