//! The models, as NIST writes them.

use std::f64::consts::{PI, TAU};

use monomorph::Dual;

/// A problem.
pub struct Problem {
    /// The name of its file.
    pub name: &'static str,
    /// How many parameters there are.
    pub parameters: usize,
    /// Fits the columns of the data from a start; gives the parameters and the number of steps.
    pub fit: fn(&[Vec<f64>], &[f64]) -> Found,
}

/// The parameters, and the number of steps.
pub type Found = Result<(Vec<f64>, u32), String>;

type Number<const P: usize> = Dual<f64, P>;

/// What fits a model to data.
pub trait Solver {
    /// The parameters at which `model` is closest to the values `y` at `x`.
    fn fit<X: Copy, const P: usize>(
        model: impl Fn(X, [Number<P>; P]) -> Number<P>,
        x: &[X],
        y: &[f64],
        start: [f64; P],
    ) -> Found;
}

/// Fits a model of one predictor.
fn fit<S: Solver, const P: usize>(
    model: impl Fn(f64, [Number<P>; P]) -> Number<P>,
    columns: &[Vec<f64>],
    start: &[f64],
) -> Found {
    S::fit(model, &columns[1], &columns[0], start.try_into().expect("as many starts as parameters"))
}

/// `x` raised to a constant power.
fn power<const P: usize>(x: Number<P>, exponent: f64) -> Number<P> {
    x.powf(Dual::constant(exponent))
}

/// A bell around `middle`.
fn bell<const P: usize>(x: f64, height: Number<P>, middle: Number<P>, width: Number<P>) -> Number<P> {
    height * (-((x - middle) / width).squared()).exp()
}

/// Nelson's: the logarithm of the response over two predictors.
fn nelson<S: Solver>(columns: &[Vec<f64>], start: &[f64]) -> Found {
    let y: Vec<f64> = columns[0].iter().map(|y| y.ln()).collect();
    let x: Vec<[f64; 2]> = columns[1].iter().zip(&columns[2]).map(|(a, b)| [*a, *b]).collect();
    let start: [f64; 3] = start.try_into().expect("three parameters");
    S::fit(|[x1, x2], [b1, b2, b3]| b1 - b2 * x1 * (-b3 * x2).exp(), &x, &y, start)
}

macro_rules! problems {
    ($($name:literal $parameters:literal |$x:ident, $b:pat_param| $model:expr;)*) => {
        [
            $(Problem {
                name: $name,
                parameters: $parameters,
                fit: |columns, start| fit::<S, $parameters>(|$x, $b| $model, columns, start),
            },)*
            Problem { name: "Nelson", parameters: 3, fit: nelson::<S> },
        ]
    };
}

/// All of them, from lower to higher difficulty as NIST sees it.
pub fn problems<S: Solver>() -> [Problem; 27] {
    problems! {
        "Misra1a" 2 |x, [b1, b2]| b1 * (1.0 - (-b2 * x).exp());
        "Chwirut2" 3 |x, [b1, b2, b3]| (-b1 * x).exp() / (b2 + b3 * x);
        "Chwirut1" 3 |x, [b1, b2, b3]| (-b1 * x).exp() / (b2 + b3 * x);
        "Lanczos3" 6 |x, [b1, b2, b3, b4, b5, b6]| b1 * (-b2 * x).exp() + b3 * (-b4 * x).exp() + b5 * (-b6 * x).exp();
        "Gauss1" 8 |x, [b1, b2, b3, b4, b5, b6, b7, b8]| b1 * (-b2 * x).exp() + bell(x, b3, b4, b5) + bell(x, b6, b7, b8);
        "Gauss2" 8 |x, [b1, b2, b3, b4, b5, b6, b7, b8]| b1 * (-b2 * x).exp() + bell(x, b3, b4, b5) + bell(x, b6, b7, b8);
        "DanWood" 2 |x, [b1, b2]| b1 * Dual::constant(x).powf(b2);
        "Misra1b" 2 |x, [b1, b2]| b1 * (1.0 - power(1.0 + b2 * x / 2.0, -2.0));
        "Kirby2" 5 |x, [b1, b2, b3, b4, b5]| (b1 + (b2 + b3 * x) * x) / (1.0 + (b4 + b5 * x) * x);
        "Hahn1" 7 |x, [b1, b2, b3, b4, b5, b6, b7]| {
            (b1 + (b2 + (b3 + b4 * x) * x) * x) / (1.0 + (b5 + (b6 + b7 * x) * x) * x)
        };
        "MGH17" 5 |x, [b1, b2, b3, b4, b5]| b1 + b2 * (-b4 * x).exp() + b3 * (-b5 * x).exp();
        "Lanczos1" 6 |x, [b1, b2, b3, b4, b5, b6]| b1 * (-b2 * x).exp() + b3 * (-b4 * x).exp() + b5 * (-b6 * x).exp();
        "Lanczos2" 6 |x, [b1, b2, b3, b4, b5, b6]| b1 * (-b2 * x).exp() + b3 * (-b4 * x).exp() + b5 * (-b6 * x).exp();
        "Gauss3" 8 |x, [b1, b2, b3, b4, b5, b6, b7, b8]| b1 * (-b2 * x).exp() + bell(x, b3, b4, b5) + bell(x, b6, b7, b8);
        "Misra1c" 2 |x, [b1, b2]| b1 * (1.0 - power(1.0 + 2.0 * b2 * x, -0.5));
        "Misra1d" 2 |x, [b1, b2]| b1 * b2 * x / (1.0 + b2 * x);
        "Roszman1" 4 |x, [b1, b2, b3, b4]| b1 - b2 * x - (b3 / (x - b4)).atan() / PI;
        "ENSO" 9 |x, [b1, b2, b3, b4, b5, b6, b7, b8, b9]| {
            let year = TAU * x / 12.0;
            b1 + b2 * year.cos() + b3 * year.sin()
                + b5 * (TAU * x / b4).cos() + b6 * (TAU * x / b4).sin()
                + b8 * (TAU * x / b7).cos() + b9 * (TAU * x / b7).sin()
        };
        "MGH09" 4 |x, [b1, b2, b3, b4]| b1 * (x * x + x * b2) / (x * x + x * b3 + b4);
        "Thurber" 7 |x, [b1, b2, b3, b4, b5, b6, b7]| {
            (b1 + (b2 + (b3 + b4 * x) * x) * x) / (1.0 + (b5 + (b6 + b7 * x) * x) * x)
        };
        "BoxBOD" 2 |x, [b1, b2]| b1 * (1.0 - (-b2 * x).exp());
        "Rat42" 3 |x, [b1, b2, b3]| b1 / (1.0 + (b2 - b3 * x).exp());
        "MGH10" 3 |x, [b1, b2, b3]| b1 * (b2 / (x + b3)).exp();
        "Eckerle4" 3 |x, [b1, b2, b3]| b1 / b2 * (-0.5 * ((x - b3) / b2).squared()).exp();
        "Rat43" 4 |x, [b1, b2, b3, b4]| b1 / (1.0 + (b2 - b3 * x).exp()).powf(1.0 / b4);
        "Bennett5" 3 |x, [b1, b2, b3]| b1 * (b2 + x).powf(-1.0 / b3);
    }
}
