//! Inputs other than one tensor: whole numbers, several of them, the parts of what a network gives; and layers of one's
//! own that take them.

use std::any::TypeId;

use monomorph::layer::{GradientOf, Pass, apply};
use monomorph::layers::Identity;
use monomorph::prelude::*;
use monomorph::simd::Simd;
use monomorph::storage::Storage;
use monomorph::testing::check_gradients;
use monomorph::train::TrainError;
use monomorph::weight::Weight;
use monomorph::{Activation, Layer, Parameters, Scalar, Tensor};

/// `y = a + w · b`, number by number: a layer of two inputs.
#[derive(Parameters)]
#[repr(C)]
pub struct Blend<X, Y> {
    #[parameters(tensor, start = 0.5)]
    weight: X,
    takes: std::marker::PhantomData<Y>,
}

impl<T: Scalar, X: Tensor<Element = T>, Y: Tensor<Element = T>> Layer for Blend<X, Y> {
    type Input = (X, Y);
    type Output = X;
    type Saved<const B: usize> = ();
    type Workspace<const B: usize> = ();
    const MACS: usize = X::LEN;

    fn evaluate<S: Simd, const B: usize>(&self, _: S, (a, b): (&[X; B], &[Y; B]), output: &mut [X; B], (): &mut ()) {
        for ((y, a), b) in output.iter_mut().zip(a).zip(b) {
            let inputs = a.numbers().iter().zip(b.numbers()).zip(self.weight.numbers());
            for (y, ((a, b), w)) in y.numbers_mut().iter_mut().zip(inputs) {
                *y = *a + *w * *b;
            }
        }
    }

    fn forward<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: (&[X; B], &[Y; B]),
        output: &mut [X; B],
        saved: &mut (),
        _: &mut Pass<T>,
    ) {
        self.evaluate(simd, input, output, saved);
    }

    fn backward<S: Simd, const B: usize>(
        &self,
        _: S,
        (_, b): (&[X; B], &[Y; B]),
        _: &[X; B],
        (): &mut (),
        grad_output: &mut [X; B],
        (grad_a, grad_b): GradientOf<'_, Self::Input, B>,
        gradient: &mut Self,
        _: &Pass<T>,
    ) {
        for (dy, b) in grad_output.iter().zip(b) {
            for ((dw, dy), b) in gradient.weight.numbers_mut().iter_mut().zip(dy.numbers()).zip(b.numbers()) {
                *dw += *dy * *b;
            }
        }
        if let Some(grad_b) = grad_b {
            for (db, dy) in grad_b.iter_mut().zip(&*grad_output) {
                for ((db, dy), w) in db.numbers_mut().iter_mut().zip(dy.numbers()).zip(self.weight.numbers()) {
                    *db = *dy * *w;
                }
            }
        }
        if let Some(grad_a) = grad_a {
            grad_a.clone_from(grad_output);
        }
    }
}

network! { pub Two<f64>(a: [5], b: [7]) -> [2] {
    let p = a |> Dense(6) |> Tanh;
    let q = b |> Dense(6);
    (p, q) |> self::Blend() |> Tanh |> Dense(2)
} }
network! { pub Itself<f64>: [5] -> [2] { (input, input) |> self::Blend() |> Tanh |> Dense(2) } }
network! { #[derive(Clone)] pub Mixed<f64>(tokens: [u16; 3], x: [4]) -> (y: [2], z: [3, 2]) {
    let e = tokens |> Embedding(7, 2);
    let z = e |> Dense(2);
    let flat = e |> Flatten;
    let y = concat(flat, x) |> Dense(2);
} }
network! { pub Heads<f64>(x: [3]) -> (policy: [2], value: [1]) {
    let trunk = x |> Dense(4) |> Tanh;
    let policy = trunk |> Dense(2);
    let value = trunk |> Dense(1);
} }
network! { pub Agent<f64>(x: [5]) -> [2] {
    let head = x |> Dense(3) |> Heads;
    let certain = head.policy |> Softmax;
    let worth = head.value |> Dense(2);
    add(certain, worth)
} }
network! { pub OnePart<f64>(x: [3]) -> [2] { let head = x |> Heads; head.policy |> Tanh } }

