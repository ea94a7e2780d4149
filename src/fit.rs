//! Fits: the parameters at which a model is closest to data, in the sense of least squares.

mod triangle;

use core::fmt;

use crate::dual::Dual;
use triangle::{Triangle, squared};

/// The method of Levenberg and Marquardt: `min Σ (f(x, b) − y)²` over the parameters `b` of any differentiable function.
///
/// Each step solves the linearised problem, damped: `min ‖J h + r‖² + μ ‖D h‖²`, by rotations of Givens that need no
/// memory but a triangle of `P × P` numbers, and no squares of `J`'s condition. `D` is the largest norm that each column
/// of `J` has had, after Moré, *The Levenberg–Marquardt algorithm: implementation and theory* (1978), so results do not
/// depend on the units of parameters; `μ` follows Nielsen, *Damping parameter in Marquardt's method* (1999). Steps along
/// which the model bends too much are not taken, and others are corrected for it: the geodesic acceleration of Transtrum
/// and Sethna (2012). The last steps are those of Gauss and Newton, as long as each is
/// shorter than the one before: where rounding hides the sum of squares, its gradient still leads on.
///
/// The model is written over dual numbers, which give its derivatives:
///
/// ```
/// use monomorph::fit::LevenbergMarquardt;
///
/// let x: [f64; 6] = [1.0, 2.0, 3.0, 5.0, 7.0, 10.0];
/// let y = [109.0, 149.0, 149.0, 191.0, 213.0, 224.0];
/// let fit = LevenbergMarquardt::default().fit(|x, [a, b]| a * (1.0 - (-b * x).exp()), &x, &y, [100.0, 0.75])?;
/// assert!((fit.parameters[0] - 213.80940889).abs() < 1e-6);
/// assert!((fit.parameters[1] - 0.54723748542).abs() < 1e-9);
/// assert!((fit.standard_errors()[0] - 12.354515176).abs() < 1e-6);
/// # Ok::<(), monomorph::fit::FitError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LevenbergMarquardt {
    /// The most steps that are tried.
    pub iterations: u32,
    /// The damping at the start, relative to the columns of the Jacobian. Smaller numbers trust the model more.
    pub damping: f64,
    /// The most by which a step's correction may exceed the step, relative to it.
    pub bend: f64,
}

impl Default for LevenbergMarquardt {
    fn default() -> Self {
        Self { iterations: 10_000, damping: 1e-3, bend: 0.75 }
    }
}

/// What a fit found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fit<const P: usize> {
    /// The parameters.
    pub parameters: [f64; P],
    /// The sum of the squared residuals.
    pub sum_of_squares: f64,
    /// How many steps were tried.
    pub iterations: u32,
    /// How often the model was evaluated over all data.
    pub evaluations: u32,
    /// Why it ended.
    pub end: End,
    samples: usize,
    triangle: Triangle<P>,
}

/// Why a fit ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Steps became too small to change the parameters.
    Converged,
    /// No step, however short, made the sum of squares smaller: rounding hides what is left, or a derivative is wrong.
    Stalled,
    /// After as many steps as were allowed.
    Iterations,
}

/// Why nothing could be fitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FitError {
    /// There are not as many values as points.
    Lengths {
        /// The number of points.
        points: usize,
        /// The number of values.
        values: usize,
    },
    /// There are fewer points than parameters.
    TooFew {
        /// The number of points.
        points: usize,
        /// The number of parameters.
        parameters: usize,
    },
    /// The model, or a derivative of it, is not a number where the fit begins.
    NotFinite {
        /// The index of the first point at which it is not.
        point: usize,
    },
}

impl fmt::Display for FitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lengths { points, values } => write!(f, "there are {points} points but {values} values"),
            Self::TooFew { points, parameters } => {
                write!(
                    f,
                    "{points} points do not determine {parameters} parameters: give more points, or fix parameters"
                )
            }
            Self::NotFinite { point } => {
                write!(
                    f,
                    "at the start, the model or a derivative of it is not finite at point {point}: start elsewhere"
                )
            }
        }
    }
}

impl core::error::Error for FitError {}

impl<const P: usize> Fit<P> {
    /// The covariance of the parameters: `s² (JᵀJ)⁻¹`, where `s²` is the sum of squares divided by the degrees of freedom.
    /// Entries are infinite if the data do not determine the parameters, and all are if there are as many points as
    /// parameters, which leaves nothing to estimate `s²` from.
    pub fn covariance(&self) -> [[f64; P]; P] {
        if self.samples == P {
            return [[f64::INFINITY; P]; P];
        }
        let inverse = self.triangle.inverse();
        let variance = self.sum_of_squares / self.samples.saturating_sub(P) as f64;
        let mut covariance = [[0.0; P]; P];
        for (a, row) in covariance.iter_mut().enumerate() {
            for (b, entry) in row.iter_mut().enumerate() {
                *entry = variance * (0..P).map(|k| inverse[a][k] * inverse[b][k]).sum::<f64>();
            }
        }
        covariance
    }

