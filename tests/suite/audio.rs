//! Model files give what the programs that they come from give.
//!
//! Those files are not part of this package: networks are declared from structures of our own, and the weights read
//! while the test runs, where there are any.

use std::fs;

use monomorph::audio::{AudioError, FromFile, fits, load};
use monomorph::memory;
use monomorph::prelude::*;
use safetensors::SafeTensors;

/// Declares networks from structures, loads files into them, and compares their steps with references.
macro_rules! nam {
    ($($test:ident: $structure:literal, $file:literal, $reference:literal, $warm:literal;)*) => { $(
        #[test]
        fn $test() {
            network! { Net = $structure; }
            let Some(folder) = crate::others("nam") else { return };
            let text = fs::read_to_string(folder.join($file)).expect("a model");
            assert!(fits::<Net>(&text).expect("a model"));
            let mut net: Box<Net> = memory::boxed();
            load(&text, &mut *net).expect("the structure");
            let mut state: Box<NetState> = memory::boxed();
            monomorph::Streaming::start(&*net, &mut *state);
            for _ in 0..$warm {
                net.step(&mut state, &[0.0]);
            }
            let bytes = fs::read(folder.join("reference.safetensors")).expect("references");
            let file = SafeTensors::deserialize(&bytes).expect("a safetensors file");
            let read = |name| -> Vec<f32> {
                let tensor = file.tensor(name).expect("a tensor");
                tensor.data().as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
            };
            let mut worst = 0.0_f32;
            for (x, y) in read("x").iter().zip(read($reference)) {
                worst = worst.max((net.step(&mut state, &[*x])[0] - y).abs());
            }
            println!("{}: at most {worst:e} apart", $file);
            assert!(worst <= 1e-5, "{} is {worst:e} apart", $file);
        }
    )* };
}

nam! {
    lstm: "tests/files/audio/lstm1x3.nam", "lstm.nam", "lstm", 24_000;
    wavenet: "tests/files/audio/small.nam", "wavenet.nam", "wavenet", 64;
    wavenet_a1_standard: "tests/files/audio/a1_standard.nam", "wavenet_a1_standard.nam", "wavenet_a1_standard", 4100;
    wavenet_with_every_feature: "tests/files/audio/every_feature.nam", "wavenet_a2_max.nam", "wavenet_a2_max", 100;
    wavenet_with_a_condition: "tests/files/audio/conditioned.nam", "wavenet_condition_dsp.nam", "wavenet_condition_dsp", 64;
    container_of_a2: "tests/files/audio/a2_full.nam", "A2.nam", "A2", 7000;
    container: "tests/files/audio/relu.nam", "slimmable_container.nam", "slimmable_container", 4100;
    linear: "tests/files/audio/impulse10.nam", "identity/linear_10.nam", "identity_linear_10", 10;
    wavenet_of_one_channel: "tests/files/audio/minimal.nam", "identity/wavenet_minimal.nam", "identity_wavenet_minimal", 1;
}

/// The numbers of a file, line by line.
fn csv(path: std::path::PathBuf) -> Vec<f32> {
    let text = fs::read_to_string(path).expect("a file");
    text.split(['\n', ','])
        .filter(|word| !word.trim().is_empty())
        .map(|word| word.trim().parse().expect("a number"))
        .collect()
}

#[track_caller]
fn assert_near(found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len());
    let worst =
        found.iter().zip(expected).fold(0.0_f32, |worst, (found, expected)| worst.max((found - expected).abs()));
    assert!(worst <= 1e-5, "{worst:e} apart");
}

macro_rules! rtneural {
    ($($test:ident: $structure:literal, $file:literal, $name:literal;)*) => { $(
        #[test]
        fn $test() {
            network! { Net = $structure; }
            let Some(folder) = crate::others("rtneural") else { return };
            let mut net = Net::zeroed();
            load(&fs::read_to_string(folder.join($file)).expect("a model"), &mut net).expect("the structure");
            let mut state = net.start();
            let x = csv(folder.join(concat!($name, "_x_python.csv")));
            let y: Vec<f32> = x.iter().map(|x| net.step(&mut state, &[*x])[0]).collect();
            assert_near(&y, &csv(folder.join(concat!($name, "_y_python.csv"))));
        }
    )* };
}

