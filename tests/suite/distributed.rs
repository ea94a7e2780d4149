//! Training over several ranks, which are threads here.

use std::convert::Infallible;
use std::sync::{Arc, Barrier, Mutex};
use std::thread;

use monomorph::distributed::{Collective, DistributedError, DistributedTrainer};
use monomorph::loss::LossError;
use monomorph::memory;
use monomorph::parallel::ParallelTrainer;
use monomorph::prelude::*;
use monomorph::train::TrainError;

const RANKS: usize = 2;
const PART: usize = 6;

network! {
    Small: [6, 6, 2] -> [4] {
        Conv2d(5, kernel = 3, padding = same), BatchNorm, Relu, MaxPool2d(2), Flatten, Dropout(0.2), Dense(9), Tanh, Dense(4),
    }
}

type Image = [[[f32; 2]; 6]; 6];
type Samples = (Vec<Image>, Vec<u8>);

/// What the threads share.
struct Shared {
    barrier: Barrier,
    numbers: Mutex<Vec<f64>>,
}

struct Threads {
    rank: usize,
    shared: Arc<Shared>,
}

impl Threads {
    /// Adds up in the order of the ranks.
    fn add(&self, numbers: &mut [f64]) {
        for rank in 0..RANKS {
            if rank == self.rank {
                let mut sums = self.shared.numbers.lock().unwrap();
                sums.resize(numbers.len(), 0.0);
                for (sum, number) in sums.iter_mut().zip(&*numbers) {
                    *sum = if rank == 0 { *number } else { f64::from((*sum + number) as f32) };
                }
            }
            self.shared.barrier.wait();
        }
        numbers.copy_from_slice(&self.shared.numbers.lock().unwrap()[..numbers.len()]);
        self.shared.barrier.wait();
    }
}

impl Collective<f32> for Threads {
    type Error = Infallible;

    fn rank(&self) -> usize {
        self.rank
    }

    fn ranks(&self) -> usize {
        RANKS
    }

    fn sum(&mut self, numbers: &mut [f32]) -> Result<(), Infallible> {
        let mut wide: Vec<f64> = numbers.iter().map(|number| f64::from(*number)).collect();
        self.add(&mut wide);
        numbers.iter_mut().zip(wide).for_each(|(number, wide)| *number = wide as f32);
        Ok(())
    }

    fn count(&mut self, numbers: &mut [f64]) -> Result<(), Infallible> {
        self.add(numbers);
        Ok(())
    }

    fn broadcast(&mut self, numbers: &mut [f32]) -> Result<(), Infallible> {
        if self.rank != 0 {
            numbers.fill(0.0);
        }
        self.sum(numbers)
    }
}

fn samples(seed: u64) -> Samples {
    let mut noise = Noise::new(seed);
    let mut image = || [[[(); 2]; 6]; 6].map(|row| row.map(|pixel| pixel.map(|()| noise.normal() as f32)));
    let images = (0..RANKS * PART).map(|_| image()).collect();
    (images, (0..RANKS * PART).map(|_| (noise.next_u64() % 4) as u8).collect())
}

/// Runs `work` on every rank, with its own trainer and a network that only rank 0 has initialized.
fn ranks<T: Send + 'static>(
    work: impl Fn(&mut Small, &mut DistributedTrainer<Small, (Adam, CrossEntropy), PART, Threads>) -> T
    + Send
    + Copy
    + 'static,
) -> Vec<T> {
    let shared = Arc::new(Shared { barrier: Barrier::new(RANKS), numbers: Mutex::default() });
    let start = |rank: usize| {
        let collective = Threads { rank, shared: shared.clone() };
        thread::spawn(move || {
            let mut net = memory::boxed::<Small>();
            net.initialize(Init::default(), &mut Noise::new(1 + rank as u64));
            let trainer = Trainer::<Small, _, PART>::new(Adam::default(), CrossEntropy).clip(1.0).seed(7);
            let mut trainer = DistributedTrainer::new(trainer, collective);
            trainer.begin(&mut net).unwrap();
            work(&mut net, &mut trainer)
        })
    };
    let threads: Vec<_> = (0..RANKS).map(start).collect();
    threads.into_iter().map(|thread| thread.join().unwrap()).collect()
}

/// This rank's part of a batch.
fn part((images, labels): &Samples, rank: usize) -> (&[Image; PART], &[u8; PART]) {
    (&images.as_chunks().0[rank], &labels.as_chunks().0[rank])
}

#[test]
fn ranks_are_the_shards_of_one_batch() {
    let results = ranks(|net, trainer| {
        let rank = trainer.collective.rank();
        let losses: Vec<_> = (0..5)
            .map(|step| {
                let samples = samples(step);
                let (x, y) = part(&samples, rank);
                trainer.step(net, x, y).unwrap()
            })
            .collect();
        (losses, net.as_slice().to_vec())
    });
    assert_eq!(results[0], results[1]);
    let mut net = memory::boxed::<Small>();
    net.initialize(Init::default(), &mut Noise::new(1));
    let trainer = Trainer::<Small, _, PART>::new(Adam::default(), CrossEntropy).clip(1.0).seed(7);
    let mut parallel = ParallelTrainer::new(trainer);
    for (step, distributed) in results[0].0.iter().enumerate() {
        let (x, y) = samples(step as u64);
        let whole = parallel.step(&mut net, &x, &y).unwrap();
        assert_eq!(whole.correct, distributed.correct);
        assert!((whole.loss - distributed.loss).abs() < 1e-6, "{whole:?} {distributed:?}");
    }
    let apart = net.as_slice().iter().zip(&results[0].1).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(apart < 1e-5, "{apart}");
}

#[test]
fn what_one_rank_refuses_no_rank_does() {
    let results = ranks(|net, trainer| {
        let rank = trainer.collective.rank();
        let (x, mut y) = samples(1);
        y[PART + 2] = 9;
        let before = net.as_slice().to_vec();
        let samples = (x, y);
        let (x, y) = part(&samples, rank);
        let error = trainer.step(net, x, y).unwrap_err();
        assert_eq!(before, net.as_slice());
        assert_eq!(trainer.trainer.steps(), 0);
        trainer.trainer.optimizer.learning_rate = if rank == 0 { f64::NAN } else { 1e-3 };
        let settings = trainer.step(net, x, y).unwrap_err();
        (error, settings)
    });
    let target = TrainError::Loss(LossError::ClassOutOfRange { sample: 2, class: 9, classes: 4 });
    assert_eq!(results[0].0, DistributedError::Elsewhere { ranks: 1 });
    assert_eq!(results[1].0.to_string(), target.to_string());
    assert!(matches!(results[0].1, DistributedError::Here(TrainError::OutOfRange(_))), "{:?}", results[0].1);
    assert_eq!(results[1].1, DistributedError::Elsewhere { ranks: 1 });
}
