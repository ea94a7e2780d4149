//! What a declaration expands to.

use monomorph::parameters::for_each_tensor;
use monomorph::prelude::*;
use monomorph::{Layer, Parameters};

network! {
    /// LeNet-5 on 28×28 greyscale digits.
    #[derive(Clone)]
    pub LeNet: [28, 28, 1] -> [10] {
        stem: Conv2d(6, kernel = 5, padding = 2), Relu, MaxPool2d(2),
        Conv2d(16, kernel = 5), Relu, MaxPool2d(2),
        Flatten,
        Dense(120), Relu,
        Dense(84), Relu,
        head: Dense(10),
    }
}

#[test]
fn figures_are_constants() {
    const PARAMS: usize = 156 + 2416 + 48_120 + 10_164 + 850;
    const { assert!(LeNet::PARAMS == PARAMS) };
    // Large layers are aligned to cache lines: this is the padding after the stem, the first and the second dense
    // layer.
    assert_eq!(LeNet::PARAM_BYTES, (4 * (PARAMS + 4 + 8 + 12)).next_multiple_of(64));
    assert_eq!(LeNet::MACS, 28 * 28 * 25 * 6 + 10 * 10 * 150 * 16 + 400 * 120 + 120 * 84 + 84 * 10);
    // Exactly the largest live set: for both convolutions only the maxima are stored.
    assert_eq!(LeNet::EVALUATE_BYTES, 4 * (14 * 14 * 6_usize + 5 * 5 * 16).next_multiple_of(16));
    const { assert!(LeNet::TRAIN_BYTES > LeNet::PARAM_BYTES) };
}

#[test]
fn tensors_are_named_by_layer() {
    let mut names = Vec::new();
    for_each_tensor(LeNet::ENTRIES, &mut |path, tensor, range| {
        assert_eq!(tensor.len(), range.len());
        names.push(format!("{path} {:?}", tensor.shape));
    });
    assert_eq!(names[..3], ["stem.weight [5, 5, 1, 6]", "stem.bias [6]", "conv1.weight [5, 5, 6, 16]"]);
    assert_eq!(names.last().map(String::as_str), Some("head.bias [10]"));
}

#[test]
fn the_flat_view_is_the_struct() {
    let mut net = LeNet::zeroed();
    net.as_mut_slice()[0] = 3.0;
    *net.as_mut_slice().last_mut().expect("parameters") = 4.0;
    assert_eq!((net.stem.weight[0][0][0][0], net.head.bias[9]), (3.0, 4.0));
    assert_eq!(net.clone().as_slice(), net.as_slice());
    assert_eq!(net.as_slice().len(), LeNet::PARAMS + 4 + 8 + 12);
}

#[test]
fn large_layers_are_aligned() {
    let net = LeNet::zeroed();
    let at = |layer: *const f32| (layer as usize - &raw const net as usize) % 64;
    assert_eq!(at(net.conv1.weight.as_flattened().as_flattened().as_flattened().as_ptr()), 0);
    assert_eq!(at(net.dense1.weight.as_flattened().as_ptr()), 0);
    assert_eq!(at(net.dense2.weight.as_flattened().as_ptr()), 0);
    assert_eq!(at(net.head.weight.as_flattened().as_ptr()), 0);
}

network! { pub Inner<T>: [3] -> [3] { Dense(3), BatchNorm } }
network! { pub Holder<T>: [3] -> [5] { Dense(3), first: Inner::<T>, Dense(3), second: Inner::<T>, Dense(5) } }
network! {
    #[unaligned]
    pub Anywhere: [3] -> [3] { Dense(3) }
}
network! { pub Parametric<const N: usize>: [N] -> [5] { Dense(3), inner: Anywhere, Dense(5) } }

