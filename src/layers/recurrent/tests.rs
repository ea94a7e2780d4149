use std::boxed::Box;

use super::gru::Gru;
use super::lstm::Lstm;
use super::rnn::Rnn;
use super::*;
use crate::layer::Inputs;
use crate::layers::passes::Passes;
use crate::layers::recurrent::gru::GruCell;
use crate::memory::{boxed, zeroed};
use crate::noise::Noise;
use crate::simd::{Task, dispatch, levels};
use crate::streaming::Streaming;
use crate::testing::check_gradients;
use crate::testing::golden::{Case, assert_close, check_layer, random};
use std::vec::Vec;

macro_rules! layers {
    ($name:ident, $layer:ident, $gates:literal) => {
        /// `[STEPS, IN]` to the hidden state at every step, and at the last.
        mod $name {
            use super::$layer;

            pub type Every<T, const STEPS: usize, const IN: usize, const H: usize, const WIDE: usize> =
                $layer<[[T; IN]; STEPS], [[T; WIDE]; IN], [[T; WIDE]; H], [T; WIDE], [[T; H]; STEPS]>;
            pub type Last<T, const STEPS: usize, const IN: usize, const H: usize, const WIDE: usize> =
                $layer<[[T; IN]; STEPS], [[T; WIDE]; IN], [[T; WIDE]; H], [T; WIDE], [T; H]>;
        }
    };
}
layers!(rnn, Rnn, 1);
layers!(lstm, Lstm, 4);
layers!(gru, Gru, 3);

#[test]
fn agrees_with_pytorch() {
    check_layer::<rnn::Every<f64, 5, 1, 8, 8>, 1>("rnn_1x5x1x8");
    check_layer::<rnn::Every<f64, 6, 3, 20, 20>, 2>("rnn_2x6x3x20");
    check_layer::<lstm::Every<f64, 5, 1, 8, 32>, 1>("lstm_1x5x1x8");
    check_layer::<lstm::Every<f64, 6, 3, 20, 80>, 2>("lstm_2x6x3x20");
    check_layer::<gru::Every<f64, 5, 1, 8, 24>, 1>("gru_1x5x1x8");
    check_layer::<gru::Every<f64, 6, 3, 20, 60>, 2>("gru_2x6x3x20");
    check_layer::<rnn::Every<f32, 6, 3, 20, 20>, 2>("rnn_2x6x3x20");
    check_layer::<lstm::Every<f32, 6, 3, 20, 80>, 2>("lstm_2x6x3x20");
    check_layer::<gru::Every<f32, 6, 3, 20, 60>, 2>("gru_2x6x3x20");
}

fn check_differences<X: Tensor<Element = f64>, L: Layer<Scalar = f64, Input = X>, const B: usize>() {
    let mut layer: Box<L> = boxed();
    layer.as_mut_slice().copy_from_slice(random::<[f64; 8192], 1>(3)[0].split_at(L::COUNT).0);
    check_gradients(&mut *layer, &random::<X, B>(5), 1e-6).unwrap();
}

#[test]
fn gradients_agree_with_finite_differences() {
    check_differences::<_, rnn::Every<f64, 4, 3, 5, 5>, 3>();
    check_differences::<_, rnn::Last<f64, 4, 3, 5, 5>, 3>();
    check_differences::<_, lstm::Every<f64, 4, 3, 5, 20>, 3>();
    check_differences::<_, lstm::Last<f64, 3, 1, 17, 68>, 1>();
    check_differences::<_, lstm::Last<f64, 1, 3, 1, 4>, 1>();
    check_differences::<_, gru::Every<f64, 4, 3, 5, 15>, 3>();
    check_differences::<_, gru::Last<f64, 4, 1, 17, 51>, 1>();
}

/// Evaluates a sequence as a whole and step by step.
struct Both<'a, X, L> {
    layer: &'a L,
    input: &'a [X; 1],
}

