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

mod models;

use std::error::Error;
use std::path::PathBuf;

use clap::Parser;
use models::{PROBLEMS, Problem};

/// Fits NIST's certified problems.
#[derive(Parser)]
struct Options {
    /// The folder with the problems' files.
    #[arg(default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/data/nist"))]
    folder: PathBuf,
}

/// What a file says: the two starts, the certified values, and the data, one column after another.
pub struct File {
    starts: [Vec<f64>; 2],
    certified: Vec<f64>,
    columns: Vec<Vec<f64>>,
}

impl File {
    /// Reads a file: lines `b1 = start start value deviation`, and below `Data: y x` one point a line.
    fn parse(text: &str) -> Option<Self> {
        let mut file = Self { starts: Default::default(), certified: Vec::new(), columns: Vec::new() };
        for line in text.lines() {
            let Some((name, values)) = line.split_once('=') else { continue };
            let is_parameter = name.trim().strip_prefix('b').is_some_and(|index| index.parse::<u32>().is_ok());
            let values: Option<Vec<f64>> = values.split_whitespace().map(|value| value.parse().ok()).collect();
            if let (true, Some([first, second, certified, _])) = (is_parameter, values.as_deref()) {
                file.starts[0].push(*first);
                file.starts[1].push(*second);
                file.certified.push(*certified);
            }
        }
        let (_, data) = text.rsplit_once("\nData:")?;
        for line in data.lines().skip(1) {
            let values: Vec<f64> = line.split_whitespace().map(str::parse).collect::<Result<_, _>>().ok()?;
            file.columns.resize(file.columns.len().max(values.len()), Vec::new());
            file.columns.iter_mut().zip(values).for_each(|(column, value)| column.push(value));
        }
        (!file.certified.is_empty() && file.columns.len() >= 2).then_some(file)
    }
}

/// The number of digits in which all parameters agree with the certified values.
fn digits(found: &[f64], certified: &[f64]) -> f64 {
    let each = found.iter().zip(certified).map(|(found, exact)| -((found - exact) / exact).abs().log10());
    // A number that is exactly equal has as many as NIST gives.
    each.fold(11.0, f64::min)
}

fn main() -> Result<(), Box<dyn Error>> {
    let Options { folder } = Options::parse();
    let (mut solved, mut fewest) = (0, 11.0_f64);
    println!("{:<10} {:>10} {:>10} {:>8} {:>8}", "problem", "parameters", "data", "start 1", "start 2");
    for Problem { name, parameters, fit } in PROBLEMS {
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
    println!("{solved} of {} problems from both starts; fewest digits: {fewest:.1}", PROBLEMS.len());
    Ok(())
}
