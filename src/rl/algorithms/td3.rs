//! TD3: Fujimoto, van Hoof and Meger, *Addressing function approximation error in actor-critic methods* (2018).
//!
//! ```text
//! for each step
//!     a = π(s) + noise;  keep (s, a, r, s')
//!     for each gradient step, with a batch of (s, a, r, s')
//!         ã = clip(π̄(s') + clip(noise, ±c), ±1);  y = r + γ min Q̄(s', ã)
//!         Qᵢ ← Qᵢ − λ ∇ mean (Qᵢ(s, a) − y)²
//!         every d-th time
//!             π ← π + λ ∇ mean Q₁(s, π(s))
//!             Q̄ᵢ ← Q̄ᵢ + τ (Qᵢ − Q̄ᵢ);  π̄ ← π̄ + τ (π − π̄)
//! ```

use crate::kernels::elementwise::{draw_normal, zip};
use crate::memory;
use crate::network::{Workspace, evaluate};
use crate::noise::Noise;
use crate::optim::Adam;
use crate::plain::Plain;
use crate::rl::agent::{Learn, add_second, learn, pair, scaled, values};
use crate::rl::environment::{clip, uniform};
use crate::rl::learner::follow;
use crate::rl::{
    Agent, Batch, Buffer, Continuous, Critic, Episode, Finished, Learner, Persist, Policy, Word, persist_parameters,
};
use crate::scalar::{Real, Scalar, Vector};
use crate::simd::Simd;
use crate::tensor::{Tensor, batch_slice, batch_slice_mut};
use crate::train::{Passes, TrainError};

/// What [`Td3`] is told.
#[derive(Clone, Copy, Debug, PartialEq, Plain)]
pub struct Td3Settings {
    /// γ, what a reward of the next step is worth now; by default 0.99.
    pub discount: f64,
    /// The learning rate of the actor; by default 1e-3.
    pub actor_rate: f64,
    /// The learning rate of the critics; by default 1e-3.
    pub critic_rate: f64,
    /// The deviation of the noise by which it explores, where actions are between −1 and 1; by default 0.1.
    pub exploration: f64,
    /// How much of this noise remains at the next step (Ornstein and Uhlenbeck), from 0 to 1; by default 0.
    pub persistence: f64,
    /// The deviation of the noise at the target's actions; by default 0.2.
    pub smoothing: f64,
    /// The largest noise there; by default 0.5.
    pub smoothing_bound: f64,
    /// d, in how many gradient steps the actor and the targets move once; by default 2.
    pub delay: u64,
    /// τ, by which share the targets follow; by default 0.005.
    pub follow: f64,
    /// How many actions are drawn at random before learning begins; by default 100.
    pub starts: u64,
    /// In how many steps it learns once; by default 1.
    pub every: u64,
    /// How many gradient steps it takes then; by default 1.
    pub updates: u32,
}

impl Default for Td3Settings {
    fn default() -> Self {
        Self {
            discount: 0.99,
            actor_rate: 1e-3,
            critic_rate: 1e-3,
            exploration: 0.1,
            persistence: 0.0,
            smoothing: 0.2,
            smoothing_bound: 0.5,
            delay: 2,
            follow: 0.005,
            starts: 100,
            every: 1,
            updates: 1,
        }
    }
}

/// Twin delayed deterministic policy gradients in the environment `E`: the actor `A` gives actions, which are squashed
/// by a tangent here, two critics `C` judge them, the buffer `R` keeps experience, and batches are of `B`.
///
/// The agent is plain memory: zeros in a `static` or a box, until [`start`](Self::start).
///
/// ```
/// use monomorph::prelude::*;
/// use monomorph::rl::{Agent, Pendulum, Replay, Td3, Td3Settings, evaluate};
///
/// network! { Actor: [3] -> [1] { Dense(32), Relu, Dense(32), Relu, Dense(1) } }
/// network! { Critic: [4] -> [1] { Dense(32), Relu, Dense(32), Relu, Dense(1) } }
///
/// let mut agent = Td3::<Pendulum, Actor, Critic, Replay<Pendulum, 1000>, 16>::boxed(Td3Settings::default(), 1);
/// for _ in 0..300 {
///     agent.step()?;
/// }
/// let mean_return = evaluate::<Pendulum>(2, 7, |seen| agent.act(seen));
/// assert!((-2000.0..0.0).contains(&mean_return));
/// # Ok::<(), monomorph::train::TrainError>(())
/// ```
#[derive(Plain)]
pub struct Td3<E: Continuous, A: Policy<E>, C: Critic<E>, R: Buffer<E>, const B: usize> {
    /// What it was told; may be changed on the way.
    pub settings: Td3Settings,
    /// Where it is.
    pub episode: Episode<E>,
    /// π.
    pub actor: Learner<A>,
    /// The two `Q`.
    pub critics: [Learner<C>; 2],
    /// What it remembers.
    pub replay: R,
    actor_target: A,
    targets: [C; 2],
    noise: Noise,
    wander: E::Action,
    steps: u64,
    batch: Batch<E, B>,
    actions: [E::Action; B],
    disturbance: [E::Action; B],
    pairs: [C::Input; B],
    wanted: [E::Number; B],
    judged: [[C::Output; B]; 2],
    work: (Workspace<A, B>, Workspace<C, B>, [A::Output; B]),
    acting: Passes<A, B>,
    judging: Passes<C, B>,
}

