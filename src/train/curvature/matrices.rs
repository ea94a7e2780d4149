//! The Jacobian, the Hessian and the Gauss–Newton matrix of small networks as matrices of nalgebra.

use alloc::boxed::Box;

use nalgebra::DMatrix;

use super::Curvature;
use crate::dual::Dual;
use crate::loss::Loss;
use crate::memory;
use crate::network::Network;
use crate::scalar::Real;
use crate::tensor::{Tensor, batch_slice_mut};
use crate::train::TrainError;

/// With the feature `nalgebra`. These allocate the matrix, and vectors of the form of the network.
impl<T, N, D, const B: usize> Curvature<N, D, B>
where
    T: Real + nalgebra::Scalar,
    N: Network<Scalar = T, Input: Tensor<Element = T>>,
    D: Network<Scalar = Dual<T, 1>, Input: Tensor<Element = Dual<T, 1>>>,
{
    /// The Jacobian of the outputs by the parameters: a row for each output of each sample, a column for each parameter.
    /// It takes a backward pass a row.
    pub fn jacobian_matrix(&mut self, input: &[N::Input; B], network: &N) -> DMatrix<T> {
        let (mut u, mut row): (Box<[N::Output; B]>, Box<N>) = (memory::boxed(), memory::boxed());
        let mut matrix = DMatrix::from_element(B * N::Output::LEN, N::COUNT, T::ZERO);
        for (index, mut to) in matrix.row_iter_mut().enumerate() {
            batch_slice_mut(&mut *u)[index] = T::ONE;
            self.transposed_jacobian(input, network, &u, &mut row);
            batch_slice_mut(&mut *u)[index] = T::ZERO;
            to.iter_mut().zip(row.as_slice()).for_each(|(to, from)| *to = *from);
        }
        matrix
    }

    /// The Hessian of the loss of a batch, with a row and a column for each parameter. It takes a product a column.
    ///
    /// ```
    /// use monomorph::prelude::*;
    /// use monomorph::Dual;
    /// use monomorph::train::Curvature;
    ///
    /// network! { Line<T>: [1] -> [1] { Dense(1) } }
    /// let mut curvature = Curvature::<Line<f64>, Line<Dual<f64>>, 1>::new();
    /// let hessian = curvature.hessian_matrix(&Mse, (&[[3.0]], &[[Dual::constant(1.0)]]), &Line::zeroed())?;
    /// assert_eq!(hessian, nalgebra::Matrix2::new(18.0, 6.0, 6.0, 2.0));
    /// # Ok::<(), monomorph::train::TrainError>(())
    /// ```
    ///
    /// # Errors
    /// As those of [`hessian`](Self::hessian).
    pub fn hessian_matrix<L: Loss<Dual<T, 1>, D::Output, Y>, Y>(
        &mut self,
        loss: &L,
        batch: (&[N::Input; B], &[Y; B]),
        network: &N,
    ) -> Result<DMatrix<T>, TrainError> {
        columns(|unit, product| self.hessian(loss, batch, network, unit, product).map(|_| ()))
    }

    /// The [Gauss–Newton matrix](Self::gauss_newton) of the loss of a batch, with a row and a column for each parameter. It
    /// takes a product a column.
    ///
    /// # Errors
    /// As those of [`gauss_newton`](Self::gauss_newton).
    pub fn gauss_newton_matrix<L: Loss<Dual<T, 1>, D::Output, Y>, Y>(
        &mut self,
        loss: &L,
        batch: (&[N::Input; B], &[Y; B]),
        network: &N,
    ) -> Result<DMatrix<T>, TrainError> {
        columns(|unit, product| Ok(self.gauss_newton(loss, batch, network, unit, product)?))
    }
}

/// The matrix whose columns are its products with unit vectors.
fn columns<T: Real + nalgebra::Scalar, N: Network<Scalar = T>>(
    mut multiply: impl FnMut(&N, &mut N) -> Result<(), TrainError>,
) -> Result<DMatrix<T>, TrainError> {
    let (mut unit, mut product): (Box<N>, Box<N>) = (memory::boxed(), memory::boxed());
    let mut matrix = DMatrix::from_element(N::COUNT, N::COUNT, T::ZERO);
    for (index, mut column) in matrix.column_iter_mut().enumerate() {
        unit.as_mut_slice()[index] = T::ONE;
        multiply(&unit, &mut product)?;
        unit.as_mut_slice()[index] = T::ZERO;
        column.iter_mut().zip(product.as_slice()).for_each(|(to, from)| *to = *from);
    }
    Ok(matrix)
}
