//! Trainings that are interrupted, buffers, and what allocates.

use super::*;
use crate::memory::{boxed, zeroed};
use crate::noise::Noise;
use crate::prelude::*;
use std::vec::Vec;

network! { Actor: [3] -> [2] { Dense(16), Relu, Dense(16), Relu, Dense(2) } }
network! { Plain: [3] -> [1] { Dense(16), Relu, Dense(1) } }
network! { Judge: [4] -> [1] { Dense(16), Relu, Dense(16), Relu, Dense(1) } }
network! { Pole: [4] -> [2] { Dense(16), Tanh, Dense(2) } }
network! { PoleValue: [4] -> [1] { Dense(16), Tanh, Dense(1) } }
network! { Memory: [5, 2] -> [2] { Flatten, Dense(16), Tanh, Dense(2) } }

/// All of a state.
fn words(state: &mut impl Persist) -> Vec<u64> {
    let mut words = Vec::new();
    state.persist(&mut |word| words.push(*word));
    words
}

/// Interrupts a training, brings it back in another agent, and compares it with one that went on.
fn goes_on<A: Agent + Persist>(agent: &mut A, other: &mut A, steps: usize) {
    for _ in 0..steps {
        agent.step().expect("a step");
    }
    let mut saved = words(agent).into_iter();
    other.persist(&mut |word| *word = saved.next().expect("as many words"));
    for _ in 0..steps {
        agent.step().expect("a step");
        other.step().expect("a step");
    }
    assert_eq!(words(agent), words(other));
}

#[test]
fn trainings_go_on_bit_by_bit() {
    type S = Sac<Pendulum, Actor, Judge, Replay<Pendulum, 200>, 8>;
    goes_on(&mut *S::boxed(SacSettings::default(), 1), &mut *S::boxed(SacSettings::default(), 2), 170);
    type T = Td3<Pendulum, Plain, Judge, NStep<Pendulum, Replay<Pendulum, 100>, 3>, 8>;
    let settings = Td3Settings { persistence: 0.5, ..Td3Settings::default() };
    goes_on(&mut *T::boxed(settings, 1), &mut *T::boxed(settings, 2), 170);
    type D = Ddpg<Pendulum, Plain, Judge, Replay<Pendulum, 100>, 8>;
    goes_on(&mut *D::boxed(DdpgSettings::default(), 1), &mut *D::boxed(DdpgSettings::default(), 2), 170);
    type Q = Dqn<CartPole, Pole, Prioritized<CartPole, 100>, 8>;
    let settings = DqnSettings { starts: 20, ..DqnSettings::default() };
    let (mut agent, mut other) = (Q::boxed(settings, 1), Q::boxed(settings, 2));
    (agent.replay.alpha, agent.replay.beta) = (0.6, 0.4);
    goes_on(&mut *agent, &mut *other, 170);
    type P = Ppo<CartPole, Pole, PoleValue, Categorical, 4, 8, 16>;
    let settings = PpoSettings { normalize: true, steps: 1000, ..PpoSettings::default() };
    goes_on(&mut *P::boxed(settings, 1), &mut *P::boxed(settings, 2), 77);
    type R = Reinforce<CartPole, Pole, Categorical, 64>;
    goes_on(&mut *R::boxed(ReinforceSettings::default(), 1), &mut *R::boxed(ReinforceSettings::default(), 2), 77);
}

#[test]
fn files_of_other_agents_are_refused() {
    let path = std::env::temp_dir().join(std::format!("monomorph-rl-{}", std::process::id()));
    let (mut pole, mut other) = (Episode::<CartPole>::seeded(1), Episode::<CartPole>::seeded(2));
    save(&path, &mut pole).expect("saved");
    assert!(resume(&path, &mut Episode::<Pendulum>::seeded(1)).is_err());
    resume(&path, &mut other).expect("resumed");
    assert_eq!(words(&mut pole), words(&mut other));
    let mut bytes = std::fs::read(&path).expect("bytes");
    bytes[30] ^= 1;
    std::fs::write(&path, bytes).expect("written");
    let before = words(&mut other);
    assert!(resume(&path, &mut other).is_err());
    assert_eq!(words(&mut other), before);
    std::fs::remove_file(path).expect("removed");
}

