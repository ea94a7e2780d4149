//! A training run compared with PyTorch's, number by number: Dense, Tanh, Dense; cross-entropy; Adam.

use monomorph::prelude::*;
use safetensors::SafeTensors;

network! {
    pub Mlp<T>: [5] -> [3] { Dense(7), Tanh, Dense(3) }
}

struct Case(Vec<u8>);

impl Case {
    fn numbers(&self, name: &str) -> Vec<f64> {
        let file = SafeTensors::deserialize(&self.0).expect("a safetensors file");
        let view = file.tensor(name).expect("the tensor");
        let bytes = view.data().as_chunks::<8>().0;
        match view.dtype() {
            safetensors::Dtype::F64 => bytes.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect(),
            safetensors::Dtype::I64 => bytes.iter().map(|bytes| i64::from_le_bytes(*bytes) as f64).collect(),
            other => panic!("{name}: {other:?}"),
        }
    }

    /// Weights and biases of both layers, in the order of the network's memory.
    fn parameters(&self, when: &str) -> Vec<f64> {
        ["0.weight", "0.bias", "2.weight", "2.bias"]
            .iter()
            .flat_map(|name| self.numbers(&format!("{when}.{name}")))
            .collect()
    }
}

fn run<T: Real>(tolerance: f64) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/train_mlp_adam.safetensors");
    let case = Case(std::fs::read(path).expect("the case"));
    let mut net = Mlp::<T>::zeroed();
    for (to, from) in net.as_mut_slice().iter_mut().zip(case.parameters("init")) {
        *to = T::from_f64(from);
    }
    let x = case.numbers("x");
    let x: [[T; 5]; 8] = core::array::from_fn(|sample| core::array::from_fn(|i| T::from_f64(x[sample * 5 + i])));
    let y = case.numbers("target");
    let y: [u8; 8] = core::array::from_fn(|sample| y[sample] as u8);
    let mut trainer = Trainer::<Mlp<T>, _, 8>::new(Adam { learning_rate: 0.02, ..Adam::default() }, CrossEntropy);
    for (step, expected) in case.numbers("losses").into_iter().enumerate() {
        let loss = trainer.step(&mut net, &x, &y).expect("a step").loss.to_f64();
        assert!((loss - expected).abs() <= tolerance, "step {step}: loss {loss} is not {expected}");
    }
    for (index, (actual, expected)) in net.as_slice().iter().zip(case.parameters("final")).enumerate() {
        assert!((actual.to_f64() - expected).abs() <= tolerance, "parameter {index}: {actual} is not {expected}");
    }
}

use monomorph::Real;
use monomorph::parameters::Parameters;

#[test]
fn training_follows_pytorch_in_f64() {
    run::<f64>(1e-10);
}

#[test]
fn training_follows_pytorch_in_f32() {
    run::<f32>(2e-5);
}
