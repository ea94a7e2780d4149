use std::boxed::Box;
use std::format;
use std::vec::Vec;

use super::*;
use crate::layer::Inputs;
use crate::layers::passes::Passes;
use crate::memory::{boxed, zeroed};
use crate::noise::Noise;
use crate::parameters::for_each_tensor;
use crate::scalar::Scalar;
use crate::simd::{Task, dispatch, levels};
use crate::streaming::Streaming;
use crate::tensor::batch_slice;
use crate::testing::golden::{Case, assert_close, random};
use crate::testing::{check_gradients, passes};

type Plain<T, const D: usize> = [[T; D]; D];
/// Attention of a sequence to itself with as many heads of keys.
type Same<T, F, O, const D: usize> = MultiHeadAttention<F, O, [T; D], [T; D], [[T; D]; D], [[T; D]; D], [[T; D]; D]>;
type Mixed<T, F, O> = MultiHeadAttention<F, O, [T; 16], [T; 8], [[T; 16]; 16], [[T; 8]; 16], [[T; 16]; 16]>;

/// Compares a layer with a case, whose first tensors are `x` or `x0`, `x1`; `lengths` go to an integer input.
fn agrees<L: Layer, const B: usize>(name: &str, lengths: impl FnOnce(&mut <L::Input as Inputs>::Owned<B>)) {
    let case = Case::open(name);
    let tolerance = if size_of::<L::Scalar>() == 8 { 1e-10 } else { 2e-5 };
    let fill = |tensor: &str, to: &mut [L::Scalar]| {
        let numbers = case.numbers(tensor);
        assert_eq!(numbers.len(), to.len(), "{name}: {tensor}");
        to.iter_mut().zip(numbers).for_each(|(to, from)| *to = L::Scalar::from_f64(from));
    };
    let mut layer: Box<L> = boxed();
    for_each_tensor(L::ENTRIES, &mut |path, _, range| fill(&format!("p.{path}"), &mut layer.as_mut_slice()[range]));
    let mut input: Box<<L::Input as Inputs>::Owned<B>> = boxed();
    let mut parts = 0;
    L::Input::each_part::<L::Scalar, B>(&mut input, &mut |_| parts += 1);
    let part = |what: &str, index: usize| if parts == 1 { what.into() } else { format!("{what}{index}") };
    let mut index = 0;
    L::Input::each_part::<L::Scalar, B>(&mut input, &mut |numbers| {
        fill(&part("x", index), numbers);
        index += 1;
    });
    lengths(&mut input);
    let mut grad_output: Box<[L::Output; B]> = boxed();
    fill("dy", batch_slice_mut(&mut grad_output[..]));
    for level in levels() {
        let mut passes = Passes::run::<L, B>(level, &layer, &input, &grad_output);
        assert_close("y", batch_slice(&passes.output[..]), &case.numbers("y"), tolerance);
        assert_close("y", batch_slice(&passes.evaluated[..]), &case.numbers("y"), tolerance);
        let mut index = 0;
        L::Input::each_part::<L::Scalar, B>(&mut passes.grad_input, &mut |numbers| {
            let name = part("dx", index);
            assert_close(&name, numbers, &case.numbers(&name), tolerance);
            index += 1;
        });
        for_each_tensor(L::ENTRIES, &mut |path, _, range| {
            let name = format!("g.{path}");
            assert_close(&name, &passes.gradient.as_slice()[range], &case.numbers(&name), tolerance);
        });
    }
}

fn all_agree<T: Real>() {
    agrees::<Same<T, Itself<[[T; 12]; 5]>, Grouped<3, 3>, 12>, 2>("attention_plain", |_| ());
    agrees::<Same<T, Itself<[[T; 16]; 7]>, Grouped<2, 2, true>, 16>, 1>("attention_causal", |_| ());
    type Cross<T> = MultiHeadAttention<
        Another<[[T; 12]; 4], [[T; 8]; 6]>,
        Grouped<3, 3>,
        [T; 12],
        [T; 12],
        [[T; 12]; 12],
        [[T; 12]; 8],
        [[T; 12]; 12],
    >;
    agrees::<Cross<T>, 2>("att_cross", |_| ());
    type Turned<const HALF: bool> = Grouped<4, 2, true, Rotary<HALF>, false>;
    agrees::<Mixed<T, Itself<[[T; 16]; 6]>, Turned<false>>, 2>("att_grouped_rotary_interleaved", |_| ());
    agrees::<Mixed<T, Itself<[[T; 16]; 6]>, Turned<true>>, 2>("att_grouped_rotary_half", |_| ());
    type Padded<T> = Same<T, ItselfPadded<[[T; 12]; 6], [u16; 1]>, Grouped<2, 2, false, Unrotated, false>, 12>;
    agrees::<Padded<T>, 3>("att_padded", |(_, lengths)| *lengths = [[6], [3], [1]]);
}

