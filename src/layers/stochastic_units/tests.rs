use std::boxed::Box;
use std::vec::Vec;

use super::*;
use crate::layers::bayes::listed;
use crate::memory::{boxed, zeroed};
use crate::simd::{Task, dispatch, levels};
use crate::testing::golden::{Case, assert_close, random};
use crate::testing::{check_gradients, passes};

/// Both passes, with an `ε` that is given; `dy` follows from the output.
struct Given<'a, X, Y, K, const B: usize> {
    input: &'a [X; B],
    epsilon: &'a mut [Y; B],
    by_output: &'a dyn Fn(&[Y; B]) -> Box<[Y; B]>,
    term_weight: f64,
    kind: PhantomData<K>,
}

impl<X: Tensor<Element = f64>, Y: Tensor<Element = f64>, K: UnitNoise, const B: usize> Task for Given<'_, X, Y, K, B> {
    /// The output, the term of the loss and the gradient of the input.
    type Output = (Box<[Y; B]>, f64, Box<[X; B]>);

    fn run<S: Simd>(&mut self, simd: S) -> Self::Output {
        let (mut output, mut dx): (Box<[Y; B]>, Box<[X; B]>) = (boxed(), boxed());
        let mut pass = Pass::new(Noise::new(0), self.term_weight);
        let layer = zeroed::<StochasticUnits<X, Y, K>>();
        StochasticUnits::<X, Y, K>::forward_with(simd, self.input, &mut output, self.epsilon, &mut pass);
        let mut dy = (self.by_output)(&output);
        let mut gradient = zeroed();
        layer.backward(simd, self.input, &output, self.epsilon, &mut dy, Some(&mut dx), &mut gradient, &pass);
        (output, pass.terms(), dx)
    }
}

fn filled<X: Tensor<Element = f64>, const B: usize>(numbers: &[f64]) -> Box<[X; B]> {
    let mut batch: Box<[X; B]> = boxed();
    batch_slice_mut(&mut *batch).copy_from_slice(numbers);
    batch
}

/// A classifier behind a bottleneck of three units: the loss is the cross-entropy and β times the information in bits.
#[test]
fn a_bottleneck_agrees_with_pytorch() {
    let case = Case::open("prob_vib");
    let (weight, bias, scale) = (case.numbers("p.weight"), case.numbers("p.bias"), case.numbers("dy")[0]);
    let targets = listed(&case.text("target"));
    // The cross-entropy of a sample's units, and its derivatives by the logits.
    let cross_entropy = |z: &[f64; 3], target: usize| {
        let logits: [f64; 5] = core::array::from_fn(|class| {
            bias[class] + (0..3).map(|unit| z[unit] * weight[unit * 5 + class]).sum::<f64>()
        });
        let sum: f64 = logits.iter().map(|logit| logit.exp()).sum();
        let by_logit: [f64; 5] =
            core::array::from_fn(|class| logits[class].exp() / sum - f64::from(u8::from(class == target)));
        (sum.ln() - logits[target], by_logit)
    };
    let by_output = |z: &[[f64; 3]; 4]| {
        let by = |sample: usize, unit: usize| {
            let (_, by_logit) = cross_entropy(&z[sample], targets[sample] as usize);
            (0..5).map(|class| by_logit[class] * weight[unit * 5 + class]).sum::<f64>() * scale / 4.0
        };
        Box::new(core::array::from_fn(|sample| core::array::from_fn(|unit| by(sample, unit))))
    };
    let input = filled::<[f64; 6], 4>(&case.numbers("x"));
    for level in levels() {
        let mut epsilon = filled::<[f64; 3], 4>(&listed(&case.text("epsilon")));
        let (z, term, dx) = dispatch(
            level,
            Given::<_, _, Bottleneck<{ bits(0.01) }>, 4> {
                input: &input,
                epsilon: &mut epsilon,
                by_output: &by_output,
                term_weight: scale / core::f64::consts::LN_2,
                kind: PhantomData,
            },
        );
        let data: f64 = (0..4).map(|sample| cross_entropy(&z[sample], targets[sample] as usize).0 / 4.0).sum();
        assert_close("loss", &[data + term / scale], &case.numbers("y"), 1e-10);
        assert_close("dx", dx.as_flattened(), &case.numbers("dx"), 1e-10);
    }
}

