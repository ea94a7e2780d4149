//! Recurrent networks with all their options, and gated convolutions, against PyTorch's numbers; training over windows.

use monomorph::loss::{Loss, LossError, Mse};
use monomorph::prelude::*;
use monomorph::simd::Simd;
use monomorph::{Streaming, Tensor};

use crate::attention::{Case, agrees_with};
use crate::streaming::{drawn, worst};

network! { pub RnnBoth<T>: [5, 3] -> [5, 12] { Rnn(6, bidirectional) } }
network! { pub LstmBoth<T>: [5, 3] -> [5, 12] { Lstm(6, bidirectional) } }
network! { pub GruBoth<T>: [5, 3] -> [5, 12] { Gru(6, bidirectional) } }
network! { pub BothEnds<T>: [5, 3] -> [24] { Lstm(6, bidirectional, last, cell, initial = learned, init = keras) } }

macro_rules! stacked {
    ($($name:ident $layer:ident)*) => { $(
        // The case also has the last state of the first layer.
        network! {
            pub $name<T>(x: [5, 3]) -> (y: [5, 6], first: [6]) {
                let a = x |> $layer(6);
                let y = a |> $layer(6);
                let first = a |> Slice(axis = 0, start = 4) |> Flatten;
            }
        }
    )* };
}
stacked!(RnnTwice Rnn LstmTwice Lstm GruTwice Gru);

network! {
    #[streaming]
    pub WaveNet<T>(x: [24, 4]) -> [24, 1] {
        let z0 = x |> Conv1d(8, kernel = 3, padding = causal) |> Glu(activation = tanh);
        let r0 = z0 |> Dense(4, bias = false);
        let x1 = add(x, r0);
        let z1 = x1 |> Conv1d(8, kernel = 3, dilation = 2, padding = causal) |> Glu(activation = tanh);
        let r1 = z1 |> Dense(4, bias = false);
        let x2 = add(x1, r1);
        let z2 = x2 |> Conv1d(8, kernel = 3, dilation = 4, padding = causal) |> Glu(activation = tanh);
        let two = add(z0, z1);
        add(two, z2) |> Dense(1, bias = false)
    }
}
network! {
    #[streaming]
    #[packed(OptionsSmall: i8)]
    pub Options: [20, 3] -> [20, 3] {
        Gru(5, initial = learned, init = keras), Gru(17, reset = before),
        Lstm(4, cell, initial = learned), Slice(axis = 1, start = 2, end = 6), Rnn(3, init = keras),
    }
}
network! { pub Before<T>: [4, 2] -> [6] { Gru(3, bidirectional, last, reset = before), Tanh } }

/// The numbers of a case for two directions or layers, of which the last hidden states have gradients, too.
fn twice<N: Network<Scalar = f64, Input: Tensor<Element = f64>>>(case: &str, second: &str, both: bool) {
    let file = Case::open(case);
    let tensors = ["weight_ih", "weight_hh", "bias_ih", "bias_hh"];
    let names: Vec<String> = ["l0", second].iter().flat_map(|of| tensors.map(|name| format!("{name}_{of}"))).collect();
    let numbers = |of: &str, last: &str, add: bool| {
        let (y, last) = (file.numbers(of), file.numbers(last));
        let mut samples = Vec::new();
        for (sample, y) in y.chunks_exact(y.len() / 2).enumerate() {
            let mut y = y.to_vec();
            let (first, second) = (&last[sample * 6..][..6], &last[(2 + sample) * 6..][..6]);
            let mut at_end = |at: usize, values: &[f64]| {
                if add {
                    y[at..at + 6].iter_mut().zip(values).for_each(|(to, from)| *to += from);
                }
            };
            if both {
                at_end(48, first);
                at_end(6, second);
            } else {
                at_end(24, second);
                y.extend(first);
            }
            samples.extend(y);
        }
        samples
    };
    let (y, dy) = (numbers("y", "hn", false), numbers("dy", "dhn", true));
    agrees_with::<N, 2>(&file, &names.join(" "), &["x"], &y, &dy);
}

#[test]
fn both_directions_agree_with_pytorch() {
    twice::<RnnBoth<f64>>("seq_rnn_bidirectional", "l0_reverse", true);
    twice::<LstmBoth<f64>>("seq_lstm_bidirectional", "l0_reverse", true);
    twice::<GruBoth<f64>>("seq_gru_bidirectional", "l0_reverse", true);
    let names: Vec<_> = LstmBoth::<f64>::GRAPH.iter().map(|node| node.name).collect();
    assert_eq!(names[1..], ["lstm1", "lstm1_turned", "lstm1_reverse", "lstm1_reverse_turned", "lstm1"]);
}

#[test]
fn stacks_agree_with_pytorch() {
    twice::<RnnTwice<f64>>("seq_rnn_stacked2", "l1", false);
    twice::<LstmTwice<f64>>("seq_lstm_stacked2", "l1", false);
    twice::<GruTwice<f64>>("seq_gru_stacked2", "l1", false);
}

