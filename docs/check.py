"""Checks the guide: `python3 check.py`; `python3 check.py --write` regenerates the files in `guide/`.

Creates a network in PyTorch's layout, computes its outputs with PyTorch's formulas in numpy, exports it, and
compares the result with the files that the guide's Rust code is tested with. Needs numpy and safetensors.
"""

import pathlib
import re
import sys
import tempfile
import textwrap

# Leave no `__pycache__` in the folder.
sys.dont_write_bytecode = True

import numpy as np
from safetensors.numpy import load_file, save_file

import export
import export_keras

HERE = pathlib.Path(__file__).parent
FILES = HERE / "guide"
GUIDE = HERE / "from-notebook-to-microcontroller.md"


def state_dict(seed=1):
    """Weights in PyTorch's shapes: an untrained network whose running statistics are not at their initial values."""
    random = np.random.RandomState(seed)

    def uniform(*shape):
        bound = 1 / np.sqrt(np.prod(shape[1:]) if len(shape) > 1 else shape[0])
        return random.uniform(-bound, bound, shape)

    state = {
        "0.weight": uniform(4, 2, 3, 3), "0.bias": uniform(4),
        "1.weight": random.uniform(0.5, 1.5, 4), "1.bias": uniform(4),
        "1.running_mean": uniform(4), "1.running_var": random.uniform(0.2, 2.0, 4),
        "3.weight": uniform(8, 4, 3, 3), "3.bias": uniform(8),
        "6.weight": uniform(16, 120), "6.bias": uniform(16),
        "8.weight": uniform(3, 16), "8.bias": uniform(3),
    }
    state = {name: tensor.astype(np.float32) for name, tensor in state.items()}
    return state | {"1.num_batches_tracked": np.array(100, dtype=np.int64)}


def conv2d(x, weight, bias, stride):
    """`torch.nn.functional.conv2d` by its definition; x is [batch, channel, height, width]."""
    outputs, _, kernel_height, kernel_width = weight.shape
    height, width = (x.shape[2] - kernel_height) // stride + 1, (x.shape[3] - kernel_width) // stride + 1
    y = np.empty((len(x), outputs, height, width))
    for row in range(height):
        for column in range(width):
            window = x[:, :, row * stride :, column * stride :][:, :, :kernel_height, :kernel_width]
            y[:, :, row, column] = np.einsum("ncij,ocij->no", window, weight) + bias
    return y


def model(state, x):
    """The network of the guide, as PyTorch computes it in `eval()`, in double precision."""
    w = {name: tensor.astype(np.float64) for name, tensor in state.items()}
    x = conv2d(x, w["0.weight"], w["0.bias"], stride=2)
    mean, var, scale, shift = (w[f"1.{part}"][:, None, None] for part in ("running_mean", "running_var", "weight", "bias"))
    x = np.maximum((x - mean) / np.sqrt(var + 1e-5) * scale + shift, 0)
    x = np.maximum(conv2d(x, w["3.weight"], w["3.bias"], stride=1), 0)
    x = x.reshape(len(x), -1)
    x = np.maximum(x @ w["6.weight"].T + w["6.bias"], 0)
    return x @ w["8.weight"].T + w["8.bias"]


def keras_state(tensors):
    """The same weights in Keras's layout: a model with this input has these shapes."""
    shapes = {
        "conv2d/kernel": (3, 3, 2, 4), "conv2d_1/kernel": (3, 3, 4, 8), "dense/kernel": (120, 16), "dense_1/kernel": (16, 3),
    }
    state = {}
    for new, old in export_keras.LAYERS.items():
        norm = new.startswith("norm")
        for part, old_part in {"weight": "gamma" if norm else "kernel", "bias": "beta" if norm else "bias",
                               "running_mean": "moving_mean", "running_var": "moving_variance"}.items():
            if f"{new}.{part}" in tensors:
                state[f"{old}/{old_part}"] = tensors[f"{new}.{part}"]
    assert all(state[name].shape == shape for name, shape in shapes.items())
    return state


def make(folder):
    """Writes the files that the notebook writes, and exports them."""
    state = state_dict()
    x = np.random.RandomState(2).uniform(-1, 1, (5, 2, 12, 16))
    y = model(state, x)
    save_file(state, folder / "notebook.safetensors")
    tensors = export.export(load_file(folder / "notebook.safetensors"))
    save_file(tensors, folder / "motion.safetensors")
    x.transpose(0, 2, 3, 1).astype("<f4").tofile(folder / "inputs.f32")
    y.astype("<f4").tofile(folder / "outputs.f32")

    again = export_keras.export(keras_state(tensors))
    assert again.keys() == tensors.keys() and all(np.array_equal(again[name], tensors[name]) for name in again)


def main():
    if sys.argv[1:] == ["--write"]:
        FILES.mkdir(exist_ok=True)
        make(FILES)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        make(folder)
        for path in sorted(folder.iterdir()):
            kept = FILES / path.name
            if path.suffix == ".safetensors":
                new, old = load_file(path), load_file(kept)
                same = new.keys() == old.keys() and all(np.array_equal(new[name], old[name]) for name in new)
            else:
                # Other versions of numpy may add numbers in a different order.
                same = np.allclose(np.fromfile(path, "<f4"), np.fromfile(kept, "<f4"), rtol=0, atol=1e-6)
            if not same:
                sys.exit(f"check.py: {kept} differs from what the code writes")
            print(f"{path.name}: unchanged")

    # The guide must show the code of the tools that ran here.
    tools = "".join((HERE / name).read_text() for name in ("export.py", "export_keras.py"))
    blocks = re.findall(r"^```python\n(.*?)^```", GUIDE.read_text(), re.S | re.M)
    shown = [block for block in blocks if not block.startswith(("import torch", "import keras"))]
    for block in shown:
        for part in block.strip().split("\n\n\n"):
            if textwrap.dedent(part) not in tools:
                sys.exit(f"check.py: the guide shows code that is not in the tools:\n{part}")
    print(f"{GUIDE.name}: {len(shown)} Python blocks match the tools")


if __name__ == "__main__":
    main()
