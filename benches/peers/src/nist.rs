//! NIST's problems of least squares, by this library and by the crate `levenberg-marquardt`; `nist.sh` runs it.
//!
//! usage: nist FOLDER      prints a line of JSON for each problem, start and library

#[path = "../../../examples/nist/file.rs"]
mod file;
#[path = "../../../examples/nist/models.rs"]
mod models;

use std::hint::black_box;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use file::{File, digits};
use levenberg_marquardt::LeastSquaresProblem;
use models::{Found, Problem, Solver, problems};
use monomorph::Dual;
use nalgebra_of_levenberg_marquardt::{Const, DVector, Dyn, OMatrix, OVector, SVector, U1, VecStorage};

enum Ours {}

impl Solver for Ours {
    fn fit<X: Copy, const P: usize>(
        model: impl Fn(X, [Dual<f64, P>; P]) -> Dual<f64, P>,
        x: &[X],
        y: &[f64],
        start: [f64; P],
    ) -> Found {
        let fit = monomorph::fit::LevenbergMarquardt::default();
        let fit = fit.fit(model, x, y, start).map_err(|error| error.to_string())?;
        Ok((fit.parameters.to_vec(), fit.evaluations))
    }
}

/// A model for the crate: with the same derivatives, which are computed once for each set of parameters.
struct Theirs<'a, F, X, const P: usize> {
    model: F,
    x: &'a [X],
    y: &'a [f64],
    parameters: SVector<f64, P>,
    values: Vec<Dual<f64, P>>,
}

impl<F: Fn(X, [Dual<f64, P>; P]) -> Dual<f64, P>, X: Copy, const P: usize> LeastSquaresProblem<f64, Dyn, Const<P>>
    for Theirs<'_, F, X, P>
{
    type ResidualStorage = VecStorage<f64, Dyn, U1>;
    type JacobianStorage = VecStorage<f64, Dyn, Const<P>>;
    type ParameterStorage = nalgebra_of_levenberg_marquardt::ArrayStorage<f64, P, 1>;

    fn set_params(&mut self, parameters: &SVector<f64, P>) {
        self.parameters = *parameters;
        let variables = std::array::from_fn(|index| Dual::variable(parameters[index], index));
        self.values.clear();
        self.values.extend(self.x.iter().map(|x| (self.model)(*x, variables)));
    }

    fn params(&self) -> SVector<f64, P> {
        self.parameters
    }

    fn residuals(&self) -> Option<OVector<f64, Dyn>> {
        let residuals = self.values.iter().zip(self.y).map(|(model, y)| model.value - y);
        Some(DVector::from_iterator(self.y.len(), residuals))
    }

    fn jacobian(&self) -> Option<OMatrix<f64, Dyn, Const<P>>> {
        let rows = self.values.iter().map(|model| model.derivatives);
        let mut jacobian = OMatrix::<f64, Dyn, Const<P>>::zeros(self.y.len());
        for (row, derivatives) in rows.enumerate() {
            for (column, derivative) in derivatives.into_iter().enumerate() {
                jacobian[(row, column)] = derivative;
            }
        }
        Some(jacobian)
    }
}

enum Crate {}

impl Solver for Crate {
    fn fit<X: Copy, const P: usize>(
        model: impl Fn(X, [Dual<f64, P>; P]) -> Dual<f64, P>,
        x: &[X],
        y: &[f64],
        start: [f64; P],
    ) -> Found {
        let parameters = SVector::from(start);
        let mut problem = Theirs { model, x, y, parameters, values: Vec::with_capacity(x.len()) };
        problem.set_params(&parameters);
        let (problem, report) = levenberg_marquardt::LevenbergMarquardt::new().minimize(problem);
        let parameters: [f64; P] = problem.parameters.into();
        Ok((parameters.to_vec(), report.number_of_evaluations as u32))
    }
}

/// The least time of a fit.
fn seconds(mut fit: impl FnMut()) -> f64 {
    let (mut least, mut left) = (f64::INFINITY, Duration::from_millis(60));
    loop {
        // As many as take a tenth of a millisecond, which clocks can tell.
        let (start, mut count) = (Instant::now(), 0);
        while start.elapsed() < Duration::from_micros(100) {
            fit();
            count += 1;
        }
        let took = start.elapsed();
        least = least.min(took.as_secs_f64() / f64::from(count));
        match left.checked_sub(took) {
            Some(rest) => left = rest,
            None => return least,
        }
    }
}

fn measure(library: &str, folder: &std::path::Path, problems: &[Problem]) {
    for Problem { name, parameters, fit } in problems {
        let path = folder.join(name).with_extension("dat");
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let file = File::parse(&text).expect("one of NIST's files");
        assert_eq!(file.certified.len(), *parameters, "{name}");
        for (index, start) in file.starts.iter().enumerate() {
            let (found, evaluations) = fit(&file.columns, start).expect("a fit");
            let digits = digits(&found, &file.certified);
            let digits = if digits.is_finite() { digits } else { -99.0 };
            let seconds = seconds(|| drop(black_box(fit(black_box(&file.columns), black_box(start)))));
            let start = index + 1;
            println!(
                r#"{{"library": "{library}", "problem": "{name}", "start": {start}, "seconds": {seconds:e}, "digits": {digits:.1}, "evaluations": {evaluations}}}"#
            );
        }
    }
}

fn main() {
    let folder = PathBuf::from(std::env::args().nth(1).expect("the folder with NIST's files"));
    measure("monomorph", &folder, &problems::<Ours>());
    measure("levenberg-marquardt", &folder, &problems::<Crate>());
}
