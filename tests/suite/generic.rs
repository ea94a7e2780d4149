//! Code that is generic over the network, the loss and the optimizer.

use monomorph::Layer;
use monomorph::data::Dataset;
use monomorph::parallel::ParallelTrainer;
use monomorph::prelude::*;
use monomorph::train::{ScoreError, TrainError, TrainMemory};

network! { pub Line: [1] -> [1] { Dense(1) } }
network! { pub Classes: [2] -> [3] { Dense(8), Relu, Dense(3) } }

/// What a network gives.
type Output<N> = <N as Layer>::Output;

/// The bounds are in a where clause, and the number type is fixed.
fn trained<N, L, Y>(net: &mut N, loss: L, x: &[N::Input; 4], y: &[Y; 4]) -> Result<f32, TrainError>
where
    N: Trainable<Scalar = f32>,
    L: Loss<f32, Output<N>, Y>,
{
    let mut trainer = Trainer::<N, _, 4>::new(Adam { learning_rate: 0.05, ..Adam::default() }, loss);
    let mut last = f32::INFINITY;
    for _ in 0..300 {
        last = trainer.step(net, x, y)?.loss;
    }
    Ok(last)
}

/// Any number type, any optimizer, and a score.
fn scored<N, O, L, Y>(net: &mut N, optimizer: O, loss: L, x: &[N::Input], y: &[Y]) -> Result<f64, ScoreError>
where
    N: Trainable<Scalar: monomorph::Real>,
    O: Optimizer<N::Scalar>,
    L: Loss<N::Scalar, N::Output, Y> + Clone + Sync,
    Y: Sync,
{
    let mut trainer = ParallelTrainer::new(Trainer::<N, _, 2>::new(optimizer, loss.clone()));
    for _ in 0..300 {
        trainer.step(net, x, y).map_err(|_| ScoreError::Samples { inputs: x.len(), targets: y.len() })?;
    }
    Evaluator::<N, 2>::new().score(net, &loss, x, y).map(|score| score.loss)
}

/// A trainer in a struct, for any size of batches.
struct Session<N: Trainable<Scalar = f32>, L, const B: usize> {
    net: Box<N>,
    trainer: Trainer<N, (Adam, L), B>,
    evaluator: Evaluator<N, B>,
    stopping: EarlyStopping<N>,
}

impl<N, L, const B: usize> Session<N, L, B>
where
    N: Trainable<Scalar = f32>,
{
    fn new(loss: L) -> Self {
        let (net, trainer) = (monomorph::memory::boxed(), Trainer::new(Adam::default(), loss).clip(1.0).seed(1));
        Self { net, trainer, evaluator: Evaluator::new(), stopping: EarlyStopping::new(3) }
    }

    fn epoch<Y>(&mut self, train: &Dataset<N::Input, Y>, validation: &Dataset<N::Input, Y>) -> Result<bool, TrainError>
    where
        L: Loss<f32, Output<N>, Y>,
    {
        for batch in train.batches::<B>() {
            self.trainer.step(&mut self.net, batch.x, batch.y)?;
        }
        let score = self.evaluator.score(&self.net, &self.trainer.loss, validation.inputs(), validation.targets());
        Ok(self.stopping.observe(score.map_or(f64::NAN, |score| score.loss), &self.net))
    }
}

/// The shapes are fixed, and everything else is any network's.
fn answers<N>(net: &N, inputs: &[[f32; 2]]) -> Vec<[f32; 3]>
where
    N: Network<Scalar = f32> + Layer<Input = [f32; 2], Output = [f32; 3]>,
{
    inputs.iter().map(|input| monomorph::network::evaluate(net, input)).collect()
}

/// In memory of its own, with shapes in the bounds.
fn in_place<N, L, M>(net: &mut N, loss: L, memory: M, x: &[[f32; 2]; 4], y: &[u8; 4]) -> Result<f32, TrainError>
where
    N: Trainable<Scalar = f32, Input = [f32; 2], Output = [f32; 3]>,
    L: Loss<f32, [f32; 3], u8>,
    M: core::ops::DerefMut<Target = TrainMemory<N, Sgd, 4>>,
{
    let mut trainer = Trainer::in_memory(Sgd::default(), loss, memory);
    Ok(trainer.step(net, x, y)?.loss)
}

#[test]
fn sessions_of_any_network() -> Result<(), TrainError> {
    let (x, y) = ([[-1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0_u8, 1, 2, 2]);
    let set = Dataset::new(x.to_vec(), y.to_vec()).expect("pairs");
    let mut session = Session::<Classes, _, 2>::new(CrossEntropy);
    session.net.initialize(Init::default(), &mut Noise::new(1));
    assert!(!session.epoch(&set, &set)?);
    assert_eq!((session.trainer.steps(), answers(&*session.net, &x).len()), (2, 4));
    let mut memory = monomorph::memory::boxed();
    assert!(in_place(&mut *session.net, CrossEntropy, &mut *memory, &x, &y)? > 0.0);
    Ok(())
}

#[test]
fn generic_code_trains() {
    let (x, y) = ([[-1.0], [0.0], [1.0], [2.0]], [[-1.0], [1.0], [3.0], [5.0]]);
    assert!(trained(&mut Line::zeroed(), Mse, &x, &y).expect("trained") < 1e-3);
    let sgd = Sgd { learning_rate: 0.1, ..Sgd::default() };
    assert!(scored(&mut Line::zeroed(), sgd, Mse, &x, &y).expect("a score") < 1e-3);
    let mut net = Classes::zeroed();
    net.initialize(Init::default(), &mut Noise::new(1));
    let (x, y) = ([[-1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0_u8, 1, 2, 2]);
    assert!(trained(&mut net, CrossEntropy, &x, &y).expect("trained") < 0.05);
    assert!(scored(&mut net, Adam::default(), CrossEntropy, &x, &y).expect("a score") < 0.05);
}