/// Networks are aligned to cache lines, nested ones too, and the padding between them is not part of any network.
#[test]
fn networks_are_aligned() {
    fn check<T: monomorph::Real>() {
        assert_eq!((align_of::<Holder<T>>(), size_of::<Holder<T>>() % 64), (64, 0));
        let mut net = Holder::<T>::zeroed();
        let base = &raw const net as usize;
        for inner in [&raw const net.first, &raw const net.second] {
            assert_eq!((inner as usize - base) % 64, 0);
        }
        net.initialize(Init::XavierNormal, &mut Noise::new(7));
        net.second.norm1.running_var[2] = T::from_f64(3.0);
        let mut covered = vec![false; net.as_slice().len()];
        for_each_tensor(Holder::<T>::ENTRIES, &mut |_, _, range| covered[range].fill(true));
        assert_eq!(covered.iter().filter(|is| **is).count(), <Holder<T> as Network>::PARAMS);
        assert_eq!(covered.last(), Some(&true));
        for (number, covered) in net.as_slice().iter().zip(covered) {
            assert!(covered || *number == T::ZERO);
        }
        let mut copy = Holder::<T>::zeroed();
        let bytes = monomorph::weights::to_bytes(&net);
        monomorph::weights::load_bytes(&bytes, &mut copy).expect("its own bytes");
        assert_eq!(copy.as_slice(), net.as_slice());
    }
    check::<f32>();
    check::<f64>();

    assert_eq!((align_of::<Anywhere>(), size_of::<Anywhere>()), (4, 4 * Anywhere::PARAMS));
    assert_eq!(align_of::<Parametric<2>>(), 4);
    assert_eq!(Parametric::<2>::PARAMS, (2 * 3 + 3) + Anywhere::PARAMS + (3 * 5 + 5));
}

network! { pub Encoder: [16] -> [4] { Dense(8), Tanh, Dense(4) } }
network! { Autoencoder: [16] -> [16] { encoder: Encoder, Tanh, Dense(8), Tanh, Dense(16) } }

#[test]
fn a_network_is_a_layer() {
    let mut net = Autoencoder::zeroed();
    net.initialize(Init::XavierUniform, &mut Noise::new(1));
    let x = [0.25; 16];
    let mut code = net.encoder.evaluate(&x).map(f64::from);
    code.iter_mut().for_each(|value| *value = value.tanh());
    let decoded = net.evaluate(&x);
    // By hand: the decoder on the code.
    let hidden: [f64; 8] = core::array::from_fn(|unit| {
        let sum: f64 = (0..4).map(|i| code[i] * f64::from(net.dense1.weight[i][unit])).sum();
        (sum + f64::from(net.dense1.bias[unit])).tanh()
    });
    for unit in 0..16 {
        let sum: f64 = (0..8).map(|i| hidden[i] * f64::from(net.dense2.weight[i][unit])).sum();
        assert!((f64::from(decoded[unit]) - sum - f64::from(net.dense2.bias[unit])).abs() < 1e-5);
    }
}

/// One sample and a batch, and training without dropout and evaluation, give the same numbers.
#[test]
fn batches_and_passes_agree() {
    let mut net = LeNet::zeroed();
    net.initialize(Init::KaimingNormal, &mut Noise::new(1));
    let mut noise = Noise::new(2);
    let x: [[[[f32; 1]; 28]; 28]; 3] =
        core::array::from_fn(|_| [[[0.0; 1]; 28]; 28].map(|row| row.map(|_| [noise.uniform() as f32])));
    let (mut y, mut workspace) = ([[0.0; 10]; 3], monomorph::memory::boxed());
    net.evaluate_in(&x, &mut y, &mut workspace);
    for (x, y) in x.iter().zip(y) {
        for (a, b) in net.evaluate(x).iter().zip(y) {
            assert!((a - b).abs() <= 1e-5 * (1.0 + b.abs()), "{a} is not {b}");
        }
    }
    let _: <LeNet as Layer>::Output = y[0];
}

network! { pub Normed: [6, 6, 2] -> [3] {
    Conv2d(4, kernel = 3), BatchNorm, Relu, Flatten, Dense(3), last: BatchNorm,
} }

/// A trained batch normalization can be folded into the layer before it.
#[test]
fn batch_norms_fold_into_the_layer_before() {
    let mut noise = Noise::new(4);
    let mut net = Normed::zeroed();
    net.initialize(Init::KaimingNormal, &mut noise);
    let mut trainer = Trainer::<Normed, _, 4>::new(Adam::default(), CrossEntropy);
    let mut x = [[[[0.0; 2]; 6]; 6]; 4];
    for _ in 0..10 {
        x.as_flattened_mut().as_flattened_mut().as_flattened_mut().fill_with(|| noise.uniform() as f32);
        trainer.step(&mut net, &x, &[0_u8, 1, 2, 0]).expect("a step");
    }
    assert!(net.norm1.running_mean != [0.0; 4] && net.norm1.running_var != [1.0; 4]);
    let before = net.evaluate(&x[0]);
    net.conv1.fold_batch_norm(&mut net.norm1);
    net.dense1.fold_batch_norm(&mut net.last);
    assert_eq!((net.norm1.weight, net.norm1.running_mean), ([1.0; 4], [0.0; 4]));
    for (a, b) in net.evaluate(&x[0]).iter().zip(before) {
        assert!((a - b).abs() < 1e-4, "{a} is not {b}");
    }
}

