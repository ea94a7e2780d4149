//! Learns to swing up a pendulum on the device, from nothing: soft actor-critic, with all it remembers in static RAM.
#![no_std]
#![no_main]

use firmware::{exit, fail, measure, print_number};
use monomorph::memory::zeroed;
use monomorph::prelude::*;
use monomorph::rl::{Agent, Pendulum, Replay, Sac, SacSettings};
use static_cell::ConstStaticCell;

network! { Actor: [3] -> [2] { Dense(32), Relu, Dense(32), Relu, Dense(2) } }
network! { Critic: [4] -> [1] { Dense(32), Relu, Dense(32), Relu, Dense(1) } }

/// Batches of 16, and the last 2048 steps.
type Learner = Sac<Pendulum, Actor, Critic, Replay<Pendulum, 2048>, 16>;

static AGENT: ConstStaticCell<Learner> = ConstStaticCell::new(zeroed());

/// Episodes of 200 steps.
const EPISODES: u32 = 18;

#[firmware::entry]
fn main() -> ! {
    let Some(agent) = AGENT.try_take() else { fail() };
    print_number("# planned", size_of::<Learner>() as u32);
    let settings = SacSettings {
        actor_rate: 3e-3,
        critic_rate: 3e-3,
        temperature_rate: 3e-3,
        temperature: 0.2,
        discount: 0.95,
        follow: 0.02,
        ..SacSettings::default()
    };
    agent.start(settings, 1);
    let mut episodes = 0;
    while episodes < EPISODES {
        match agent.step() {
            Ok(Some(finished)) => {
                episodes += 1;
                // Returns are negative: what an episode cost.
                print_number("cost", -finished.total as u32);
            }
            Ok(None) => {}
            Err(_) => fail(),
        }
    }
    measure(1, || {
        if agent.step().is_err() {
            fail()
        }
    });
    exit()
}
