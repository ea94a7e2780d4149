//! The networks, batches and buffers of each preset.

use std::error::Error;
use std::path::Path;

use monomorph::prelude::*;
use monomorph::rl::{
    Acrobot, Agent, CartPole, Categorical, Dqn, Gaussian, MountainCar, MountainCarContinuous, Pendulum, Persist, Ppo,
    Replay, Sac, Td3, presets,
};
use monomorph::weights::save;

use crate::animation::Picture;

network! { pub CartPoleValues: [4] -> [2] { Dense(128), Relu, Dense(128), Relu, Dense(2) } }
network! { pub CartPoleActor: [4] -> [2] { Dense(64), Tanh, Dense(64), Tanh, Dense(2) } }
network! { pub CartPoleCritic: [4] -> [1] { Dense(64), Tanh, Dense(64), Tanh, Dense(1) } }
network! { pub AcrobotValues: [6] -> [3] { Dense(128), Relu, Dense(128), Relu, Dense(3) } }
network! { pub AcrobotActor: [6] -> [3] { Dense(64), Tanh, Dense(64), Tanh, Dense(3) } }
network! { pub AcrobotCritic: [6] -> [1] { Dense(64), Tanh, Dense(64), Tanh, Dense(1) } }
network! { pub CarValues: [2] -> [3] { Dense(128), Relu, Dense(128), Relu, Dense(3) } }
network! { pub CarActor: [2] -> [3] { Dense(64), Tanh, Dense(64), Tanh, Dense(3) } }
network! { pub CarCritic: [2] -> [1] { Dense(64), Tanh, Dense(64), Tanh, Dense(1) } }
network! { pub DrivingActor: [2] -> [2] { Dense(64), Relu, Dense(64), Relu, Dense(2) } }
network! { pub DrivingCritic: [3] -> [1] { Dense(64), Relu, Dense(64), Relu, Dense(1) } }
network! { pub PendulumSacActor: [3] -> [2] { Dense(64), Relu, Dense(64), Relu, Dense(2) } }
network! { pub PendulumTd3Actor: [3] -> [1] { Dense(64), Relu, Dense(64), Relu, Dense(1) } }
network! { pub PendulumCritic: [4] -> [1] { Dense(64), Relu, Dense(64), Relu, Dense(1) } }
network! { pub PendulumPpoActor: [3] -> [1] { Dense(64), Tanh, Dense(64), Tanh, Dense(1) } }
network! { pub PendulumPpoCritic: [3] -> [1] { Dense(64), Tanh, Dense(64), Tanh, Dense(1) } }

/// What there is.
pub const NAMES: [(&str, &str); 10] = [
    ("cart-pole", "dqn"),
    ("cart-pole", "ppo"),
    ("acrobot", "dqn"),
    ("acrobot", "ppo"),
    ("mountain-car", "dqn"),
    ("mountain-car", "ppo"),
    ("pendulum", "sac"),
    ("pendulum", "td3"),
    ("pendulum", "ppo"),
    ("mountain-car-continuous", "sac"),
];

/// What is done with an agent of any type.
pub trait Visit {
    /// It is to take this many steps; `weights` writes the weights of its policy.
    fn agent<A: Agent<Environment: Picture> + Persist>(
        &mut self,
        agent: &mut A,
        steps: u64,
        weights: impl Fn(&A, &Path) -> Result<(), Box<dyn Error>>,
    );
}

/// Makes the agent of a preset, if there is one.
pub fn with(environment: &str, algorithm: &str, seed: u64, visit: &mut impl Visit) {
    macro_rules! agent {
        ($agent:ty, $settings:expr, $steps:literal, $policy:ident) => {
            visit.agent(&mut *<$agent>::boxed($settings, seed), $steps, |agent, path| {
                Ok(save(path, &agent.$policy.network)?)
            })
        };
    }
    match (environment, algorithm) {
        ("cart-pole", "dqn") => agent!(
            Dqn<CartPole, CartPoleValues, Replay<CartPole, 100_000>, 64>,
            presets::cart_pole_dqn(),
            50_000,
            network
        ),
        ("cart-pole", "ppo") => agent!(
            Ppo<CartPole, CartPoleActor, CartPoleCritic, Categorical, 8, 32, 256>,
            presets::cart_pole_ppo(),
            100_000,
            actor
        ),
        ("acrobot", "dqn") => agent!(
            Dqn<Acrobot, AcrobotValues, Replay<Acrobot, 50_000>, 128>,
            presets::acrobot_dqn(),
            100_000,
            network
        ),
        ("acrobot", "ppo") => agent!(
            Ppo<Acrobot, AcrobotActor, AcrobotCritic, Categorical, 16, 256, 64>,
            presets::acrobot_ppo(),
            300_000,
            actor
        ),
        ("mountain-car", "dqn") => agent!(
            Dqn<MountainCar, CarValues, Replay<MountainCar, 10_000>, 128>,
            presets::mountain_car_dqn(),
            120_000,
            network
        ),
        ("mountain-car", "ppo") => agent!(
            Ppo<MountainCar, CarActor, CarCritic, Categorical, 16, 16, 64>,
            presets::mountain_car_ppo(),
            500_000,
            actor
        ),
        ("pendulum", "sac") => agent!(
            Sac<Pendulum, PendulumSacActor, PendulumCritic, Replay<Pendulum, 10_000>, 100>,
            presets::pendulum_sac(),
            10_000,
            actor
        ),
        ("pendulum", "td3") => agent!(
            Td3<Pendulum, PendulumTd3Actor, PendulumCritic, Replay<Pendulum, 20_000>, 100>,
            presets::pendulum_td3(),
            20_000,
            actor
        ),
        ("pendulum", "ppo") => agent!(
            Ppo<Pendulum, PendulumPpoActor, PendulumPpoCritic, Gaussian, 16, 128, 64>,
            presets::pendulum_ppo(),
            200_000,
            actor
        ),
        ("mountain-car-continuous", "sac") => agent!(
            Sac<MountainCarContinuous, DrivingActor, DrivingCritic, Replay<MountainCarContinuous, 50_000>, 128>,
            presets::mountain_car_continuous_sac(),
            50_000,
            actor
        ),
        _ => {}
    }
}
