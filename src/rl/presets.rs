//! Settings with which the agents learn the environments here: those of the RL Zoo (A. Raffin, 2020) where it has some,
//! and others where they do better with our networks. The example `control` names the networks, batches and buffers
//! that go with them, and the steps that they take.

use super::{DqnSettings, PpoSettings, SacSettings, Td3Settings};

/// DQN on [`CartPole`](super::CartPole): 50,000 steps with batches of 64.
pub fn cart_pole_dqn() -> DqnSettings {
    DqnSettings {
        learning_rate: 2.3e-3,
        exploration: 0.04,
        decay: 8000,
        every: 256,
        updates: 128,
        target_every: 10,
        steps: 50_000,
        ..DqnSettings::default()
    }
}

/// PPO on [`CartPole`](super::CartPole): 100,000 steps in 8 environments, 32 at a time, with batches of 256.
pub fn cart_pole_ppo() -> PpoSettings {
    PpoSettings {
        discount: 0.98,
        lambda: 0.8,
        epochs: 20,
        learning_rate: 1e-3,
        steps: 100_000,
        ..PpoSettings::default()
    }
}

/// DQN on [`Acrobot`](super::Acrobot): 100,000 steps with batches of 128.
pub fn acrobot_dqn() -> DqnSettings {
    DqnSettings {
        learning_rate: 6.3e-4,
        exploration: 0.1,
        decay: 12_000,
        starts: 1000,
        every: 4,
        updates: 2,
        target_every: 250,
        steps: 100_000,
        ..DqnSettings::default()
    }
}

/// PPO on [`Acrobot`](super::Acrobot): 300,000 steps in 16 environments, 256 at a time, with batches of 64.
pub fn acrobot_ppo() -> PpoSettings {
    PpoSettings { lambda: 0.94, epochs: 4, normalize: true, ..PpoSettings::default() }
}

/// DQN on [`MountainCar`](super::MountainCar): 120,000 steps with batches of 128.
pub fn mountain_car_dqn() -> DqnSettings {
    DqnSettings {
        discount: 0.98,
        learning_rate: 4e-3,
        exploration: 0.07,
        decay: 24_000,
        every: 16,
        updates: 8,
        target_every: 600,
        steps: 120_000,
        ..DqnSettings::default()
    }
}

/// PPO on [`MountainCar`](super::MountainCar): 500,000 steps in 16 environments, 16 at a time, with batches of 64.
pub fn mountain_car_ppo() -> PpoSettings {
    PpoSettings { lambda: 0.98, epochs: 4, normalize: true, ..PpoSettings::default() }
}

/// SAC on [`Pendulum`](super::Pendulum): 10,000 steps with batches of 100.
pub fn pendulum_sac() -> SacSettings {
    SacSettings::default()
}

/// TD3 on [`Pendulum`](super::Pendulum): 20,000 steps with batches of 100.
pub fn pendulum_td3() -> Td3Settings {
    Td3Settings { discount: 0.98, follow: 0.01, ..Td3Settings::default() }
}

/// PPO on [`Pendulum`](super::Pendulum): 200,000 steps in 16 environments, 128 at a time, with batches of 64.
pub fn pendulum_ppo() -> PpoSettings {
    PpoSettings { discount: 0.95, learning_rate: 1e-3, steps: 200_000, normalize: true, ..PpoSettings::default() }
}

/// SAC on [`MountainCarContinuous`](super::MountainCarContinuous): 50,000 steps with batches of 128.
pub fn mountain_car_continuous_sac() -> SacSettings {
    SacSettings {
        discount: 0.999,
        temperature: 0.1,
        temperature_rate: 0.0,
        persistence: 0.95,
        follow: 0.01,
        every: 4,
        ..SacSettings::default()
    }
}
