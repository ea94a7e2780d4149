//! Networks from ONNX files compute what ONNX' reference evaluator does (`tests/files/import/make.py` writes both).

use monomorph::prelude::*;
use monomorph::{Tensor, memory, network};

network! { pub Image = "tests/files/import/image.onnx"; }
network! { pub Branches = "tests/files/import/branches.onnx"; }
network! { pub Sequence = "tests/files/import/sequence.onnx"; }
network! { pub Shapes = "tests/files/import/shapes.onnx"; }

/// Evaluates a network for the inputs of a file, each with its output behind it.
fn check<N>(net: &N, name: &str)
where
    N: Network<Scalar = f32, Input: Tensor<Element = f32>, Output: Tensor<Element = f32>>,
{
    let path = format!("{}/tests/files/import/{name}.f32", env!("CARGO_MANIFEST_DIR"));
    let bytes = std::fs::read(path).expect("the numbers");
    let numbers: Vec<f32> = bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    let cases = numbers.chunks_exact(N::Input::LEN + N::Output::LEN);
    assert_eq!((cases.len(), cases.remainder().len()), (2, 0), "{name}: other shapes");
    for case in cases {
        let (x, expected) = case.split_at(N::Input::LEN);
        let mut input: Box<[N::Input; 1]> = memory::boxed();
        let mut output: Box<[N::Output; 1]> = memory::boxed();
        input[0].numbers_mut().copy_from_slice(x);
        network::evaluate_in(net, &input, &mut output, &mut memory::boxed());
        for (found, expected) in output[0].numbers().iter().zip(expected) {
            assert!((found - expected).abs() <= 2e-6 * (1.0 + expected.abs()), "{name}: {found} for {expected}");
        }
    }
}

#[test]
fn files_compute_what_onnx_does() {
    check(Image::TRAINED, "image");
    check(Branches::TRAINED, "branches");
    check(Sequence::TRAINED, "sequence");
    check(Shapes::TRAINED, "shapes");
}

#[test]
fn networks_from_files_train_further() {
    let mut net: Box<Image> = memory::boxed();
    net.as_mut_slice().copy_from_slice(Image::TRAINED.as_slice());
    let mut trainer = Trainer::<Image, _, 2>::new(Adam { learning_rate: 0.01, ..Adam::default() }, Mse);
    let (x, y) =
        ([[[[0.5; 10]; 12]; 3], [[[-0.5; 10]; 12]; 3]], [[1.0, 0.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0, 0.0]]);
    let first = trainer.step(&mut net, &x, &y).expect("a step").loss;
    for _ in 0..200 {
        trainer.step(&mut net, &x, &y).expect("a step");
    }
    let last = trainer.step(&mut net, &x, &y).expect("a step").loss;
    assert!(last < first / 2.0, "{first} became {last}");
}