fn drawn<N: Network<Scalar = f64>>() -> Box<N> {
    let mut net: Box<N> = monomorph::memory::boxed();
    net.initialize(Init::KaimingUniform, &mut Noise::new(4));
    net
}

#[test]
fn several_values_go_into_one_layer() {
    let mut two = drawn::<Two>();
    let sample = |shift: f64| TwoInput { a: [0.1 + shift, 0.2, 0.3, -0.4, 0.5], b: [0.3 - shift; 7] };
    check_gradients(&mut *two, &[sample(0.0), sample(0.2)], 1e-7).expect("the gradient");
    let mut itself = drawn::<Itself>();
    check_gradients(&mut *itself, &[[0.1, 0.2, 0.3, 0.4, 0.5], [0.1, 0.7, 0.3, 0.4, 0.5]], 1e-7).expect("the gradient");
    // x + x / 2
    assert_eq!(itself.layer1.weight, [0.5; 5]);
    let plain = itself.dense1.weight.iter().zip([0.1, 0.2, 0.3, 0.4, 0.5]);
    let expected = plain.map(|(w, x)| w[0] * f64::tanh(1.5 * x)).sum::<f64>() + itself.dense1.bias[0];
    assert!((itself.evaluate(&[0.1, 0.2, 0.3, 0.4, 0.5])[0] - expected).abs() < 1e-9);
}

#[test]
fn the_parts_of_a_network_inside_are_values() {
    let mut agent = drawn::<Agent>();
    check_gradients(&mut *agent, &[[0.3, -0.2, 0.9, 0.1, 0.4], [0.5; 5]], 1e-7).expect("the gradient");
    let mut one = drawn::<OnePart>();
    check_gradients(&mut *one, &[[0.3, -0.2, 0.9]], 1e-7).expect("the gradient");
    let whole = one.layer1.evaluate(&[0.3, -0.2, 0.9]);
    let tanh = whole.policy.map(f64::tanh);
    let given = one.evaluate(&[0.3, -0.2, 0.9]);
    assert!(given.iter().zip(tanh).all(|(a, b)| (a - b).abs() < 1e-9), "{given:?}");
}

#[test]
fn whole_numbers_stand_beside_tensors() {
    let mut net = drawn::<Mixed>();
    let sample = |tokens| MixedInput { tokens, x: [0.3, -0.1, 0.2, 0.9] };
    check_gradients(&mut *net, &[sample([1, 2, 6]), sample([1, 1, 0])], 1e-7).expect("the gradient");

    let before = net.clone();
    let mut trainer = Trainer::<Mixed, _, 2>::new(Adam { learning_rate: 0.05, ..Adam::default() }, Mse);
    let target = MixedOutput { y: [0.0; 2], z: [[0.0; 2]; 3] };
    // Only there, and only in training, is a token out of range an error.
    let bad = [sample([0, 1, 2]), sample([0, 7, 2])];
    let error = trainer.step(&mut net, &bad, &[target; 2]).expect_err("7 is no token of 7");
    assert!(matches!(error, TrainError::Input { .. }), "{error:?}");
    assert!(error.to_string().contains('7'), "{error}");
    assert_eq!(before.as_slice(), net.as_slice(), "a refused step changes nothing");
    let first = trainer.step(&mut net, &[sample([0, 1, 2]); 2], &[target; 2]).expect("a step").loss;
    for _ in 0..200 {
        trainer.step(&mut net, &[sample([0, 1, 2]); 2], &[target; 2]).expect("a step");
    }
    let last = trainer.step(&mut net, &[sample([0, 1, 2]); 2], &[target; 2]).expect("a step").loss;
    assert!(last < 0.1 * first, "{first} → {last}");
}

/// `y = FACTOR · w · x`, number by number: a layer of one's own with what those of the crate have. It finds its input
/// by itself, takes a size, applies the function behind it, and its weights can be packed.
#[derive(Parameters)]
#[repr(C)]
pub struct Scaled<X, W, const FACTOR: usize> {
    #[parameters(packed)]
    weight: W,
    takes: std::marker::PhantomData<X>,
}