impl<E: Continuous, A: Policy<E>, C: Critic<E>, R: Buffer<E>, const B: usize> Td3<E, A, C, R, B> {
    /// An agent on the heap.
    #[cfg(feature = "alloc")]
    pub fn boxed(settings: Td3Settings, seed: u64) -> alloc::boxed::Box<Self> {
        let mut agent = memory::boxed::<Self>();
        agent.start(settings, seed);
        agent
    }

    /// Begins anew, with random networks.
    pub fn start(&mut self, settings: Td3Settings, seed: u64) {
        memory::clear(self);
        let mut noise = Noise::new(seed);
        self.settings = settings;
        self.episode = Episode::seeded(noise.next_u64());
        self.actor.start(&mut noise);
        self.actor_target.as_mut_slice().copy_from_slice(self.actor.network.as_slice());
        for (critic, target) in self.critics.iter_mut().zip(&mut self.targets) {
            critic.start(&mut noise);
            target.as_mut_slice().copy_from_slice(critic.network.as_slice());
        }
        self.noise = noise;
    }

    /// `π(s)`, without and with noise.
    fn explore(&mut self) -> E::Action {
        let mut action = memory::zeroed::<E::Action>();
        if self.steps < self.settings.starts {
            action.numbers_mut().fill_with(|| uniform(&mut self.noise, -1.0, 1.0));
            return action;
        }
        action = squash(&evaluate(&self.actor.network, self.episode.observation()));
        let Td3Settings { exploration, persistence, .. } = self.settings;
        let wander = self.wander.numbers_mut().iter_mut();
        for ((action, wander), normal) in action.numbers_mut().iter_mut().zip(wander).zip(self.noise.normals()) {
            *wander = E::Number::from_f64(persistence) * *wander + E::Number::from_f64(exploration * normal);
            *action = clip(*action + *wander, 1.0);
        }
        action
    }
}

/// `tanh` of what the actor gives.
pub(super) fn squash<X: Tensor<Element: Real>, Y: Tensor<Element = X::Element>>(output: &Y) -> X {
    const { assert!(X::LEN == Y::LEN, "the actor gives a number for each number of an action") };
    crate::rl::squashed::mean_action(output)
}

/// `a = tanh(output)`, for a batch.
#[inline(always)]
pub(super) fn squash_batch<X: Tensor<Element: Real>, Y: Tensor<Element = X::Element>, S: Simd, const B: usize>(
    simd: S,
    output: &[Y; B],
    actions: &mut [X; B],
) {
    const { assert!(X::LEN == Y::LEN, "the actor gives a number for each number of an action") };
    crate::kernels::elementwise::map_to(
        simd,
        batch_slice(output),
        batch_slice_mut(actions),
        #[inline(always)]
        |x| X::Element::tanh_lanes(simd, x),
    );
}

/// `∂output = (1 − a²) ∂a`.
#[inline(always)]
pub(super) fn squash_backward<X: Tensor<Element: Real>, Y: Tensor<Element = X::Element>, S: Simd, const B: usize>(
    simd: S,
    actions: &[X; B],
    grad_actions: &[X; B],
    grad_output: &mut [Y; B],
) {
    let one = <X::Element as Scalar>::Vector::<S>::splat(simd, X::Element::ONE);
    crate::kernels::elementwise::zip_to(
        simd,
        batch_slice(actions),
        batch_slice(grad_actions),
        batch_slice_mut(grad_output),
        #[inline(always)]
        |action, grad| (one - action * action) * grad,
    );
}

impl<E: Continuous, A: Policy<E>, C: Critic<E>, R: Buffer<E>, const B: usize> Agent for Td3<E, A, C, R, B> {
    type Environment = E;

    fn step(&mut self) -> Result<Option<Finished>, TrainError> {
        let action = self.explore();
        let mut transition = self.episode.step(&scaled::<E>(action));
        // Networks know actions between −1 and 1.
        transition.action = action;
        self.replay.push(&transition, self.settings.discount);
        self.steps += 1;
        if transition.last() {
            memory::clear(&mut self.wander);
        }
        if self.steps >= self.settings.starts && self.steps.is_multiple_of(self.settings.every.max(1)) {
            for _ in 0..self.settings.updates {
                self.replay.draw(&mut self.noise, &mut self.batch);
                learn(self)?;
            }
        }
        Ok(self.episode.finished())
    }

