//! Muon: Jordan et al., *Muon: an optimizer for hidden layers in neural networks* (2024), with PyTorch's defaults.

use core::mem::swap;

use super::adam::rule;
use super::{Adam, AdamW, Memory, Optimizer, Part, check_rate, splat};
use crate::hyperparameters::{OutOfRange, Range, check};
use crate::kernels::elementwise::{map, zip};
use crate::kernels::gemm::{Extent, Strided, product, transpose};
use crate::kernels::training::{sum_of_squares, update};
use crate::memory_parts;
use crate::parameters::{Entry, Parameters, Path, Role, Start, TensorInfo, for_each_tensor};
use crate::plain::Plain;
use crate::scalar::{Real, Scalar};
use crate::simd::{Simd, Vector, outline};

/// Muon: momentum for matrices, whose step is made orthogonal, so that it moves all directions by the same amount.
///
/// For a matrix of `in × out` numbers: `m ← μ·m + (1−μ)·g`, `u = (1−μ)·g + μ·m` (Nesterov's look-ahead),
/// `o = NewtonSchulz(u)`, `θ ← (1 − η·λ)·θ − η·√max(1, out/in)·o`. Convolutions are matrices of `taps·in × out`.
/// [`AdamW`], with a learning rate of its own, moves all else: vectors such as biases, tables of embeddings and positions
/// (whatever begins [normally](Start::Normal) distributed), the last matrix of the network, and what `adam_for` names. A
/// [`Schedule`](super::Schedule) multiplies both rates.
///
/// Newton–Schulz: `X = u/‖u‖`, then five times `X ← a·X + (b·A + c·A²)·X` with `A = X·Xᵀ`,
/// `(a, b, c) = (3.4445, −4.775, 2.0315)`, which brings the singular values to about 1. It takes some
/// `10·s·(2·l + s)·s` operations for a matrix of `l × s`, `s` the shorter side, whatever the batch; and, as nothing
/// allocates, three networks of scratch memory.
///
/// ```
/// use monomorph::prelude::*;
/// network! { Net: [2] -> [1] { Dense(8), Tanh, Dense(8), Tanh, Dense(1) } }
///
/// let optimizer = Muon { learning_rate: 0.02, adam_for: &["dense1"], ..Muon::default() };
/// let mut trainer = Trainer::<Net, _, 1>::new(optimizer, Mse);
/// let mut net = Net::zeroed();
/// net.initialize(Init::default(), &mut Noise::new(1));
/// for _ in 0..50 {
///     trainer.step(&mut net, &[[0.5, 1.0]], &[[1.0]])?;
/// }
/// # Ok::<(), monomorph::train::TrainError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Muon {
    /// η, by default 0.001.
    pub learning_rate: f64,
    /// μ, how long the momentum remembers; by default 0.95.
    pub momentum: f64,
    /// Whether to use Nesterov's look-ahead; by default yes.
    pub nesterov: bool,
    /// λ, the weight decay: every step subtracts `η·λ·θ`; by default 0.1.
    pub weight_decay: f64,
    /// Whether the last matrix of the network is one as the others; by default not.
    pub last: bool,
    /// What moves everything else.
    pub adam: AdamW,
    /// [Patterns](Path::matches) of further tensors that `adam` moves.
    pub adam_for: &'static [&'static str],
}

impl Default for Muon {
    fn default() -> Self {
        Self {
            learning_rate: 1e-3,
            momentum: 0.95,
            nesterov: true,
            weight_decay: 0.1,
            last: false,
            adam: AdamW { learning_rate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 1e-2 },
            adam_for: &[],
        }
    }
}

/// What [`Muon`] keeps.
#[derive(Plain)]
pub struct MuonMemory<N: Parameters> {
    /// The momentum of matrices, and the mean of all other gradients.
    m: N,
    /// The mean of the squares of all other gradients.
    v: N,
    /// A matrix and two others of Newton–Schulz; meaningless between steps.
    scratch: [N; 3],
}

impl<N: Parameters> Memory<N> for MuonMemory<N> {
    const PARTS: &'static [Part<Self, N>] = memory_parts! { m: network, v: network };
}

/// The rows and columns of a tensor that can be a matrix.
fn sides(tensor: &TensorInfo) -> Option<[usize; 2]> {
    let (columns, rows) = tensor.shape.split_last()?;
    let matrix = tensor.role == Role::Learned && !rows.is_empty() && !matches!(tensor.start, Start::Normal(_));
    matrix.then(|| [rows.iter().product(), *columns])
}

/// Where the last matrix begins.
fn last_matrix(entries: &'static [Entry]) -> usize {
    let mut last = usize::MAX;
    for_each_tensor(entries, &mut |_, tensor, range| {
        if sides(tensor).is_some() {
            last = range.start;
        }
    });
    last
}

