"""Converts the weights of a notebook for monomorph: `python3 export.py FROM.safetensors TO.safetensors`.

Needs numpy and safetensors, but not the framework that trained the network.
"""

import sys

import numpy as np
from safetensors.numpy import load_file, save_file


def linear(weight):
    """PyTorch's Linear is [out, in]; here it is [in, out]."""
    return weight.T


def conv2d(weight):
    """PyTorch's Conv2d is [out, in, height, width]; here it is [height, width, in, out]."""
    return weight.transpose(2, 3, 1, 0)


def linear_after_flatten(channels, height, width):
    """PyTorch flattens [channel, height, width]; here it is [height, width, channel].

    So the inputs of the first Linear after Flatten are in a different order.
    """

    def change(weight):
        outputs = weight.shape[0]
        by_place = weight.reshape(outputs, channels, height, width).transpose(2, 3, 1, 0)
        return by_place.reshape(-1, outputs)

    return change


# Name in monomorph: name in PyTorch, and how to convert its weight.
LAYERS = {
    "conv1": ("0", conv2d),
    "norm1": ("1", None),
    "conv2": ("3", conv2d),
    "dense1": ("6", linear_after_flatten(channels=8, height=3, width=5)),
    "dense2": ("8", linear),
}


def export(state):
    """Converts PyTorch's tensors to monomorph's."""
    tensors = {}
    for name, (old_name, change) in LAYERS.items():
        for part in ("weight", "bias", "running_mean", "running_var"):
            tensor = state.get(f"{old_name}.{part}")
            if tensor is not None:
                if part == "weight" and change:
                    tensor = change(tensor)
                # A transposed view would be saved in its original memory layout, so it must be copied.
                tensors[f"{name}.{part}"] = np.ascontiguousarray(tensor, dtype=np.float32)
    return tensors


if __name__ == "__main__":
    save_file(export(load_file(sys.argv[1])), sys.argv[2])
