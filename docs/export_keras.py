"""Renames Keras weights for monomorph: `python3 export_keras.py FROM.safetensors TO.safetensors`."""

import sys

import numpy as np
from safetensors.numpy import load_file, save_file

# Name in monomorph: name in Keras.
LAYERS = {"conv1": "conv2d", "norm1": "batch_normalization", "conv2": "conv2d_1", "dense1": "dense", "dense2": "dense_1"}
PARTS = {
    "kernel": "weight", "bias": "bias",
    "gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var",
}


def export(state):
    """Converts Keras tensors, named `layer/weight`, to monomorph's."""
    tensors = {}
    for name, old_name in LAYERS.items():
        for old_part, part in PARTS.items():
            tensor = state.get(f"{old_name}/{old_part}")
            if tensor is not None:
                tensors[f"{name}.{part}"] = np.ascontiguousarray(tensor, dtype=np.float32)
    return tensors


if __name__ == "__main__":
    save_file(export(load_file(sys.argv[1])), sys.argv[2])
