//! The networks of MLPerf Tiny, compiled from their files, give what the TensorFlow Lite interpreter gives.
//!
//! `bash tests/import.sh` runs it where the models are.

use std::path::Path;
use std::time::Instant;

use monomorph::prelude::*;
use monomorph::{Tensor, memory, network};

/// Evaluates a network for the inputs of a folder; the largest difference from its outputs, and the seconds of a pass.
fn check<N: Network<Scalar = f32, Input: Tensor<Element = f32>, Output: Tensor<Element = f32>>>(
    net: &N,
    golden: &Path,
) -> (f32, f64) {
    let read = |name: &str| -> Vec<f32> {
        let bytes = std::fs::read(golden.join(name)).expect("numbers of the model");
        bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
    };
    let (inputs, outputs) = (read("inputs.bin"), read("outputs_ref.bin"));
    let (mut worst, mut seconds) = (0.0_f32, f64::MAX);
    let mut memory = memory::boxed();
    for (sample, expected) in inputs.chunks_exact(N::Input::LEN).zip(outputs.chunks_exact(N::Output::LEN)) {
        let (mut input, mut output): (Box<[N::Input; 1]>, Box<[N::Output; 1]>) = (memory::boxed(), memory::boxed());
        input[0].numbers_mut().copy_from_slice(sample);
        for _ in 0..20 {
            let start = Instant::now();
            network::evaluate_in(net, &input, &mut output, &mut memory);
            seconds = seconds.min(start.elapsed().as_secs_f64());
        }
        for (found, expected) in output[0].numbers().iter().zip(expected) {
            worst = worst.max((found - expected).abs() / (1.0 + expected.abs()));
        }
    }
    assert_eq!(outputs.len(), 5 * N::Output::LEN, "five outputs");
    (worst, seconds)
}

macro_rules! models {
    ($($module:ident: $file:literal, $golden:literal;)*) => {
        $(mod $module {
            monomorph::network! { pub(crate) Net = $file; }
        })*

        fn main() {
            let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/models/mlperf-tiny/golden"));
            $({
                let (worst, seconds) = check($module::Net::TRAINED, &folder.join($golden));
                let name = Path::new($file).file_name().and_then(|name| name.to_str()).unwrap_or_default();
                println!("{name}: {:.1} µs, differs by at most {worst:.1e}", 1e6 * seconds);
                assert!(worst <= 1e-5, "{name} differs");
            })*
        }
    };
}

models! {
    anomaly_tflite: "../../../shared/models/mlperf-tiny/ad01_fp32.tflite", "ad01_fp32";
    anomaly_onnx: "../../../shared/models/mlperf-tiny/ad01_fp32.onnx", "ad01_fp32";
    keywords_tflite: "../../../shared/models/mlperf-tiny/kws_ref_model_true_f32.tflite", "kws_ref_model_true_f32";
    keywords_onnx: "../../../shared/models/mlperf-tiny/kws_ref_model_true_f32.onnx", "kws_ref_model_true_f32";
    resnet_tflite: "../../../shared/models/mlperf-tiny/pretrainedResnet.tflite", "pretrainedResnet";
    resnet_onnx: "../../../shared/models/mlperf-tiny/pretrainedResnet.onnx", "pretrainedResnet";
    person_tflite: "../../../shared/models/mlperf-tiny/vww_96_float.tflite", "vww_96_float";
    person_onnx: "../../../shared/models/mlperf-tiny/vww_96_float.onnx", "vww_96_float";
}
