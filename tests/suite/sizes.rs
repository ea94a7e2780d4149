//! Sizes that generic code computes: networks over `typenum` numbers, and arrays of as many numbers as a network has
//! parameters.

use std::ops::Div;

use generic_array::{ArrayLength, GenericArray};
use monomorph::parameters::CountedParameters;
use monomorph::prelude::*;
use monomorph::testing::check_gradients;
use monomorph::weights::{Snapshot, SnapshotError};
use monomorph::{Layer, Parameters};
use typenum::{U2, U4, U6, U7, U64};

network! {
    /// Half as wide in the middle as at its ends.
    pub Autoencoder<T, D: Unsigned>: [D] -> [D] { code: Dense(D / 2), Tanh, Dense(D) }
}
network! {
    /// A block of a transformer without its attention.
    pub Encoder<D: Unsigned>: [8, D] -> [8, D] { residual { LayerNorm, Dense(D * 4), Gelu, Dense(D) } }
}
network! {
    pub Wide<f64, D: Unsigned, const N: usize>: [N] -> [D + 1] { Dense((D + 2) * 2 - 1), Relu, Dense(D + 1) }
}
network! { pub Ends<f64, D: Unsigned>(x: [D]) -> (same: [D], half: [D / 2]) {
    let same = x |> Dense(D) |> Tanh;
    let half = x |> Dense(D / 2);
} }
network! { pub OneEnd<f64, D: Unsigned>(x: [D]) -> [D / 2] { let ends = x |> Ends::<D>; ends.half |> Tanh } }
network! { pub Inner<f64, const N: usize>: [3] -> [N] { Dense(N), Tanh } }
network! { pub Outer<f64, const N: usize>: [3] -> [N] { Inner::<N>, Sigmoid } }
network! { pub Fixed<T>: [6] -> [6] { code: Dense(3), Tanh, Dense(6) } }
network! { #[derive(Clone)] pub Normed: [5] -> [3] { Dense(300), BatchNorm, Relu, Dense(3) } }
network! { pub Empty: [5] -> [5] { Relu } }

fn drawn<N: Network>() -> Box<N>
where
    N::Scalar: monomorph::Real,
{
    let mut net: Box<N> = monomorph::memory::boxed();
    net.initialize(Init::KaimingUniform, &mut Noise::new(8));
    net
}

#[test]
fn a_size_that_is_a_type_is_a_size() {
    let (net, fixed) = (drawn::<Autoencoder<f64, U6>>(), drawn::<Fixed<f64>>());
    let input = [0.1, 0.2, 0.3, -0.4, 0.5, 0.6];
    assert_eq!(net.as_slice(), fixed.as_slice());
    assert_eq!(net.evaluate(&GenericArray::from(input)).as_slice(), fixed.evaluate(&input));
    assert_eq!(Autoencoder::<f32, U64>::summary().parameters(), 64 * 32 + 32 + 32 * 64 + 64);
    assert_eq!(<Autoencoder<f32, U7> as Layer>::MACS, 7 * 3 + 3 * 7);
    check_gradients(&mut *drawn::<Autoencoder<f64, U7>>(), &[GenericArray::from([0.1; 7])], 1e-7)
        .expect("the gradient");
    check_gradients(&mut *drawn::<Wide<U4, 3>>(), &[[0.1, 0.7, -0.3], [0.5, 0.2, 0.9]], 1e-7).expect("the gradient");
    check_gradients(&mut *drawn::<OneEnd<U6>>(), &[GenericArray::from([0.1; 6])], 1e-7).expect("the gradient");
    check_gradients(&mut *drawn::<Outer<5>>(), &[[0.1, 0.7, -0.3]], 1e-7).expect("the gradient");
    assert_eq!(<Wide<U4, 3> as Parameters>::COUNT, 3 * 11 + 11 + 11 * 5 + 5);
}

/// Trains an autoencoder of any width to give what it takes.
fn reconstructs<D>() -> (f64, f64)
where
    D: ArrayLength + Div<U2, Output: ArrayLength>,
{
    let mut noise = Noise::new(1);
    let mut net: Box<Autoencoder<f64, D>> = monomorph::memory::boxed();
    net.initialize(Init::XavierUniform, &mut noise);
    let mut trainer = Trainer::<Autoencoder<f64, D>, _, 16>::new(Adam { learning_rate: 0.01, ..Adam::default() }, Mse);
    let mut losses = (0.0, 0.0);
    for step in 0..1500 {
        // Half of the numbers follow from the other half, so half the width is enough.
        let batch: [GenericArray<f64, D>; 16] = std::array::from_fn(|_| {
            let mut sample = GenericArray::<f64, D>::default();
            for pair in sample.chunks_mut(2) {
                let x = noise.uniform() - 0.5;
                pair.fill(x);
            }
            sample
        });
        losses.1 = trainer.step(&mut net, &batch, &batch).expect("a step").loss;
        if step == 0 {
            losses.0 = losses.1;
        }
    }
    losses
}

#[test]
fn generic_code_trains_networks_of_any_width() {
    for (first, last) in [reconstructs::<U6>(), reconstructs::<U4>()] {
        assert!(last < 0.02 * first, "{first} → {last}");
    }
}

#[test]
fn blocks_compute_with_their_width() {
    let mut net = drawn::<Encoder<U4>>();
    assert_eq!(Encoder::<U4>::summary().parameters(), 8 + 4 * 16 + 16 + 16 * 4 + 4);
    let input = [GenericArray::from([0.1, 0.2, 0.3, 0.4]); 8];
    let before = net.evaluate(&input);
    assert_eq!(before[0], before[7]);
    let mut trainer = Trainer::<Encoder<U4>, _, 1>::new(Adam::default(), Mse);
    let first = trainer.step(&mut net, &[input], &[[GenericArray::from([0.3; 4]); 8]]).expect("a step").loss;
    for _ in 0..100 {
        trainer.step(&mut net, &[input], &[[GenericArray::from([0.3; 4]); 8]]).expect("a step");
    }
    let last = trainer.step(&mut net, &[input], &[[GenericArray::from([0.3; 4]); 8]]).expect("a step").loss;
    assert!(last < 0.5 * first, "{first} → {last}");
}

/// How many parameters generic code finds in a network.
fn count<N: CountedParameters>() -> usize {
    let numbers: GenericArray<N::Scalar, N::ParamCount> = monomorph::memory::zeroed();
    numbers.len()
}

#[test]
fn the_number_of_parameters_is_a_type() {
    assert_eq!(count::<Fixed<f32>>(), 45);
    assert_eq!(count::<Fixed<f64>>(), 45);
    assert_eq!(count::<Normed>(), 5 * 300 + 300 + 4 * 300 + 300 * 3 + 3);
    assert_eq!(count::<Normed>(), Normed::summary().parameters());
    assert_eq!(count::<Empty>(), 0);
}

#[test]
fn snapshots_bring_networks_back() {
    let mut net = drawn::<Normed>();
    let before = net.clone();
    let mut snapshot = Snapshot::<Normed>::new();
    assert_eq!(snapshot.restore(&mut net), Err(SnapshotError::Empty));
    assert_eq!(before.as_slice(), net.as_slice());
    snapshot.take(&net);
    net.as_mut_slice().fill(7.0);
    snapshot.restore(&mut net).expect("the snapshot");
    let input = [0.1, 0.2, 0.3, 0.4, 0.5];
    assert_eq!(net.evaluate(&input), before.evaluate(&input));
    assert_eq!(snapshot.numbers().len(), count::<Normed>());

    let mut bytes = snapshot.as_bytes().to_vec();
    assert_eq!(bytes.len(), 16 + 4 * count::<Normed>());
    assert_eq!(Snapshot::<Normed>::from_bytes(&bytes).expect("the bytes").numbers(), snapshot.numbers());
    for at in [0, 8, 16, bytes.len() - 1] {
        bytes[at] ^= 0x10;
        let error = Snapshot::<Normed>::from_bytes(&bytes).err().expect("a changed byte is noticed");
        assert!(matches!(error, SnapshotError::OtherNetwork("Normed") | SnapshotError::Damaged), "{error}");
        bytes[at] ^= 0x10;
    }
    let short = Snapshot::<Normed>::from_bytes(&bytes[1..]).err();
    assert_eq!(short, Some(SnapshotError::Length { expected: bytes.len(), found: bytes.len() - 1 }));
    let other = Snapshot::<Fixed<f32>>::from_bytes(&bytes[..Snapshot::<Fixed<f32>>::BYTES]).err();
    assert_eq!(other, Some(SnapshotError::OtherNetwork("Fixed")));
}
