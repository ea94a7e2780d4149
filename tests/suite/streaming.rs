//! Networks that run step by step give what they give for the whole sequence.

use monomorph::layer::Inputs;
use monomorph::prelude::*;
use monomorph::{Streaming, Tensor};

network! {
    #[streaming]
    #[packed(ConvolutionsSmall: i8)]
    pub Convolutions: [32, 1] -> [32, 1] {
        Dense(4),
        for d in [1, 2, 4] {
            residual { Conv1d(4, kernel = 3, dilation = d, padding = causal), Tanh, Conv1d(4, kernel = 1) },
        }
        BatchNorm, Relu, ActivityRegularization(l2 = 0.1),
        Dense(8), Gelu, Dropout(0.1), LayerNorm,
        DepthwiseConv1d(2, padding = causal), RmsNorm, Softmax, Dense(1),
    }
}
network! {
    #[streaming]
    pub Tokens: [u8; 12] -> [12, 5] { Embedding(7, 3), Conv1d(4, kernel = 4, groups = 1, padding = causal), Silu, Dense(5) }
}
network! {
    #[streaming]
    pub Branches<T>(x: [9, 2]) -> [9, 3] {
        let a = x |> Conv1d(3, kernel = 2, padding = causal) |> Tanh;
        let b = x |> Dense(3);
        add(a, b) |> again: Dense(3) |> LeakyRelu |> again
    }
}
network! {
    #[streaming]
    pub Filter<const C: usize>: [6, C] -> [6, C] { Dense(C), Tanh, Dense(C) }
}
network! {
    #[streaming]
    pub Nested: [9, 2] -> [9, 3] { trunk: self::Branches::<f32>, Tanh, Conv1d(3, kernel = 3, padding = causal) }
}
network! {
    #[streaming]
    #[packed(RecurrentSmall: i8)]
    pub Recurrent: [14, 3] -> [14, 2] { Rnn(5), Lstm(17), residual { Gru(17) }, Tanh, Dense(2) }
}
network! { pub Memory: [20, 2] -> [2] { Gru(8, last), Dense(2) } }

/// What the network gives for each step of `input`, and how far that is from its pass over all of them.
pub(super) fn worst<N, X, Y, const STEPS: usize>(net: &N, input: &[X; STEPS], whole: &[Y; STEPS]) -> f64
where
    N: Streaming<StepInput = X, StepOutput = Y>,
    X: Tensor,
    Y: Tensor<Element = N::Scalar>,
    N::Scalar: Into<f64>,
{
    let mut state: N::State = monomorph::memory::zeroed();
    let mut worst = 0.0_f64;
    // A second sequence after the first shows that `start` forgets it.
    for _ in 0..2 {
        net.start(&mut state);
        for (x, expected) in input.iter().zip(whole) {
            let y = monomorph::streaming::step(net, &mut state, x);
            worst = worst.max(apart(&y, expected));
        }
    }
    worst
        .max(blocks::<N, X, Y, 2>(net, input, whole))
        .max(blocks::<N, X, Y, 5>(net, input, whole))
        .max(blocks::<N, X, Y, 16>(net, input, whole))
        .max(blocks::<N, X, Y, 19>(net, input, whole))
}

fn apart<Y: Tensor<Element: Into<f64>>>(found: &Y, expected: &Y) -> f64 {
    let numbers = found.numbers().iter().zip(expected.numbers());
    numbers.fold(0.0, |worst: f64, (found, expected)| worst.max(((*found).into() - (*expected).into()).abs()))
}

/// The same for blocks of `N` steps, and single ones behind the last that fits.
fn blocks<N, X, Y, const BLOCK: usize>(net: &N, input: &[X], whole: &[Y]) -> f64
where
    N: Streaming<StepInput = X, StepOutput = Y>,
    X: Tensor,
    Y: Tensor<Element = N::Scalar>,
    N::Scalar: Into<f64>,
{
    let mut state: N::State = monomorph::memory::zeroed();
    net.start(&mut state);
    let ((blocks, rest), (expected, last)) = (input.as_chunks::<BLOCK>(), whole.as_chunks::<BLOCK>());
    let mut worst = 0.0_f64;
    for (block, expected) in blocks.iter().zip(expected) {
        let mut y: [Y; BLOCK] = monomorph::memory::zeroed();
        monomorph::streaming::steps(net, &mut state, block, &mut y);
        worst = y.iter().zip(expected).fold(worst, |worst, (y, expected)| worst.max(apart(y, expected)));
    }
    for (x, expected) in rest.iter().zip(last) {
        worst = worst.max(apart(&monomorph::streaming::step(net, &mut state, x), expected));
    }
    worst
}

pub(super) fn drawn<N: Network<Input: Tensor<Element = N::Scalar> + Inputs<Owned<1> = [N::Input; 1]>>>()
-> (Box<N>, N::Input) {
    let mut noise = Noise::new(3);
    let mut net: Box<N> = monomorph::memory::boxed();
    net.initialize(Init::KaimingUniform, &mut noise);
    let mut input: N::Input = monomorph::memory::zeroed();
    for number in input.numbers_mut() {
        *number = <N::Scalar as monomorph::Scalar>::from_f64(noise.uniform() - 0.5);
    }
    (net, input)
}