impl<X, L> Task for Both<'_, X, L>
where
    X: Tensor<Element = f32>,
    L: Streaming<Scalar = f32, Input = X, StepInput = X::Item>,
{
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(&mut self, simd: S) {
        let mut whole: Box<[L::Output; 1]> = boxed();
        let mut workspace: Box<L::Workspace<1>> = boxed();
        self.layer.evaluate(simd, self.input, &mut whole, &mut workspace);
        let first = batch_slice(&whole[..]).to_vec();
        // What an earlier call left in the workspace does not matter.
        self.layer.evaluate(simd, self.input, &mut whole, &mut workspace);
        assert_eq!(first, batch_slice(&whole[..]));
        let mut state: Box<L::State> = boxed();
        self.layer.start(&mut state);
        let steps = batch_slice(self.input).chunks_exact(X::Item::LEN);
        let expected: Vec<f64> = first.iter().map(|y| f64::from(*y)).collect();
        for (x, expected) in steps.clone().zip(expected.chunks_exact(L::StepOutput::LEN)) {
            let (mut step, mut y) = (zeroed::<X::Item>(), zeroed::<L::StepOutput>());
            step.numbers_mut().copy_from_slice(x);
            self.layer.step(simd, &mut state, &step, &mut y);
            assert_close("step", y.numbers(), expected, 1e-6);
        }
        // A block that is longer than the sequence, and the sequence as far as it goes.
        self.layer.start(&mut state);
        let (mut block, mut y) = (boxed::<[X::Item; 21]>(), boxed::<[L::StepOutput; 21]>());
        for (to, from) in block.iter_mut().zip(steps) {
            to.numbers_mut().copy_from_slice(from);
        }
        self.layer.steps(simd, &mut state, &block, &mut y);
        assert_close("block", &batch_slice(&y[..])[..expected.len()], &expected, 1e-5);
    }
}

fn streams<X, L>()
where
    X: Tensor<Element = f32>,
    L: Streaming<Scalar = f32, Input = X, StepInput = X::Item>,
{
    let mut layer: Box<L> = boxed();
    layer.as_mut_slice().copy_from_slice(random::<[f32; 8192], 1>(7)[0].split_at(L::COUNT).0);
    let input = random::<X, 1>(8);
    for level in levels() {
        dispatch(level, Both { layer: &*layer, input: &input });
    }
}

#[test]
fn steps_are_the_whole_sequence() {
    streams::<_, rnn::Every<f32, 9, 3, 17, 17>>();
    streams::<_, lstm::Every<f32, 9, 1, 40, 160>>();
    streams::<_, gru::Every<f32, 9, 5, 33, 99>>();
    type Options<const KERAS: bool, const BEFORE: usize> =
        Gru<[[f32; 5]; 9], [[f32; 51]; 5], [[f32; 51]; 17], [f32; 51], [[f32; 17]; 9], [[f32; 17]; 1], KERAS, BEFORE>;
    streams::<_, Options<false, 0>>();
    streams::<_, Options<false, 1>>();
    streams::<_, Lstm<[[f32; 1]; 20], [[f32; 12]; 1], [[f32; 12]; 3], [f32; 12], [[f32; 6]; 20], [[f32; 3]; 2]>>();
}

/// The batches of PyTorch's cases with states: 2 × 5 × 3 to 6.
type Batched<X, const B: usize> = <X as Inputs>::Owned<B>;

