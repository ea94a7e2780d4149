//! NIST's 27 certified problems of nonlinear least squares, from both starts of each.
//!
//! ```text
//! cargo run --release --example nist
//! cargo run --release --example nist -- FOLDER
//! ```
//!
//! Expected end of the output:
//!
//! ```text
//! Nelson              3        128     10.9     10.9   46 and 35 steps
//! 27 of 27 problems from both starts; fewest digits: 10.3
//! ```
//!
//! Digits are those of the parameter that agrees least with NIST's certified value, of which 11 are given. The data are of
//! the Statistical Reference Datasets, in the public domain; a copy is in `data/nist`.

mod file;
mod models;

use std::error::Error;
use std::path::PathBuf;

use clap::Parser;
use file::{File, digits};
use models::{Found, Problem, Solver, problems};
use monomorph::Dual;
use monomorph::fit::LevenbergMarquardt;

/// Fits NIST's certified problems.
#[derive(Parser)]
struct Options {
    /// The folder with the problems' files.
    #[arg(default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/data/nist"))]
    folder: PathBuf,
}

/// The fit of this library.
enum Ours {}

impl Solver for Ours {
    fn fit<X: Copy, const P: usize>(
        model: impl Fn(X, [Dual<f64, P>; P]) -> Dual<f64, P>,
        x: &[X],
        y: &[f64],
        start: [f64; P],
    ) -> Found {
        let fit = LevenbergMarquardt::default().fit(model, x, y, start).map_err(|error| error.to_string())?;
        Ok((fit.parameters.to_vec(), fit.iterations))
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let Options { folder } = Options::parse();
    let (mut solved, mut fewest) = (0, 11.0_f64);
    println!("{:<10} {:>10} {:>10} {:>8} {:>8}", "problem", "parameters", "data", "start 1", "start 2");
    let problems = problems::<Ours>();
    for Problem { name, parameters, fit } in &problems {
        let path = folder.join(name).with_extension("dat");
        let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let file = File::parse(&text).filter(|file| file.certified.len() == *parameters);
        let file = file.ok_or_else(|| format!("{}: not one of NIST's files", path.display()))?;
        let mut both = [0.0; 2];
        let mut steps = [0; 2];
        for ((start, digits_of), steps) in file.starts.iter().zip(&mut both).zip(&mut steps) {
            let (found, count) = fit(&file.columns, start)?;
            (*digits_of, *steps) = (digits(&found, &file.certified), count);
        }
        let count = file.columns[0].len();
        println!(
            "{name:<10} {parameters:>10} {count:>10} {:>8.1} {:>8.1}   {} and {} steps",
            both[0], both[1], steps[0], steps[1]
        );
        let least = both[0].min(both[1]);
        solved += u32::from(least >= 6.0);
        fewest = fewest.min(least);
    }
    println!("{solved} of {} problems from both starts; fewest digits: {fewest:.1}", problems.len());
    Ok(())
}
