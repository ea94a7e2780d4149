"""Sequences in PyTorch and ONNX Runtime; `peers.py` calls it. The networks are those of src/sequences.rs."""

import numpy as np

HEADS = 4


def onnxruntime(bench, net, work):
    """The block, as one graph of standard operators; its attention and normalization are fused by the library."""
    import onnx
    import onnxruntime as ort
    from onnx import TensorProto, helper, numpy_helper

    if work["sequence"] != "Whole":
        return None
    constants, nodes = [], []

    def constant(name, array):
        constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def node(kind, inputs, **attributes):
        nodes.append(helper.make_node(kind, inputs, [f"v{len(nodes)}"], **attributes))
        return f"v{len(nodes) - 1}"

    def tensor(name):
        return constant(name, net.tensors[name])

    def dense(x, weight, bias):
        return node("Add", [node("MatMul", [x, tensor(weight)]), tensor(bias)])

    def norm(x, name):
        return node("LayerNormalization", [x, tensor(name + ".weight"), tensor(name + ".bias")], axis=-1, epsilon=1e-5)

    def heads(x, axes):
        return node("Transpose", [node("Reshape", [x, "split"])], perm=axes)

    constant("split", np.array([1, 32, HEADS, 16], np.int64))
    constant("join", np.array([1, 32, 64], np.int64))
    constant("factor", np.array(0.25, np.float32))
    n = norm("x", "norm1")
    q, k, v = (dense(n, f"attention1.w{of}", f"attention1.b{of}") for of in "qkv")
    scores = node("MatMul", [heads(q, [0, 2, 1, 3]), heads(k, [0, 2, 3, 1])])
    weights = node("Softmax", [node("Mul", [scores, "factor"])], axis=-1)
    context = node("Transpose", [node("MatMul", [weights, heads(v, [0, 2, 1, 3])])], perm=[0, 2, 1, 3])
    x = node("Add", ["x", dense(node("Reshape", [context, "join"]), "attention1.wo", "attention1.bo")])
    hidden = node("Gelu", [dense(norm(x, "norm2"), "dense1.weight", "dense1.bias")])
    nodes.append(helper.make_node("Add", [x, dense(hidden, "dense2.weight", "dense2.bias")], ["y"]))
    shape = [1, 32, 64]
    graph = helper.make_graph(
        nodes,
        "block",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.checker.check_model(model)
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    bindings, outputs = [], []
    for data in net.inputs:
        binding = session.io_binding()
        binding.bind_ortvalue_input("x", ort.OrtValue.ortvalue_from_numpy(data))
        outputs.append(ort.OrtValue.ortvalue_from_numpy(np.zeros(shape, np.float32)))
        binding.bind_ortvalue_output("y", outputs[-1])
        bindings.append(binding)

    def run(index):
        session.run_with_iobinding(bindings[index])
        return index

    return bench.evaluate(net, run, lambda index: outputs[index].numpy())


def torch(bench, net, work, best):
    """`best` picks the fastest of several variants."""
    import torch
    import torch.nn.functional as F

    tensors = {name: torch.tensor(data.copy()) for name, data in net.tensors.items()}

    def linear(x, p, weight, bias=None):
        return F.linear(x, p[weight].T, p[bias] if bias else None)

    def heads(x):
        return x.unflatten(-1, (HEADS, -1)).transpose(1, 2)

    if work["sequence"] == "Stream":
        return stream(bench, net, torch)

    if work["sequence"] == "Whole":

        def block(x):
            n = F.layer_norm(x, (64,), tensors["norm1.weight"], tensors["norm1.bias"])
            q, k, v = (heads(linear(n, tensors, f"attention1.w{of}", f"attention1.b{of}")) for of in "qkv")
            context = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
            x = x + linear(context, tensors, "attention1.wo", "attention1.bo")
            n = F.layer_norm(x, (64,), tensors["norm2.weight"], tensors["norm2.bias"])
            hidden = F.gelu(linear(n, tensors, "dense1.weight", "dense1.bias"))
            return x + linear(hidden, tensors, "dense2.weight", "dense2.bias")

        inputs = [torch.tensor(data) for data in net.inputs]

        def measure(make):
            with torch.inference_mode():
                run = make(block)
                return bench.evaluate(net, lambda index: run(inputs[index]), lambda output: output.numpy())

        return best({"eager": lambda f: f, "compiled": torch.compile}, measure)

    texts = torch.tensor(net.inputs.reshape(2, -1, net.shape[-1]).astype(np.int64))
    length, size = texts.shape[-1], 128 // HEADS
    angles = torch.outer(torch.arange(length), 10000.0 ** (-torch.arange(0, size, 2) / size))
    cosines, sines = angles.cos(), angles.sin()

    def turn(x):
        a, b = x.chunk(2, -1)
        return torch.cat((a * cosines - b * sines, b * cosines + a * sines), -1)

    def forward(p, x):
        x = F.embedding(x, p["embedding1.weight"])
        for block in range(4):
            first, second = 2 * block + 1, 2 * block + 2
            n = F.rms_norm(x, (128,), p[f"norm{first}.weight"], 1e-5)
            q, k, v = (heads(linear(n, p, f"attention{block + 1}.w{of}")) for of in "qkv")
            context = F.scaled_dot_product_attention(turn(q), turn(k), v, is_causal=True).transpose(1, 2).flatten(2)
            x = x + linear(context, p, f"attention{block + 1}.wo")
            n = F.rms_norm(x, (128,), p[f"norm{second}.weight"], 1e-5)
            gate, up, down = (f"dense{3 * block + part}.weight" for part in (1, 2, 3))
            x = x + linear(F.silu(linear(n, p, gate)) * linear(n, p, up), p, down)
        return linear(F.rms_norm(x, (128,), p["norm9.weight"], 1e-5), p, "dense13.weight")

    def measure(make):
        parameters = {name: torch.nn.Parameter(data.clone()) for name, data in tensors.items()}
        optimizer = torch.optim.Adam(parameters.values(), lr=work["learning_rate"], fused=True)
        loss_of = make(lambda: F.cross_entropy(forward(parameters, texts[0]).flatten(0, 1), texts[1].flatten()))

        def step(_):
            optimizer.zero_grad(set_to_none=True)
            loss = loss_of()
            loss.backward()
            optimizer.step()
            return loss.detach()

        net.losses = net.outputs.reshape(-1)
        return bench.train(net, step, float)

    return best({"eager": lambda f: f, "compiled": torch.compile}, measure)


def stream(bench, net, torch):
    """Sample by sample, with the library's recurrent layers; its convolutions keep no state."""
    recurrent = next((name for name in net.tensors if name.endswith("weight_hh")), None)
    if recurrent is None:
        return None
    name = recurrent.split(".")[0]
    kind = torch.nn.LSTM if name.startswith("lstm") else torch.nn.GRU
    size = net.tensors[recurrent].shape[0]
    layer, dense = kind(1, size), torch.nn.Linear(size, 1)
    with torch.no_grad():
        for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            getattr(layer, part + "_l0").copy_(torch.tensor(net.tensors[f"{name}.{part}"].T.copy()))
        dense.weight.copy_(torch.tensor(net.tensors["dense1.weight"].T.copy()))
        dense.bias.copy_(torch.tensor(net.tensors["dense1.bias"]))
    samples = torch.tensor(net.inputs.reshape(len(net.inputs), -1, 1, 1, 1))
    state = None

    def step(x):
        nonlocal state
        y, state = layer(x, state)
        return dense(y)

    def run(index):
        nonlocal state
        state = None
        return torch.cat([step(x).flatten() for x in samples[index]])

    with torch.inference_mode():
        count = samples.shape[1]
        return bench.evaluate(net, run, lambda output: output.numpy(), lambda turn: step(samples[0][turn % count]))
