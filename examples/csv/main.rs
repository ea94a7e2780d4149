//! From a CSV file to firmware: reads a pump's measurements, learns what state it is in, and saves the weights.
//!
//! ```text
//! cargo run --release --example csv
//! cargo run --release --example csv -- --file yours.csv
//! ```
//!
//! Expected output, before it says how firmware includes the weights:
//!
//! ```text
//! 900 rows: 720 to learn from, 180 to test
//! temperature_c: mean 51.9, deviation 7.5
//! current_ma: mean 699.5, deviation 206.7
//! vibration_mg: mean 21.7, deviation 7.1
//! speed_rpm: mean 2938.5, deviation 24.0
//! best: epoch 76, loss 0.177
//! state    precision recall
//! ok           0.896  0.923
//! worn         1.000  0.981
//! blocked      0.919  0.905
//! accuracy 0.933
//! ```
//!
//! `pump.csv` is made up: `--generate` writes it, by [`generate`], so it is nobody's. The values are of very different size;
//! `Normalize` measures mean and deviation of each column once, and they are saved with the weights. So the firmware gives
//! the network what the sensor gives: see `examples/firmware/src/bin/pump.rs`. To train for it, use
//! `--out examples/csv`, where it reads the weights.

mod net;

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use clap::Parser;
use monomorph::data::Dataset;
use monomorph::metrics::{Confusion, argmax};
use monomorph::prelude::*;
use monomorph::weights;
use net::{Pump, STATES};

/// The columns that the network reads, in the order of its inputs.
const COLUMNS: [&str; 4] = ["temperature_c", "current_ma", "vibration_mg", "speed_rpm"];
const LABEL: &str = "state";

/// Learns the state of a pump from a CSV file.
#[derive(Parser)]
struct Options {
    /// The measurements: a header, then a row each.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/csv/pump.csv"))]
    file: PathBuf,
    /// Where the weights go.
    #[arg(long, default_value = "target")]
    out: PathBuf,
    /// Writes the file instead of reading it.
    #[arg(long)]
    generate: bool,
}

/// Reads the columns of the network, wherever in a row they are.
fn read(path: &Path) -> Result<Dataset<[f32; 4], usize>, Box<dyn Error>> {
    let name = path.display();
    let mut reader =
        csv::ReaderBuilder::new().trim(csv::Trim::All).from_path(path).map_err(|error| format!("{name}: {error}"))?;
    let header = reader.headers().map_err(|error| format!("{name}: {error}"))?.clone();
    let find = |column: &str| {
        let missing = || format!("{name}: there is no column `{column}` in the header `{}`", header.as_slice());
        header.iter().position(|field| field == column).ok_or_else(missing)
    };
    let mut places = [0; 4];
    for (place, column) in places.iter_mut().zip(COLUMNS) {
        *place = find(column)?;
    }
    let label = find(LABEL)?;
    let (mut inputs, mut targets) = (Vec::new(), Vec::new());
    for row in reader.records() {
        // The message of a row that is too long or too short says which line it is.
        let row = row.map_err(|error| format!("{name}: {error}"))?;
        let line = row.position().map_or(0, csv::Position::line);
        let mut values = [0.0; 4];
        for ((value, place), column) in values.iter_mut().zip(places).zip(COLUMNS) {
            let field = &row[place];
            *value =
                field.parse().ok().filter(|value: &f32| value.is_finite()).ok_or_else(|| {
                    format!("{name}, line {line}: `{column}` is `{field}`, which is not a finite number")
                })?;
        }
        let state = &row[label];
        let known = STATES.iter().position(|name| *name == state);
        let unknown = || format!("{name}, line {line}: `{LABEL}` is `{state}`, which is none of {}", STATES.join(", "));
        inputs.push(values);
        targets.push(known.ok_or_else(unknown)?);
    }
    Ok(Dataset::new(inputs, targets)?)
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    if options.generate {
        return Ok(fs::write(&options.file, generate())?);
    }
    let mut data = read(&options.file)?;
    let rows = data.len();
    data.shuffle(&mut Noise::new(1));
    let (train, test) = data.split_fraction(0.2);
    println!("{rows} rows: {} to learn from, {} to test", train.len(), test.len());

    let mut net = Pump::zeroed();
    net.initialize(Init::default(), &mut Noise::new(2));
    net.normalize1.fit(train.inputs())?;
    for (column, (mean, factor)) in COLUMNS.iter().zip(net.normalize1.mean.iter().zip(net.normalize1.factor)) {
        println!("{column}: mean {mean:.1}, deviation {:.1}", 1.0 / factor);
    }
    let best = fit(&mut net, &train)
        .validate(&test)
        .epochs(200)
        .stop_early(20)
        .optimizer(Adam { learning_rate: 0.01, ..Adam::default() })
        .run()?;
    println!("best: epoch {}, loss {:.3}", best.epoch, best.validation.map_or(f64::NAN, |score| score.loss));

    let mut confusion = Confusion::<3>::default();
    for (measured, state) in test.iter() {
        confusion.add(*state, argmax(&net.evaluate(measured)))?;
    }
    println!("{:<8} precision recall", LABEL);
    for (class, state) in STATES.iter().enumerate() {
        println!("{state:<8} {:>9.3} {:>6.3}", confusion.precision(class), confusion.recall(class));
    }
    println!("accuracy {:.3}", confusion.accuracy());

    fs::create_dir_all(&options.out)?;
    let file = options.out.join("pump.safetensors");
    weights::save(&file, &net)?;
    println!("firmware includes {}:", file.display());
    println!("    static NET: Pump = include_weights!(Pump, \"pump.safetensors\");");
    println!("    let scores = NET.evaluate(&[temperature, current, vibration, speed]);");
    Ok(())
}

/// 900 measurements of a pump under load: 300 of each state, in random order.
///
/// Load and ambient temperature vary. A worn bearing vibrates and is warmer; a blocked inlet takes current and speed.
fn generate() -> String {
    let mut noise = Noise::new(7);
    let mut text = format!("{},{LABEL}\n", COLUMNS.join(","));
    let mut states: Vec<usize> = (0..900).map(|row| row % 3).collect();
    for last in (1..states.len()).rev() {
        states.swap(last, noise.below(last as u64 + 1) as usize);
    }
    for state in states {
        let (load, ambient) = (noise.uniform(), 22.0 + 2.5 * noise.normal());
        let (worn, blocked) = (f64::from(u8::from(state == 1)), f64::from(u8::from(state == 2)));
        let temperature = ambient + 15.0 + 20.0 * load + 6.0 * worn + 9.0 * blocked + 1.0 * noise.normal();
        let current = 300.0 + 600.0 * load + 40.0 * worn + 260.0 * blocked + 15.0 * noise.normal();
        let vibration = (12.0 + 8.0 * load) * (1.0 + 0.8 * worn + 0.2 * blocked) * (0.12 * noise.normal()).exp();
        let speed = 2980.0 - 60.0 * load - 35.0 * blocked + 4.0 * noise.normal();
        // Writing to a string does not fail.
        let _ = writeln!(text, "{temperature:.1},{current:.0},{vibration:.1},{speed:.0},{}", STATES[state]);
    }
    text
}
