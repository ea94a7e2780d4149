//! Layers compute what ONNX's operator tests say (`tests/golden/onnx_cases.py` says which, and where they come from).

use monomorph::parameters::for_each_tensor;
use monomorph::prelude::*;
use monomorph::{Tensor, memory};
use safetensors::SafeTensors;

/// The numbers of a tensor in the file.
fn numbers(file: &SafeTensors<'_>, name: &str) -> Vec<f32> {
    let view = file.tensor(name).unwrap_or_else(|error| panic!("{name}: {error}"));
    view.data().as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}

/// Evaluates a network of one layer for every sample of a case.
fn check<N: Network<Scalar = f32, Input: Tensor<Element = f32>>>(file: &SafeTensors<'_>, case: &str) {
    let mut net: Box<N> = memory::boxed();
    for_each_tensor(N::ENTRIES, &mut |path, _, range| {
        let name = format!("{case}.{path}");
        // What the case does not give stays 0, such as the biases of a convolution.
        if file.names().contains(&name.as_str()) {
            net.as_mut_slice()[range].copy_from_slice(&numbers(file, &name));
        }
    });
    let given = file.names().iter().filter(|name| name.starts_with(&format!("{case}."))).count() - 2;
    let mut taken = 0;
    for_each_tensor(N::ENTRIES, &mut |path, _, _| {
        taken += usize::from(file.names().contains(&format!("{case}.{path}").as_str()));
    });
    assert_eq!(taken, given, "{case}: a parameter has another name");
    let (x, y) = (numbers(file, &format!("{case}.x")), numbers(file, &format!("{case}.y")));
    assert_eq!(x.len() * N::Output::LEN, y.len() * N::Input::LEN, "{case}: another shape");
    let samples = x.chunks_exact(N::Input::LEN).zip(y.chunks_exact(N::Output::LEN));
    for (sample, expected) in samples {
        let mut input: Box<[N::Input; 1]> = memory::boxed();
        input[0].numbers_mut().copy_from_slice(sample);
        let mut output: Box<[N::Output; 1]> = memory::boxed();
        monomorph::network::evaluate_in(&*net, &input, &mut output, &mut memory::boxed());
        for (found, expected) in output[0].numbers().iter().zip(expected) {
            let apart = (found - expected).abs();
            assert!(apart <= 2e-6 * (1.0 + expected.abs()), "{case}: {found} for {expected}");
        }
    }
}

macro_rules! cases {
    ($($name:ident: $input:tt -> $output:tt { $($layer:tt)* })*) => {
        #[test]
        fn operators_agree_with_onnx() {
            let bytes = include_bytes!("../golden/onnx.safetensors");
            let file = SafeTensors::deserialize(bytes).expect("a safetensors file");
            let mut checked = 0;
            $({
                network! { Net: $input -> $output { $($layer)* } }
                check::<Net>(&file, stringify!($name));
                checked += 1;
            })*
            let inputs = file.names().iter().filter(|name| name.ends_with(".x")).count();
            assert_eq!(checked, inputs, "a case of the file is not tested");
        }
    };
}

