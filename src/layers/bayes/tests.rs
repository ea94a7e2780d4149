use std::boxed::Box;
use std::vec::Vec;

use super::*;
use crate::layers::Dense;
use crate::memory::boxed;
use crate::network::Network;
use crate::scalar::bits;
use crate::simd::{Task, dispatch, levels};
use crate::testing::golden::{Case, assert_close, random};
use crate::testing::{check_gradients, passes};

type DenseOf<const I: usize, const O: usize> = Dense<[f64; I], [[f64; O]; I], [f64; O]>;

/// Numbers in an epsilon of the golden files, which hold them as text.
pub(in crate::layers) fn listed(text: &str) -> Vec<f64> {
    let numbers = text.split(|c: char| "[], ".contains(c)).filter(|part| !part.is_empty());
    numbers.map(|number| number.parse().expect("a number")).collect()
}

/// `σ` and `ρ` are reached, and no number is far from 1.
fn filled<L: Parameters<Scalar = f64>>(seed: u64) -> Box<L> {
    let mut noise = Noise::new(seed);
    let mut layer: Box<L> = boxed();
    layer.as_mut_slice().fill_with(|| noise.uniform() - 0.5);
    layer
}

struct Forward<'a, L: Layer<Input: Tensor>, P, const B: usize>(
    &'a Bayes<L, P>,
    &'a [L::Input; B],
    &'a mut [L::Output; B],
    &'a mut Saved<L, B>,
    Vec<f64>,
);

impl<X: Tensor<Element = f64>, L: Layer<Scalar = f64, Input = X> + Send, P: Prior, const B: usize> Task
    for Forward<'_, L, P, B>
{
    type Output = ();

    fn run<S: Simd>(&mut self, simd: S) {
        let Self(layer, input, output, saved, epsilon) = self;
        let mut pass = Pass::new(Noise::new(0), 0.0);
        layer.spread(simd, input, &mut saved.spread, &mut Noise::new(0));
        batch_slice_mut(&mut saved.spread.epsilon).copy_from_slice(epsilon);
        layer.forward_with(simd, input, output, saved, &mut pass);
    }
}

struct Backward<'a, L: Layer<Input: Tensor>, P, const B: usize>(
    &'a Bayes<L, P>,
    &'a [L::Input; B],
    &'a [L::Output; B],
    &'a mut Saved<L, B>,
    Vec<f64>,
    &'a mut Bayes<L, P>,
    &'a mut [L::Input; B],
);

impl<X: Tensor<Element = f64>, L: Layer<Scalar = f64, Input = X> + Send, P: Prior, const B: usize> Task
    for Backward<'_, L, P, B>
{
    type Output = ();

    fn run<S: Simd>(&mut self, simd: S) {
        let Self(layer, input, output, saved, dy, gradient, dx) = self;
        let mut grad_output: Box<[L::Output; B]> = boxed();
        batch_slice_mut(&mut *grad_output).copy_from_slice(dy);
        let pass = Pass::new(Noise::new(0), 0.0);
        layer.backward(simd, input, output, saved, &mut grad_output, Some(dx), gradient, &pass);
    }
}

#[test]
fn local_reparameterization_agrees_with_pytorch() {
    type Layer4 = Bayes<DenseOf<4, 5>>;
    let case = Case::open("prob_bayes_dense_local");
    let mut layer: Box<Layer4> = boxed();
    let parts = ["p.mu", "p.bias_mu", "p.rho", "p.bias_rho"].map(|name| case.numbers(name));
    layer.as_mut_slice().copy_from_slice(&parts.concat());
    let mut input: Box<[[f64; 4]; 3]> = boxed();
    batch_slice_mut(&mut *input).copy_from_slice(&case.numbers("x"));
    let epsilon = listed(&case.text("epsilon"));
    for level in levels() {
        let (mut output, mut saved): (Box<[[f64; 5]; 3]>, Box<_>) = (boxed(), boxed());
        dispatch(level, Forward::<_, _, 3>(&layer, &input, &mut output, &mut saved, epsilon.clone()));
        assert_close("y", output.as_flattened(), &case.numbers("y"), 1e-10);
        let (mut gradient, mut dx): (Box<Layer4>, Box<[[f64; 4]; 3]>) = (boxed(), boxed());
        let dy = case.numbers("dy");
        dispatch(level, Backward(&*layer, &input, &output, &mut saved, dy, &mut gradient, &mut dx));
        assert_close("dx", dx.as_flattened(), &case.numbers("dx"), 1e-10);
        let parts = ["g.mu", "g.bias_mu", "g.rho", "g.bias_rho"].map(|name| case.numbers(name));
        assert_close("gradient", gradient.as_slice(), &parts.concat(), 1e-10);
    }
}

struct Divergence<'a, P>(&'a [f64], &'a [f64], PhantomData<P>);

impl<P: Prior> Task for Divergence<'_, P> {
    /// The divergence and its derivatives.
    type Output = (f64, Vec<f64>, Vec<f64>);

    fn run<S: Simd>(&mut self, simd: S) -> Self::Output {
        let Self(mean, rho, _) = *self;
        let value = P::divergence(simd, mean, rho, &mut Noise::new(4));
        let (mut by_mean, mut by_deviation) = (std::vec![0.0; mean.len()], std::vec![0.0; mean.len()]);
        P::gradient(simd, (mean, rho), &mut Noise::new(4), 1.0, &mut by_mean, &mut by_deviation);
        (value, by_mean, by_deviation)
    }
}