/// Compares a layer with states, given or learned, with PyTorch's case. `parts` are the inputs; `states` are the names
/// of those that the layer has learned.
fn agrees_with_states<L: Layer<Scalar = f64>>(case: &str, inputs: &[&str], learned: &[&str]) {
    let file = Case::open(case);
    let mut layer: Box<L> = boxed();
    let names = ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"];
    let mut numbers: Vec<f64> = names.iter().flat_map(|name| file.numbers(&std::format!("p.{name}"))).collect();
    // The learned states are the same for both samples, so only the first is compared with the case's.
    numbers.extend(learned.iter().flat_map(|name| file.numbers(name)[..6].to_vec()));
    layer.as_mut_slice().copy_from_slice(&numbers);
    let mut input: Box<Batched<L::Input, 2>> = boxed();
    let mut parts = inputs.iter();
    L::Input::each_part::<f64, 2>(&mut input, &mut |part| {
        part.copy_from_slice(&file.numbers(parts.next().unwrap()));
    });
    // Of the output, the case gives `h` at every step, and both states at the last.
    let (y, hn) = (file.numbers("y"), file.numbers("hn"));
    let (mut dy, dhn) = (file.numbers("dy"), file.numbers("dhn"));
    let width = L::Output::CHANNELS;
    for sample in 0..2 {
        for unit in 0..6 {
            dy[sample * 30 + 24 + unit] += dhn[sample * 6 + unit];
            assert_eq!(y[sample * 30 + 24 + unit], hn[sample * 6 + unit]);
        }
    }
    let mut grad_output: Box<[L::Output; 2]> = boxed();
    for (to, from) in batch_slice_mut(&mut grad_output[..]).chunks_exact_mut(width).zip(dy.chunks_exact(6)) {
        to[..6].copy_from_slice(from);
    }
    for level in levels() {
        let mut passes = Passes::run::<L, 2>(level, &*layer, &input, &grad_output);
        for output in [&passes.evaluated, &passes.output] {
            let rows = batch_slice(&output[..]).chunks_exact(width);
            let h: Vec<f64> = rows.clone().flat_map(|row| row[..6].to_vec()).collect();
            let known = if learned.is_empty() { 60 } else { 30 };
            assert_close(case, &h[..known], &y[..known], 1e-10);
            if width == 12 && learned.is_empty() {
                let last: Vec<f64> = rows.skip(4).step_by(5).flat_map(|row| row[6..].to_vec()).collect();
                assert_close("cn", &last, &file.numbers("cn"), 1e-10);
            }
        }
        if learned.is_empty() {
            let expected: Vec<f64> = names.iter().flat_map(|name| file.numbers(&std::format!("g.{name}"))).collect();
            assert_close("gradient", passes.gradient.as_slice(), &expected, 1e-10);
            let mut parts = inputs.iter();
            L::Input::each_part::<f64, 2>(&mut passes.grad_input, &mut |part| {
                let name = std::format!("d{}", parts.next().unwrap());
                assert_close(&name, part, &file.numbers(&name), 1e-10);
            });
        }
    }
}

type Steps = [[f64; 3]; 5];
type Hidden = [f64; 6];

#[test]
fn states_agree_with_pytorch() {
    type W<const WIDE: usize> = [[f64; WIDE]; 3];
    type U<const WIDE: usize> = [[f64; WIDE]; 6];
    let (given, learned) = (["x", "h0"], ["h0"]);
    agrees_with_states::<Rnn<(Steps, Hidden), W<6>, U<6>, [f64; 6], [Hidden; 5]>>("seq_rnn_state", &given, &[]);
    agrees_with_states::<Gru<(Steps, Hidden), W<18>, U<18>, [f64; 18], [Hidden; 5]>>("seq_gru_state", &given, &[]);
    agrees_with_states::<Gru<Steps, W<18>, U<18>, [f64; 18], [Hidden; 5], [Hidden; 1]>>(
        "seq_gru_state",
        &["x"],
        &learned,
    );
    let (given, learned) = (["x", "h0", "c0"], ["h0", "c0"]);
    type Given = (Steps, Hidden, Hidden);
    agrees_with_states::<Lstm<Given, W<24>, U<24>, [f64; 24], [Hidden; 5]>>("seq_lstm_state", &given, &[]);
    agrees_with_states::<Lstm<Given, W<24>, U<24>, [f64; 24], [[f64; 12]; 5]>>("seq_lstm_state", &given, &[]);
    agrees_with_states::<Lstm<Steps, W<24>, U<24>, [f64; 24], [[f64; 12]; 5], [Hidden; 2]>>(
        "seq_lstm_state",
        &["x"],
        &learned,
    );
}

/// The gradients of everything, of a layer whose input may be a tuple.
fn check_all_differences<L: Layer<Scalar = f64>, const B: usize>() {
    let mut noise = Noise::new(11);
    let (mut layer, mut input) = (boxed::<L>(), boxed::<Batched<L::Input, B>>());
    layer.as_mut_slice().fill_with(|| noise.uniform() - 0.5);
    L::Input::each_part::<f64, B>(&mut input, &mut |part| part.fill_with(|| noise.uniform() - 0.5));
    check_gradients(&mut *layer, &*input, 1e-6).unwrap();
}