/// At least so many rows, and so many columns.
struct Block<const ROWS: usize, const COLUMNS: usize>;

impl<const ROWS: usize, const COLUMNS: usize> Extent for Block<ROWS, COLUMNS> {
    const ROWS: usize = ROWS;
    const COLUMNS: usize = COLUMNS;
}

/// `to = a·b` for sizes that are known while the program runs: columns by blocks of constant width.
#[inline(always)]
fn multiply<T: Scalar, S: Simd>(simd: S, [rows, len, columns]: [usize; 3], a: Strided<'_, T>, b: &[T], to: &mut [T]) {
    let mut column = 0;
    macro_rules! blocks {
        ($($width:literal)*) => { $(
            while columns - column >= $width {
                let b = (b.get(column..).unwrap_or_default(), columns);
                let to = (to.get_mut(column..).unwrap_or_default(), columns);
                if rows >= 8 {
                    product::<T, S, Block<8, $width>, false>(simd, [rows, len], a, b, to);
                } else {
                    product::<T, S, Block<1, $width>, false>(simd, [rows, len], a, b, to);
                }
                column += $width;
            }
        )* };
    }
    blocks!(64 16 4 1);
}

/// Makes `x`, a matrix of `rows × columns`, nearly orthogonal; the others are scratch memory of the same size.
#[inline(always)]
fn orthogonalize<'a, T: Real, S: Simd>(
    simd: S,
    [rows, columns]: [usize; 2],
    mut x: &'a mut [T],
    mut other: &'a mut [T],
    polynomial: &mut [T],
) -> &'a [T] {
    let norm = sum_of_squares(simd, x).to_f64();
    let scale = splat::<T, S>(simd, 1.0 / libm::sqrt(norm).max(1e-7));
    map(
        simd,
        x,
        #[inline(always)]
        |x| x * scale,
    );
    // Rows are the longer side, so that XᵀX is as small as it can be.
    let wide = columns > rows;
    if wide {
        transpose(simd, [rows, columns], (x, columns), (other, rows));
        swap(&mut x, &mut other);
    }
    let (long, short) = (rows.max(columns), rows.min(columns));
    let (a, b, c) = (3.4445, splat::<T, S>(simd, -4.775), splat::<T, S>(simd, 2.0315));
    for _ in 0..5 {
        let (square, gram) = (polynomial.get_mut(..short * short), other.get_mut(..short * short));
        let (square, gram) = (square.unwrap_or_default(), gram.unwrap_or_default());
        multiply(simd, [short, long, short], Strided { numbers: x, row: 1, step: short }, x, gram);
        multiply(simd, [short; 3], Strided { numbers: gram, row: short, step: 1 }, gram, square);
        zip(
            simd,
            square,
            gram,
            #[inline(always)]
            |square, gram| b.mul_add(gram, c * square),
        );
        for diagonal in square.iter_mut().step_by(short + 1) {
            *diagonal += T::from_f64(a);
        }
        multiply(simd, [long, short, short], Strided { numbers: x, row: short, step: 1 }, square, other);
        swap(&mut x, &mut other);
    }
    if wide {
        transpose(simd, [columns, rows], (x, rows), (other, columns));
        swap(&mut x, &mut other);
    }
    x
}

impl Muon {
    /// The step of a matrix.
    #[inline(always)]
    fn matrix<T: Real, S: Simd>(
        &self,
        simd: S,
        [rows, columns]: [usize; 2],
        rate: f64,
        gradient_scale: T,
        parameters: &mut [T],
        gradient: &[T],
        m: &mut [T],
        [x, other, polynomial]: [&mut [T]; 3],
    ) {
        let scale = splat::<T, S>(simd, gradient_scale.to_f64());
        let (keep, fresh) = (splat::<T, S>(simd, self.momentum), splat::<T, S>(simd, 1.0 - self.momentum));
        let nesterov = self.nesterov;
        update(
            simd,
            m,
            gradient,
            [&mut *x],
            #[inline(always)]
            move |m, g, [_]| {
                let g = fresh * (g * scale);
                let m = keep.mul_add(m, g);
                (m, [if nesterov { keep.mul_add(m, g) } else { m }])
            },
        );
        let x = orthogonalize(simd, [rows, columns], x, other, polynomial);
        let eta = self.learning_rate * rate;
        let keep = splat::<T, S>(simd, 1.0 - eta * self.weight_decay);
        let down = splat::<T, S>(simd, -eta * libm::sqrt((columns as f64 / rows as f64).max(1.0)));
        zip(
            simd,
            parameters,
            x,
            #[inline(always)]
            |p, x| p.mul_add(keep, down * x),
        );
    }