#[test]
fn divergences_agree_with_pytorch_and_with_their_definition() {
    let case = Case::open("prob_kl_weights");
    let (mean, rho) = (case.numbers("mu"), case.numbers("rho"));
    for level in levels() {
        let task = Divergence::<Gaussian<{ bits(0.7) }>>(&mean, &rho, PhantomData);
        let (value, by_mean, by_deviation) = dispatch(level, task);
        assert_close("kl", &[value], &case.numbers("kl"), 1e-10);
        assert_close("by mean", &by_mean, &case.numbers("g_mu"), 1e-10);
        let by_rho: Vec<f64> =
            by_deviation.iter().zip(&rho).map(|(by_deviation, rho)| by_deviation / (1.0 + (-rho).exp())).collect();
        assert_close("by rho", &by_rho, &case.numbers("g_rho"), 1e-10);

        // Where weights hardly deviate, the estimate is that of the density itself.
        let weights = case.numbers("mixture_w");
        let rho = std::vec![-600.0; weights.len()];
        let (value, ..) = dispatch(level, Divergence::<ScaleMixture>(&weights, &rho, PhantomData));
        let entropy = weights.len() as f64 * (-600.0 + 0.5 * (core::f64::consts::TAU.ln() + 1.0));
        let expected = -entropy - case.numbers("mixture_log_prior")[0];
        assert_close("mixture", &[value], &[expected], 1e-12);
    }
}

#[test]
fn finite_differences_and_all_levels_agree() {
    fn every<L: Layer<Scalar = f64, Input = X>, X: Tensor<Element = f64>, const B: usize>() {
        let mut layer = filled::<L>(3);
        check_gradients(&mut *layer, &random::<X, B>(4), 1e-6).unwrap();
        passes(&*layer, &*random::<X, B>(4), &random::<L::Output, B>(5)).unwrap();
    }
    every::<Bayes<DenseOf<1, 1>>, _, 1>();
    every::<Bayes<DenseOf<3, 17>, ScaleMixture<{ bits(0.4) }, { bits(0.8) }, { bits(0.3) }>>, _, 2>();
    every::<Bayes<DenseOf<33, 3>, Gaussian<{ bits(0.3) }>>, _, 3>();
    every::<Flipout<DenseOf<1, 1>>, _, 1>();
    every::<Flipout<DenseOf<3, 17>, ScaleMixture<{ bits(0.4) }, { bits(0.8) }, { bits(0.3) }>>, _, 2>();
    every::<Flipout<DenseOf<33, 3>>, _, 3>();
}

crate::network! {
    Images: [5, 4, 2] -> [3, 2, 3] { BayesConv2d(3, kernel = 3) }
}
crate::network! {
    Flipped: [5, 4, 2] -> [3, 2, 3] { BayesConv2d(3, kernel = 3, prior = mixture, estimator = flipout) }
}

/// Draws have the mean and the deviation of the formula.
#[test]
fn samples_are_distributed_as_they_should() {
    const DRAWS: usize = 4000;
    let input = random::<[[[f32; 2]; 4]; 5], 1>(6);
    fn check<N: Network<Scalar = f32, Output: Tensor<Element = f32>>>(
        input: &N::Input,
        layer: &mut N,
        expected: impl Fn(&N) -> (Vec<f64>, Vec<f64>),
    ) {
        let mut noise = Noise::new(8);
        layer.as_mut_slice().fill_with(|| noise.uniform() as f32 - 0.5);
        let (means, deviations) = expected(layer);
        let (mut sums, mut squares) = (std::vec![0.0_f64; means.len()], std::vec![0.0_f64; means.len()]);
        for _ in 0..DRAWS {
            let output = crate::network::sample(layer, input, &mut noise);
            for (index, y) in output.numbers().iter().enumerate() {
                let away = f64::from(*y) - means[index];
                sums[index] += away / DRAWS as f64;
                squares[index] += away * away / DRAWS as f64;
            }
        }
        for (index, deviation) in deviations.iter().enumerate() {
            assert!(sums[index].abs() < 4.5 * deviation / (DRAWS as f64).sqrt(), "{}", sums[index]);
            assert!((squares[index].sqrt() / deviation - 1.0).abs() < 0.06, "{}", squares[index].sqrt() / deviation);
        }
    }
    let expected = |means: [[[f32; 3]; 2]; 3], net: &[f32]| {
        let count = net.len() / 2;
        let variance = |at: usize| {
            let sigma = f64::from(net[count + at]).exp().ln_1p();
            sigma * sigma
        };
        let means: Vec<f64> = means.as_flattened().as_flattened().iter().map(|y| f64::from(*y)).collect();
        let mut deviations = Vec::new();
        for row in 0..3 {
            for column in 0..2 {
                for output in 0..3 {
                    let mut sum = variance(54 + output);
                    for tap in 0..18 {
                        let x = input[0][row + tap / 6][column + tap / 2 % 3][tap % 2];
                        sum += f64::from(x * x) * variance(tap * 3 + output);
                    }
                    deviations.push(sum.sqrt());
                }
            }
        }
        (means, deviations)
    };
    check::<Images>(&input[0], &mut *boxed::<Images>(), |net| expected(net.evaluate(&input[0]), net.as_slice()));
    check::<Flipped>(&input[0], &mut *boxed::<Flipped>(), |net| expected(net.evaluate(&input[0]), net.as_slice()));
}

#[test]
fn distributions_begin_narrow() {
    let mut net: Box<Images> = boxed();
    net.initialize(crate::init::Init::default(), &mut Noise::new(1));
    assert!(net.bayes1.rho.as_slice().iter().all(|rho| *rho == -5.0));
    assert!(net.bayes1.mean.weight.as_flattened().as_flattened().as_flattened().iter().any(|mean| *mean != 0.0));
    let mut names = Vec::new();
    net.for_each_tensor(|name, _, _| names.push(std::format!("{name}")));
    assert_eq!(names, ["bayes1.mean.weight", "bayes1.mean.bias", "bayes1.rho.weight", "bayes1.rho.bias"]);
}
