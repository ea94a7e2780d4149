"""Writes the model files of this folder: structures without weights, and small models with random ones.

    python3 tests/files/audio/make.py
"""

import json
import random
from pathlib import Path

HERE = Path(__file__).parent
A2_DILATIONS = [1, 3, 7, 17, 41, 101, 239] * 2 + [1, 13] + [1, 3, 7, 17, 41, 101, 239]
A2_KERNELS = [6] * 14 + [15, 15] + [6] * 7
FILMS = ["conv_pre", "conv_post", "input_mixin_pre", "input_mixin_post", "activation_pre", "activation_post",
         "layer1x1_post", "head1x1_post"]
generator = random.Random(17)


def numbers(count):
    return [round(generator.uniform(-0.5, 0.5), 4) for _ in range(count)]


def save(name, model):
    (HERE / name).write_text(json.dumps(model, separators=(",", ":")) + "\n")


def nam(architecture, config, weights=None, version="0.5.4"):
    model = {"version": version, "architecture": architecture, "config": config}
    return model if weights is None else {**model, "weights": weights}


def array(inputs, channels, head, dilations, bias=False, **more):
    return {"input_size": inputs, "condition_size": 1, "channels": channels, "head_size": head, "head_bias": bias,
            "kernel_size": 3, "dilations": dilations, "activation": "Tanh"} | more


def wavenet(*arrays, **more):
    return {"layers": list(arrays), "head": None, "head_scale": 0.02} | more


def a1(wide, narrow, first, second):
    return nam("WaveNet", wavenet(array(1, wide, narrow, first), array(wide, narrow, 1, second, True)))


def a2(channels):
    layers = {"input_size": 1, "condition_size": 1, "channels": channels, "kernel_sizes": A2_KERNELS,
              "dilations": A2_DILATIONS, "activation": "LeakyReLU",
              "head": {"out_channels": 1, "kernel_size": 16, "bias": True}}
    return nam("WaveNet", {"layers": [layers], "head_scale": 0.01}, version="0.7.0")


def films(shift, groups):
    return {f"{name}_film": {"shift": shift, "groups": group} for name, group in zip(FILMS, groups)}


def every_feature():
    """A condition with gates and blends, each place with FiLM, groups."""
    steep = {"type": "LeakyHardtanh", "min_val": 0.0, "max_val": 0.9, "min_slope": 0.0, "max_slope": 0.02}
    slopes = [{"type": "PReLU", "negative_slopes": slopes} for slopes in ([0.04, 0.05], [0.03, 0.01])]
    condition = wavenet(
        array(1, 3, 4, [1, 2], kernel_size=2, bottleneck=6, activation="SiLU", gating_mode="gated", groups_input=3,
              secondary_activation="Hardswish", head1x1={"active": True, "out_channels": 6, "groups": 3},
              layer1x1={"active": True, "groups": 3}, **films(True, [1] * 8)),
        array(3, 4, 8, [1, 3, 5], bottleneck=2, activation=slopes + ["Softsign"],
              gating_mode=["blended", "gated", "gated"], secondary_activation=[steep, "ReLU", "Sigmoid"],
              head1x1={"active": True, "out_channels": 4, "groups": 2}, **films(False, [1] * 8)))
    layers = array(1, 4, 1, [1, 2], True, kernel_size=4, condition_size=8, activation="Softsign",
                   groups_input_mixin=4, head1x1={"active": True, "out_channels": 4, "groups": 2},
                   layer1x1={"active": True, "groups": 2}, **films(True, [2, 4, 4, 2, 1, 2, 8, 4]))
    return nam("WaveNet", wavenet(layers, condition_dsp=nam("WaveNet", condition, version="0.6.0")), version="0.6.0")


def small():
    return wavenet(array(1, 3, 2, [1, 2]), array(3, 2, 1, [8], True))


def conditioned():
    inner = wavenet(array(1, 3, 2, [1, 2]), array(3, 2, 3, [8], True))
    outer = wavenet(array(1, 3, 2, [1, 2], condition_size=3), array(3, 2, 1, [8], True, condition_size=3))
    return nam("WaveNet", outer | {"condition_dsp": nam("WaveNet", inner)}, version="0.6.0")


def relu():
    octaves = [2**octave for octave in range(10)]
    arrays = array(1, 4, 2, octaves[:7]), array(4, 2, 1, octaves[7:] + octaves, True)
    return nam("WaveNet", wavenet(*[array | {"activation": "ReLU"} for array in arrays]))


def rtneural(name, layers, features=1, steps=None):
    for layer in layers:
        layer["weights"] = [fill(shape, layer["type"], index) for index, shape in enumerate(layer["weights"])]
    save(name, {"in_shape": [None, steps, features], "layers": layers})


def fill(shape, kind, index):
    if not shape:
        return round(generator.uniform(0.5, 1.5) if kind.startswith("batchnorm") else generator.uniform(-0.5, 0.5), 4)
    return [fill(shape[1:], kind, index) for _ in range(shape[0])]


def layer(kind, width, weights, activation="", **more):
    return {"type": kind, "shape": [None, None, width], "activation": activation, "weights": weights} | more


def dense(inputs, outputs, activation="", bias=True, kind="dense"):
    return layer(kind, outputs, [[inputs, outputs], [outputs]][: 1 + bias], activation)