    fn is_matrix(&self, path: &Path<'_>, tensor: &TensorInfo, last: bool) -> Option<[usize; 2]> {
        let named = self.adam_for.iter().any(|pattern| path.matches(pattern));
        sides(tensor).filter(|_| !named && (self.last || !last))
    }
}

impl<T: Real> Optimizer<T> for Muon {
    type Memory<N: Parameters<Scalar = T>> = MuonMemory<N>;

    fn check(&self, rate: f64) -> Result<(), OutOfRange> {
        check_rate::<T>("Muon", self.learning_rate, rate)?;
        check::<T>(
            "Muon",
            &[
                ("momentum", self.momentum, Range::Decay),
                ("weight_decay", self.weight_decay, Range::NotNegative),
                ("learning_rate times weight_decay", self.learning_rate * rate * self.weight_decay, Range::Share),
            ],
        )?;
        Optimizer::<T>::check(&self.adam, rate)
    }

    #[inline(always)]
    fn update<N: Parameters<Scalar = T>, S: Simd>(
        &self,
        simd: S,
        step: u64,
        rate: f64,
        gradient_scale: T,
        parameters: &mut N,
        gradient: &N,
        memory: &mut MuonMemory<N>,
    ) {
        let AdamW { learning_rate, beta1, beta2, epsilon, weight_decay } = self.adam;
        let adam = Adam { learning_rate, beta1, beta2, epsilon, weight_decay: 0.0 };
        let adam = rule::<T, S>(&adam, simd, 1.0 - learning_rate * rate * weight_decay, step, rate);
        let last = last_matrix(N::ENTRIES);
        let MuonMemory { m, v, scratch } = memory;
        for_each_tensor(N::ENTRIES, &mut |path, tensor, range| {
            let matrix = self.is_matrix(&path, tensor, range.start == last);
            let parameters = parameters.as_mut_slice().get_mut(range.clone()).unwrap_or_default();
            let gradient = gradient.as_slice().get(range.clone()).unwrap_or_default();
            let m = m.as_mut_slice().get_mut(range.clone()).unwrap_or_default();
            if let Some(sides) = matrix {
                let scratch = scratch.each_mut().map(
                    #[inline(always)]
                    |part| part.as_mut_slice().get_mut(range.clone()).unwrap_or_default(),
                );
                outline(
                    simd,
                    #[inline(always)]
                    move || self.matrix(simd, sides, rate, gradient_scale, parameters, gradient, m, scratch),
                );
            } else if tensor.role == Role::Learned {
                let v = v.as_mut_slice().get_mut(range).unwrap_or_default();
                outline(
                    simd,
                    #[inline(always)]
                    move || {
                        let scale = splat::<T, S>(simd, gradient_scale.to_f64());
                        update(
                            simd,
                            parameters,
                            gradient,
                            [m, v],
                            #[inline(always)]
                            move |p, g, m| adam(p, g * scale, m),
                        );
                    },
                );
            } else {
                parameters.iter_mut().zip(gradient).for_each(|(p, g)| *p -= *g);
            }
        });
    }
}

#[cfg(all(test, feature = "safetensors", feature = "std"))]
mod tests {
    use super::*;
    use crate::memory::{boxed, zeroed};
    use crate::noise::Noise;
    use crate::simd::{Task, dispatch, levels};
    use crate::testing::golden::{Case, assert_close};
    use std::vec;
    use std::vec::Vec;