#[test]
fn information_dropout_agrees_with_pytorch() {
    let case = Case::open("prob_information_dropout");
    let (a, r) = (case.numbers("x0"), case.numbers("x1"));
    let rows = a.chunks(6).zip(r.chunks(6)).flat_map(|(a, r)| [a, r].concat());
    let input = filled::<[f64; 12], 4>(&rows.collect::<Vec<f64>>());
    let dy = case.numbers("dy0");
    let information = case.numbers("y1");
    // The file's gradient of each sample's information is not the same for all, so samples are computed one by one.
    for level in levels() {
        for sample in 0..4 {
            let range = sample * 6..sample * 6 + 6;
            let mut epsilon = filled::<[f64; 6], 1>(&listed(&case.text("epsilon"))[range.clone()]);
            let by = filled::<[f64; 6], 1>(&dy[range.clone()]);
            let (y, term, dx) = dispatch(
                level,
                Given::<_, _, InformationDropout<{ bits(1.0) }>, 1> {
                    input: &[input[sample]],
                    epsilon: &mut epsilon,
                    by_output: &|_| by.clone(),
                    term_weight: case.numbers("dy1")[sample],
                    kind: PhantomData,
                },
            );
            assert_close("y", &y[0], &case.numbers("y0")[range.clone()], 1e-10);
            assert_close("information", &[term], &[information[sample] * case.numbers("dy1")[sample]], 1e-10);
            assert_close("da", &dx[0][..6], &case.numbers("dx0")[range.clone()], 1e-10);
            assert_close("dr", &dx[0][6..], &case.numbers("dx1")[range], 1e-10);
        }
    }
}

#[test]
fn finite_differences_and_all_levels_agree() {
    fn every<X: Tensor<Element = f64>, Y: Tensor<Element = f64>, K: UnitNoise, const B: usize>() {
        let mut layer: StochasticUnits<X, Y, K> = zeroed();
        check_gradients(&mut layer, &random::<X, B>(4), 1e-6).unwrap();
        passes(&layer, &*random::<X, B>(4), &random::<Y, B>(5)).unwrap();
    }
    fn kinds<X: Tensor<Element = f64>, Y: Tensor<Element = f64>, const B: usize>() {
        every::<X, Y, Bottleneck<{ bits(0.3) }>, B>();
        every::<X, Y, Bottleneck<{ bits(1.0) }, true>, B>();
        every::<X, Y, InformationDropout<{ bits(0.3) }>, B>();
    }
    kinds::<[f64; 2], [f64; 1], 1>();
    kinds::<[[f64; 6]; 2], [[f64; 3]; 2], 2>();
    kinds::<[f64; 34], [f64; 17], 3>();
    kinds::<[f64; 66], [f64; 33], 1>();
}

crate::network! { Vague: [4] -> [2] { Bottleneck(beta = 0.5) } }

#[test]
fn samples_are_distributed_as_the_units() {
    let net: Box<Vague> = boxed();
    let x = [0.3_f32, -1.0, 5.0, 4.0];
    assert_eq!(crate::network::evaluate(&*net, &x), [0.3, -1.0]);
    let deviations = [5.0_f64, 4.0].map(|r| (r - 5.0).exp().ln_1p());
    let mut noise = Noise::new(3);
    let mut squares = [0.0; 2];
    const DRAWS: u32 = 10_000;
    for _ in 0..DRAWS {
        let y = crate::network::sample(&*net, &x, &mut noise);
        for unit in 0..2 {
            squares[unit] += f64::from(y[unit] - x[unit]).powi(2) / f64::from(DRAWS);
        }
    }
    for unit in 0..2 {
        assert!((squares[unit].sqrt() / deviations[unit] - 1.0).abs() < 0.03, "{}", squares[unit].sqrt());
    }
}
