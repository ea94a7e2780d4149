//! The Laplace approximation of the posterior of a trained network.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ops::Range;

use nalgebra::{DMatrix, DVector, SymmetricEigen};

use crate::layer::Pass;
use crate::memory;
use crate::network::Network;
use crate::noise::Noise;
use crate::optim::kfac_sizes;
use crate::parameters::{Role, for_each_layer, for_each_tensor};
use crate::scalar::{Real, Scalar};
use crate::simd::{dispatch, level};
use crate::tensor::Tensor;
use crate::train::{Back, Shard};
use crate::uncertainty::Predict;

/// How much of the curvature is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Structure {
    /// All of it, a row and a column for each parameter: for the last layer, or for small networks.
    Full,
    /// Its diagonal.
    Diagonal,
    /// A Kronecker product `A ⊗ G` for each layer with a weight and a bias, as [`Kfac`](crate::optim::Kfac) has it, and the
    /// diagonal for all else. For one layer it is exact if it is of one sample, or if `G` is the same for all.
    Kronecker,
}

/// What an output says of a target.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Likelihood {
    /// Each number is normally distributed around the output.
    Normal {
        /// The standard deviation of the noise, more than 0.
        deviation: f64,
    },
    /// One of the classes, with the softmax of the output as probabilities.
    Classes,
}

impl Likelihood {
    /// `Λ`, the Hessian of the negative log-likelihood by the output.
    fn hessian(self, output: &DVector<f64>) -> DMatrix<f64> {
        match self {
            Self::Normal { deviation } => DMatrix::identity(output.len(), output.len()) / (deviation * deviation),
            Self::Classes => {
                let largest = output.max();
                let powers = output.map(|logit| libm::exp(logit - largest));
                let p = &powers / powers.sum();
                DMatrix::from_diagonal(&p) - &p * p.transpose()
            }
        }
    }
}

/// The curvature of the parameters that concern us.
enum Curved {
    Full(DMatrix<f64>),
    Blocks(Vec<Block>),
}

/// That of some of them, which are adjacent.
enum Block {
    Diagonal(Range<usize>, DVector<f64>),
    /// `Σ x·xᵀ` and `Σ δᵀ·Λ·δ`, of a matrix of inputs (with a 1 for the bias) × outputs.
    Factors {
        range: Range<usize>,
        a: DMatrix<f64>,
        g: DMatrix<f64>,
    },
}

/// The Laplace approximation: near its minimum, the posterior of a network's parameters is normal, with the mean `θ` and the
/// precision `Σ Jᵀ·Λ·J + p`: the Gauss–Newton matrix of the data, by the Jacobian `J` of the outputs and the Hessian `Λ` of the
/// negative log-likelihood, and that of the prior `N(0, 1/p)`.
///
/// A network trained to the minimum of its loss needs no other training. Predictions are those of the linearised network,
/// `N(f(x), J·Σ·Jᵀ)`, with the parameters' covariance `Σ`: weights drawn from it would fit the data badly, because the posterior of
/// the network as it is has another form (Immer, Korzepa and Bauer, *Improving predictions of Bayesian neural nets via local
/// linearization*, 2021; MacKay, *A practical Bayesian framework for backpropagation networks*, 1992; Ritter, Botev and
/// Barber, *A scalable Laplace approximation for neural networks*, 2018).
///
/// Only parameters of the layers that a [pattern](crate::parameters::Path::matches) means are uncertain: `"*"` for all, the
/// name of the last layer for the last-layer approximation. For networks without layers that draw at random or normalize over
/// batches.
///
/// ```
/// use monomorph::linalg::{Laplace, Likelihood, Structure};
/// use monomorph::prelude::*;
///
/// network! { Line: [1] -> [1] { Dense(1) } }
/// let mut net = Line::zeroed();
/// (net.dense1.weight, net.dense1.bias) = ([[2.0]], [1.0]);
/// let mut laplace = Laplace::<Line>::new(Structure::Full, "*");
/// laplace.observe(&net, Likelihood::Normal { deviation: 0.1 }, &[[-1.0], [0.0], [1.0]]);
/// let mut posterior = laplace.posterior(1e-3).ok_or("no posterior")?;
/// let near = posterior.predict(&net, &[0.0]);
/// let far = posterior.predict(&net, &[10.0]);
/// assert_eq!((near.0[0], far.0[0]), (1.0, 21.0));
/// // σ²/n where the data are, and σ²·x²/Σx² more away from there.
/// assert!((near.1[(0, 0)] - 0.01 / 3.0).abs() < 1e-6 && (far.1[(0, 0)] - 0.01 * (1.0 / 3.0 + 50.0)).abs() < 1e-3);
/// # Ok::<(), &str>(())
/// ```
pub struct Laplace<N: Network> {
    jacobian: Jacobian<N>,
    ranges: Vec<Range<usize>>,
    curved: Curved,
    samples: usize,
}