    /// The standard errors of the parameters: the roots of the covariance's diagonal.
    pub fn standard_errors(&self) -> [f64; P] {
        let covariance = self.covariance();
        core::array::from_fn(|index| libm::sqrt(covariance[index][index]))
    }

    /// The residual standard deviation `s`; infinite if there are as many points as parameters.
    pub fn deviation(&self) -> f64 {
        if self.samples == P {
            return f64::INFINITY;
        }
        libm::sqrt(self.sum_of_squares / self.samples.saturating_sub(P) as f64)
    }
}

/// The model and the data.
struct Problem<'a, F, X> {
    model: F,
    points: &'a [X],
    values: &'a [f64],
}

impl<F, X: Copy> Problem<'_, F, X> {
    /// The linearised problem at `parameters`, and the sum of squares there; or the point at which it is not finite.
    fn linearise<const P: usize>(&self, parameters: &[f64; P]) -> Result<(Triangle<P>, f64), usize>
    where
        F: Fn(X, [Dual<f64, P>; P]) -> Dual<f64, P>,
    {
        let variables = core::array::from_fn(|index| Dual::variable(parameters[index], index));
        let (mut triangle, mut sum) = (Triangle::new(), 0.0);
        for (point, (x, y)) in self.points.iter().zip(self.values).enumerate() {
            let model = (self.model)(*x, variables);
            let residual = model.value - y;
            if !residual.is_finite() || model.derivatives.iter().any(|derivative| !derivative.is_finite()) {
                return Err(point);
            }
            triangle.add(model.derivatives, -residual);
            sum += residual * residual;
        }
        Ok((triangle, sum))
    }

    /// The sum of squares; infinite or NaN where it cannot be computed.
    fn sum<const P: usize>(&self, parameters: &[f64; P]) -> f64
    where
        F: Fn(X, [Dual<f64, P>; P]) -> Dual<f64, P>,
    {
        let constants = parameters.map(Dual::constant);
        let square = |(x, y): (&X, &f64)| squared((self.model)(*x, constants).value - y);
        self.points.iter().zip(self.values).map(square).sum()
    }

    /// The linearised problem of the correction for a step `h`: `min ‖J a + r''/2‖²`, where `r''` is the second derivative
    /// of the residuals along `h`.
    fn bend<const P: usize>(&self, parameters: &[f64; P], h: &[f64; P]) -> Option<Triangle<P>>
    where
        F: Fn(X, [Dual<f64, P>; P]) -> Dual<f64, P>,
    {
        // As far as needed for the difference to be exact to a few digits, and no further.
        const PART: f64 = 0.1;
        let variables = core::array::from_fn(|index| Dual::variable(parameters[index], index));
        let ahead = core::array::from_fn(|index| Dual::constant(parameters[index] + PART * h[index]));
        let mut triangle = Triangle::new();
        for x in self.points {
            let (here, there) = ((self.model)(*x, variables), (self.model)(*x, ahead).value);
            let slope: f64 = here.derivatives.iter().zip(h).map(|(derivative, h)| derivative * h).sum();
            let second = 2.0 / PART * ((there - here.value) / PART - slope);
            if !second.is_finite() {
                return None;
            }
            triangle.add(here.derivatives, -second / 2.0);
        }
        Some(triangle)
    }
}

impl LevenbergMarquardt {
    /// Fits `model` to the values `y` at the points `x`, beginning at `start`. Nothing is allocated.
    ///
    /// # Errors
    /// Data that do not determine the parameters by their number, and a start where the model is not finite.
    pub fn fit<X: Copy, const P: usize>(
        &self,
        model: impl Fn(X, [Dual<f64, P>; P]) -> Dual<f64, P>,
        x: &[X],
        y: &[f64],
        start: [f64; P],
    ) -> Result<Fit<P>, FitError> {
        if x.len() != y.len() {
            return Err(FitError::Lengths { points: x.len(), values: y.len() });
        }
        if x.len() < P {
            return Err(FitError::TooFew { points: x.len(), parameters: P });
        }
        let problem = Problem { model, points: x, values: y };
        let (triangle, sum_of_squares) = problem.linearise(&start).map_err(|point| FitError::NotFinite { point })?;
        let mut fit = Fit {
            parameters: start,
            sum_of_squares,
            iterations: 0,
            evaluations: 1,
            end: End::Iterations,
            samples: x.len(),
            triangle,
        };
        self.descend(&problem, &mut fit);
        if fit.end != End::Iterations {
            self.polish(&problem, &mut fit);
        }
        Ok(fit)
    }

