//! A line search for the strong conditions of Wolfe: Nocedal and Wright, *Numerical Optimization* (2nd edition, 2006),
//! Algorithms 3.5 and 3.6.

use super::vectors::dot;
use super::{Objective, OptimizerError, update};
use crate::hyperparameters::{OutOfRange, Range, check};
use crate::parameters::Parameters;
use crate::plain::Plain;
use crate::scalar::{Scalar, Vector};
use crate::simd::Simd;

/// What a search has to fulfil, and how long it may take; optimizers that search have these as fields.
#[derive(Clone, Copy)]
pub(super) struct Wolfe {
    /// c₁.
    pub(super) sufficient_decrease: f64,
    /// c₂.
    pub(super) curvature: f64,
    pub(super) max_evaluations: u32,
}

impl Wolfe {
    pub(super) fn check<T: Scalar>(self, of: &'static str) -> Result<(), OutOfRange> {
        check::<T>(
            of,
            &[
                ("sufficient_decrease", self.sufficient_decrease, Range::Between),
                ("curvature", self.curvature, Range::Between),
                ("curvature less sufficient_decrease", self.curvature - self.sufficient_decrease, Range::Positive),
                ("max_evaluations", self.max_evaluations.into(), Range::AtLeastOne),
            ],
        )
    }
}

/// Where a step begins, the gradient there, and the direction of the step.
#[derive(Plain)]
pub(super) struct Line<N> {
    pub(super) start: N,
    pub(super) gradient: N,
    pub(super) direction: [N; 1],
}

/// A point of a line search: the length of the step, and the loss and its slope there.
#[derive(Clone, Copy)]
pub(super) struct Point {
    pub(super) length: f64,
    pub(super) loss: f64,
    pub(super) slope: f64,
}

impl Point {
    /// The minimum of the cubic through two points, if it is inside of the middle four fifths; otherwise the middle.
    fn between(self, other: Self) -> f64 {
        let (low, high) = (self.length.min(other.length), self.length.max(other.length));
        let margin = 0.1 * (high - low);
        match self.cubic(other) {
            Some(length) if length > low + margin && length < high - margin => length,
            _ => (low + high) / 2.0,
        }
    }

    /// The minimum of the cubic through two points: Nocedal and Wright, equation 3.59.
    fn cubic(self, other: Self) -> Option<f64> {
        let way = other.length - self.length;
        let d1 = self.slope + other.slope - 3.0 * (other.loss - self.loss) / way;
        let d2 = libm::copysign(libm::sqrt(d1 * d1 - self.slope * other.slope), way);
        let length = other.length - way * (other.slope + d2 - d1) / (other.slope - self.slope + 2.0 * d2);
        length.is_finite().then_some(length)
    }
}

/// A search along a direction.
pub(super) struct Search<'a, N: Parameters, J, S> {
    simd: S,
    settings: Wolfe,
    parameters: &'a mut N,
    objective: &'a mut J,
    line: &'a mut Line<N>,
    evaluations: &'a mut u64,
    begin: Point,
    left: u32,
    shortest: f64,
}

impl<'a, N: Parameters, J: Objective<N>, S: Simd> Search<'a, N, J, S> {
    /// A search along the line, which has this slope where it begins.
    #[inline(always)]
    pub(super) fn new(
        simd: S,
        settings: Wolfe,
        parameters: &'a mut N,
        objective: &'a mut J,
        line: &'a mut Line<N>,
        evaluations: &'a mut u64,
        slope: f64,
    ) -> Self {
        let begin = Point { length: 0.0, loss: objective.loss().to_f64(), slope };
        let (left, shortest) = (settings.max_evaluations, f64::INFINITY);
        Self { simd, settings, parameters, objective, line, evaluations, begin, left, shortest }
    }

    /// Goes back to the beginning; gives the error of a search that found nothing.
    pub(super) fn give_up(self) -> OptimizerError {
        self.parameters.as_mut_slice().copy_from_slice(self.line.start.as_slice());
        OptimizerError::NoDecrease { evaluations: self.settings.max_evaluations - self.left, shortest: self.shortest }
    }

    /// Places the parameters a part of the way along the direction.
    #[inline(always)]
    pub(super) fn place(&mut self, length: f64) {
        let Line { start, gradient, direction } = &mut *self.line;
        self.parameters.as_mut_slice().copy_from_slice(start.as_slice());
        let length = <N::Scalar as Scalar>::Vector::<S>::splat(self.simd, N::Scalar::from_f64(length));
        update(
            self.simd,
            N::Scalar::ONE,
            self.parameters,
            gradient,
            direction,
            #[inline(always)]
            move |p, _, [d]| (d.mul_add(length, p), [d]),
        );
    }

    /// The loss and the slope there; infinite where they cannot be computed.
    #[inline(always)]
    fn evaluate(&mut self, length: f64) -> Point {
        self.place(length);
        self.left = self.left.saturating_sub(1);
        self.shortest = self.shortest.min(length);
        *self.evaluations += 1;
        let loss = self.objective.gradient_at(self.parameters).to_f64();
        let [direction] = &self.line.direction;
        let slope = dot(self.simd, self.objective.gradient(), direction);
        if loss.is_finite() && slope.is_finite() {
            Point { length, loss, slope }
        } else {
            Point { length, loss: f64::INFINITY, slope: f64::INFINITY }
        }
    }

    fn is_low(&self, point: Point) -> bool {
        let Point { loss, slope, .. } = self.begin;
        point.loss <= loss + self.settings.sufficient_decrease * point.length * slope
    }

    fn is_flat(&self, point: Point) -> bool {
        point.slope.abs() <= -self.settings.curvature * self.begin.slope
    }

    /// A point that fulfils the conditions, or the lowest one; the objective is then there.
    #[inline(always)]
    pub(super) fn find(&mut self, first: f64) -> Option<Point> {
        let (mut before, mut length) = (self.begin, first);
        while self.left > 0 {
            let point = self.evaluate(length);
            if !self.is_low(point) || (before.length > 0.0 && point.loss >= before.loss) {
                return self.zoom(before, point);
            }
            if self.is_flat(point) {
                return Some(point);
            }
            if point.slope >= 0.0 {
                return self.zoom(point, before);
            }
            let far = before.cubic(point).filter(|_| point.slope > before.slope).unwrap_or(f64::INFINITY);
            length = far.clamp(point.length + 0.1 * (point.length - before.length), 10.0 * point.length);
            before = point;
        }
        self.lowest(before)
    }

    /// Between a low point and one beyond a minimum.
    #[inline(always)]
    fn zoom(&mut self, mut low: Point, mut high: Point) -> Option<Point> {
        while self.left > 0 {
            let point = self.evaluate(low.between(high));
            if !self.is_low(point) || point.loss >= low.loss {
                high = point;
            } else {
                if self.is_flat(point) {
                    return Some(point);
                }
                if point.slope * (high.length - low.length) >= 0.0 {
                    high = low;
                }
                low = point;
            }
            // As close as numbers can be.
            if (high.length - low.length).abs() <= 1e-15 * high.length.max(low.length) {
                break;
            }
        }
        self.lowest(low)
    }

    /// The lowest point that was found, if it is lower than the beginning.
    #[inline(always)]
    fn lowest(&mut self, low: Point) -> Option<Point> {
        if low.length <= 0.0 || low.loss >= self.begin.loss {
            return None;
        }
        Some(self.evaluate(low.length))
    }
}
