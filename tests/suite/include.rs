//! Weights compiled into the program: the same network as one loaded from the file.

use monomorph::prelude::*;
use monomorph::weights::{load, to_bytes};
use monomorph::{Parameters, Scalar};
use std::path::PathBuf;

network! { pub Small<T>: [2] -> [2] { hidden: Dense(3), Tanh, head: Dense(2) } }
network! { Wide: [2] -> [2] { hidden: Dense(4), Tanh, head: Dense(2) } }
network! { Renamed: [2] -> [2] { hidden: Dense(3), Tanh, out: Dense(2) } }
network! { Encoder: [8, 8, 1] -> [12] { Conv2d(3, kernel = 3, stride = 2, bias = false), BatchNorm, Relu, MaxPool2d(2, stride = 1), Flatten, Dense(12) } }
network! { Nested: [8, 8, 1] -> [3] { encoder: Encoder, Relu, head: Dense(3) } }
network! { Formless: [2, 2] -> [4] { Flatten, Relu } }

static SMALL: Small<f32> = include_weights!(Small<f32>, "../files/small.safetensors");
static NESTED: Nested =
    include_weights!(Nested, concat!(env!("CARGO_MANIFEST_DIR"), "/tests/files/nested.safetensors"));
const DOUBLE: Small<f64> = include_weights!(Small<f64>, "../files/double.safetensors");
static FORMLESS: Formless = include_weights!(Formless, "../files/formless.safetensors");

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/files").join(name)
}

/// A network of numbers that are the same on every machine; none is negative, because some are variances.
fn network<N: Parameters>() -> N {
    let mut network = monomorph::memory::zeroed::<N>();
    let (numbers, mut index) = (network.as_mut_slice(), 0);
    monomorph::parameters::for_each_tensor(N::ENTRIES, &mut |_, _, range| {
        for number in &mut numbers[range] {
            *number = N::Scalar::from_f64((index * 7 % 32) as f64 / 32.0);
            index += 1;
        }
    });
    network
}

/// The test files are exactly what `weights::save` writes; with `MONOMORPH_WRITE_FILES` set they are
/// rewritten.
#[test]
fn the_files_are_those_of_these_networks() {
    let mut small = network::<Small<f32>>();
    small.head.bias = [0.5, -0.5];
    let bytes = to_bytes(&small);
    let files = [
        ("truncated.safetensors", bytes[..bytes.len() - 8].to_vec()),
        ("small.safetensors", bytes),
        ("double.safetensors", to_bytes(&network::<Small<f64>>())),
        ("wide.safetensors", to_bytes(&network::<Wide>())),
        ("renamed.safetensors", to_bytes(&network::<Renamed>())),
        ("nested.safetensors", to_bytes(&network::<Nested>())),
        ("formless.safetensors", to_bytes(&network::<Formless>())),
    ];
    for (name, bytes) in files {
        if std::env::var_os("MONOMORPH_WRITE_FILES").is_some() {
            std::fs::write(path(name), &bytes).expect("written");
        }
        assert!(std::fs::read(path(name)).expect("read") == bytes, "{name}");
    }
}

#[test]
fn an_included_network_is_the_loaded_one() {
    let mut small = Small::<f32>::zeroed();
    load(path("small.safetensors"), &mut small).expect("loaded");
    assert_eq!(SMALL.as_slice(), small.as_slice());
    assert_eq!(SMALL.evaluate(&[1.0, -2.0]), small.evaluate(&[1.0, -2.0]));
    assert_eq!(SMALL.head.bias, [0.5, -0.5]);

    let mut nested = Nested::zeroed();
    load(path("nested.safetensors"), &mut nested).expect("loaded");
    assert_eq!(NESTED.as_slice(), nested.as_slice());
    let image = core::array::from_fn(|y| core::array::from_fn(|x| [(x * y % 5) as f32]));
    assert_eq!(NESTED.evaluate(&image), nested.evaluate(&image));

    let mut double = Small::<f64>::zeroed();
    load(path("double.safetensors"), &mut double).expect("loaded");
    assert_eq!(DOUBLE.as_slice(), double.as_slice());
    assert_eq!(FORMLESS.evaluate(&[[1.0, 2.0], [3.0, 4.0]]), [1.0, 2.0, 3.0, 4.0]);
}

#[test]
fn it_may_stand_in_an_expression() {
    let net = include_weights!(Small<f32>, "../files/small.safetensors");
    let kept: &'static Small<f32> = &include_weights!(Small<f32>, "../files/small.safetensors",);
    assert_eq!(net.as_slice(), kept.as_slice());
}