/// As a network writes it: `self::Scale(3)`.
pub type Scale<X, const FACTOR: usize> = Scaled<X, X, FACTOR>;

impl<T: Scalar, X: Tensor<Element = T>, W: Weight<Scalar = T>, const FACTOR: usize> Scaled<X, W, FACTOR> {
    /// The number by which an input is multiplied.
    fn number(&self, index: usize) -> T {
        let scale = self.weight.scale();
        let scale = if scale.is_empty() { T::ONE } else { scale[index % scale.len()] };
        self.weight.packed()[index].widen() * scale * T::from_f64(FACTOR as f64)
    }
}

impl<T: Scalar, X: Tensor<Element = T>, W: Weight<Scalar = T>, const FACTOR: usize> Layer for Scaled<X, W, FACTOR> {
    type Input = X;
    type Output = X;
    type Saved<const B: usize> = ();
    type Workspace<const B: usize> = ();
    const MACS: usize = X::LEN;

    fn evaluate<S: Simd, const B: usize>(&self, simd: S, input: &[X; B], output: &mut [X; B], (): &mut ()) {
        self.evaluate_then::<S, B, Identity>(simd, input, output, &mut ());
    }

    fn evaluate_then<S: Simd, const B: usize, A: Activation<T>>(
        &self,
        simd: S,
        input: &[X; B],
        output: &mut [X; B],
        (): &mut (),
    ) {
        let alone = TypeId::of::<A>() == TypeId::of::<Identity>();
        FUSED.set(FUSED.get() + usize::from(!alone));
        for (y, x) in output.iter_mut().zip(input) {
            for (index, (y, x)) in y.numbers_mut().iter_mut().zip(x.numbers()).enumerate() {
                *y = self.number(index) * *x;
            }
            apply::<T, S, A>(simd, y.numbers_mut());
        }
    }

    fn forward<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: &[X; B],
        output: &mut [X; B],
        saved: &mut (),
        _: &mut Pass<T>,
    ) {
        self.evaluate(simd, input, output, saved);
    }

    fn backward<S: Simd, const B: usize>(
        &self,
        _: S,
        input: &[X; B],
        _: &[X; B],
        (): &mut (),
        grad_output: &mut [X; B],
        grad_input: Option<&mut [X; B]>,
        gradient: &mut Self,
        _: &Pass<T>,
    ) {
        for (dy, x) in grad_output.iter().zip(input) {
            for ((dw, dy), x) in gradient.weight.trained_mut().iter_mut().zip(dy.numbers()).zip(x.numbers()) {
                *dw += *dy * *x * T::from_f64(FACTOR as f64);
            }
        }
        for (dx, dy) in grad_input.into_iter().flatten().zip(grad_output) {
            for (index, (dx, dy)) in dx.numbers_mut().iter_mut().zip(dy.numbers()).enumerate() {
                *dx = *dy * self.number(index);
            }
        }
    }
}

std::thread_local! {
    /// How often `Scaled` has applied the function behind it.
    static FUSED: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

network! {
    #[packed(OwnSmall: i8, OwnHalf: bf16)]
    pub Own<T>: [20] -> [2] { first: self::Scale(3), Tanh, Dense(6), self::Scale(1), Dense(2) }
}

#[test]
fn layers_of_ones_own_are_like_those_of_the_crate() {
    let mut net = drawn::<Own<f64>>();
    let input: [f64; 20] = std::array::from_fn(|i| i as f64 / 20.0 - 0.4);
    check_gradients(&mut *net, &[input], 1e-7).expect("the gradient");
    // In evaluation, the layer applies the function behind it.
    let before = FUSED.get();
    let y = net.evaluate(&input);
    assert_eq!(FUSED.get(), before + 1);

    let small = OwnSmall::<f64>::boxed_from(&net);
    assert_eq!(size_of_val(&small.first.weight.numbers), 20);
    for (found, expected) in
        [small.evaluate(&input), OwnHalf::<f64>::boxed_from(&net).evaluate(&input)].iter().zip([y; 2])
    {
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 0.05, "{found} for {expected}");
        }
    }
}
