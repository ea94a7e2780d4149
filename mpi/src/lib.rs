//! Training over MPI: [`Mpi`] connects the ranks of a
//! [`DistributedTrainer`](monomorph::distributed::DistributedTrainer).
//!
//! ```no_run
//! use monomorph::distributed::DistributedTrainer;
//! use monomorph::prelude::*;
//! use monomorph_mpi::{Mpi, mpi};
//!
//! network! { Line: [1] -> [1] { Dense(1) } }
//!
//! let universe = mpi::initialize().ok_or("MPI was initialized before")?;
//! let mut net = Box::new(Line::zeroed());
//! let trainer = Trainer::<Line, _, 32>::new(Adam::default(), Mse);
//! let mut trainer = DistributedTrainer::new(trainer, Mpi::new(universe.world()));
//! trainer.begin(&mut net)?;
//! for _ in 0..100 {
//!     trainer.step(&mut net, &[[1.0]; 32], &[[2.0]; 32])?; // this rank's samples
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! `mpirun -n 2 target/release/program` starts two of them. If a process ends before the others, `mpirun` says which one,
//! and stops all.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

use std::convert::Infallible;

use monomorph::distributed::Collective;
pub use mpi;
use mpi::collective::SystemOperation;
use mpi::datatype::Equivalence;
use mpi::traits::{Communicator, CommunicatorCollectives, Root};

/// The ranks of a communicator, such as `universe.world()`.
///
/// Errors of MPI end the process, as is its default: so exchanges never fail here.
pub struct Mpi<C> {
    communicator: C,
}

impl<C: Communicator> Mpi<C> {
    /// The ranks of a communicator.
    pub fn new(communicator: C) -> Self {
        Self { communicator }
    }
}

/// How many numbers are reduced at a time: their sums, which MPI writes elsewhere, stay in the L2 cache.
const PART: usize = 1 << 15;

/// Replaces numbers by their sums.
fn sum<C: CommunicatorCollectives, T: Equivalence + Copy + Default>(communicator: &C, numbers: &mut [T]) {
    let mut sums = [T::default(); PART];
    for part in numbers.chunks_mut(PART) {
        let sums = &mut sums[..part.len()];
        communicator.all_reduce_into(&*part, sums, SystemOperation::sum());
        part.copy_from_slice(sums);
    }
}

impl<C: CommunicatorCollectives, T: Equivalence + Copy + Default> Collective<T> for Mpi<C> {
    type Error = Infallible;

    fn rank(&self) -> usize {
        self.communicator.rank() as usize
    }

    fn ranks(&self) -> usize {
        self.communicator.size() as usize
    }

    fn sum(&mut self, numbers: &mut [T]) -> Result<(), Infallible> {
        sum(&self.communicator, numbers);
        Ok(())
    }

    fn count(&mut self, numbers: &mut [f64]) -> Result<(), Infallible> {
        sum(&self.communicator, numbers);
        Ok(())
    }

    fn broadcast(&mut self, numbers: &mut [T]) -> Result<(), Infallible> {
        self.communicator.process_at_rank(0).broadcast_into(numbers);
        Ok(())
    }
}