def conv(inputs, outputs, kernel, activation="", groups=1, **more):
    return layer("conv1d", outputs, [[kernel, inputs // groups, outputs], [outputs]], activation,
                 kernel_size=[kernel], groups=groups, **more)


def conv2d(inputs, features, outputs, kernel, dilation, stride, padding):
    weights = [[*kernel, inputs, outputs], [outputs]]
    return layer("conv2d", outputs, weights, kernel_size_time=kernel[0], kernel_size_feature=kernel[1],
                 dilation=dilation, strides=stride, num_filters_in=inputs, num_features_in=features,
                 num_filters_out=outputs, padding=padding)


def pedal(unit, gates, hidden):
    data = {"unit_type": unit, "input_size": 1, "output_size": 1, "hidden_size": hidden, "num_layers": 1, "skip": 1}
    shapes = {"rec.weight_ih_l0": [gates * hidden, 1], "rec.weight_hh_l0": [gates * hidden, hidden],
              "rec.bias_ih_l0": [gates * hidden], "rec.bias_hh_l0": [gates * hidden], "lin.weight": [1, hidden],
              "lin.bias": [1]}
    state = {name: fill(shape, "", 0) for name, shape in shapes.items()}
    save(f"{unit.lower()}_pedal.json", {"model_data": data, "state_dict": state})


OCTAVES = [2**octave for octave in range(10)]
NANO = OCTAVES[7:] + OCTAVES
STRUCTURES = {
    "a1_standard": a1(16, 8, OCTAVES, OCTAVES),
    "a1_lite": a1(12, 6, OCTAVES[:7], NANO),
    "a1_feather": a1(8, 4, OCTAVES[:7], NANO),
    "a1_nano": a1(4, 2, OCTAVES[:7], NANO),
    "a2_full": a2(8),
    "a2_lite": a2(3),
    "relu": relu(),
    "small": nam("WaveNet", small()),
    "conditioned": conditioned(),
    "every_feature": every_feature(),
    "impulse10": nam("Linear", {"receptive_field": 10, "bias": False}),
    "impulse1": nam("Linear", {"receptive_field": 1, "bias": False}),
    "minimal": nam("WaveNet", wavenet(array(1, 1, 1, [1], True, kernel_size=1, activation="ReLU"))),
}
STRUCTURES |= {
    f"lstm{layers}x{hidden}": nam("LSTM", {"input_size": 1, "hidden_size": hidden, "num_layers": layers})
    for layers, hidden in [(1, 3), (1, 12), (1, 16), (1, 24), (2, 8)]
}
for name, model in STRUCTURES.items():
    save(f"{name}.nam", model)

save("tanh.nam", nam("WaveNet", small(), numbers(131)))
save("lstm.nam", nam("LSTM", {"input_size": 1, "hidden_size": 3, "num_layers": 1}, numbers(70)))
save("fir.nam", nam("Linear", {"receptive_field": 4, "bias": True}, [0.5, -0.25, 0.125, 1.0, 0.1]))
net = {"channels": 2, "dilations": [1, 2], "batchnorm": True, "activation": "Fasttanh"}
positive = [abs(number) + 0.5 for number in numbers(8)]
block = lambda inputs, at: numbers(4 * inputs) + numbers(2) + positive[at : at + 2] + numbers(4) + [1e-5]
save("conv_net.nam", nam("ConvNet", net, block(1, 0) + block(2, 2) + numbers(3)))

rtneural("dense.json", [
    dense(1, 8), layer("activation", 8, [], "tanh"), dense(8, 8), layer("activation", 8, [], "relu"),
    dense(8, 8), layer("activation", 8, [], "elu"), dense(8, 8), layer("activation", 8, [], "softmax"),
    dense(8, 1), dense(1, 8, bias=False), dense(8, 8, bias=False), dense(8, 1, bias=False)])
rtneural("conv.json", [
    dense(1, 8, "tanh"), conv(8, 4, 3, "tanh"), layer("batchnorm", 4, [[4]] * 4, epsilon=0.01),
    layer("prelu", 4, [[1, 4]]), conv(4, 4, 1, "tanh"), conv(4, 6, 3, "tanh", 2, dilation=[2]),
    layer("batchnorm", 6, [[6]] * 2, epsilon=5.0), layer("prelu", 6, [[1, 1]]), dense(6, 1, "sigmoid")])
rtneural("gru.json", [
    dense(1, 8, "tanh", kind="time-distributed-dense"), layer("gru", 8, [[8, 24], [8, 24], [2, 24]], "tanh"),
    dense(8, 8, "sigmoid"), dense(8, 1)])
rtneural("lstm.json", [
    dense(1, 8, "tanh", kind="time-distributed-dense"), layer("lstm", 8, [[8, 32], [8, 32], [32]], "tanh"),
    dense(8, 1)])
rtneural("full_model.json", [
    dense(1, 8, "tanh"), conv(8, 4, 3, "tanh", dilation=[2]), layer("gru", 8, [[4, 24], [8, 24], [2, 24]], "tanh"),
    dense(8, 1)])
rtneural("conv1d.json", [conv(1, 12, 5)])
rtneural("conv1d_groups.json", [conv(6, 3, 3, groups=3)], 6)
rtneural("conv1d_stride.json", [conv(1, 12, 5, strides=[3])], steps=1000)
planes = [
    conv2d(1, 23, 2, (5, 5), 2, 1, "valid"), layer("batchnorm2d", 2, [[2]] * 2, epsilon=5.0),
    layer("activation", 2, [], "relu"), conv2d(2, 19, 3, (4, 3), 1, 2, "same"),
    layer("batchnorm2d", 3, [[3]] * 4, epsilon=0.01), conv2d(3, 10, 1, (2, 3), 3, 1, "valid")]
for plane in planes:
    plane["weights"] = [fill(shape, plane["type"], 0) for shape in plane["weights"]]
save("conv2d.json", {"in_shape": [None, 50, 23, 1], "layers": planes})
pedal("LSTM", 4, 8)
pedal("GRU", 3, 8)