#[test]
fn gated_convolutions_agree_with_pytorch() {
    let file = Case::open("seq_wavenet_gated");
    let (y, dy) = (file.numbers("y"), file.numbers("dy"));
    agrees_with::<WaveNet<f64>, 1>(&file, "w0 b0 r0 w1 b1 r1 w2 b2 head", &["x"], &y, &dy);
    let (net, input) = drawn::<WaveNet<f32>>();
    assert!(worst(&*net, &input, &net.evaluate(&input)) < 1e-5);
    const { assert!(matches!(<WaveNet<f32> as Streaming>::RECEPTIVE_FIELD, Some(15))) };
}

#[test]
fn options_run_step_by_step() {
    let (net, input) = drawn::<Options>();
    assert!(net.gru1.initial == [[0.0; 5]] && net.lstm1.bias_ih != [0.0; 16]);
    let mut net = net;
    net.gru1.initial = [[0.5, -0.5, 0.25, 1.0, 0.0]];
    net.lstm1.initial = [[0.1, 0.2, 0.3, 0.4], [-1.0, 1.0, 0.5, 0.0]];
    assert!(worst(&*net, &input, &net.evaluate(&input)) < 1e-5);
    let small = OptionsSmall::boxed_from(&net);
    assert!(worst(&*small, &input, &small.evaluate(&input)) < 1e-5);
}

#[test]
fn gradients_of_both_ends() {
    let (mut net, input) = drawn::<BothEnds<f64>>();
    monomorph::testing::check_gradients(&mut *net, &[input], 1e-6).expect("the derivative");
    let (mut net, input) = drawn::<Before<f64>>();
    monomorph::testing::check_gradients(&mut *net, &[input], 1e-6).expect("the derivative");
}

network! {
    /// One window of a longer sequence: its state is an input and an output.
    pub Window(x: [5, 2], h: [8]) -> (y: [5, 1], next: [8]) {
        let states = (x, h) |> Gru(8);
        let y = states |> Dense(1);
        let next = states |> Slice(axis = 0, start = 4) |> Flatten;
    }
}
network! {
    /// The same layers, run step by step.
    #[streaming]
    pub Stream: [5, 2] -> [5, 1] { Gru(8), Dense(1) }
}

/// The mean square error of `y`; nothing is asked of the state, through which no gradient flows from the next window.
struct OfY;

impl Loss<f32, WindowOutput, [[f32; 1]; 5]> for OfY {
    fn loss<S: Simd, const B: usize>(
        &self,
        simd: S,
        output: &[WindowOutput; B],
        target: &[[[f32; 1]; 5]; B],
        gradient: &mut [WindowOutput; B],
    ) -> Result<f32, LossError> {
        let (y, mut dy) = (core::array::from_fn(|at| output[at].y), [[[0.0; 1]; 5]; B]);
        let loss = Mse.loss(simd, &y, target, &mut dy)?;
        for (to, y) in gradient.iter_mut().zip(dy) {
            *to = WindowOutput { y, next: [0.0; 8] };
        }
        Ok(loss)
    }

    fn value<S: Simd, const B: usize>(
        &self,
        simd: S,
        output: &[WindowOutput; B],
        target: &[[[f32; 1]; 5]; B],
    ) -> Result<f32, LossError> {
        Mse.value(simd, &core::array::from_fn::<_, B, _>(|at| output[at].y), target)
    }
}

#[test]
fn a_state_is_carried_from_window_to_window() {
    const B: usize = 16;
    let mut noise = Noise::new(4);
    let mut net = Window::zeroed();
    net.initialize(Init::default(), &mut noise);
    let mut trainer = Trainer::<Window, _, B>::new(Adam { learning_rate: 0.02, ..Adam::default() }, OfY);
    let mut last = f32::MAX;
    for _ in 0..200 {
        // The first step says what all later ones are asked for: in the later windows, only the state knows.
        let mut batch = [WindowInput { x: [[0.0; 2]; 5], h: [0.0; 8] }; B];
        let mut target = [[[0.0; 1]; 5]; B];
        for (input, target) in batch.iter_mut().zip(&mut target) {
            let sign = noise.below(2) as f32 * 2.0 - 1.0;
            (input.x[0], *target) = ([sign, 1.0], [[sign]; 5]);
        }
        for _ in 0..4 {
            last = trainer.step(&mut net, &batch, &target).expect("a step").loss;
            for input in &mut batch {
                *input = WindowInput { x: [[0.0; 2]; 5], h: net.evaluate(input).next };
            }
        }
    }
    assert!(last < 0.05, "{last}");
    // Step by step, the state stays where it is.
    let mut stream = Stream::zeroed();
    stream.as_mut_slice().copy_from_slice(net.as_slice());
    for sign in [-1.0, 1.0] {
        let mut state = stream.start();
        stream.step(&mut state, &[sign, 1.0]);
        let [y] = (0..18).fold([0.0], |_, _| stream.step(&mut state, &[0.0, 0.0]));
        assert!((y - sign).abs() < 0.5, "{y} for {sign}");
    }
}