    /// Steps of Gauss and Newton, as long as each is shorter than the one before: where the sum of squares no longer tells
    /// points apart, its gradient still does.
    fn polish<F, X: Copy, const P: usize>(&self, problem: &Problem<'_, F, X>, fit: &mut Fit<P>)
    where
        F: Fn(X, [Dual<f64, P>; P]) -> Dual<f64, P>,
    {
        let mut before = f64::INFINITY;
        while fit.iterations < self.iterations {
            let h = fit.triangle.solve();
            let scale = fit.triangle.columns();
            let length: f64 = h.iter().zip(scale).map(|(h, d)| squared(h * d)).sum();
            if length.is_nan() || length > 0.9 * before || length == 0.0 {
                return;
            }
            before = length;
            let parameters = core::array::from_fn(|index| fit.parameters[index] + h[index]);
            let Ok((triangle, sum)) = problem.linearise(&parameters) else { return };
            fit.iterations += 1;
            fit.evaluations += 1;
            // Rounding may make the sum a little larger.
            if sum > fit.sum_of_squares * (1.0 + 1e-9) + f64::MIN_POSITIVE {
                return;
            }
            (fit.parameters, fit.triangle, fit.sum_of_squares) = (parameters, triangle, sum);
            if is_small(&h, &fit.parameters, 1e-15) {
                fit.end = End::Converged;
                return;
            }
        }
    }

    /// Damped steps, as long as they make the sum of squares smaller.
    fn descend<F, X: Copy, const P: usize>(&self, problem: &Problem<'_, F, X>, fit: &mut Fit<P>)
    where
        F: Fn(X, [Dual<f64, P>; P]) -> Dual<f64, P>,
    {
        let mut scale = fit.triangle.columns().map(|norm| if norm > 0.0 { norm } else { 1.0 });
        let (mut damping, mut growth) = (self.damping, 2.0);
        while fit.iterations < self.iterations {
            fit.iterations += 1;
            let rows = scale.map(|scale| libm::sqrt(damping) * scale);
            let h = fit.triangle.damped(&rows).solve();
            let moved = |step: &[f64; P]| core::array::from_fn(|index| fit.parameters[index] + step[index]);
            if is_small(&h, &fit.parameters, 1e-13) {
                fit.end = End::Converged;
                return;
            }
            let norm = |step: &[f64; P]| libm::sqrt(step.iter().zip(&scale).map(|(h, d)| squared(h * d)).sum());
            // The correction for the bend of the model, with the same damping.
            fit.evaluations += 2;
            let correction = problem.bend(&fit.parameters, &h).map(|bend| bend.damped(&rows).solve());
            let straight = correction.filter(|a| 2.0 * norm(a) <= self.bend * norm(&h));
            let predicted = {
                let reached = fit.triangle.times(&h);
                let linear: f64 = reached.iter().map(|x| x * x).sum();
                linear + 2.0 * damping * squared(norm(&h))
            };
            let next = straight.map(|a| {
                let step = core::array::from_fn(|index| h[index] + a[index]);
                let parameters = moved(&step);
                (parameters, problem.sum(&parameters))
            });
            let gain = next.map_or(-1.0, |(_, sum)| (fit.sum_of_squares - sum) / predicted);
            let linearised = next.filter(|_| gain > 0.0).and_then(|(parameters, _)| {
                fit.evaluations += 2;
                problem.linearise(&parameters).ok().map(|linearised| (parameters, linearised))
            });
            if let Some((parameters, (triangle, sum))) = linearised {
                (fit.parameters, fit.triangle, fit.sum_of_squares) = (parameters, triangle, sum);
                for (scale, norm) in scale.iter_mut().zip(fit.triangle.columns()) {
                    *scale = scale.max(norm);
                }
                let miss = 2.0 * gain - 1.0;
                damping *= f64::clamp(1.0 - miss * miss * miss, 1.0 / 3.0, 2.0);
                growth = 2.0;
            } else {
                damping *= growth;
                growth *= 2.0;
                if damping.is_nan() || damping >= 1e40 {
                    fit.end = End::Stalled;
                    return;
                }
            }
        }
    }
}

/// Whether a step changes no parameter by more than a part of it.
fn is_small<const P: usize>(step: &[f64; P], parameters: &[f64; P], part: f64) -> bool {
    step.iter().zip(parameters).all(|(h, parameter)| h.abs() <= part * parameter.abs() + f64::MIN_POSITIVE)
}

#[cfg(all(test, feature = "std"))]
mod tests;
