"""Writes onnx.safetensors: cases of ONNX's own operator tests, for tests/suite/onnx.rs.

    python3 -m pip install onnx==1.19.1 numpy safetensors && python3 onnx_cases.py

The inputs, parameters and outputs are those of the package's backend tests (onnx/backend/test/data/node), which are
licensed under Apache-2.0 by the contributors to ONNX. Their axes are moved to where monomorph has them: channels last,
weights [in, out] and [height, width, in, out], the gates of an LSTM in PyTorch's order.
"""

import glob
import os

import numpy as np
import onnx
from onnx import numpy_helper
from safetensors.numpy import save_file

DATA = os.path.join(os.path.dirname(onnx.__file__), "backend/test/data/node")


def last(a):
    """[N, C, ..] to [N, .., C]."""
    return np.moveaxis(a, 1, -1)


def same(a):
    return a


def conv(a):
    """[out, in, ..] to [.., in, out]; of a transposed convolution [in, out, ..] to [.., out, in]."""
    return np.moveaxis(a, (0, 1), (-1, -2))


def matrix(a):
    """[1, gates * hidden, in] to [in, gates * hidden]."""
    return a[0].T


def iofc(a):
    """Gates i, o, f, c to i, f, c, o."""
    i, o, f, c = np.split(a, 4, axis=-1)
    return np.concatenate([i, f, c, o], axis=-1)


# Name of the test: how its input and output become those here, and its further inputs by the tensors here.
ELEMENTWISE = ["elu", "selu", "hardsigmoid", "clip", "thresholdedrelu", "leakyrelu", "softplus", "softsign", "hardswish",
    "gelu_default_2", "gelu_tanh_2", "celu", "softmax_axis_0", "softmax_axis_1", "logsoftmax_axis_0",
    "transpose_all_permutations_3", "reduce_mean_keepdims_random", "reduce_max_do_not_keepdims_random",
    "reduce_sum_keepdims_random"]
CHANNELS = ["maxpool_2d_dilations", "maxpool_2d_precomputed_pads", "globalaveragepool", "globalmaxpool", "lrn",
    "lrn_default", "reflect_pad", "edge_pad", "wrap_pad", "depthtospace_example", "depthtospace_crd_mode_example",
    "spacetodepth_example", "spacetodepth", "resize_upsample_scales_nearest", "resize_upsample_scales_linear",
    "resize_upsample_scales_cubic", "averagepool_2d_precomputed_pads", "averagepool_2d_precomputed_pads_count_include_pad",
    "averagepool_2d_precomputed_strides", "maxpool_2d_precomputed_strides",
    "maxpool_2d_ceil", "averagepool_2d_ceil"]
CASES = {name: (same, same, {}) for name in ELEMENTWISE}
CASES |= {name: (last, last, {}) for name in CHANNELS}
CASES |= {
    "prelu_broadcast": (same, same, {"prelu1.slope": same}),
    "basic_conv_with_padding": (last, last, {"conv1.weight": conv}),
    "conv_with_strides_padding": (last, last, {"conv1.weight": conv}),
    "convtranspose": (last, last, {"conv1.weight": conv}),
    "convtranspose_1d": (last, last, {"conv1.weight": conv}),
    "convtranspose_pads": (last, last, {"conv1.weight": conv}),
    "convtranspose_dilations": (last, last, {"conv1.weight": conv}),
    "instancenorm_example": (last, last, {"norm1.weight": same, "norm1.bias": same}),
    "group_normalization_example": (last, last, {"norm1.weight": same, "norm1.bias": same}),
    "batchnorm_example": (last, last,
        {"norm1.weight": same, "norm1.bias": same, "norm1.running_mean": same, "norm1.running_var": same}),
    "layer_normalization_2d_axis1": (same, same, {"norm1.weight": same, "norm1.bias": same}),
    "gemm_default_vector_bias": (same, same, {"dense1.weight": same, "dense1.bias": lambda a: a[0]}),
    # [steps, batch, in]; the second output is the hidden state after the last step, [1, batch, hidden].
    "lstm_defaults": (lambda a: a.swapaxes(0, 1), lambda a: a[0],
        {"lstm1.weight_ih": lambda a: iofc(matrix(a)), "lstm1.weight_hh": lambda a: iofc(matrix(a))}),
    "rnn_seq_length": (lambda a: a.swapaxes(0, 1), lambda a: a[0],
        {"rnn1.weight_ih": matrix, "rnn1.weight_hh": matrix, "rnn1.bias_ih rnn1.bias_hh": lambda a: a.reshape(2, -1)}),
}


def tensors(folder, kind):
    for path in sorted(glob.glob(f"{folder}/{kind}_*.pb"), key=lambda path: int(path.rsplit("_", 1)[1][:-3])):
        proto = onnx.TensorProto()
        with open(path, "rb") as file:
            proto.ParseFromString(file.read())
        yield numpy_helper.to_array(proto)


def main():
    written = {}
    for name, (take, give, parameters) in CASES.items():
        folder = f"{DATA}/test_{name}/test_data_set_0"
        x, *further = tensors(folder, "input")
        y = next(tensors(folder, "output"))
        written[f"{name}.x"], written[f"{name}.y"] = take(x), give(y)
        for (tensor, move), value in zip(parameters.items(), further):
            # Several tensors may be rows of one input.
            rows = move(value) if " " in tensor else [move(value)]
            for one, row in zip(tensor.split(), rows):
                written[f"{name}.{one}"] = row
    written = {name: np.ascontiguousarray(value, dtype=np.float32) for name, value in written.items()}
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "onnx.safetensors")
    save_file(written, path, {"source": f"onnx {onnx.__version__}, backend node tests, Apache-2.0"})


main()