/// The memory for the derivatives of the outputs.
struct Jacobian<N: Network> {
    shard: Box<Shard<N, 1>>,
}

impl<N: Network<Scalar: Real>> Jacobian<N> {
    /// The outputs of a sample, and their derivatives: a column each.
    fn of(&mut self, network: &N, input: &N::Input) -> (DVector<f64>, DMatrix<f64>) {
        let outputs = <N::Output as Tensor>::LEN;
        let mut columns = DMatrix::zeros(N::COUNT, outputs);
        let mut output = DVector::zeros(outputs);
        for index in 0..outputs {
            let [grad_output] = &mut self.shard.grad_output;
            grad_output.numbers_mut().fill(N::Scalar::ZERO);
            grad_output.numbers_mut()[index] = N::Scalar::ONE;
            let pass = Pass::new(Noise::new(0), N::Scalar::ZERO);
            let input = core::array::from_ref(input);
            dispatch(level(), Back { shard: &mut *self.shard, network, input, pass });
            let gradient = self.shard.gradient.as_slice();
            columns.column_mut(index).iter_mut().zip(gradient).for_each(|(to, from)| *to = from.to_f64());
            let [values] = &self.shard.output;
            output.iter_mut().zip(values.numbers()).for_each(|(to, from)| *to = from.to_f64());
        }
        (output, columns)
    }
}

/// The rows of some parameters, under one another.
fn gather(columns: &DMatrix<f64>, ranges: &[Range<usize>]) -> DMatrix<f64> {
    let rows: Vec<usize> = ranges.iter().cloned().flatten().collect();
    columns.select_rows(&rows)
}

/// A column of derivatives as a matrix of outputs × inputs.
fn unrolled(columns: &DMatrix<f64>, index: usize, range: &Range<usize>, outputs: usize) -> DMatrix<f64> {
    DMatrix::from_column_slice(outputs, range.len() / outputs, &columns.column(index).as_slice()[range.clone()])
}

impl<N: Network<Scalar: Real>> Laplace<N> {
    /// No data yet; of the parameters in layers that `pattern` means.
    pub fn new(structure: Structure, pattern: &str) -> Self {
        let (mut ranges, mut blocks) = (Vec::new(), Vec::new());
        let mut factored = Vec::new();
        if structure == Structure::Kronecker {
            for_each_layer(N::ENTRIES, &mut |layer, entries, range| {
                if let Some((inputs, outputs)) = kfac_sizes(entries)
                    && layer.matches(pattern)
                {
                    let range = range.start..range.start + inputs * outputs;
                    factored.push(range.clone());
                    let (a, g) = (DMatrix::zeros(inputs, inputs), DMatrix::zeros(outputs, outputs));
                    blocks.push(Block::Factors { range, a, g });
                }
            });
        }
        for_each_tensor(N::ENTRIES, &mut |tensor, info, range| {
            if info.role == Role::Learned && tensor.matches(pattern) {
                ranges.push(range.clone());
                if !factored.iter().any(|factored| factored.contains(&range.start)) {
                    blocks.push(Block::Diagonal(range.clone(), DVector::zeros(range.len())));
                }
            }
        });
        let count = ranges.iter().map(Range::len).sum();
        let curved = match structure {
            Structure::Full => Curved::Full(DMatrix::zeros(count, count)),
            Structure::Diagonal | Structure::Kronecker => Curved::Blocks(blocks),
        };
        Self { jacobian: Jacobian { shard: memory::boxed() }, ranges, curved, samples: 0 }
    }

    /// How many parameters are uncertain.
    pub fn parameters(&self) -> usize {
        self.ranges.iter().map(Range::len).sum()
    }

