"""Epochs on Cora and the scattering of digits, by others and by monomorph; `graphs.sh` runs it.

usage: graphs.py CORA EXAMPLES MNIST      EXAMPLES is the folder of the built examples

Each figure is the least of many; monomorph's programs measure themselves, in turn with the others.
"""

import gzip
import pathlib
import subprocess
import sys
import time

import numpy as np
import torch
from torch.nn import functional

cora, examples, mnist = map(pathlib.Path, sys.argv[1:])
torch.set_num_threads(1)
ROUNDS = 3


def least(step, seconds=5.0):
    """The least time of a call, in seconds."""
    step()
    best, until = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < until:
        start = time.perf_counter()
        step()
        best = min(best, time.perf_counter() - start)
    return best


def ours(program, *arguments):
    run = subprocess.run([examples / program, *arguments], check=True, capture_output=True, text=True)
    return float(run.stdout.split()[0])


def data():
    bits = np.fromfile(cora / "features_2708x1433_packbits.bin", np.uint8).reshape(2708, 180)
    words = np.unpackbits(bits, axis=1)[:, :1433].astype(np.float32)
    edges = np.fromfile(cora / "edges_u16_pairs.bin", "<u2").astype(np.int64).reshape(-1, 2)
    labels = np.fromfile(cora / "labels_u8.bin", np.uint8).astype(np.int64)
    both = np.concatenate([edges, edges[:, ::-1]])
    features = torch.from_numpy(words / words.sum(1, keepdims=True))
    return features, torch.from_numpy(both.T.copy()), torch.from_numpy(labels)


class Sparse(torch.nn.Module):
    """Kipf and Welling's network with PyTorch's sparse matrices for words and edges."""

    def __init__(self, features, edges):
        super().__init__()
        self.w = torch.nn.ParameterList(
            torch.nn.init.xavier_uniform_(torch.empty(*size)) for size in [(1433, 16), (16, 7)]
        )
        self.b = torch.nn.ParameterList(torch.zeros(size) for size in [16, 7])
        loops = torch.arange(2708)
        edges = torch.cat([edges, torch.stack([loops, loops])], 1)
        degrees = torch.bincount(edges[1], minlength=2708).float()
        weights = (degrees[edges[0]] * degrees[edges[1]]).rsqrt()
        self.graph = torch.sparse_coo_tensor(edges.flip(0), weights, (2708, 2708)).coalesce().to_sparse_csr()
        self.places, self.values = features.nonzero().T, features[features > 0]

    def forward(self):
        values = functional.dropout(self.values, 0.5, self.training)
        words = torch.sparse_coo_tensor(self.places, values, (2708, 1433), is_coalesced=True)
        hidden = self.graph @ torch.sparse.mm(words, self.w[0]) + self.b[0]
        hidden = functional.dropout(functional.relu(hidden), 0.5, self.training)
        return self.graph @ (hidden @ self.w[1]) + self.b[1]


def geometric(features, edges):
    from torch_geometric.nn import GCNConv

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = GCNConv(1433, 16, cached=True), GCNConv(16, 7, cached=True)

        def forward(self):
            x = functional.dropout(features, 0.5, self.training)
            x = functional.dropout(functional.relu(self.first(x, edges)), 0.5, self.training)
            return self.second(x, edges)

    return Net()


def epoch(net, labels):
    parameters = list(net.parameters())
    groups = [{"params": parameters[:1], "weight_decay": 5e-4}, {"params": parameters[1:]}]
    optimizer = torch.optim.Adam(groups, lr=0.01)

    def step():
        optimizer.zero_grad(set_to_none=True)
        functional.cross_entropy(net()[:140], labels[:140]).backward()
        optimizer.step()

    return step


def main():
    features, edges, labels = data()
    peers = {"PyTorch, sparse": epoch(Sparse(features, edges), labels)}
    try:
        peers["PyTorch Geometric"] = epoch(geometric(features, edges), labels)
    except ImportError as error:
        print(f"PyTorch Geometric: not measured: {error}")
    times = dict.fromkeys([*peers, "monomorph"], float("inf"))
    for _ in range(ROUNDS):
        for name, step in peers.items():
            times[name] = min(times[name], least(step))
        times["monomorph"] = min(times["monomorph"], ours("cora", cora, "--time", "--epochs", "2000"))
    table("Graph convolutional network on Cora, an epoch", times, 1e3, "ms")

    from kymatio.numpy import Scattering2D as ByNumpy
    from kymatio.torch import Scattering2D as ByTorch

    with gzip.open(next(mnist.glob("t10k-images*"))) as file:
        images = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 28, 28)[:64].astype(np.float32) / 255
    by_numpy, by_torch = ByNumpy(2, (28, 28)), ByTorch(2, (28, 28))
    tensors = torch.from_numpy(images)
    peers = {"Kymatio, NumPy": lambda: by_numpy(images), "Kymatio, PyTorch": lambda: by_torch(tensors)}
    times = dict.fromkeys([*peers, "monomorph"], float("inf"))
    for _ in range(ROUNDS):
        for name, step in peers.items():
            times[name] = min(times[name], least(step) / len(images))
        times["monomorph"] = min(times["monomorph"], ours("scattering", "--time"))
    table("Scattering of a digit, J = 2, L = 8", times, 1e6, "µs")


def table(title, times, unit, name):
    print(f"\n| {title} | {name} | times monomorph |\n| --- | --- | --- |")
    for peer, seconds in times.items():
        print(f"| {peer} | {seconds * unit:.3g} | {seconds / times['monomorph']:.2f} |")


main()
