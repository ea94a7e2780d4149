//! Eigenvalues of matrices of which only products with vectors are known.

use alloc::boxed::Box;

use crate::kernels::reduce::dot;
use crate::kernels::training::update;
use crate::memory;
use crate::noise::Noise;
use crate::parameters::Parameters;
use crate::plain::Plain;
use crate::scalar::{Real, Scalar, Vector};
use crate::simd::{Simd, Task, dispatch, level};

/// The extreme eigenvalues of a symmetric matrix by the method of Lanczos, in at most `STEPS` products with vectors of the
/// form of the network `N`.
///
/// Each vector is orthogonalized against all before it, twice, so no eigenvalue is found again: it keeps `STEPS + 1`
/// vectors. The largest and the smallest eigenvalues converge first; after as many steps as there are parameters all are
/// exact. Eigenvalues that coincide are found once. The projected matrix and its eigenvalues are in `f64`.
///
/// ```
/// use monomorph::prelude::*;
/// use monomorph::Dual;
/// use monomorph::train::{Curvature, Lanczos};
///
/// network! { Line<T>: [2] -> [1] { Dense(1, bias = false) } }
/// let (x, y) = ([[1.0, 1.0], [1.0, -1.0]], [[Dual::constant(0.0)]; 2]);
/// let mut curvature = Curvature::<Line<f64>, Line<Dual<f64>>, 2>::new();
/// let mut lanczos = Lanczos::<Line<f64>, 2>::new();
/// lanczos.run(&mut Noise::new(1), |v, product| {
///     curvature.hessian(&Mse, (&x, &y), &Line::zeroed(), v, product).map(|_| ())
/// })?;
/// // The Hessian is twice the unit matrix.
/// assert!((lanczos.eigenvalues()[0] - 2.0).abs() < 1e-12 && lanczos.eigenvalues().len() == 1);
/// # Ok::<(), monomorph::train::TrainError>(())
/// ```
///
/// C. Lanczos, *An iteration method for the solution of the eigenvalue problem* (1950); B. Parlett, *The symmetric
/// eigenvalue problem* (1998), chapter 13.
pub struct Lanczos<N: Parameters, const STEPS: usize> {
    basis: Box<[N; STEPS]>,
    next: Box<N>,
    projected: Box<Projected<STEPS>>,
    steps: usize,
}

/// The matrix as the basis sees it, and what is known of its eigenvalues.
#[derive(Plain)]
struct Projected<const STEPS: usize> {
    /// The matrix; at the end its diagonal has the eigenvalues.
    matrix: [[f64; STEPS]; STEPS],
    /// The eigenvectors, as columns.
    vectors: [[f64; STEPS]; STEPS],
    eigenvalues: [f64; STEPS],
    errors: [f64; STEPS],
    /// Which column belongs to which eigenvalue.
    order: [u32; STEPS],
    coefficients: [f64; STEPS],
}

impl<N: Parameters<Scalar: Real>, const STEPS: usize> Default for Lanczos<N, STEPS> {
    fn default() -> Self {
        Self::new()
    }
}

impl<N: Parameters<Scalar: Real>, const STEPS: usize> Lanczos<N, STEPS> {
    /// Memory for the vectors.
    pub fn new() -> Self {
        const { assert!(STEPS > 0, "Lanczos takes at least one step") };
        Self { basis: memory::boxed(), next: memory::boxed(), projected: memory::boxed(), steps: 0 }
    }

    /// Finds eigenvalues of the matrix of which `product(v, to)` writes the product with `v`, starting from a random
    /// vector. It ends early where nothing is left of a product that is not in the basis: the eigenvalues are exact then.
    ///
    /// # Errors
    /// That of a product.
    pub fn run<E>(&mut self, noise: &mut Noise, mut product: impl FnMut(&N, &mut N) -> Result<(), E>) -> Result<(), E> {
        self.steps = 0;
        let Self { basis, next, projected, steps } = self;
        memory::clear(&mut **projected);
        for number in next.as_mut_slice() {
            *number = N::Scalar::from_f64(noise.normal());
        }
        let mut length = norm(&**next);
        let (mut largest, mut tolerance) = (0.0_f64, 0.0);
        for step in 0..STEPS.min(N::COUNT) {
            if length <= tolerance || !length.is_finite() {
                break;
            }
            let scale = N::Scalar::from_f64(1.0 / length);
            for (to, from) in basis[step].as_mut_slice().iter_mut().zip(next.as_slice()) {
                *to = *from * scale;
            }
            if step > 0 {
                projected.matrix[step][step - 1] = length;
                projected.matrix[step - 1][step] = length;
            }
            product(&basis[step], next)?;
            *steps = step + 1;
            for _ in 0..2 {
                let coefficients = &mut projected.coefficients[..=step];
                dispatch(level(), Orthogonalize { next: &mut **next, basis: &basis[..=step], coefficients });
                projected.matrix[step][step] += projected.coefficients[step];
            }
            length = norm(&**next);
            largest = largest.max(projected.matrix[step][step].abs()).max(length);
            tolerance = N::Scalar::EPSILON.to_f64() * largest * libm::sqrt(N::COUNT as f64);
        }
        projected.solve(*steps, length);
        Ok(())
    }