rtneural! {
    rtneural_dense: "tests/files/audio/dense.json", "dense.json", "dense";
    rtneural_conv: "tests/files/audio/conv.json", "conv.json", "conv";
    rtneural_gru: "tests/files/audio/gru.json", "gru.json", "gru";
    rtneural_lstm: "tests/files/audio/lstm.json", "lstm.json", "lstm";
}

#[test]
fn rtneural_conv2d() {
    network! { Net = "tests/files/audio/conv2d.json"; }
    let Some(folder) = crate::others("rtneural") else { return };
    let mut net = Net::zeroed();
    load(&fs::read_to_string(folder.join("conv2d.json")).expect("a model"), &mut net).expect("the structure");
    let mut x = [[[0.0; 1]; 23]; 50];
    x.as_flattened_mut().as_flattened_mut().copy_from_slice(&csv(folder.join("conv2d_x_python.csv")));
    assert_near(net.evaluate(&x).as_flattened().as_flattened(), &csv(folder.join("conv2d_y_python.csv")));
}

#[test]
fn rtneural_full_model_runs() {
    network! { Net = "tests/files/audio/full_model.json"; }
    let Some(folder) = crate::others("rtneural") else { return };
    let mut net = Net::zeroed();
    load(&fs::read_to_string(folder.join("full_model.json")).expect("a model"), &mut net).expect("the structure");
    let mut state = net.start();
    assert!((0..100).all(|step| net.step(&mut state, &[(step as f32 * 0.1).sin()])[0].is_finite()));
}

/// A convolution that PyTorch saved alone, `[out][in][k]`, as RTNeural's JSON.
fn wrapped(text: &str, groups: usize, stride: usize, steps: usize) -> String {
    let state: serde_json::Value = serde_json::from_str(text).expect("JSON");
    let list = |value: &serde_json::Value| value.as_array().expect("a list").clone();
    let weight = list(&state["weight"]);
    let (output, inside, kernel) = (weight.len(), list(&weight[0]).len(), list(&weight[0][0]).len());
    let taps: Vec<Vec<Vec<serde_json::Value>>> = (0..kernel)
        .map(|tap| (0..inside).map(|i| (0..output).map(|o| weight[o][i][tap].clone()).collect()).collect())
        .collect();
    let mut layer = serde_json::json!({
        "type": "conv1d", "activation": "", "shape": [null, null, output], "kernel_size": [kernel], "groups": groups,
        "weights": [taps, state["bias"]],
    });
    if stride > 1 {
        layer["strides"] = serde_json::json!([stride]);
    }
    serde_json::json!({ "in_shape": [null, steps, inside * groups], "layers": [layer] }).to_string()
}

#[test]
fn rtneural_convolutions_of_pytorch() {
    network! { Plain = "tests/files/audio/conv1d.json"; }
    network! { Strided = "tests/files/audio/conv1d_stride.json"; }
    network! { Grouped = "tests/files/audio/conv1d_groups.json"; }
    let Some(folder) = crate::others("rtneural") else { return };
    let read = |name: &str| fs::read_to_string(folder.join(name)).expect("a model");

    // The references begin when the kernel is filled, and have the channels in rows.
    let mut net = Plain::zeroed();
    load(&wrapped(&read("conv1d_torch.json"), 1, 1, 1000), &mut net).expect("the structure");
    let x = csv(folder.join("conv1d_torch_x_python.csv"));
    let y = csv(folder.join("conv1d_torch_y_python.csv"));
    let mut state = net.start();
    let found: Vec<[f32; 12]> = x.iter().map(|x| net.step(&mut state, &[*x])).skip(4).collect();
    for (channel, expected) in y.chunks_exact(found.len()).enumerate() {
        assert_near(&found.iter().map(|y| y[channel]).collect::<Vec<_>>(), expected);
    }

    let mut net = Strided::zeroed();
    load(&wrapped(&read("conv1d_torch_stride_3.json"), 1, 3, 1000), &mut net).expect("the structure");
    // Its windows begin at the first sample: four zeros before it would shift them.
    let x = csv(folder.join("conv1d_torch_x_python_stride_3.csv"));
    let y = csv(folder.join("conv1d_torch_y_python_stride_3.csv"));
    let mut input = [[0.0; 1]; 1000];
    input[2..].as_flattened_mut().copy_from_slice(&x[..998]);
    let found = net.evaluate(&input);
    for (channel, expected) in y.chunks_exact(y.len() / 12).enumerate() {
        let found: Vec<f32> = found[2..].iter().map(|y| y[channel]).take(expected.len()).collect();
        assert_near(&found, &expected[..found.len()]);
    }

    let mut net = Grouped::zeroed();
    load(&wrapped(&read("conv1d_torch_group_6_3_3_1_3.json"), 3, 1, 512), &mut net).expect("the structure");
    assert!(net.step(&mut net.start(), &[0.5; 6]).iter().all(|y| y.is_finite()));
}