cases! {
    elu: [4, 5] -> [4, 5] { Elu(2) }
    selu: [4, 5] -> [4, 5] { Selu(alpha = 2, scale = 3) }
    celu: [3, 3, 1] -> [3, 3, 1] { Celu(2) }
    hardsigmoid: [4, 5] -> [4, 5] { HardSigmoid(slope = 0.5, offset = 0.6) }
    hardswish: [4, 5] -> [4, 5] { HardSwish }
    clip: [4, 5] -> [4, 5] { HardTanh(-1, 1) }
    thresholdedrelu: [4, 5] -> [4, 5] { ThresholdedRelu(2) }
    leakyrelu: [4, 5] -> [4, 5] { LeakyRelu(0.1) }
    prelu_broadcast: [4, 5] -> [4, 5] { PRelu(per_channel = true) }
    softplus: [4, 5] -> [4, 5] { Softplus }
    softsign: [4, 5] -> [4, 5] { Softsign }
    gelu_default_2: [4, 5] -> [4, 5] { Gelu }
    gelu_tanh_2: [4, 5] -> [4, 5] { GeluTanh }
    softmax_axis_0: [3, 4, 5] -> [3, 4, 5] { Softmax(axis = 0) }
    softmax_axis_1: [4, 5] -> [4, 5] { Softmax(axis = 0) }
    logsoftmax_axis_0: [3, 4, 5] -> [3, 4, 5] { LogSoftmax(axis = 0) }
    transpose_all_permutations_3: [2, 3, 4] -> [3, 4, 2] { Transpose(axes = (1, 2, 0)) }
    reduce_mean_keepdims_random: [3, 2, 2] -> [3, 1, 2] { ReduceMean(1, keepdim = true) }
    reduce_max_do_not_keepdims_random: [3, 2, 2] -> [3, 2] { ReduceMax(1) }
    reduce_sum_keepdims_random: [3, 2, 2] -> [3, 1, 2] { ReduceSum(1, keepdim = true) }
    maxpool_2d_dilations: [4, 4, 1] -> [2, 2, 1] { MaxPool2d(2, stride = 1, dilation = 2) }
    maxpool_2d_precomputed_pads: [5, 5, 1] -> [5, 5, 1] { MaxPool2d(5, stride = 1, padding = 2) }
    maxpool_2d_precomputed_strides: [5, 5, 1] -> [2, 2, 1] { MaxPool2d(2, stride = 2) }
    maxpool_2d_ceil: [4, 4, 1] -> [2, 2, 1] { MaxPool2d(3, stride = 2, ceil_mode) }
    averagepool_2d_ceil: [4, 4, 1] -> [2, 2, 1] { AvgPool2d(3, stride = 2, ceil_mode) }
    averagepool_2d_precomputed_pads: [5, 5, 1] -> [5, 5, 1] { AvgPool2d(5, stride = 1, padding = 2) }
    averagepool_2d_precomputed_pads_count_include_pad: [5, 5, 1] -> [5, 5, 1] {
        AvgPool2d(5, stride = 1, padding = 2, count_include_pad = true)
    }
    averagepool_2d_precomputed_strides: [5, 5, 1] -> [2, 2, 1] { AvgPool2d(2, stride = 2) }
    globalaveragepool: [5, 5, 3] -> [3] { GlobalAvgPool2d }
    globalmaxpool: [5, 5, 3] -> [3] { GlobalMaxPool2d }
    lrn: [5, 5, 5] -> [5, 5, 5] { LocalResponseNorm(3, alpha = 0.0002, beta = 0.5, k = 2) }
    lrn_default: [5, 5, 5] -> [5, 5, 5] { LocalResponseNorm(3) }
    instancenorm_example: [1, 3, 2] -> [1, 3, 2] { InstanceNorm }
    batchnorm_example: [4, 5, 3] -> [4, 5, 3] { BatchNorm }
    group_normalization_example: [2, 2, 4] -> [2, 2, 4] { GroupNorm(2) }
    layer_normalization_2d_axis1: [4] -> [4] { LayerNorm }
    reflect_pad: [4, 5, 3] -> [6, 7, 3] { Pad2d(1, mode = reflect) }
    edge_pad: [4, 5, 3] -> [6, 7, 3] { Pad2d(1, mode = edge) }
    wrap_pad: [4, 5, 3] -> [6, 7, 3] { Pad2d(1, mode = wrap) }
    depthtospace_example: [2, 3, 8] -> [4, 6, 2] { DepthToSpace(2) }
    depthtospace_crd_mode_example: [2, 3, 8] -> [4, 6, 2] { PixelShuffle(2) }
    spacetodepth_example: [4, 6, 1] -> [2, 3, 4] { SpaceToDepth(2) }
    spacetodepth: [6, 6, 2] -> [3, 3, 8] { SpaceToDepth(2) }
    resize_upsample_scales_nearest: [2, 2, 1] -> [4, 6, 1] { Upsample2d((2, 3)) }
    resize_upsample_scales_linear: [2, 2, 1] -> [4, 4, 1] { Upsample2d(2, mode = bilinear) }
    resize_upsample_scales_cubic: [4, 4, 1] -> [8, 8, 1] { Upsample2d(2, mode = bicubic) }
    basic_conv_with_padding: [5, 5, 1] -> [5, 5, 1] { Conv2d(1, kernel = 3, padding = 1) }
    conv_with_strides_padding: [7, 5, 1] -> [4, 3, 1] { Conv2d(1, kernel = 3, stride = 2, padding = 1) }
    convtranspose: [3, 3, 1] -> [5, 5, 2] { ConvTranspose2d(2, kernel = 3) }
    convtranspose_1d: [3, 1] -> [5, 2] { ConvTranspose1d(2, kernel = 3) }
    convtranspose_pads: [3, 3, 1] -> [7, 3, 2] { ConvTranspose2d(2, kernel = 3, stride = (3, 2), padding = (1, 2)) }
    convtranspose_dilations: [3, 3, 1] -> [5, 5, 1] { ConvTranspose2d(1, kernel = 2, dilation = 2) }
    gemm_default_vector_bias: [7] -> [4] { Dense(4) }
    lstm_defaults: [1, 2] -> [3] { Lstm(3, last) }
    rnn_seq_length: [2, 3] -> [5] { Rnn(5, last) }
}