    /// Adds the curvature of training samples; their targets do not matter. It takes a backward pass for each output of each.
    pub fn observe(&mut self, network: &N, likelihood: Likelihood, inputs: &[N::Input]) {
        for input in inputs {
            let (output, columns) = self.jacobian.of(network, input);
            let hessian = likelihood.hessian(&output);
            self.samples += 1;
            match &mut self.curved {
                Curved::Full(sum) => {
                    let columns = gather(&columns, &self.ranges);
                    let half = &columns * &hessian;
                    sum.gemm(1.0, &half, &columns.transpose(), 1.0);
                }
                Curved::Blocks(blocks) => blocks.iter_mut().for_each(|block| block.observe(&columns, &hessian)),
            }
        }
    }

    /// The posterior for a prior of the precision `prior`, more than 0, around 0. `None` if the curvature is not finite.
    pub fn posterior(&self, prior: f64) -> Option<Posterior<N>> {
        let positive = |values: &DVector<f64>| values.iter().all(|value| *value > 0.0 && value.is_finite());
        let mut half_log_determinant = 0.0;
        let mut count = |values: &DVector<f64>| {
            half_log_determinant += 0.5 * values.iter().map(|value| libm::log(*value)).sum::<f64>();
            positive(values).then_some(())
        };
        let covariance = match &self.curved {
            Curved::Full(sum) => {
                let cholesky = (sum + DMatrix::identity(sum.nrows(), sum.nrows()) * prior).cholesky()?;
                count(&cholesky.l_dirty().diagonal().map(|x| x * x))?;
                Covariance::Full(cholesky.inverse())
            }
            Curved::Blocks(blocks) => {
                let mut inverses = Vec::new();
                for block in blocks {
                    inverses.push(match block {
                        Block::Diagonal(range, sum) => {
                            let precision = sum.add_scalar(prior);
                            count(&precision)?;
                            Inverse::Diagonal(range.clone(), precision.map(|x| 1.0 / x))
                        }
                        Block::Factors { range, a, g } => {
                            if !a.iter().chain(g.iter()).all(|x| x.is_finite()) {
                                return None;
                            }
                            // Both are sums over the samples, so one of them is to be a mean.
                            let [a, g] = [a.clone(), g / self.samples.max(1) as f64].map(SymmetricEigen::new);
                            let products = &g.eigenvalues * a.eigenvalues.transpose();
                            // Rounding may leave them a little below 0.
                            let precision = products.map(|product| product.max(0.0) + prior);
                            count(&DVector::from_column_slice(precision.as_slice()))?;
                            let variances = precision.map(|x| 1.0 / x);
                            let (a, g) = (a.eigenvectors, g.eigenvectors);
                            Inverse::Factors { range: range.clone(), a, g, variances }
                        }
                    });
                }
                Covariance::Blocks(inverses)
            }
        };
        let jacobian = Jacobian { shard: memory::boxed() };
        Some(Posterior { jacobian, ranges: self.ranges.clone(), covariance, prior, half_log_determinant })
    }
}

impl Block {
    /// Adds the curvature of a sample.
    fn observe(&mut self, columns: &DMatrix<f64>, hessian: &DMatrix<f64>) {
        match self {
            Self::Diagonal(range, sum) => {
                let columns = columns.rows_range(range.clone());
                let half = columns * hessian;
                for ((sum, half), column) in sum.iter_mut().zip(half.row_iter()).zip(columns.row_iter()) {
                    *sum += half.dot(&column);
                }
            }
            Self::Factors { range, a, g } => {
                let (inputs, outputs) = (a.nrows(), g.nrows());
                // Of a derivative M = δ·xᵀ the last column is δ, because the bias has a 1 for its input.
                let deltas = columns.rows(range.start + (inputs - 1) * outputs, outputs);
                g.gemm(1.0, &(deltas * hessian), &deltas.transpose(), 1.0);
                let Some((index, square)) = deltas
                    .column_iter()
                    .map(|delta| delta.norm_squared())
                    .enumerate()
                    .max_by(|one, other| one.1.total_cmp(&other.1))
                else {
                    return;
                };
                if square > 0.0 {
                    let input = unrolled(columns, index, range, outputs).tr_mul(&deltas.column(index)) / square;
                    a.ger(1.0, &input, &input, 1.0);
                }
            }
        }
    }
}

