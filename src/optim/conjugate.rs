//! Conjugate gradients for `B·p = −g`, ended where the curvature is not positive or a region ends: Steihaug, *The conjugate
//! gradient method and trust regions in large scale optimization* (1983); Nocedal and Wright, *Numerical Optimization*
//! (2nd edition, 2006), Algorithms 7.1 and 7.2.

use super::vectors::{combine, dot};
use super::{Matrix, Objective, OptimizerError};
use crate::memory;
use crate::parameters::Parameters;
use crate::plain::Plain;
use crate::simd::Simd;

/// What conjugate gradients keep while they run.
#[derive(Plain)]
pub(super) struct Conjugate<N> {
    residual: N,
    direction: N,
    product: N,
}

/// What is to be solved.
#[derive(Clone, Copy)]
pub(super) struct System {
    pub(super) matrix: Matrix,
    /// What is added to the matrix's diagonal.
    pub(super) damping: f64,
    /// How long the residual may be, relative to the gradient.
    pub(super) tolerance: f64,
    /// How long a solution may be.
    pub(super) radius: f64,
    pub(super) max_products: u32,
}

/// What was found.
#[derive(Clone, Copy)]
pub(super) struct Solution {
    pub(super) products: u32,
    /// By how much the quadratic model falls: `−g·p − ½ pᵀB·p`.
    pub(super) decrease: f64,
    /// Whether the solution ends at the radius, or is `−g` because the curvature along it is not positive.
    pub(super) at_edge: bool,
}

/// Leaves the solution in `step`, beginning at 0.
#[inline(always)]
pub(super) fn solve<N: Parameters, S: Simd>(
    simd: S,
    objective: &mut impl Objective<N>,
    system: System,
    (at, gradient): (&N, &N),
    step: &mut N,
    memory: &mut Conjugate<N>,
) -> Result<Solution, OptimizerError> {
    let System { matrix, damping, tolerance, radius, max_products } = system;
    let Conjugate { residual, direction, product } = memory;
    memory::clear(step);
    combine(simd, 1.0, gradient, 0.0, residual);
    combine(simd, -1.0, gradient, 0.0, direction);
    let mut squares = dot(simd, residual, residual);
    let enough = tolerance * tolerance * squares;
    let (mut products, mut at_edge) = (0, false);
    while products < max_products && squares > enough {
        objective.product(matrix, at, direction, product)?;
        products += 1;
        combine(simd, damping, direction, 1.0, product);
        let (curvature, dd) = (dot(simd, direction, product), dot(simd, direction, direction));
        if !curvature.is_finite() {
            return Err(OptimizerError::NotFinite);
        }
        // How far the radius is along the direction.
        let (pp, pd) = (dot(simd, step, step), dot(simd, step, direction));
        let edge = (libm::sqrt(pd * pd + dd * (radius * radius - pp)) - pd) / dd;
        let noise = f64::EPSILON * libm::sqrt(dd * dot(simd, product, product));
        let length = squares / curvature;
        if curvature <= noise || length >= edge {
            if edge.is_finite() {
                combine(simd, edge, direction, 1.0, step);
                combine(simd, edge, product, 1.0, residual);
                at_edge = true;
            } else if products == 1 {
                combine(simd, 1.0, direction, 0.0, step);
                at_edge = true;
            }
            break;
        }
        combine(simd, length, direction, 1.0, step);
        combine(simd, length, product, 1.0, residual);
        let before = squares;
        squares = dot(simd, residual, residual);
        combine(simd, -1.0, residual, squares / before, direction);
    }
    let decrease = -0.5 * (dot(simd, gradient, step) + dot(simd, residual, step));
    Ok(Solution { products, decrease, at_edge })
}

#[cfg(all(test, feature = "std"))]
mod tests;
