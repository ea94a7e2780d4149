//! The diagonal of the Hessian: each entry exactly, or all of them estimated.

use super::Curvature;
use crate::dual::Dual;
use crate::loss::Loss;
use crate::network::Network;
use crate::noise::Noise;
use crate::scalar::Real;
use crate::tensor::Tensor;
use crate::train::TrainError;

impl<T, N, D, const B: usize> Curvature<N, D, B>
where
    T: Real,
    N: Network<Scalar = T, Input: Tensor<Element = T>>,
    D: Network<Scalar = Dual<T, 1>, Input: Tensor<Element = Dual<T, 1>>>,
{
    /// The diagonal of the Hessian, `∂²L/∂θᵢ²`: exact, by a product with each unit vector. Each parameter takes as long as
    /// one call of [`hessian`](Self::hessian), so this is for small networks.
    ///
    /// ```
    /// use monomorph::prelude::*;
    /// use monomorph::Dual;
    /// use monomorph::train::Curvature;
    ///
    /// network! { Line<T>: [2] -> [1] { Dense(1, bias = false) } }
    /// let mut curvature = Curvature::<Line<f64>, Line<Dual<f64>>, 1>::new();
    /// let (x, y) = ([[3.0, 1.0]], [[Dual::constant(2.0)]]);
    /// let mut diagonal = Line::zeroed();
    /// curvature.hessian_diagonal(&Mse, (&x, &y), &Line::zeroed(), &mut diagonal)?;
    /// assert_eq!(diagonal.dense1.weight, [[18.0], [2.0]]);
    /// # Ok::<(), monomorph::train::TrainError>(())
    /// ```
    ///
    /// # Errors
    /// As those of [`hessian`](Self::hessian).
    pub fn hessian_diagonal<L: Loss<Dual<T, 1>, D::Output, Y>, Y>(
        &mut self,
        loss: &L,
        (input, target): (&[N::Input; B], &[Y; B]),
        network: &N,
        diagonal: &mut N,
    ) -> Result<(), TrainError> {
        self.place(input, network);
        for (index, entry) in diagonal.as_mut_slice().iter_mut().enumerate() {
            self.turn(index, T::ONE);
            self.differentiate(loss, target)?;
            *entry = self.slope(index);
            self.turn(index, T::ZERO);
        }
        Ok(())
    }

    /// An estimate of the diagonal of the Hessian: the mean of `z ∘ H z` over `probes` random vectors `z` of ±1, each of
    /// which takes as long as one call of [`hessian`](Self::hessian).
    ///
    /// It is right on average. The variance of entry `i` is `Σ Hᵢⱼ² / probes` over all `j ≠ i`, so a single probe gives the
    /// exact diagonal if nothing else is in the matrix. C. Bekas, E. Kokiopoulou and Y. Saad, *An estimator for the
    /// diagonal of a matrix* (2007), after M. Hutchinson (1989).
    ///
    /// # Errors
    /// As those of [`hessian`](Self::hessian).
    pub fn estimate_hessian_diagonal<L: Loss<Dual<T, 1>, D::Output, Y>, Y>(
        &mut self,
        loss: &L,
        (input, target): (&[N::Input; B], &[Y; B]),
        network: &N,
        probes: usize,
        noise: &mut Noise,
        diagonal: &mut N,
    ) -> Result<(), TrainError> {
        self.place(input, network);
        diagonal.as_mut_slice().fill(T::ZERO);
        let share = T::from_f64(1.0 / probes as f64);
        for _ in 0..probes {
            for moving in self.moving.as_mut_slice().chunks_mut(64) {
                let mut bits = noise.next_u64();
                for number in moving {
                    number.derivatives = [if bits & 1 == 0 { T::ONE } else { -T::ONE }];
                    bits >>= 1;
                }
            }
            self.differentiate(loss, target)?;
            let products = self.moving.as_slice().iter().zip(self.dual.gradient.as_slice());
            for (entry, (z, product)) in diagonal.as_mut_slice().iter_mut().zip(products) {
                let ([z], [product]) = (z.derivatives, product.derivatives);
                *entry += share * z * product;
            }
        }
        Ok(())
    }

    /// Lets one parameter move.
    fn turn(&mut self, index: usize, slope: T) {
        if let Some(number) = self.moving.as_mut_slice().get_mut(index) {
            number.derivatives = [slope];
        }
    }

    /// How an entry of the gradient changes.
    fn slope(&self, index: usize) -> T {
        self.dual.gradient.as_slice().get(index).map_or(T::ZERO, |number| number.derivatives[0])
    }
}
