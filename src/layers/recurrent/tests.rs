use std::boxed::Box;

use super::gru::Gru;
use super::lstm::Lstm;
use super::rnn::Rnn;
use super::*;
use crate::memory::{boxed, zeroed};
use crate::simd::{Task, dispatch, levels};
use crate::testing::check_gradients;
use crate::testing::golden::{assert_close, check_layer, random};

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
    check_differences::<_, lstm::Last<f64, 4, 3, 17, 68>, 2>();
    check_differences::<_, lstm::Last<f64, 1, 3, 1, 4>, 1>();
    check_differences::<_, gru::Every<f64, 4, 3, 5, 15>, 3>();
    check_differences::<_, gru::Last<f64, 4, 1, 33, 99>, 1>();
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
        for (x, expected) in steps.zip(first.chunks_exact(L::StepOutput::LEN)) {
            let (mut step, mut y) = (zeroed::<X::Item>(), zeroed::<L::StepOutput>());
            step.numbers_mut().copy_from_slice(x);
            self.layer.step(simd, &mut state, &step, &mut y);
            let expected: std::vec::Vec<f64> = expected.iter().map(|y| f64::from(*y)).collect();
            assert_close("step", y.numbers(), &expected, 1e-6);
        }
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
}
