"""A step of Bayes by backprop in PyTorch and JAX, and the table of all; `bayes.sh` runs it.

usage: bayes.py RESULTS      RESULTS are the lines of the program `bayes`, whose network and numbers are the same here
"""

import json
import pathlib
import sys
import time

import numpy as np

SIZES = [784, 400, 400, 10]
TERM = 1 / 60_000
SECONDS = 4


def sine(count, factor, start=0):
    return np.sin(factor * np.arange(start, start + count, dtype=np.float64)).astype(np.float32)


def means():
    """A weight and a bias for each layer; the order of the numbers is that of the program."""
    for inputs, outputs in zip(SIZES, SIZES[1:]):
        numbers = np.float32(0.08) * sine((inputs + 1) * outputs, 0.7, 1)
        yield numbers[: inputs * outputs].reshape(inputs, outputs), numbers[inputs * outputs :]


def data(batch):
    x = np.maximum(sine(batch * SIZES[0], 1.3), 0).reshape(batch, SIZES[0])
    return x, (np.arange(batch) * 7 % 10).astype(np.int64)


def least(step):
    """The least time of a step, over some seconds."""
    best, start = float("inf"), time.perf_counter()
    while time.perf_counter() - start < SECONDS:
        before = time.perf_counter()
        step()
        best = min(best, time.perf_counter() - before)
    return best


def torch(batch, compiled):
    import torch
    import torch.nn.functional as F

    torch.set_num_threads(1)
    torch.manual_seed(1)
    x, y = (torch.tensor(part) for part in data(batch))

    def make(rho, term):
        parameters = []
        for weight, bias in means():
            parameters += [torch.nn.Parameter(torch.tensor(part)) for part in (weight, bias)]
            parameters += [torch.nn.Parameter(torch.full(part.shape, rho)) for part in (weight, bias)]
        optimizer = torch.optim.Adam(parameters, fused=True)

        def loss_of():
            h, divergence = x, 0.0
            for layer in range(3):
                weight, bias, rho_weight, rho_bias = parameters[4 * layer : 4 * layer + 4]
                sigma_weight, sigma_bias = F.softplus(rho_weight), F.softplus(rho_bias)
                mean = torch.addmm(bias, h, weight)
                variance = torch.addmm(sigma_bias * sigma_bias, h * h, sigma_weight * sigma_weight)
                h = mean + variance.sqrt() * torch.randn_like(mean)
                for mu, sigma in ((weight, sigma_weight), (bias, sigma_bias)):
                    divergence = divergence + (0.5 * (mu * mu + sigma * sigma - 1) - sigma.log()).sum()
                h = F.relu(h) if layer < 2 else h
            return F.cross_entropy(h, y) + term * divergence

        loss_of = torch.compile(loss_of) if compiled else loss_of

        def step():
            optimizer.zero_grad(set_to_none=True)
            loss = loss_of()
            loss.backward()
            optimizer.step()
            return loss.item()

        return step

    losses = [step() for step in (make(-20.0, 0.0), make(-20.0, TERM)) for _ in range(3)]
    return losses, least(make(-5.0, TERM))


def jax(batch):
    import jax
    import jax.numpy as jnp

    x, y = (jnp.asarray(part) for part in data(batch))

    def make(rho, term):
        state = [(w, b, np.full_like(w, rho), np.full_like(b, rho)) for w, b in means()]
        state = jax.tree.map(jnp.asarray, state)
        zeros = jax.tree.map(jnp.zeros_like, state)

        def loss_of(parameters, key):
            h, divergence = x, 0.0
            for layer, (weight, bias, rho_weight, rho_bias) in enumerate(parameters):
                sigma_weight, sigma_bias = jax.nn.softplus(rho_weight), jax.nn.softplus(rho_bias)
                mean = h @ weight + bias
                variance = (h * h) @ (sigma_weight * sigma_weight) + sigma_bias * sigma_bias
                h = mean + jnp.sqrt(variance) * jax.random.normal(jax.random.fold_in(key, layer), mean.shape)
                for mu, sigma in ((weight, sigma_weight), (bias, sigma_bias)):
                    divergence += (0.5 * (mu * mu + sigma * sigma - 1) - jnp.log(sigma)).sum()
                h = jax.nn.relu(h) if layer < 2 else h
            return -jax.nn.log_softmax(h)[jnp.arange(batch), y].mean() + term * divergence

        def update(carried, key):
            parameters, m, v, count = carried
            loss, gradient = jax.value_and_grad(loss_of)(parameters, key)
            m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, gradient)
            v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, gradient)
            rate = 1e-3 / (1 - 0.9 ** (count + 1.0))
            root = jnp.sqrt(1 - 0.999 ** (count + 1.0))
            move = lambda p, m, v: p - rate * m / (jnp.sqrt(v) / root + 1e-8)
            return (jax.tree.map(move, parameters, m, v), m, v, count + 1), loss

        update = jax.jit(update, donate_argnums=0)
        carried, key, turn = (state, zeros, jax.tree.map(jnp.copy, zeros), jnp.float32(0)), jax.random.key(1), 0

        def step():
            nonlocal carried, turn
            carried, loss = update(carried, jax.random.fold_in(key, turn))
            turn += 1
            return float(loss)

        return step

    losses = [step() for step in (make(-20.0, 0.0), make(-20.0, TERM)) for _ in range(3)]
    noisy = make(-5.0, TERM)
    noisy()
    return losses, least(noisy)


def main():
    ours = [json.loads(line) for line in pathlib.Path(sys.argv[1]).read_text().splitlines()]
    print("batch  library            microseconds a step  times ours")
    for work in ours:
        batch = work["batch"]
        print(f"{batch:<6} {'monomorph':<18} {1e6 * work['seconds']:19.0f}")
        others = {
            "PyTorch": lambda: torch(batch, False),
            "PyTorch, compiled": lambda: torch(batch, True),
            "JAX": lambda: jax(batch),
        }
        for name, run in others.items():
            try:
                losses, seconds = run()
            except Exception as error:  # a library that is missing, or a compiler that it wants
                print(f"{batch:<6} {name:<18} {type(error).__name__}: {str(error)[:60]!r}")
                continue
            for mine, other in zip(work["losses"], losses):
                if abs(mine - other) > 1e-3 * abs(mine):
                    raise SystemExit(f"{name}: another loss, {losses} instead of {work['losses']}")
            print(f"{batch:<6} {name:<18} {1e6 * seconds:19.0f} {seconds / work['seconds']:11.1f}")


main()