/// The covariance of the parameters.
enum Covariance {
    Full(DMatrix<f64>),
    Blocks(Vec<Inverse>),
}

/// That of adjacent ones.
enum Inverse {
    Diagonal(Range<usize>, DVector<f64>),
    /// The eigenvectors of both factors, and the variances along their products.
    Factors {
        range: Range<usize>,
        a: DMatrix<f64>,
        g: DMatrix<f64>,
        variances: DMatrix<f64>,
    },
}

/// A posterior of [`Laplace`].
pub struct Posterior<N: Network> {
    jacobian: Jacobian<N>,
    ranges: Vec<Range<usize>>,
    covariance: Covariance,
    prior: f64,
    half_log_determinant: f64,
}

impl<N: Network<Scalar: Real>> Posterior<N> {
    /// What the linearised network says of an input: the outputs, and their covariance `J·Σ·Jᵀ`. The noise of the data is not in
    /// it.
    pub fn predict(&mut self, network: &N, input: &N::Input) -> (DVector<f64>, DMatrix<f64>) {
        let (output, columns) = self.jacobian.of(network, input);
        let mut sum = DMatrix::zeros(output.len(), output.len());
        match &self.covariance {
            Covariance::Full(covariance) => {
                let columns = gather(&columns, &self.ranges);
                sum += columns.tr_mul(&(covariance * &columns));
            }
            Covariance::Blocks(blocks) => {
                for block in blocks {
                    match block {
                        Inverse::Diagonal(range, variances) => {
                            let columns = columns.rows_range(range.clone());
                            sum += columns.tr_mul(&(DMatrix::from_diagonal(variances) * columns));
                        }
                        Inverse::Factors { range, a, g, variances } => {
                            let turned: Vec<DMatrix<f64>> = (0..output.len())
                                .map(|index| g.tr_mul(&unrolled(&columns, index, range, g.nrows())) * a)
                                .collect();
                            for (row, one) in turned.iter().enumerate() {
                                let scaled = one.component_mul(variances);
                                for (column, other) in turned.iter().enumerate() {
                                    sum[(row, column)] += scaled.dot(other);
                                }
                            }
                        }
                    }
                }
            }
        }
        (output, sum)
    }

    /// The logarithm of the evidence of the data, `ln p(y | p) ≈ ln p(y | θ) − ½·p·‖θ‖² + ½·n·ln p − ½·ln det(Σ Jᵀ·Λ·J + p)`, given
    /// the log-likelihood of all the data: the larger, the better prior and structure fit. No data are held out for it.
    pub fn log_evidence(&self, network: &N, log_likelihood: f64) -> f64 {
        let numbers = network.as_slice();
        let concerned = || self.ranges.iter().flat_map(|range| &numbers[range.clone()]);
        let squares: f64 = concerned().map(|x| x.to_f64() * x.to_f64()).sum();
        let scale = concerned().count() as f64 * libm::log(self.prior);
        log_likelihood - 0.5 * (self.prior * squares - scale) - self.half_log_determinant
    }
}

/// Draws of the outputs of a linearised network.
pub struct Linearized<'a, N: Network> {
    /// The trained network.
    pub network: &'a N,
    /// The posterior of its parameters.
    pub posterior: &'a mut Posterior<N>,
    /// How many draws.
    pub count: usize,
    /// Where they come from.
    pub noise: Noise,
}

impl<N: Network<Scalar: Real>> Predict for Linearized<'_, N> {
    type Network = N;

    fn each(&mut self, input: &N::Input, f: &mut dyn FnMut(&N::Output)) {
        let (mean, covariance) = self.posterior.predict(self.network, input);
        // A root that is there for semidefinite ones, too.
        let eigen = SymmetricEigen::new(covariance);
        let roots = eigen.eigenvalues.map(|value| libm::sqrt(value.max(0.0)));
        let root = eigen.eigenvectors * DMatrix::from_diagonal(&roots);
        let mut output = memory::boxed::<N::Output>();
        for _ in 0..self.count {
            let white = DVector::from_iterator(mean.len(), self.noise.normals().take(mean.len()));
            let drawn = &mean + &root * white;
            output.numbers_mut().iter_mut().zip(&drawn).for_each(|(to, from)| *to = N::Scalar::from_f64(*from));
            f(&output);
        }
    }
}

#[cfg(all(test, feature = "std"))]
mod tests;