    fn steps(&self) -> u64 {
        self.steps
    }

    fn act(&self, observation: &E::Observation) -> E::Action {
        scaled::<E>(squash(&evaluate(&self.actor.network, observation)))
    }
}

impl<E: Continuous, A: Policy<E>, C: Critic<E>, R: Buffer<E>, const B: usize> Learn for Td3<E, A, C, R, B> {
    #[inline(always)]
    fn learn<S: Simd>(&mut self, simd: S) -> Result<(), TrainError> {
        let Self { settings, actor, critics, targets, batch, actions, pairs, wanted, judged, work, .. } = self;
        let number = E::Number::from_f64;
        let share = number(1.0 / B as f64);

        // ã = clip(π̄(s') + clip(noise, ±c), ±1);  y = r + γ min Q̄(s', ã)
        self.actor_target.evaluate(simd, A::batch(&batch.nexts), &mut work.2, &mut work.0);
        squash_batch(simd, &work.2, actions);
        draw_normal(batch_slice_mut(&mut self.disturbance), &mut self.noise);
        let splat = |value: f64| <E::Number as Scalar>::Vector::<S>::splat(simd, number(value));
        let (deviation, bound, one) = (splat(settings.smoothing), splat(settings.smoothing_bound), splat(1.0));
        zip(
            simd,
            batch_slice_mut(actions),
            batch_slice(&self.disturbance),
            #[inline(always)]
            |action, normal| (action + (deviation * normal).max(-bound).min(bound)).max(-one).min(one),
        );
        pair::<E, C, B>(&batch.nexts, actions, pairs);
        for (target, judged) in targets.iter().zip(judged.iter_mut()) {
            target.evaluate(simd, C::batch(pairs), judged, &mut work.1);
        }
        let [first, second] = judged.each_ref().map(|judged| values::<E, C, B>(judged));
        for index in 0..B {
            wanted[index] = batch.rewards[index] + batch.discounts[index] * first[index].min(second[index]);
        }

        // Qᵢ ← Qᵢ − λ ∇ mean (Qᵢ(s, a) − y)²
        pair::<E, C, B>(&batch.observations, &batch.actions, pairs);
        let critic_adam = Adam { learning_rate: settings.critic_rate, ..Adam::default() };
        let passes = &mut self.judging;
        for critic in critics.iter_mut() {
            passes.forward(simd, &critic.network, pairs);
            for index in 0..B {
                let error = values::<E, C, B>(&passes.output)[index] - wanted[index];
                passes.grad_output[index].numbers_mut().fill(number(2.0) * share * batch.weights[index] * error);
            }
            passes.backward(simd, &critic.network, pairs, false);
            critic.descend(simd, &critic_adam, 1.0, None, &passes.gradient)?;
        }

        let [critic, _] = &*critics;
        if !critic.steps().is_multiple_of(settings.delay.max(1)) {
            return Ok(());
        }
        // π ← π + λ ∇ mean Q₁(s, π(s))
        let acting = &mut self.acting;
        acting.forward(simd, &actor.network, &batch.observations);
        squash_batch(simd, &acting.output, actions);
        pair::<E, C, B>(&batch.observations, actions, pairs);
        passes.forward(simd, &critic.network, pairs);
        for grad in &mut passes.grad_output {
            grad.numbers_mut().fill(-share);
        }
        passes.backward_to_input(simd, &critic.network, pairs);
        memory::clear(&mut self.disturbance);
        add_second::<E, C, B>(&mut passes.grad_input, &mut self.disturbance);
        squash_backward(simd, actions, &self.disturbance, &mut acting.grad_output);
        acting.backward(simd, &actor.network, &batch.observations, false);
        let actor_adam = Adam { learning_rate: settings.actor_rate, ..Adam::default() };
        actor.descend(simd, &actor_adam, 1.0, None, &acting.gradient)?;

        // Q̄ᵢ ← Q̄ᵢ + τ (Qᵢ − Q̄ᵢ);  π̄ ← π̄ + τ (π − π̄)
        for (critic, target) in critics.iter().zip(targets) {
            follow(simd, settings.follow, &critic.network, target);
        }
        follow(simd, settings.follow, &actor.network, &mut self.actor_target);
        Ok(())
    }
}

impl<E: Continuous, A: Policy<E>, C: Critic<E>, R: Buffer<E> + Persist, const B: usize> Persist for Td3<E, A, C, R, B> {
    fn persist(&mut self, word: &mut Word<'_>) {
        self.episode.persist(word);
        self.actor.persist(word);
        self.critics.persist(word);
        persist_parameters(&mut self.actor_target, word);
        self.targets.iter_mut().for_each(|target| persist_parameters(target, word));
        self.replay.persist(word);
        self.noise.persist(word);
        crate::rl::persist::persist_numbers(self.wander.numbers_mut(), word);
        self.steps.persist(word);
    }
}