#[test]
fn agrees_with_pytorch() {
    all_agree::<f64>();
    all_agree::<f32>();
}

fn layer<L: Layer>(seed: u64) -> Box<L> {
    let (mut layer, mut noise): (Box<L>, _) = (boxed(), Noise::new(seed));
    layer.as_mut_slice().fill_with(|| L::Scalar::from_f64(noise.uniform() - 0.5));
    layer
}

#[test]
fn gradients_agree_with_finite_differences() {
    type Turned<const HALF: bool> = Grouped<4, 2, true, Rotary<HALF>>;
    let check = |result: Result<(), _>| result.unwrap_or_else(|error| panic!("{error}"));
    check(check_gradients(
        &mut *layer::<Mixed<f64, Itself<[[f64; 16]; 3]>, Turned<true>>>(1),
        &random::<_, 2>(2),
        1e-7,
    ));
    check(check_gradients(
        &mut *layer::<Mixed<f64, Itself<[[f64; 16]; 3]>, Turned<false>>>(1),
        &random::<_, 2>(2),
        1e-7,
    ));
    // More queries than a block has, of which some are padding.
    type Long = Same<f64, ItselfPadded<[[f64; 2]; 34], [u8; 1]>, Grouped<2, 2>, 2>;
    check(check_gradients(&mut *layer::<Long>(3), &(*random::<_, 2>(4), [[34], [0]]), 1e-7));
    // More keys than a product computes.
    type Cross = Same<f64, AnotherPadded<[[f64; 1]; 3], [[f64; 1]; 70], [i32; 1]>, Grouped<1, 1>, 1>;
    check(check_gradients(&mut *layer::<Cross>(3), &(*random::<_, 3>(4), *random::<_, 3>(5), [[70], [66], [3]]), 1e-7));
}

/// The definition, in double precision.
fn naive<const STEPS: usize, const D: usize>(
    layer: &Same<f64, Itself<[[f64; D]; STEPS]>, Grouped<1, 1, true>, D>,
    x: &[[f64; D]; STEPS],
) -> Vec<f64> {
    let product = |x: &[f64; D], w: &Plain<f64, D>, b: &[f64; D]| -> [f64; D] {
        core::array::from_fn(|o| b[o] + (0..D).map(|i| x[i] * w[i][o]).sum::<f64>())
    };
    let rows = |w, b| x.iter().map(|x| product(x, w, b)).collect::<Vec<_>>();
    let (q, k, v) = (rows(&layer.wq, &layer.bq), rows(&layer.wk, &layer.bk), rows(&layer.wv, &layer.bv));
    let mut y = Vec::new();
    for i in 0..STEPS {
        let score = |j: usize| (0..D).map(|d| q[i][d] * k[j][d]).sum::<f64>() / (D as f64).sqrt();
        let powers: Vec<f64> = (0..=i).map(|j| score(j).exp()).collect();
        let sum: f64 = powers.iter().sum();
        let o = core::array::from_fn(|d| (0..=i).map(|j| powers[j] / sum * v[j][d]).sum());
        y.extend(product(&o, &layer.wo, &layer.bo));
    }
    y
}

#[test]
fn sizes_that_fit_no_register_agree_with_the_definition() {
    fn check<const STEPS: usize, const D: usize>() {
        type Causal<T, const STEPS: usize, const D: usize> = Same<T, Itself<[[T; D]; STEPS]>, Grouped<1, 1, true>, D>;
        let (exact, x) = (layer::<Causal<f64, STEPS, D>>(7), random::<[[f64; D]; STEPS], 1>(8));
        let expected = naive(&exact, &x[0]);
        let found = passes(&*exact, &x, &random::<_, 1>(9)).unwrap();
        assert_close("f64", batch_slice(&found.output[..]), &expected, 1e-12);
        let (single, x) = (layer::<Causal<f32, STEPS, D>>(7), random::<[[f32; D]; STEPS], 1>(8));
        let found = passes(&*single, &x, &random::<_, 1>(9)).unwrap();
        assert_close("f32", batch_slice(&found.output[..]), &expected, 2e-5);
        assert_close("f32", batch_slice(&found.evaluated[..]), &expected, 2e-5);
    }
    check::<1, 1>();
    check::<3, 17>();
    check::<17, 3>();
    check::<33, 33>();
    check::<100, 4>();
    check::<130, 16>();
}

