"""The steps of `steps.sh` in PyTorch and JAX, and the table of all.

usage: steps.py RESULTS      RESULTS are the lines of the program `steps`
"""

import json
import math
import pathlib
import sys
import time

import jax
import jax.numpy as jnp
import torch

torch.set_num_threads(1)
VISCOSITY = 0.01 / math.pi
PINN = [(20, 256), (20, 2000), (64, 2000)]
# Those without a fused form take the one over lists of tensors, which is their fastest on a processor.
OPTIMIZERS = {
    "SGD": (torch.optim.SGD, {"lr": 0.01, "fused": True}),
    "SGD, momentum": (torch.optim.SGD, {"lr": 0.01, "momentum": 0.9, "fused": True}),
    "Adagrad": (torch.optim.Adagrad, {"fused": True}),
    "Adam": (torch.optim.Adam, {"fused": True}),
    "AdamW": (torch.optim.AdamW, {"fused": True}),
    "AMSGrad": (torch.optim.Adam, {"amsgrad": True, "fused": True}),
    "RMSprop": (torch.optim.RMSprop, {"foreach": True}),
    "NAdam": (torch.optim.NAdam, {"foreach": True}),
    "RAdam": (torch.optim.RAdam, {"foreach": True}),
    "Adadelta": (torch.optim.Adadelta, {"foreach": True}),
    "Adamax": (torch.optim.Adamax, {"foreach": True}),
    "ASGD": (torch.optim.ASGD, {"foreach": True}),
    "Rprop": (torch.optim.Rprop, {"foreach": True}),
}


def least(step):
    for _ in range(3):
        step()
    shortest, until = math.inf, time.perf_counter() + 2
    while time.perf_counter() < until:
        before = time.perf_counter()
        step()
        shortest = min(shortest, time.perf_counter() - before)
    return shortest


def burgers_torch(width, count):
    torch.manual_seed(1)
    linear, tanh = torch.nn.Linear, torch.nn.Tanh
    sizes = [linear(2, width), tanh(), linear(width, width), tanh(), linear(width, width), tanh(), linear(width, 1)]
    net = torch.nn.Sequential(*sizes).double()
    x = (2 * torch.rand(count, 1, dtype=torch.float64) - 1).requires_grad_()
    t = torch.rand(count, 1, dtype=torch.float64).requires_grad_()
    adam = torch.optim.Adam(net.parameters(), fused=True)

    def step():
        adam.zero_grad()
        u = net(torch.cat([x, t], 1))
        u_x, u_t = torch.autograd.grad(u.sum(), [x, t], create_graph=True)
        (u_xx,) = torch.autograd.grad(u_x.sum(), x, create_graph=True)
        loss = (u_t + u * u_x - VISCOSITY * u_xx).square().mean()
        loss.backward()
        adam.step()

    return step


def burgers_jax(width, count):
    sizes = [2, width, width, width, 1]
    keys = jax.random.split(jax.random.key(1), 5)
    net = [
        (jax.random.normal(key, (a, b)) / math.sqrt(a), jnp.zeros(b))
        for key, a, b in zip(keys, sizes[:-1], sizes[1:])
    ]
    points = jax.random.uniform(keys[4], (count, 2), minval=jnp.array([-1.0, 0.0]), maxval=1.0)

    def u(net, x, t):
        h = jnp.stack([x, t])
        for weight, bias in net[:-1]:
            h = jnp.tanh(h @ weight + bias)
        return (h @ net[-1][0] + net[-1][1])[0]

    def residual(net, point):
        x, t = point
        value, u_t = jax.value_and_grad(u, 2)(net, x, t)
        # Forward mode over forward mode, the fastest for one direction.
        u_x, u_xx = jax.jvp(lambda x: jax.jvp(lambda x: u(net, x, t), (x,), (1.0,))[1], (x,), (1.0,))
        return u_t + value * u_x - VISCOSITY * u_xx

    def loss(net):
        return jnp.mean(jax.vmap(residual, (None, 0))(net, points) ** 2)

    @jax.jit
    def adam(net, m, v, n):
        gradient = jax.grad(loss)(net)
        m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, gradient)
        v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, gradient)
        a, b = 1 / (1 - 0.9**n), 1 / (1 - 0.999**n)
        net = jax.tree.map(lambda p, m, v: p - 1e-3 * m * a / (jnp.sqrt(v * b) + 1e-8), net, m, v)
        return net, m, v

    zeros = jax.tree.map(jnp.zeros_like, net)
    state = [net, zeros, zeros, 0]

    def step():
        state[3] += 1
        state[:3] = jax.block_until_ready(adam(*state[:3], float(state[3])))

    return step


def million(kind, options):
    torch.manual_seed(1)
    p = torch.nn.Parameter(torch.randn(1_000_000))
    p.grad = 0.01 * torch.randn(1_000_000)
    return kind([p], **options).step


def main():
    own = [json.loads(line) for line in pathlib.Path(sys.argv[1]).read_text().splitlines()]
    of = {row["what"]: {"monomorph": row["seconds"]} for row in own}
    for width, count in PINN:
        row = of[f"Burgers 3 × {width}, {count} points"]
        row["PyTorch"] = least(burgers_torch(width, count))
        row["JAX"] = least(burgers_jax(width, count))
    for what, (kind, options) in OPTIMIZERS.items():
        of[what]["PyTorch"] = least(million(kind, options))
    print(f"| {'step':<26} | monomorph | {'PyTorch':>18} | {'JAX':>18} |")
    print(f"|{'-' * 28}|{'-' * 10}:|{'-' * 19}:|{'-' * 19}:|")
    for what, row in of.items():
        cells = [f"{row['monomorph'] * 1e3:>6.2f} ms"]
        for library in ["PyTorch", "JAX"]:
            seconds = row.get(library)
            ratio = f"{seconds * 1e3:.2f} ms, {seconds / row['monomorph']:.1f}×" if seconds else ""
            cells.append(f"{ratio:>18}")
        print(f"| {what:<26} | {' | '.join(cells)} |")
    print(f"\nPyTorch {torch.__version__}, JAX {jax.__version__}, one thread each")


main()
