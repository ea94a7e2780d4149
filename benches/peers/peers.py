"""Measures one Python library on the networks that `peers export FOLDER` wrote; `run.sh` calls it for each.

usage: peers.py NAME FOLDER [--quick]      prints lines of JSON
"""

import gc
import importlib.metadata
import json
import pathlib
import sys
import time

import numpy as np

import sequences

BATCH = 64
STEPS = 5


class Wrong(Exception):
    """A library's results differ from monomorph's."""


class NotMeasured(Exception):
    """A library cannot run the workload."""


class Net:
    """A network, with `layout` "first" or "last" for the position of channels, and its numbers."""

    def __init__(self, folder, work, layout):
        base = folder / f"{work['file']}.{layout}"
        graph = json.loads(base.with_suffix(f".{layout}.json").read_text())
        numbers = np.fromfile(base.with_suffix(f".{layout}.f32"), dtype=np.float32)
        arrays = {name: numbers[at : at + size] for name, (at, size) in graph["numbers"].items()}
        self.ops = graph["ops"]
        self.shape = self.ops[0]["shape"]
        self.tensors = {name: arrays[name].reshape(shape) for name, shape in graph["shapes"].items()}
        if "optimizer" in work and "sequence" not in work:
            self.images = arrays["images"].reshape(-1, BATCH, *self.shape)
            self.labels = arrays["labels"].reshape(-1, BATCH).astype(np.int64)
            self.losses = arrays["losses"]
        else:
            self.inputs = arrays["inputs"].reshape(-1, 1, *self.shape)
            self.outputs = arrays["outputs"].reshape(len(self.inputs), -1)

    def weight(self, op):
        return self.tensors[op["name"] + ".weight"]

    def bias(self, op):
        return self.tensors[op["name"] + ".bias"]

    def walk(self, x, apply):
        """The value of the last operation; `apply` computes an operation from its inputs."""
        values = [x]
        for op in self.ops[1:]:
            values.append(apply(op, *(values[source] for source in op["inputs"])))
        return values[-1]


class Bench:
    def __init__(self, works, quick):
        self.output_tolerance, self.loss_tolerance = works["output_tolerance"], works["loss_tolerance"]
        self.quick = quick

    def evaluate(self, net, run, read, timed=None):
        """Seconds per run, after comparing outputs. `run` takes the index of an input."""
        for index, ours in enumerate(net.outputs):
            theirs = np.asarray(read(run(index))).reshape(-1)
            error = np.abs(ours - theirs).max()
            if not error <= self.output_tolerance * max(1.0, np.abs(ours).max()):
                raise Wrong(f"output for input {index} differs by {error}: ours {ours[:4]}.., theirs {theirs[:4]}..")
        count = len(net.outputs)
        return self.time(timed or (lambda turn: run(turn % count)))

    def train(self, net, step, read):
        """Seconds per step, after comparing the first losses. `step` takes its index."""
        for index, ours in enumerate(net.losses):
            theirs = float(read(step(index)))
            if not abs(ours - theirs) <= self.loss_tolerance * abs(ours):
                raise Wrong(f"loss of step {index}: ours {ours}, theirs {theirs}")
        return self.time(lambda turn: step(STEPS + turn))

    def time(self, run):
        """The minimum time per run: the best of at least 12 windows of at least 2 ms, or of one run."""
        turn = 0

        def measure(runs):
            nonlocal turn
            turns = range(turn, turn + runs)
            turn += runs
            start = time.perf_counter()
            for n in turns:
                run(n)
            return time.perf_counter() - start

        runs = 1
        while measure(runs) < 2e-3:
            runs *= 2
        start, windows, best = time.perf_counter(), 0, float("inf")
        while windows < 12 or time.perf_counter() - start < (0.1 if self.quick else 1.0):
            best = min(best, measure(runs))
            windows += 1
        return best / runs


def sequence(folder, work, run):
    """Measures a workload of sequences."""
    seconds = run(Net(folder, work, "last"))
    if seconds is None:
        raise NotMeasured("this workload was not written for it")
    return seconds


def onnxruntime(bench, folder, work):
    import onnxruntime as ort

    if "sequence" in work:
        return sequence(folder, work, lambda net: sequences.onnxruntime(bench, net, work))
    if "optimizer" in work:
        raise NotMeasured("ONNX Runtime's Python package only evaluates")
    net = Net(folder, work, "first")
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    session = ort.InferenceSession(folder / f"{work['file']}.onnx", options, providers=["CPUExecutionProvider"])
    bindings, outputs = [], []
    for data in net.inputs:
        # Input and output memory are bound once, so a run makes no copies.
        binding = session.io_binding()
        binding.bind_ortvalue_input(session.get_inputs()[0].name, ort.OrtValue.ortvalue_from_numpy(data))
        output = ort.OrtValue.ortvalue_from_numpy(np.zeros((1, net.outputs.shape[1]), np.float32))
        binding.bind_ortvalue_output(session.get_outputs()[0].name, output)
        bindings.append(binding)
        outputs.append(output)

    def run(index):
        session.run_with_iobinding(bindings[index])
        return index

    return bench.evaluate(net, run, lambda index: outputs[index].numpy())