/// Evaluates a sequence as a whole and step by step.
struct Both<'a, X, L> {
    layer: &'a L,
    input: &'a [X],
}

impl<X, L> Task for Both<'_, X, L>
where
    X: Tensor<Element = f64>,
    L: Streaming<Scalar = f64, Input = X, StepInput = X::Item>,
{
    type Output = [Vec<f64>; 2];

    #[inline(always)]
    fn run<S: Simd>(&mut self, simd: S) -> Self::Output {
        let (mut workspace, mut y): (Box<L::Workspace<1>>, Box<[L::Output; 1]>) = (boxed(), boxed());
        let (mut whole, mut steps) = (Vec::new(), Vec::new());
        let mut state: Box<L::State> = boxed();
        for x in self.input {
            self.layer.evaluate(simd, core::array::from_ref(x), &mut y, &mut workspace);
            whole.extend_from_slice(y[0].numbers());
            for x in x.numbers().chunks_exact(X::Item::LEN) {
                let (mut item, mut y) = (zeroed::<X::Item>(), zeroed::<L::StepOutput>());
                item.numbers_mut().copy_from_slice(x);
                self.layer.step(simd, &mut state, &item, &mut y);
                steps.extend_from_slice(y.numbers());
            }
        }
        [whole, steps]
    }
}

#[test]
fn steps_equal_the_pass_over_the_sequence() {
    fn check<const STEPS: usize, R: Rotation + Clone>() {
        type Stepping<const STEPS: usize, R> = Mixed<f64, Itself<[[f64; 16]; STEPS]>, Grouped<4, 2, true, R>>;
        let layer = layer::<Stepping<STEPS, R>>(3);
        for level in levels() {
            let [whole, steps] = dispatch(level, Both { layer: &*layer, input: &random::<_, 1>(4)[..] });
            assert_close("steps", &steps, &whole, 1e-12);
        }
    }
    check::<1, Rotary<true>>();
    check::<9, Rotary<false>>();
    check::<100, Rotary<true>>();
    check::<67, Unrotated>();
}

#[test]
fn the_oldest_steps_are_forgotten() {
    type Stepping<const STEPS: usize> = Same<f64, Itself<[[f64; 4]; STEPS]>, Grouped<2, 2, true, Rotary<true>>, 4>;
    let (short, long) = (layer::<Stepping<5>>(3), layer::<Stepping<10>>(3));
    let x = random::<[[f64; 4]; 10], 1>(4);
    let [_, steps] = dispatch(
        crate::simd::level(),
        Both {
            layer: &*short,
            input: &[[x[0][0], x[0][1], x[0][2], x[0][3], x[0][4]], [x[0][5], x[0][6], x[0][7], x[0][8], x[0][9]]],
        },
    );
    // The last step attends to the last five.
    let mut last = [[0.0; 4]; 10];
    last[..5].copy_from_slice(&x[0][5..]);
    let [whole, _] = dispatch(crate::simd::level(), Both { layer: &*long, input: &[last] });
    assert_close("the last step", &steps[36..], &whole[16..20], 1e-12);
}

#[test]
fn a_length_beyond_the_memory_is_refused() {
    type Padded = Same<f32, ItselfPadded<[[f32; 2]; 3], [u8; 1]>, Grouped<1, 1>, 2>;
    struct Forward(Box<Padded>);
    impl Task for Forward {
        type Output = Option<InputError>;
        #[inline(always)]
        fn run<S: Simd>(&mut self, simd: S) -> Self::Output {
            let (mut y, mut pass) = ([[[0.0; 2]; 3]; 2], Pass::new(Noise::new(1), 1.0));
            let mut saved: Box<<Padded as Layer>::Saved<2>> = boxed();
            self.0.forward(simd, (&[[[1.0; 2]; 3]; 2], &[[3], [4]]), &mut y, &mut saved, &mut pass);
            pass.error()
        }
    }
    let error = dispatch(crate::simd::level(), Forward(layer(1)));
    assert_eq!(error, Some(InputError::OutOfRange { sample: 1, position: 0, index: 4, limit: 4 }));
}