    /// The eigenvalues, the largest first: as many as there were steps.
    pub fn eigenvalues(&self) -> &[f64] {
        &self.projected.eigenvalues[..self.steps]
    }

    /// How far each of them is from an eigenvalue of the matrix, at most, up to rounding: the norm of `A x − λ x`.
    pub fn errors(&self) -> &[f64] {
        &self.projected.errors[..self.steps]
    }

    /// Writes the eigenvector of the eigenvalue with this index, of length 1; zeros if there is none.
    pub fn eigenvector(&self, index: usize, to: &mut N) {
        let Self { basis, projected, steps, .. } = self;
        memory::clear(to);
        if index < *steps {
            let column = projected.order[index] as usize;
            for (step, vector) in basis[..*steps].iter().enumerate() {
                let part = N::Scalar::from_f64(projected.vectors[step][column]);
                for (to, from) in to.as_mut_slice().iter_mut().zip(vector.as_slice()) {
                    *to += part * *from;
                }
            }
        }
    }
}

fn norm<N: Parameters<Scalar: Real>>(vector: &N) -> f64 {
    struct Squares<'a, T>(&'a [T]);

    impl<T: Scalar> Task for Squares<'_, T> {
        type Output = f64;

        #[inline(always)]
        fn run<S: Simd>(&mut self, simd: S) -> f64 {
            dot(simd, self.0, self.0).to_f64()
        }
    }

    libm::sqrt(dispatch(level(), Squares(vector.as_slice())))
}

/// Subtracts from `next` what lies along each vector of the basis.
struct Orthogonalize<'a, N> {
    next: &'a mut N,
    basis: &'a [N],
    coefficients: &'a mut [f64],
}

impl<N: Parameters> Task for Orthogonalize<'_, N> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(&mut self, simd: S) {
        let next = self.next.as_mut_slice();
        for (vector, coefficient) in self.basis.iter().zip(&mut *self.coefficients) {
            let part = dot(simd, vector.as_slice(), next);
            *coefficient = part.to_f64();
            let part = <N::Scalar as Scalar>::Vector::<S>::splat(simd, -part);
            update(
                simd,
                next,
                vector.as_slice(),
                [],
                #[inline(always)]
                |next, vector, none| (part.mul_add(vector, next), none),
            );
        }
    }
}

impl<const STEPS: usize> Projected<STEPS> {
    /// The eigenvalues of the first `n` rows and columns by Jacobi's rotations; `rest` is the length of what the next
    /// vector would have been.
    fn solve(&mut self, n: usize, rest: f64) {
        let Self { matrix, vectors, eigenvalues, errors, order, .. } = self;
        for row in 0..n {
            vectors[row][row] = 1.0;
            order[row] = row as u32;
        }
        // Convergence is quadratic: ten sweeps are never needed.
        for _ in 0..30 {
            let (mut inside, mut outside) = (0.0, 0.0);
            for row in 0..n {
                inside += matrix[row][row] * matrix[row][row];
                outside += matrix[row][row + 1..n].iter().map(|x| x * x).sum::<f64>();
            }
            if outside <= 1e-34 * inside {
                break;
            }
            for p in 0..n {
                for q in p + 1..n {
                    rotate(n, matrix, vectors, p, q);
                }
            }
        }
        order[..n]
            .sort_unstable_by(|a, b| matrix[*b as usize][*b as usize].total_cmp(&matrix[*a as usize][*a as usize]));
        for index in 0..n {
            let column = order[index] as usize;
            eigenvalues[index] = matrix[column][column];
            errors[index] = rest * vectors[n - 1][column].abs();
        }
    }
}