/// The summary matches the network: names, figures, edges.
#[test]
fn the_summary_adds_up() {
    let summary = LeNet::summary();
    assert_eq!((summary.parameters(), summary.macs()), (LeNet::PARAMS, LeNet::MACS));
    let table = summary.to_string();
    for name in ["stem", "pool2", "flatten1", "head", "61,706"] {
        assert!(table.contains(name), "{name} is not in\n{table}");
    }
    assert!(summary.svg().to_string().contains("stem") && summary.dot().to_string().starts_with("digraph"));
    for (index, node) in summary.graph.iter().enumerate() {
        assert!(node.inputs.iter().all(|input| *input < index), "{node:?}");
    }
    assert_eq!(summary.graph.last().map(|node| node.shape), Some(&[10][..]));
}

network! { pub Generic<S, const B: usize>: [B] -> [B] { Dense(B), Tanh, Dense(B) } }

/// Generated code does not collide with the user's names, such as those it uses itself or is likely to use.
mod names {
    macro_rules! taken {
        ($($name:ident)*) => { $(#[allow(dead_code)] struct $name;)* };
    }
    taken!(S T W Layer Network Node Noise Simd Tensor Plain Parameters Scalar Weight Packed Pack Pass Inputs Option Some None Result Ok Err Vec Box X Y);
    #[allow(dead_code)]
    mod memory {}
    #[allow(dead_code)]
    mod passes {}
    #[allow(dead_code)]
    mod tensor {}
    const EVALUATE: usize = 4;
    const BACKWARD: usize = 6;

    monomorph::network! {
        #[packed(I8: i8)]
        pub B: [EVALUATE] -> [2] {
            let x = input |> Dense(BACKWARD) |> Relu |> Dropout(0.1);
            let y = multiply(x, x) |> Dense(BACKWARD) |> LayerNorm;
            add(x, y) |> Dense(2)
        }
    }
    monomorph::network! { pub Outer: [1, 4] -> [2] { Flatten, inner: B, Softmax } }
    monomorph::network! {
        pub Values: [3] -> [2] {
            let b = input |> Dense(3);
            let evaluate = multiply(b, input) |> Dense(4) |> Gelu;
            let backward = b |> Dense(4) |> Gelu;
            let grad_b = add(evaluate, backward, multiply(evaluate, backward));
            let saved = concat(b, grad_b) |> Dense(2) |> Silu;
            let simd = concat(saved, b, grad_b) |> Dense(2);
            concat(saved, simd) |> Dense(2)
        }
    }
    #[derive(monomorph::Parameters)]
    #[parameters(scalar = f32)]
    #[repr(C)]
    pub struct Both {
        first: B,
        second: B,
    }

    #[test]
    fn every_name_is_free() {
        use monomorph::Noise;
        use monomorph::prelude::*;
        let mut net = Outer::zeroed();
        net.initialize(Init::default(), &mut Noise::new(1));
        let mut trainer = Trainer::<Outer, _, 2>::new(Sgd::default(), Mse);
        trainer.step(&mut net, &[[[1.0; 4]]; 2], &[[0.0, 1.0]; 2]).expect("a step");
        let small = I8::boxed_from(&net.inner);
        let [a, b] = [net.inner.evaluate(&[1.0; 4]), small.evaluate(&[1.0; 4])];
        assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() < 0.05), "{a:?} is not {b:?}");
        let mut trainer = Trainer::<Values, _, 2>::new(Sgd::default(), Mse);
        let mut values = Values::zeroed();
        values.initialize(Init::default(), &mut Noise::new(1));
        let losses =
            [(); 2].map(|()| trainer.step(&mut values, &[[1.0; 3]; 2], &[[0.0, 1.0]; 2]).expect("a step").loss);
        assert!(losses[1] < losses[0], "{losses:?}");
        assert_eq!(size_of::<Both>(), 2 * size_of::<B>());
        assert_eq!(super::Generic::<f64, 3>::zeroed().evaluate(&[1.0; 3]), [0.0; 3]);
    }
}