#[test]
fn gradients_of_options_agree_with_finite_differences() {
    type Before<X, Y, const S: usize> = Gru<X, [[f64; 15]; 3], [[f64; 15]; 5], [f64; 15], Y, [[f64; 5]; S], false, 1>;
    type X = [[f64; 3]; 4];
    type H = [f64; 5];
    check_all_differences::<Before<X, [H; 4], 0>, 3>();
    check_all_differences::<Before<X, H, 1>, 2>();
    check_all_differences::<Before<(X, H), [H; 4], 0>, 2>();
    check_all_differences::<Before<[[f64; 3]; 1], H, 0>, 1>();
    check_all_differences::<Gru<(X, H), [[f64; 15]; 3], [[f64; 15]; 5], [f64; 15], H>, 3>();
    check_all_differences::<Rnn<X, [[f64; 5]; 3], [[f64; 5]; 5], [f64; 5], H, [H; 1]>, 3>();
    check_all_differences::<Lstm<(X, H, H), [[f64; 20]; 3], [[f64; 20]; 5], [f64; 20], [[f64; 10]; 4]>, 2>();
    check_all_differences::<Lstm<X, [[f64; 20]; 3], [[f64; 20]; 5], [f64; 20], [f64; 10], [H; 2]>, 2>();
}

/// The formula of a GRU that resets before the product, in plain loops.
#[test]
fn a_hidden_state_can_be_reset_before_the_product() {
    const H: usize = 17;
    type Layer =
        Recurrent<GruCell<false, 1>, [[f64; 3]; 6], [[f64; 51]; 3], [[f64; 51]; H], [f64; 51], [[f64; H]; 6], [f64; 0]>;
    let mut layer: Box<Layer> = boxed();
    layer.as_mut_slice().copy_from_slice(random::<[f64; 8192], 1>(3)[0].split_at(Layer::COUNT).0);
    let x = random::<[[f64; 3]; 6], 1>(4);
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    let (mut h, mut expected) = ([0.0; H], Vec::new());
    for x in &x[0] {
        let products = |h: &[f64; H], gate: usize, unit: usize| {
            let column = gate * H + unit;
            let from_x: f64 = (0..3).map(|k| x[k] * layer.weight_ih[k][column]).sum();
            let from_h: f64 = (0..H).map(|k| h[k] * layer.weight_hh[k][column]).sum();
            from_x + layer.bias_ih[column] + from_h + layer.bias_hh[column]
        };
        let reset: [f64; H] = std::array::from_fn(|unit| sigmoid(products(&h, 0, unit)) * h[unit]);
        h = std::array::from_fn(|unit| {
            let (z, n) = (sigmoid(products(&h, 1, unit)), products(&reset, 2, unit).tanh());
            (1.0 - z) * n + z * h[unit]
        });
        expected.extend(h);
    }
    for level in levels() {
        let passes = Passes::run::<Layer, 1>(level, &*layer, &x, &boxed());
        assert_close("evaluate", batch_slice(&passes.evaluated[..]), &expected, 1e-12);
        assert_close("forward", batch_slice(&passes.output[..]), &expected, 1e-12);
    }
}

#[test]
fn keras_begins_otherwise() {
    type Layer = Lstm<[[f64; 7]; 3], [[f64; 44]; 7], [[f64; 44]; 11], [f64; 44], [[f64; 11]; 3], [f64; 0], true>;
    let mut layer: Box<Layer> = boxed();
    crate::init::initialize(&mut *layer, crate::init::Init::default(), &mut Noise::new(6));
    let bound = (6.0_f64 / (7.0 + 44.0)).sqrt();
    let largest = layer.weight_ih.as_flattened().iter().fold(0.0_f64, |most, w| most.max(w.abs()));
    assert!(largest <= bound && largest > 0.9 * bound);
    for (a, left) in layer.weight_hh.iter().enumerate() {
        for (b, right) in layer.weight_hh.iter().enumerate() {
            let product: f64 = left.iter().zip(right).map(|(l, r)| l * r).sum();
            assert!((product - f64::from(u8::from(a == b))).abs() < 1e-13, "{a} {b}: {product}");
        }
    }
    assert!(layer.bias_ih.iter().enumerate().all(|(at, b)| *b == f64::from(u8::from((11..22).contains(&at)))));
    assert_eq!(layer.bias_hh, [0.0; 44]);
}
