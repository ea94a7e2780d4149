//! Fits: the parameters at which a model is closest to data, in the sense of least squares.

mod triangle;

use core::fmt;

use crate::dual::Dual;
use triangle::{Growing, Triangle, squared};

/// The method of Levenberg and Marquardt: `min Σ (f(x, b) − y)²` over the parameters `b` of any differentiable function.
///
/// Each step solves the linearised problem, damped: `min ‖J h + r‖² + μ ‖D h‖²`, by reflections of Householder that
/// need no memory but a triangle of `P × P` numbers and some rows, and no squares of `J`'s condition. `D` is the
/// largest norm that each column of `J` has had, after Moré, *The Levenberg–Marquardt algorithm: implementation and
/// theory* (1978), so results do not depend on the units of parameters; `μ` follows Nielsen, *Damping parameter in
/// Marquardt's method* (1999). Steps along which the model bends too much are not taken, and others are corrected for
/// it: the geodesic acceleration of Transtrum and Sethna (2012), where the step before did not do what it promised. The
/// last steps are those of Gauss and Newton, as long as each is shorter than the one before: where rounding hides the
/// sum of squares, its gradient still leads on. If they shrink slowly, Anderson's acceleration (1965) makes them shrink
/// faster.
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
    /// The linearised problem at `parameters`, and the sum of squares there, if it is at most `most`; or the point at which it
    /// is more or not finite.
    fn linearise<const P: usize>(&self, parameters: &[f64; P], most: f64) -> Result<(Triangle<P>, f64), usize>
    where
        F: Fn(X, [Dual<f64, P>; P]) -> Dual<f64, P>,
    {
        let variables = core::array::from_fn(|index| Dual::variable(parameters[index], index));
        let (mut triangle, mut sum) = (Growing::new(), 0.0);
        for (point, (x, y)) in self.points.iter().zip(self.values).enumerate() {
            let model = (self.model)(*x, variables);
            let residual = model.value - y;
            sum += residual * residual;
            // A number that is not finite times 0 is no number.
            let slopes: f64 = model.derivatives.iter().map(|derivative| 0.0 * derivative).sum();
            if slopes.is_nan() || !sum.is_finite() || sum > most {
                return Err(point);
            }
            triangle.add(&model.derivatives, -residual);
        }
        Ok((triangle.finish(), sum))
    }

    /// `−Jᵀr''/2`, where `r''` is the second derivative of the residuals along a step `h`: what is to be solved for the
    /// correction of the step.
    fn bend<const P: usize>(&self, parameters: &[f64; P], h: &[f64; P]) -> [f64; P]
    where
        F: Fn(X, [Dual<f64, P>; P]) -> Dual<f64, P>,
    {
        // As far as needed for the difference to be exact to a few digits, and no further.
        const PART: f64 = 0.1;
        let variables = core::array::from_fn(|index| Dual::variable(parameters[index], index));
        let ahead = core::array::from_fn(|index| Dual::constant(parameters[index] + PART * h[index]));
        let mut bend = [0.0; P];
        for x in self.points {
            let (here, there) = ((self.model)(*x, variables), (self.model)(*x, ahead).value);
            let slope: f64 = here.derivatives.iter().zip(h).map(|(derivative, h)| derivative * h).sum();
            let second = 2.0 / PART * ((there - here.value) / PART - slope);
            for (bend, derivative) in bend.iter_mut().zip(here.derivatives) {
                *bend -= 0.5 * second * derivative;
            }
        }
        bend
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
        let (triangle, sum_of_squares) =
            problem.linearise(&start, f64::INFINITY).map_err(|point| FitError::NotFinite { point })?;
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
        Ok(fit)
    }

    /// Steps of Gauss and Newton, as long as each is shorter than the one before: where the sum of squares no longer tells
    /// points apart, its gradient still does.
    fn polish<F, X: Copy, const P: usize>(&self, problem: &Problem<'_, F, X>, fit: &mut Fit<P>)
    where
        F: Fn(X, [Dual<f64, P>; P]) -> Dual<f64, P>,
    {
        let mut before = f64::INFINITY;
        // The last step of Gauss and Newton, and the one taken.
        let mut last = None;
        while fit.iterations < self.iterations {
            let h = fit.triangle.solve();
            let scale = fit.triangle.columns();
            let length: f64 = h.iter().zip(scale).map(|(h, d)| squared(h * d)).sum();
            if length.is_nan() || length > 0.9 * before || length == 0.0 {
                return;
            }
            let shrink = libm::sqrt(length / before).max(1e-8);
            before = length;
            // Steps that shrink slowly show where they lead: Anderson's acceleration.
            let step = match last {
                Some((h_before, step_before)) if shrink > 0.02 => {
                    let (h_before, step_before): ([f64; P], [f64; P]) = (h_before, step_before);
                    let (mut along, mut all) = (0.0, 0.0);
                    for index in 0..P {
                        let change = h[index] - h_before[index];
                        along += squared(scale[index]) * change * h[index];
                        all += squared(scale[index] * change);
                    }
                    core::array::from_fn(|index| {
                        h[index] - along / all * (step_before[index] + h[index] - h_before[index])
                    })
                }
                _ => h,
            };
            last = Some((h, step));
            let parameters = core::array::from_fn(|index| fit.parameters[index] + step[index]);
            fit.iterations += 1;
            fit.evaluations += 1;
            // Rounding may make the sum a little larger.
            let most = fit.sum_of_squares * (1.0 + 1e-9) + f64::MIN_POSITIVE;
            let Ok((triangle, sum)) = problem.linearise(&parameters, most) else { return };
            (fit.parameters, fit.triangle, fit.sum_of_squares) = (parameters, triangle, sum);
            // The next step would change nothing.
            if is_small(&h, &fit.parameters, 4e-16 / shrink) {
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
        // Whether the last step did not do what it promised, and how small steps are to be for undamped ones to be tried.
        let (mut is_bent, mut near) = (false, 1e-2);
        while fit.iterations < self.iterations {
            fit.iterations += 1;
            let rows = scale.map(|scale| libm::sqrt(damping) * scale);
            let damped = fit.triangle.damped(&rows);
            let h = damped.solve();
            let moved = |step: &[f64; P]| core::array::from_fn(|index| fit.parameters[index] + step[index]);
            if is_small(&h, &fit.parameters, 1e-13) {
                fit.end = End::Converged;
                self.polish(problem, fit);
                return;
            }
            if is_small(&h, &fit.parameters, near) {
                // If that does not lead on from here, it may closer to the end.
                near *= 1e-3;
                self.polish(problem, fit);
                if fit.end == End::Converged {
                    return;
                }
                continue;
            }
            let norm = |step: &[f64; P]| libm::sqrt(step.iter().zip(&scale).map(|(h, d)| squared(h * d)).sum());
            // The correction for the bend of the model, with the same damping.
            let straight = if is_bent {
                fit.evaluations += 2;
                let a = damped.solve_normal(&problem.bend(&fit.parameters, &h));
                (2.0 * norm(&a) <= self.bend * norm(&h)).then_some(a)
            } else {
                Some([0.0; P])
            };
            let predicted = {
                let reached = fit.triangle.times(&h);
                let linear: f64 = reached.iter().map(|x| x * x).sum();
                linear + 2.0 * damping * squared(norm(&h))
            };
            let next = straight.and_then(|a| {
                let parameters = moved(&core::array::from_fn(|index| h[index] + a[index]));
                fit.evaluations += 1;
                problem.linearise(&parameters, fit.sum_of_squares).ok().map(|linearised| (parameters, linearised))
            });
            let gain = next.as_ref().map_or(-1.0, |(_, (_, sum))| (fit.sum_of_squares - sum) / predicted);
            is_bent = gain < 0.9;
            if let Some((parameters, (triangle, sum))) = next.filter(|_| gain > 0.0) {
                (fit.parameters, fit.triangle, fit.sum_of_squares) = (parameters, triangle, sum);
                for (scale, norm) in scale.iter_mut().zip(fit.triangle.columns()) {
                    *scale = scale.max(norm);
                }
                let miss = 2.0 * gain - 1.0;
                // Nielsen's factor, and a smaller one where the linear model is almost exact.
                damping *=
                    if (gain - 1.0).abs() < 0.15 { 0.1 } else { (1.0 - miss * miss * miss).clamp(1.0 / 3.0, 2.0) };
                growth = 2.0;
            } else {
                damping *= growth;
                growth *= 2.0;
                if damping.is_nan() || damping >= 1e40 {
                    fit.end = End::Stalled;
                    self.polish(problem, fit);
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
