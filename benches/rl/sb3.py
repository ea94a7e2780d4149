"""PPO on CartPole by Stable-Baselines3 on one core, with the settings of the RL Zoo: seconds for 100,000 steps."""

import time

import torch
from stable_baselines3 import PPO
from stable_baselines3.common.env_util import make_vec_env

torch.set_num_threads(1)


def linear(start):
    return lambda left: left * start


environments = make_vec_env("CartPole-v1", n_envs=8)
agent = PPO(
    "MlpPolicy", environments, n_steps=32, batch_size=256, gae_lambda=0.8, gamma=0.98, n_epochs=20, ent_coef=0.0,
    learning_rate=linear(1e-3), clip_range=linear(0.2), device="cpu", seed=1,
)
start = time.perf_counter()
agent.learn(100_000)
print(f"ppo {time.perf_counter() - start:.3f}")