    struct Orthogonal<'a, T>([usize; 2], &'a [T]);

    impl<T: Real> Task for Orthogonal<'_, T> {
        type Output = Vec<T>;
        #[inline(always)]
        fn run<S: Simd>(&mut self, simd: S) -> Vec<T> {
            let (mut x, mut other, mut polynomial) = (self.1.to_vec(), self.1.to_vec(), self.1.to_vec());
            orthogonalize(simd, self.0, &mut x, &mut other, &mut polynomial).to_vec()
        }
    }

    /// As it stands in the paper, for `rows ≤ columns` or not.
    fn reference([rows, columns]: [usize; 2], x: &[f64]) -> Vec<f64> {
        let norm = libm::sqrt(x.iter().map(|x| x * x).sum());
        let mut x: Vec<f64> = x.iter().map(|x| x / norm.max(1e-7)).collect();
        for _ in 0..5 {
            let mut gram = vec![0.0; rows * rows];
            let mut next = vec![0.0; rows * columns];
            for i in 0..rows {
                for j in 0..rows {
                    gram[i * rows + j] = (0..columns).map(|k| x[i * columns + k] * x[j * columns + k]).sum();
                }
            }
            for i in 0..rows {
                let p: Vec<f64> = (0..rows)
                    .map(|j| {
                        let square: f64 = (0..rows).map(|k| gram[i * rows + k] * gram[k * rows + j]).sum();
                        -4.775 * gram[i * rows + j] + 2.0315 * square
                    })
                    .collect();
                for k in 0..columns {
                    let sum: f64 = (0..rows).map(|j| p[j] * x[j * columns + k]).sum();
                    next[i * columns + k] = 3.4445 * x[i * columns + k] + sum;
                }
            }
            x = next;
        }
        x
    }

    #[test]
    fn newton_schulz_at_odd_sizes() {
        for sides in [[1, 1], [1, 7], [3, 1], [5, 3], [3, 5], [17, 33], [33, 17], [85, 70], [9, 65]] {
            let mut noise = Noise::new(7);
            let x: Vec<f64> = (0..sides[0] * sides[1]).map(|_| noise.normal()).collect();
            let expected = reference(sides, &x);
            let single: Vec<f32> = x.iter().map(|x| *x as f32).collect();
            for level in levels() {
                assert_close("f64", &dispatch(level, Orthogonal(sides, &x)), &expected, 1e-10);
                assert_close("f32", &dispatch(level, Orthogonal(sides, &single)), &expected, 1e-3);
            }
        }
        // A gradient of zeros stays one.
        assert_eq!(dispatch(crate::simd::level(), Orthogonal([3, 2], &[0.0; 6])), [0.0; 6]);
    }

    #[derive(Parameters)]
    #[repr(C)]
    struct Matrix {
        w: [[f64; 5]; 3],
    }

    /// PyTorch's matrices are `[out][in]`, and its Newton–Schulz iteration rounds to `bfloat16`.
    #[test]
    fn agrees_with_pytorch() {
        let case = Case::open("optim_muon");
        let turned = |numbers: &[f64]| -> [[f64; 5]; 3] {
            core::array::from_fn(|i| core::array::from_fn(|o| numbers[o * 3 + i]))
        };
        let mut net = Matrix { w: turned(&case.numbers("w0")) };
        let mut memory = zeroed();
        let optimizer = Muon { learning_rate: 0.02, last: true, ..Muon::default() };
        let (gradients, weights) = (case.numbers("grads"), case.numbers("weights"));
        for (step, (gradient, weights)) in gradients.chunks(15).zip(weights.chunks(15)).enumerate() {
            optimizer.apply(step as u64 + 1, &mut net, &Matrix { w: turned(gradient) }, &mut memory);
            assert_close("w", net.w.as_flattened(), turned(weights).as_flattened(), 2e-2);
        }
    }

    #[derive(Parameters)]
    #[repr(C)]
    struct Several {
        conv: [[[[f64; 8]; 2]; 3]; 3],
        named: [[f64; 3]; 3],
        #[parameters(normal = 1.0)]
        table: [[f64; 2]; 5],
        bias: [f64; 7],
        #[parameters(state)]
        running: [[f64; 2]; 2],
        last: [[f64; 3]; 2],
    }

    /// Three steps against the formulas, and everything but the convolution against [`AdamW`].
    #[test]
    fn each_tensor_has_its_rule() {
        let optimizer = Muon { learning_rate: 0.1, adam_for: &["nam*"], ..Muon::default() };
        let mut noise = Noise::new(4);
        let mut net = boxed::<Several>();
        net.as_mut_slice().fill_with(|| noise.normal());
        let (mut other, mut memory, mut other_memory) = (boxed::<Several>(), boxed(), boxed());
        other.as_mut_slice().copy_from_slice(net.as_slice());
        let (mut expected, mut m) = (net.conv.as_flattened().as_flattened().as_flattened().to_vec(), vec![0.0; 144]);
        for step in 1..4 {
            let mut gradient = boxed::<Several>();
            gradient.as_mut_slice().fill_with(|| noise.normal());
            optimizer.apply(step, &mut *net, &gradient, &mut *memory);
            optimizer.adam.apply(step, &mut *other, &gradient, &mut *other_memory);
            let g = gradient.conv.as_flattened().as_flattened().as_flattened();
            m.iter_mut().zip(g).for_each(|(m, g)| *m = 0.95 * *m + 0.05 * g);
            let u: Vec<f64> = m.iter().zip(g).map(|(m, g)| 0.05 * g + 0.95 * m).collect();
            for (p, o) in expected.iter_mut().zip(reference([18, 8], &u)) {
                *p = *p * (1.0 - 0.1 * 0.1) - 0.1 * o;
            }
            assert_close("conv", net.conv.as_flattened().as_flattened().as_flattened(), &expected, 1e-10);
            assert_close("others", &net.as_slice()[144..], &other.as_slice()[144..], 1e-14);
        }
    }
}
