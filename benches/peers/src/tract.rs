//! tract: the optimized ONNX model, run with a reused state.

use tract_onnx::prelude::*;

use crate::bench::{Bench, Failure, Outcome};
use crate::graph::Work;
use crate::onnx;

pub fn run(work: &Work, bench: &Bench) -> Outcome {
    let Work::Evaluate(net) = work else {
        return Err(Failure::NotMeasured("tract only evaluates".into()));
    };
    let net = net.channels_first();
    let model = tract_onnx::onnx().model_for_read(&mut &onnx::bytes(&net)[..])?.into_optimized()?;
    let mut state = model.into_runnable()?.spawn()?;
    let shape = [&[1], net.input_shape()].concat();
    let inputs: Vec<TValue> = net
        .inputs
        .iter()
        .map(|input| Ok(Tensor::from_shape(&shape, input)?.into_tvalue()))
        .collect::<TractResult<_>>()?;
    bench.evaluate(
        &net,
        |i| state.run(tvec![inputs[i].clone()]).expect("it ran before"),
        |outputs| outputs[0].view().as_slice::<f32>().expect("numbers are f32").to_vec(),
    )
}