/// Turns the axes `p` and `q` so that the entry between them is 0.
fn rotate<const STEPS: usize>(
    n: usize,
    matrix: &mut [[f64; STEPS]; STEPS],
    vectors: &mut [[f64; STEPS]; STEPS],
    p: usize,
    q: usize,
) {
    if matrix[p][q] == 0.0 {
        return;
    }
    let cot = (matrix[q][q] - matrix[p][p]) / (2.0 * matrix[p][q]);
    let tan = 1.0_f64.copysign(cot) / (cot.abs() + libm::sqrt(cot * cot + 1.0));
    let cos = 1.0 / libm::sqrt(tan * tan + 1.0);
    let sin = tan * cos;
    let turn = |a: f64, b: f64| (cos * a - sin * b, sin * a + cos * b);
    for k in 0..n {
        (matrix[k][p], matrix[k][q]) = turn(matrix[k][p], matrix[k][q]);
        (vectors[k][p], vectors[k][q]) = turn(vectors[k][p], vectors[k][q]);
    }
    for k in 0..n {
        (matrix[p][k], matrix[q][k]) = turn(matrix[p][k], matrix[q][k]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::Dense;

    /// A network of 17 parameters.
    type Vector17 = Dense<[f64; 16], [[f64; 1]; 16], [f64; 1], [f64; 1]>;

    /// `diag(d) + c·1·1ᵀ`.
    fn multiply(d: impl Fn(usize) -> f64, c: f64, v: &Vector17, to: &mut Vector17) -> Result<(), ()> {
        let sum: f64 = v.as_slice().iter().sum();
        for (index, (to, v)) in to.as_mut_slice().iter_mut().zip(v.as_slice()).enumerate() {
            *to = d(index) * v + c * sum;
        }
        Ok(())
    }

    #[test]
    fn all_steps_give_all_eigenvalues() {
        let mut lanczos = Lanczos::<Vector17, 17>::new();
        lanczos.run(&mut Noise::new(1), |v, to| multiply(|i| i as f64 - 8.0, 0.0, v, to)).expect("products");
        for (index, eigenvalue) in lanczos.eigenvalues().iter().enumerate() {
            assert!((eigenvalue - (8.0 - index as f64)).abs() < 1e-10, "{index}: {eigenvalue}");
        }
        assert_eq!(lanczos.eigenvalues().len(), 17);
        let mut vector = memory::zeroed::<Vector17>();
        lanczos.eigenvector(0, &mut vector);
        assert!((vector.as_slice()[16].abs() - 1.0).abs() < 1e-9);
    }

    #[test]
    fn ends_where_the_products_end() {
        // Two different eigenvalues: 3 + 17/2 along the diagonal, 3 elsewhere.
        let mut lanczos = Lanczos::<Vector17, 9>::new();
        lanczos.run(&mut Noise::new(2), |v, to| multiply(|_| 3.0, 0.5, v, to)).expect("products");
        assert_eq!(lanczos.eigenvalues().len(), 2);
        assert!((lanczos.eigenvalues()[0] - 11.5).abs() < 1e-12 && (lanczos.eigenvalues()[1] - 3.0).abs() < 1e-12);
        assert!(lanczos.errors().iter().all(|error| *error < 1e-12));
        assert_eq!(lanczos.run(&mut Noise::new(2), |_, _| Err("no")), Err("no"));
        assert!(lanczos.eigenvalues().is_empty());
    }

    #[test]
    fn few_steps_give_the_extreme_ones_within_their_errors() {
        let mut lanczos = Lanczos::<Vector17, 7>::new();
        let d = |i: usize| libm::pow(0.5, i as f64);
        lanczos.run(&mut Noise::new(3), |v, to| multiply(d, 0.0, v, to)).expect("products");
        for (eigenvalue, error) in lanczos.eigenvalues().iter().zip(lanczos.errors()) {
            let nearest = (0..17).map(|i| (d(i) - eigenvalue).abs()).fold(f64::INFINITY, f64::min);
            assert!(nearest <= error + 1e-14, "{eigenvalue} is not within {error}");
        }
        assert!((lanczos.eigenvalues()[0] - 1.0).abs() < 1e-6, "{:?}", lanczos.eigenvalues());
    }
}