#[test]
fn a_buffer_of_priorities_draws_by_them() {
    let mut replay = boxed::<Prioritized<CartPole, 17>>();
    (replay.alpha, replay.beta) = (1.0, 1.0);
    let mut episode = Episode::<CartPole>::seeded(1);
    for _ in 0..17 {
        replay.push(&episode.step(&0), 1.0);
    }
    let mut batch = boxed::<Batch<CartPole, 33>>();
    let mut noise = Noise::new(3);
    for place in 0..17 {
        batch.places.fill(place);
        replay.learned(&batch, &[(place + 1) as f32; 33]);
    }
    let mut counts = [0.0; 17];
    for _ in 0..1000 {
        replay.draw(&mut noise, &mut batch);
        for (place, weight) in batch.places.iter().zip(&batch.weights) {
            counts[*place] += 1.0;
            // (N P)^−1, of which the largest is 1.
            assert!(*weight > 0.0 && *weight <= 1.0);
        }
    }
    for (place, count) in counts.iter().enumerate() {
        let expected = 33_000.0 * (place + 1) as f64 / 153.0;
        assert!((count - expected).abs() < 5.0 * expected.sqrt(), "{place}: {count} of {expected}");
    }
}

#[test]
fn sums_of_several_steps_end_with_the_episode() {
    let step = |reward: f32, terminated, truncated| Transition::<CartPole> {
        observation: [reward; 4],
        action: 0,
        reward,
        next: [reward + 1.0; 4],
        terminated,
        truncated,
    };
    let mut replay = zeroed::<NStep<CartPole, Replay<CartPole, 10>, 3>>();
    for reward in [1.0, 2.0, 3.0] {
        replay.push(&step(reward, false, false), 0.5);
    }
    replay.push(&step(4.0, true, false), 0.5);
    replay.push(&step(5.0, false, true), 0.5);
    assert_eq!(replay.len(), 5);
    let kept: Vec<_> = (0..5).map(|place| replay.inner.get(place)).collect();
    let found: Vec<_> =
        kept.iter().map(|item| (item.observation[0], item.reward, item.discount, item.next[0])).collect();
    // The last one is another episode, of which time was up: its value still counts.
    let expected = [
        (1.0, 2.75, 0.125, 4.0),
        (2.0, 4.5, 0.0, 5.0),
        (3.0, 5.0, 0.0, 5.0),
        (4.0, 4.0, 0.0, 5.0),
        (5.0, 5.0, 0.5, 6.0),
    ];
    assert_eq!(found, expected);
}

/// What is seen now does not suffice, what was seen does.
#[test]
fn only_memory_recalls() {
    type S = FrameStack<Recall<f32, 4>, 5>;
    let settings = DqnSettings { starts: 200, decay: 2000, every: 1, target_every: 100, ..DqnSettings::default() };
    let mut agent = Dqn::<S, Memory, Replay<S, 2000>, 32>::boxed(settings, 1);
    for _ in 0..6000 {
        agent.step().expect("a step");
    }
    assert_eq!(evaluate::<S>(50, 9, |seen| agent.act(seen)), 1.0);
    let blind = evaluate::<Recall<f32, 4>>(500, 9, |_| 1);
    assert!(blind.abs() < 0.3, "{blind}");
}

#[test]
fn episodes_begin_where_gymnasiums_do() {
    let mut noise = Noise::new(1);
    for _ in 0..100 {
        let mut car = MountainCar::<f64>::seeded(noise.next_u64());
        car.reset();
        assert!((-0.6..-0.4).contains(&car.state[0]) && car.state[1] == 0.0);
        let mut acrobot = Acrobot::<f64>::seeded(noise.next_u64());
        acrobot.reset();
        assert!(acrobot.state.iter().all(|x| x.abs() <= 0.1));
        let mut pole = CartPole::<f64>::seeded(noise.next_u64());
        pole.reset();
        assert!(pole.state.iter().all(|x| x.abs() <= 0.05));
    }
    let mut episode = Episode::<Pendulum>::seeded(1);
    for index in 1..=400 {
        assert_eq!(episode.step(&[0.0]).truncated, index % 200 == 0);
    }
}

/// 10,000 steps are enough for the pendulum.
#[test]
#[cfg_attr(debug_assertions, ignore = "takes minutes without optimization")]
fn a_pendulum_is_held_upright() {
    network! { Actor: [3] -> [2] { Dense(64), Relu, Dense(64), Relu, Dense(2) } }
    network! { Judge: [4] -> [1] { Dense(64), Relu, Dense(64), Relu, Dense(1) } }
    let mut agent = Sac::<Pendulum, Actor, Judge, Replay<Pendulum, 10_000>, 100>::boxed(presets::pendulum_sac(), 1);
    for _ in 0..10_000 {
        agent.step().expect("a step");
    }
    assert!(evaluate::<Pendulum>(20, 7, |seen| agent.act(seen)) > -160.0);
}
