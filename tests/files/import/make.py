"""Writes small ONNX files that exercise the reader, and what ONNX' reference evaluator computes from them.

    python -m venv venv && venv/bin/pip install onnx==1.19.1 numpy && venv/bin/python tests/files/import/make.py
"""

import pathlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

FOLDER = pathlib.Path(__file__).parent
random = np.random.default_rng(20261128)


class Model:
    """A graph under construction: `op` adds an operator and returns the name of its output."""

    def __init__(self, name, shape, version=17):
        self.name, self.shape, self.version = name, shape, version
        self.nodes, self.constants = [], []

    def constant(self, values, kind=np.float32):
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(values, kind), name))
        return name

    def weight(self, *shape, scale=0.4):
        return self.constant(random.normal(0, scale, shape))

    def op(self, kind, *inputs, **attributes):
        output = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output], name=f"{kind}_{len(self.nodes)}", **attributes))
        return output

    def batch_norm(self, x, channels):
        scale, offset = self.constant(random.uniform(0.5, 1.5, channels)), self.weight(channels)
        mean, variance = self.weight(channels), self.constant(random.uniform(0.5, 2, channels))
        return self.op("BatchNormalization", x, scale, offset, mean, variance, epsilon=1e-3)

    def save(self, output):
        inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", *self.shape])]
        outputs = [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)]
        graph = helper.make_graph(self.nodes, self.name, inputs, outputs, self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.version)], ir_version=8)
        onnx.save(model, FOLDER / f"{self.name}.onnx")
        x = random.normal(0, 1, (2, *self.shape)).astype(np.float32)
        evaluator = ReferenceEvaluator(model)
        y = np.concatenate([evaluator.run(None, {"x": sample[None]})[0].reshape(1, -1) for sample in x])
        with open(FOLDER / f"{self.name}.f32", "wb") as file:
            file.write(np.concatenate([x.reshape(2, -1), y], axis=1).astype("<f4").tobytes())


# An image classifier as PyTorch exports it: channels first, norms that are folded, a bias that comes late.
m = Model("image", (3, 12, 10))
x = m.op("Conv", "x", m.weight(8, 3, 3, 3), m.weight(8), pads=[1, 1, 1, 1])
x = m.op("Relu", m.batch_norm(x, 8))
x = m.op("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
x = m.op("Conv", x, m.weight(8, 1, 3, 3), m.weight(8), group=8, pads=[1, 1, 1, 1], strides=[1, 2])
x = m.op("HardSwish", x)
x = m.op("Conv", x, m.weight(6, 8, 1, 1))
x = m.op("Add", x, m.weight(1, 6, 1, 1))
x = m.op("LeakyRelu", m.op("Conv", x, m.weight(4, 3, 3, 2), group=2, auto_pad="SAME_LOWER"), alpha=0.2)
x = m.op("Flatten", m.op("GlobalAveragePool", x))
m.save(m.op("Softmax", m.op("Gemm", x, m.weight(5, 4), m.weight(5), transB=1), axis=1))

# Branches, and a flattening whose matrix expects the channels first.
m = Model("branches", (2, 6, 5))
x = m.op("Conv", "x", m.weight(4, 2, 3, 3), pads=[1, 1, 1, 1])
x = m.batch_norm(x, 4)
y = m.op("Conv", m.op("Relu", x), m.weight(4, 4, 3, 3), m.weight(4), pads=[1, 1, 1, 1])
y = m.op("Mul", y, m.op("Sigmoid", y))
x = m.op("Add", x, y)
x = m.op("Concat", x, m.op("AveragePool", "x", kernel_shape=[3, 3], pads=[1, 1, 1, 1]), axis=1)
x = m.op("ConvTranspose", x, m.weight(6, 3, 2, 2), m.weight(3), strides=[2, 2])
x = m.op("MaxPool", m.op("Elu", x), kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)
m.save(m.op("Tanh", m.op("Gemm", m.op("Flatten", x), m.weight(3 * 6 * 5, 7), m.weight(7), alpha=0.5, beta=2.0)))

# A sequence, whose axes are transposed for a convolution and back.
m = Model("sequence", (9, 4))
x = m.op("Transpose", "x", perm=[0, 2, 1])
x = m.op("Conv", x, m.weight(6, 4, 3), m.weight(6), pads=[2, 0], dilations=[1])
x = m.op("Transpose", m.op("Softplus", x), perm=[0, 2, 1])
x = m.op("LayerNormalization", x, m.weight(6), m.weight(6), axis=-1)
x = m.op("Add", m.op("MatMul", x, m.weight(6, 8)), m.weight(8))
x = m.op("PRelu", x, m.weight(8))
x = m.op("Mul", m.op("Sub", x, m.weight(8)), m.constant([0.5]))
m.save(m.op("Gemm", m.op("ReduceMean", x, axes=[1], keepdims=0), m.weight(8, 3)))

# Shapes that are computed, and axes of size 1.
m = Model("shapes", (2, 3, 4))
size = m.op("Gather", m.op("Shape", "x"), m.constant([0], np.int64), axis=0)
shape = m.op("Concat", size, m.constant([-1, 4], np.int64), axis=0)
x = m.op("Reshape", "x", shape)
x = m.op("Unsqueeze", x, m.constant([1], np.int64))
x = m.op("Pad", x, m.constant([0, 0, 1, 0, 0, 0, 0, 2], np.int64), m.constant(0.5))
x = m.op("Conv", x, m.weight(3, 1, 2, 3), strides=[1, 2])
x = m.op("Clip", x, m.constant(-0.5), m.constant(0.75))
x = m.op("Transpose", x, perm=[0, 3, 1, 2])
m.save(m.op("Reshape", x, m.constant([1, 3, -1], np.int64)))