#[test]
fn steps_are_the_whole_sequence() {
    let (net, input) = drawn::<Convolutions>();
    assert!(worst(&*net, &input, &net.evaluate(&input)) < 1e-5);
    let small = ConvolutionsSmall::boxed_from(&net);
    assert!(worst(&*small, &input, &small.evaluate(&input)) < 1e-5);

    let (net, input) = drawn::<Branches<f64>>();
    assert!(worst(&*net, &input, &net.evaluate(&input)) < 1e-13);
    let (net, input) = drawn::<Filter<5>>();
    assert!(worst(&*net, &input, &net.evaluate(&input)) < 1e-6);
    let (net, input) = drawn::<Recurrent>();
    assert!(worst(&*net, &input, &net.evaluate(&input)) < 1e-6);
    let small = RecurrentSmall::boxed_from(&net);
    assert!(worst(&*small, &input, &small.evaluate(&input)) < 1e-6);
    let (full, packed) = (net.evaluate(&input), small.evaluate(&input));
    let apart = full.as_flattened().iter().zip(packed.as_flattened()).map(|(a, b)| (a - b).abs());
    assert!(apart.fold(0.0, f32::max) < 0.05);
    let (net, input) = drawn::<Nested>();
    assert!(worst(&*net, &input, &net.evaluate(&input)) < 1e-5);
}

#[test]
fn tokens_come_one_at_a_time() {
    let mut net = Tokens::zeroed();
    net.initialize(Init::default(), &mut Noise::new(2));
    let tokens = [0, 3, 6, 1, 1, 2, 5, 4, 200, 0, 6, 6];
    let whole = net.evaluate(&tokens);
    let mut state = net.start();
    for (token, expected) in tokens.iter().zip(whole) {
        for (found, expected) in net.step(&mut state, token).into_iter().zip(expected) {
            assert!((found - expected).abs() < 1e-6, "{found} for {expected}");
        }
    }
}

#[test]
fn a_state_is_a_plain_value() {
    static STATE: std::sync::Mutex<ConvolutionsState> = std::sync::Mutex::new(ConvolutionsState::new());
    let (net, input) = drawn::<Convolutions>();
    let mut state = STATE.lock().expect("no other thread");
    let first = net.step(&mut state, &input[0]);
    // A copy of the state goes on as the state does; sequences are as long as one likes.
    for step in 1..100 {
        let mut copy = state.clone();
        let x = &input[step % 32];
        assert_eq!(net.step(&mut copy, x), net.step(&mut state, x));
    }
    *state = net.start();
    assert_eq!(net.step(&mut state, &input[0]), first);
    // The earlier steps that each convolution reaches back to, and its place among them; nothing else.
    let delays = 4 * (2 + 4 + 8) + 8;
    assert!(size_of::<ConvolutionsState>() <= delays * 4 + 7 * 8, "{}", size_of::<ConvolutionsState>());
}

#[test]
fn a_recurrent_network_remembers_its_first_step() {
    let mut noise = Noise::new(4);
    let mut net = Memory::zeroed();
    net.initialize(Init::default(), &mut noise);
    // PyTorch draws from ±1/√8.
    assert!(net.gru1.weight_hh.as_flattened().iter().all(|w| w.abs() <= 0.3536) && net.gru1.bias_hh != [0.0; 24]);
    let mut trainer = Trainer::<Memory, _, 32>::new(Adam { learning_rate: 0.02, ..Adam::default() }, CrossEntropy);
    let mut draw = || {
        let mut batch = [[[0.0_f32; 2]; 20]; 32];
        let mut classes = [0_u8; 32];
        for (sample, class) in batch.iter_mut().zip(&mut classes) {
            *class = noise.below(2) as u8;
            for step in sample.iter_mut() {
                *step = [noise.uniform() as f32 - 0.5, 0.0];
            }
            sample[0] = [0.0, f32::from(*class) * 2.0 - 1.0];
        }
        (batch, classes)
    };
    for _ in 0..300 {
        let (batch, classes) = draw();
        trainer.step(&mut net, &batch, &classes).expect("a step");
    }
    let (batch, classes) = draw();
    let right = batch.iter().zip(classes).filter(|(x, class)| {
        let [a, b] = net.evaluate(x);
        (b > a) == (*class == 1)
    });
    assert!(right.count() >= 31);
}

#[test]
fn the_receptive_field_is_what_an_output_depends_on() {
    const { assert!(matches!(Convolutions::RECEPTIVE_FIELD, Some(16))) };
    const { assert!(matches!(Tokens::RECEPTIVE_FIELD, Some(4))) };
    const { assert!(matches!(<Branches<f32> as Streaming>::RECEPTIVE_FIELD, Some(2))) };
    const { assert!(matches!(Nested::RECEPTIVE_FIELD, Some(4))) };
    const { assert!(Recurrent::RECEPTIVE_FIELD.is_none()) };
    // After as many zeros a network of convolutions has forgotten what was before.
    let (net, input) = drawn::<Convolutions>();
    let (mut warm, mut used) = (net.start(), net.start());
    net.prewarm(&mut warm);
    for x in &input {
        net.step(&mut used, x);
    }
    let silence = net.steps(&mut used, &[[0.0]; 16]);
    assert_eq!(net.step(&mut warm, &[0.0]), silence[15]);
    assert_eq!(net.step(&mut warm, &[0.3]), net.step(&mut used, &[0.3]));
}

#[test]
fn a_warm_recurrent_network_is_at_rest() {
    let (net, _) = drawn::<Recurrent>();
    let mut state = net.start();
    net.prewarm(&mut state);
    let rest = net.step(&mut state, &[0.0; 3]);
    assert_eq!(net.step(&mut state, &[0.0; 3]), rest);
    net.reset(&mut state);
    assert_ne!(net.step(&mut state, &[0.0; 3]), rest);
}