#[test]
fn pedals_of_guitarml_run() {
    network! { Short = "tests/files/audio/lstm_pedal.json"; }
    network! { Gated = "tests/files/audio/gru_pedal.json"; }
    let Some(folder) = crate::others("guitarml") else { return };
    let read = |name: &str| fs::read_to_string(folder.join(name)).expect("a model");
    let (mut short, mut gated) = (Short::zeroed(), Gated::zeroed());
    load(&read("lstm8_ts9_pytorch.json"), &mut short).expect("the structure");
    load(&read("gru8_ts9_pytorch.json"), &mut gated).expect("the structure");
    let (mut one, mut other) = (short.start(), gated.start());
    let (mut apart, mut power) = (0.0, 0.0);
    for step in 0..4000 {
        let x = [0.2 * (step as f32 * 0.05).sin()];
        let (a, b) = (short.step(&mut one, &x)[0], gated.step(&mut other, &x)[0]);
        apart += (a - b) * (a - b);
        power += a * a;
    }
    // Both are models of the same pedal.
    assert!(power > 1.0 && apart < 0.2 * power, "{apart} of {power}");
}

#[test]
fn files_become_constants() {
    network! { Small = "tests/files/audio/tanh.nam"; }
    network! { Fir = "tests/files/audio/fir.nam"; }
    network! { Blocks: [16, 1] -> [16, 1] = "tests/files/audio/conv_net.nam"; }
    let mut state = Fir::TRAINED.start();
    // The impulse response, and the bias.
    let y = [1.0, 0.0, 0.0, 0.0, 0.0].map(|x| Fir::TRAINED.step(&mut state, &[x])[0]);
    assert_near(&y, &[0.6, -0.15, 0.225, 1.1, 0.1]);
    let x: [[f32; 1]; 16] = core::array::from_fn(|step| [(step as f32 * 0.7).sin()]);
    let (whole, mut state) = (Blocks::TRAINED.evaluate(&x), Blocks::TRAINED.start());
    assert_near(&x.map(|x| Blocks::TRAINED.step(&mut state, &x)[0]), whole.as_flattened());
    assert_eq!(Small::SAMPLE_RATE, None);
    let mut net = Small::zeroed();
    load(include_str!("../files/audio/tanh.nam"), &mut net).expect("the same file");
    assert_eq!(net.as_slice(), Small::TRAINED.as_slice());
}

#[test]
fn other_files_are_refused() {
    network! { Small = "tests/files/audio/small.nam"; }
    let mut net = Small::zeroed();
    let other = load(include_str!("../files/audio/lstm.nam"), &mut net).expect_err("another structure");
    assert!(matches!(other, AudioError::Structure(..)), "{other}");
    let empty = load(include_str!("../files/audio/small.nam"), &mut net).expect_err("no weights");
    assert!(matches!(empty, AudioError::NoWeights), "{empty}");
    let damaged = load("{", &mut net).expect_err("no model");
    assert!(matches!(damaged, AudioError::File(_)), "{damaged}");
    assert!(net.as_slice().iter().all(|number| *number == 0.0));
}
