//! Seconds that trainings take, and steps of environments a second: `run.sh` compares them with others'.
//!
//! usage: rl SEED [--steps]

use std::hint::black_box;
use std::thread;
use std::time::Instant;

use monomorph::prelude::*;
use monomorph::rl::{
    Acrobot, Agent, CartPole, Categorical, Discrete, Environment, Episode, MountainCar, Pendulum, Ppo, Replay, Sac,
    SacSettings, Td3, Td3Settings, presets,
};

network! { SacActor: [3] -> [2] { Dense(64), Relu, Dense(64), Relu, Dense(2) } }
network! { Td3Actor: [3] -> [1] { Dense(64), Relu, Dense(64), Relu, Dense(1) } }
network! { Critic: [4] -> [1] { Dense(64), Relu, Dense(64), Relu, Dense(1) } }
network! { PoleActor: [4] -> [2] { Dense(64), Tanh, Dense(64), Tanh, Dense(2) } }
network! { PoleCritic: [4] -> [1] { Dense(64), Tanh, Dense(64), Tanh, Dense(1) } }

/// Seconds for as many steps.
fn train<A: Agent>(name: &str, agent: &mut A, steps: u64) {
    let start = Instant::now();
    while agent.steps() < steps {
        agent.step().expect("a step");
    }
    println!("{name} {:.3}", start.elapsed().as_secs_f64());
}

/// Steps of an environment a second, with random actions, on this thread.
fn steps<E: Environment>(seed: u64, count: u64, action: impl Fn(&mut Noise) -> E::Action) -> f64 {
    let (mut episode, mut noise) = (Episode::<E>::seeded(seed), Noise::new(seed));
    let start = Instant::now();
    for _ in 0..count {
        black_box(episode.step(&action(&mut noise)));
    }
    count as f64 / start.elapsed().as_secs_f64() / 1e6
}

fn any<E: Discrete>(noise: &mut Noise) -> usize {
    noise.below(E::ACTIONS as u64) as usize
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let seed = arguments.first().and_then(|seed| seed.parse().ok()).unwrap_or(0);
    if arguments.iter().any(|argument| argument == "--steps") {
        let count = 20_000_000;
        println!("CartPole {:.1} million steps a second", steps::<CartPole>(1, count, any::<CartPole>));
        println!("MountainCar {:.1}", steps::<MountainCar>(1, count, any::<MountainCar>));
        println!("Acrobot {:.1}", steps::<Acrobot>(1, count / 4, any::<Acrobot>));
        println!("Pendulum {:.1}", steps::<Pendulum>(1, count, |noise| [noise.uniform() as f32]));
        let two: f64 = thread::scope(|scope| {
            let threads = [1, 2].map(|seed| scope.spawn(move || steps::<CartPole>(seed, count, any::<CartPole>)));
            threads.into_iter().map(|thread| thread.join().expect("a thread")).sum()
        });
        println!("CartPole on two threads {two:.1}");
        return;
    }
    type Memory = Replay<Pendulum, 10_000>;
    train("td3", &mut *Td3::<Pendulum, Td3Actor, Critic, Memory, 100>::boxed(Td3Settings::default(), seed), 10_000);
    train("sac", &mut *Sac::<Pendulum, SacActor, Critic, Memory, 100>::boxed(SacSettings::default(), seed), 10_000);
    type Pole = Ppo<CartPole, PoleActor, PoleCritic, Categorical, 8, 32, 256>;
    train("ppo", &mut *Pole::boxed(presets::cart_pole_ppo(), seed), 100_000);
}