def litert(bench, folder, work):
    from ai_edge_litert.interpreter import Interpreter

    if "sequence" in work:
        raise NotMeasured("sequences were not written for it")
    if "optimizer" in work:
        raise NotMeasured("LiteRT only evaluates such models")
    net = Net(folder, work, "last")
    interpreter = Interpreter(model_content=tflite(net), num_threads=1)
    interpreter.allocate_tensors()
    source, target = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]

    def run(index):
        interpreter.set_tensor(source, net.inputs[index])
        interpreter.invoke()

    # The copy of the input is not timed, because the inputs of other libraries are already in place.
    return bench.evaluate(net, run, lambda _: interpreter.get_tensor(target), lambda _: interpreter.invoke())


def tflite(net):
    """The network as a .tflite file, with ReLU fused into the preceding layer, as converters do."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model, graph = schema.ModelT(), schema.SubGraphT()
    model.version, model.subgraphs, model.buffers, model.operatorCodes = 3, [graph], [schema.BufferT()], []
    graph.tensors, graph.operators, codes = [], [], []

    def tensor(shape, data=None, kind=schema.TensorType.FLOAT32):
        new = schema.TensorT()
        new.shape, new.type, new.buffer, new.name = list(shape), kind, 0, f"t{len(graph.tensors)}"
        if data is not None:
            new.buffer = len(model.buffers)
            model.buffers.append(schema.BufferT())
            model.buffers[-1].data = np.frombuffer(np.ascontiguousarray(data).tobytes(), np.uint8)
        graph.tensors.append(new)
        return len(graph.tensors) - 1

    def constant(array):
        kind = schema.TensorType.INT32 if array.dtype == np.int32 else schema.TensorType.FLOAT32
        return tensor(array.shape, array, kind)

    def operator(name, options, inputs, shape, **settings):
        """Adds an operator; `options` is the name of its options table."""
        new = schema.OperatorT()
        code = getattr(schema.BuiltinOperator, name)
        if code not in codes:
            codes.append(code)
            entry = schema.OperatorCodeT()
            entry.builtinCode, entry.deprecatedBuiltinCode, entry.version = code, code, 1
            model.operatorCodes.append(entry)
        new.opcodeIndex, new.inputs, new.outputs = codes.index(code), inputs, [tensor([1, *shape])]
        if options:
            new.builtinOptionsType = getattr(schema.BuiltinOptions, options)
            new.builtinOptions = getattr(schema, options + "T")()
            for key, value in settings.items():
                assert hasattr(new.builtinOptions, key), key
                setattr(new.builtinOptions, key, value)
        graph.operators.append(new)
        return new.outputs[0]

    def window(op):
        same = any(map(any, op["padding"])) or op["stride"] != [1, 1] or op["kernel"] == [1, 1]
        padding = schema.Padding.SAME if same else schema.Padding.VALID
        return {"padding": padding, "strideH": op["stride"][0], "strideW": op["stride"][1]}

    def apply(op, x, *more):
        kind, shape = op["kind"], op["shape"]
        if kind == "Relu":
            producer = next(o for o in graph.operators if o.outputs == [x])
            producer.builtinOptions.fusedActivationFunction = schema.ActivationFunctionType.RELU
            return x
        if kind == "Dense":
            weights = [constant(net.weight(op).T), constant(net.bias(op))]
            return operator("FULLY_CONNECTED", "FullyConnectedOptions", [x, *weights], shape)
        if kind == "Conv":
            weights = [constant(net.weight(op).transpose(3, 0, 1, 2)), constant(net.bias(op))]
            return operator(
                "CONV_2D", "Conv2DOptions", [x, *weights], shape, dilationHFactor=1, dilationWFactor=1, **window(op)
            )
        if kind == "Depthwise":
            weights = [constant(net.weight(op).transpose(2, 0, 1, 3)), constant(net.bias(op))]
            options = {"depthMultiplier": 1, "dilationHFactor": 1, "dilationWFactor": 1, **window(op)}
            return operator("DEPTHWISE_CONV_2D", "DepthwiseConv2DOptions", [x, *weights], shape, **options)
        if kind == "MaxPool2":
            options = {"padding": schema.Padding.VALID, "strideH": 2, "strideW": 2, "filterHeight": 2, "filterWidth": 2}
            return operator("MAX_POOL_2D", "Pool2DOptions", [x], shape, **options)
        if kind == "GlobalAvgPool":
            return operator("MEAN", "ReducerOptions", [x, constant(np.array([1, 2], np.int32))], shape)
        if kind == "Flatten":
            to = [1, *shape]
            return operator("RESHAPE", "ReshapeOptions", [x, constant(np.array(to, np.int32))], shape, newShape=to)
        if kind == "Tanh":
            return operator("TANH", None, [x], shape)
        if kind == "Softmax":
            return operator("SOFTMAX", "SoftmaxOptions", [x], shape, beta=1.0)
        if kind == "Add":
            return operator("ADD", "AddOptions", [x, *more], shape)
        raise NotMeasured(f"no LiteRT operator for {kind}")

    graph.inputs = [tensor([1, *net.shape])]
    graph.outputs = [net.walk(graph.inputs[0], apply)]
    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def torch(bench, folder, work):
    import torch
    import torch.nn.functional as F

    torch.set_num_threads(1)
    net = None if "sequence" in work else Net(folder, work, "first")

    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weights = torch.nn.ParameterDict()
            for op in net.ops:
                if op["name"] + ".weight" in net.tensors:
                    weight = net.weight(op).T if op["kind"] == "Dense" else net.weight(op)
                    for name, data in ("weight", weight), ("bias", net.bias(op)):
                        self.weights[f"{op['name']}_{name}"] = torch.nn.Parameter(torch.tensor(data.copy()))

        def forward(self, x):
            return net.walk(x, self.apply_op)

        def apply_op(self, op, x, *more):
            kind = op["kind"]
            if kind in ("Dense", "Conv", "Depthwise"):
                weight, bias = (self.weights[f"{op['name']}_{part}"] for part in ("weight", "bias"))
            if kind == "Dense":
                return F.linear(x, weight, bias)
            if kind in ("Conv", "Depthwise"):
                (top, bottom), (left, right) = op["padding"]
                inside = top == bottom and left == right
                if not inside:
                    x = F.pad(x, (left, right, top, bottom))
                groups = op["shape"][0] if kind == "Depthwise" else 1
                return F.conv2d(x, weight, bias, op["stride"], (top, left) if inside else 0, groups=groups)
            if kind == "MaxPool2":
                return F.max_pool2d(x, 2)
            if kind == "GlobalAvgPool":
                return x.mean((2, 3))
            if kind == "Flatten":
                return x.flatten(1)
            if kind == "Softmax":
                return x.softmax(1)
            if kind == "Add":
                return x + more[0]
            return {"Relu": F.relu, "Tanh": torch.tanh}[kind](x)

    def best(variants, measure):
        """The fastest of several documented variants; its name goes to the progress output."""
        times, problems = {}, []
        for name, make in variants.items():
            torch.compiler.reset()
            try:
                times[name] = measure(make)
            except Wrong:
                raise
            except Exception as error:  # If a variant does not work here, the others remain.
                problems.append(f"{name}: {str(error).splitlines()[0]}")
        if not times:
            raise NotMeasured("; ".join(problems))
        name = min(times, key=times.get)
        print(f"    {work['work']}: {name} of {', '.join([*times, *problems])}", file=sys.stderr)
        return times[name]

    if "sequence" in work:
        return sequence(folder, work, lambda net: sequences.torch(bench, net, work, best))

    if "optimizer" in work:
        images, labels = torch.tensor(net.images), torch.tensor(net.labels)

        def measure(make):
            model = Model()
            kind = {"Sgd": torch.optim.SGD, "Adam": torch.optim.Adam}[work["optimizer"]]
            optimizer = kind(model.parameters(), lr=work["learning_rate"], fused=True)
            loss_of = make(lambda x, y: F.cross_entropy(model(x), y))

            def step(n):
                optimizer.zero_grad(set_to_none=True)
                loss = loss_of(images[n % len(images)], labels[n % len(labels)])
                loss.backward()
                optimizer.step()
                return loss.detach()

            return bench.train(net, step, float)

        variants = {"eager": lambda f: f, "compiled": torch.compile}
        return best({"eager": variants["eager"]} if bench.quick else variants, measure)

    model = Model().eval().requires_grad_(False)
    inputs = [torch.tensor(data) for data in net.inputs]

    def traced(model, inputs):
        frozen = torch.jit.freeze(torch.jit.trace(model, inputs[0]))
        return torch.jit.optimize_for_inference(frozen), inputs

    def channels_last(model, inputs):
        last = torch.channels_last
        return model.to(memory_format=last), [data.to(memory_format=last) for data in inputs]

    def compiled(model, inputs):
        import torch._inductor.config as config

        config.freezing = config.cpp_wrapper = True
        return torch.compile(model), inputs

    variants = {"eager": lambda *x: x, "traced and frozen": traced}
    if len(net.shape) == 3:
        variants["channels last"] = channels_last
    if not bench.quick:
        variants["compiled and frozen"] = compiled

    def measure(make):
        with torch.inference_mode():
            run, data = make(Model().eval().requires_grad_(False), inputs)
            return bench.evaluate(net, lambda index: run(data[index]), lambda output: output.numpy())

    return best(variants, measure)


def jax(bench, folder, work):
    if "sequence" in work:
        raise NotMeasured("sequences were not written for it")
    import jax
    import jax.numpy as jnp
    from jax import lax

    net = Net(folder, work, "last")
    names = [op["name"] for op in net.ops if op["name"] + ".weight" in net.tensors]

    def forward(parameters, x):
        def apply(op, x, *more):
            kind = op["kind"]
            if op["name"] in parameters:
                weight, bias = parameters[op["name"]]
            if kind == "Dense":
                return x @ weight + bias
            if kind in ("Conv", "Depthwise"):
                groups = op["shape"][2] if kind == "Depthwise" else 1
                dimensions = ("NHWC", "HWIO", "NHWC")
                return bias + lax.conv_general_dilated(
                    x, weight, op["stride"], op["padding"], dimension_numbers=dimensions, feature_group_count=groups
                )
            if kind == "MaxPool2":
                return lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
            if kind == "GlobalAvgPool":
                return x.mean((1, 2))
            if kind == "Flatten":
                return x.reshape(x.shape[0], -1)
            if kind == "Add":
                return x + more[0]
            return {"Relu": jax.nn.relu, "Tanh": jnp.tanh, "Softmax": jax.nn.softmax}[kind](x)

        return net.walk(x, apply)

    def start():
        return {n: (jnp.array(net.tensors[n + ".weight"]), jnp.array(net.tensors[n + ".bias"])) for n in names}

    if "optimizer" not in work:
        # The weights are constants of the compiled program.
        parameters = start()
        run = jax.jit(lambda x: forward(parameters, x))
        inputs = [jnp.array(data) for data in net.inputs]
        return bench.evaluate(net, lambda index: run(inputs[index]).block_until_ready(), np.asarray)

    rate, adam = work["learning_rate"], work["optimizer"] == "Adam"

    def loss_of(parameters, images, labels):
        scores = jax.nn.log_softmax(forward(parameters, images))
        return -jnp.take_along_axis(scores, labels[:, None], 1).mean()

    def update(state, images, labels):
        parameters, means, squares, count = state
        loss, gradient = jax.value_and_grad(loss_of)(parameters, images, labels)
        count = count + 1
        if adam:
            means = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, means, gradient)
            squares = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, squares, gradient)
            first, second = 1 - 0.9**count, 1 - 0.999**count
            move = lambda p, m, v: p - rate * (m / first) / (jnp.sqrt(v / second) + 1e-8)
            parameters = jax.tree.map(move, parameters, means, squares)
        else:
            parameters = jax.tree.map(lambda p, g: p - rate * g, parameters, gradient)
        return (parameters, means, squares, count), loss

    compiled = jax.jit(update, donate_argnums=0)
    zeros = lambda: jax.tree.map(jnp.zeros_like, start()) if adam else None
    state = (start(), zeros(), zeros(), jnp.float32(0))
    images, labels = [jnp.array(x) for x in net.images], [jnp.array(x, jnp.int32) for x in net.labels]

    def step(n):
        nonlocal state
        state, loss = compiled(state, images[n % len(images)], labels[n % len(labels)])
        return loss.block_until_ready()

    return bench.train(net, step, float)


PEERS = {
    "ONNX Runtime": (onnxruntime, "onnxruntime"),
    "LiteRT": (litert, "ai-edge-litert"),
    "PyTorch": (torch, "torch"),
    "JAX": (jax, "jax"),
}


def main():
    arguments = [argument for argument in sys.argv[1:] if argument != "--quick"]
    if len(arguments) != 2 or arguments[0] not in PEERS:
        sys.exit(f"{__doc__}NAME: {', '.join(PEERS)}")
    name, folder = arguments[0], pathlib.Path(arguments[1])
    run, package = PEERS[name]
    print(json.dumps({"peer": name, "version": importlib.metadata.version(package)}), flush=True)
    works = json.loads((folder / "works.json").read_text())
    bench = Bench(works, "--quick" in sys.argv)
    gc.disable()
    for work in works["works"]:
        line = {"peer": name, "work": work["work"]}
        try:
            line["seconds"] = run(bench, folder, work)
        except NotMeasured as reason:
            line["reason"] = str(reason)
        except Wrong as what:
            line["wrong"] = str(what)
        print(json.dumps(line), flush=True)
        gc.collect()


if __name__ == "__main__":
    main()
