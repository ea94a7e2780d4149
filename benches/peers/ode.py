"""A training step of a neural ODE by torchdiffeq and by diffrax; `ode.sh` runs it, behind the same by monomorph.

usage: ode.py RESULTS      RESULTS are the lines of `cargo bench --bench ode`
"""

import json
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np
import torch
from diffrax import Dopri5, ODETerm, PIDController, RecursiveCheckpointAdjoint, diffeqsolve
from torchdiffeq import odeint, odeint_adjoint

BATCH, UNITS, STEPS = 64, 50, 10
torch.set_num_threads(1)
draw = np.random.default_rng(1)
x = draw.uniform(-2, 2, (BATCH, 2)).astype(np.float32)
y = x @ np.array([[0.8, 0.3], [-0.3, 0.8]], np.float32)


def least(step, times):
    """The least time of a step, in microseconds."""
    for _ in range(5):
        step()
    best = float("inf")
    for _ in range(times):
        begin = time.perf_counter()
        step()
        best = min(best, time.perf_counter() - begin)
    return best * 1e6


class Field(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.net = torch.nn.Sequential(torch.nn.Linear(2, UNITS), torch.nn.Tanh(), torch.nn.Linear(UNITS, 2))

    def forward(self, t, y):
        return self.net(y)


def of_torch(solve, **how):
    field = Field()
    adam = torch.optim.Adam(field.parameters(), 1e-3)
    inputs, targets, times = torch.tensor(x), torch.tensor(y), torch.tensor([0.0, 1.0])

    def step():
        adam.zero_grad()
        loss = ((solve(field, inputs, times, **how)[-1] - targets) ** 2).mean()
        loss.backward()
        adam.step()

    return least(step, 100)


def start():
    return [
        jnp.asarray(draw.normal(0, 0.5, (2, UNITS)), jnp.float32), jnp.zeros(UNITS),
        jnp.asarray(draw.normal(0, 0.14, (UNITS, 2)), jnp.float32), jnp.zeros(2),
    ]  # fmt: skip


def field(t, y, p):
    return jnp.tanh(y @ p[0] + p[1]) @ p[2] + p[3]


def rk4(p):
    """Ten steps by hand, as one compiled loop: diffrax has no classical RK4."""
    h = 1.0 / STEPS

    def one(y, _):
        a = field(0, y, p)
        b = field(0, y + h / 2 * a, p)
        c = field(0, y + h / 2 * b, p)
        d = field(0, y + h * c, p)
        return y + h / 6 * (a + 2 * b + 2 * c + d), None

    return jax.lax.scan(one, jnp.asarray(x), None, length=STEPS)[0]


def dopri5(p):
    # Each sample has steps of its own, as in monomorph.
    def one(y):
        control = PIDController(rtol=1e-6, atol=1e-6)
        adjoint = RecursiveCheckpointAdjoint()
        solve = diffeqsolve(
            ODETerm(field), Dopri5(), 0.0, 1.0, None, y, p,
            stepsize_controller=control, adjoint=adjoint, max_steps=64,
        )  # fmt: skip
        return solve.ys[-1]

    return jax.vmap(one)(jnp.asarray(x))


def of_jax(solve):
    targets = jnp.asarray(y)

    @jax.jit
    def update(p, m, v, k):
        gradient = jax.grad(lambda p: jnp.mean((solve(p) - targets) ** 2))(p)
        m = [0.9 * m + 0.1 * g for m, g in zip(m, gradient)]
        v = [0.999 * v + 0.001 * g * g for v, g in zip(v, gradient)]
        rate = 1e-3 * jnp.sqrt(1 - 0.999**k) / (1 - 0.9**k)
        return [p - rate * m / (jnp.sqrt(v) + 1e-8) for p, m, v in zip(p, m, v)], m, v, k + 1

    p = start()
    state = [(p, [0 * p for p in p], [0 * p for p in p], jnp.float32(1))]

    def step():
        state[0] = jax.block_until_ready(update(*state[0]))

    return least(step, 300)


with open(sys.argv[1]) as results:
    ours = {line["work"]: line["us"] for line in map(json.loads, results)}
tolerances = {"rtol": 1e-6, "atol": 1e-6}
fixed = {"method": "rk4", "options": {"step_size": 1 / STEPS}}
theirs = [
    ("rk4", "torchdiffeq", of_torch(odeint, **fixed)),
    ("rk4", "JAX, by hand", of_jax(rk4)),
    ("rk4, adjoint", "torchdiffeq", of_torch(odeint_adjoint, **fixed)),
    ("dopri5", "torchdiffeq", of_torch(odeint, method="dopri5", **tolerances)),
    ("dopri5", "diffrax", of_jax(dopri5)),
]
print(f"{'work':14} {'peer':14} {'peer, µs':>10} {'monomorph, µs':>14} {'ratio':>7}")
for work, peer, microseconds in theirs:
    print(f"{work:14} {peer:14} {microseconds:10.0f} {ours[work]:14.1f} {microseconds / ours[work]:7.1f}")
