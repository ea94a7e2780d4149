//! Watching a training: norms of each layer, dead units, a log, curves and the landscape of the loss.
//!
//! ```text
//! cargo run --release --example watching
//! cargo run --release --example watching -- --quick
//! ```
//!
//! It learns two spirals, and writes to `--out` (`target/watching`):
//!
//! | file | shows |
//! | --- | --- |
//! | `log.csv`, `log.jsonl` | a row for each epoch: losses, accuracies, learning rate, seconds |
//! | `losses.svg` | the losses as curves |
//! | `updates.svg` | how large the steps of each layer are, as parts of its weights |
//! | `landscape.svg` | the loss on a plane through the trained weights (Li and others, 2018) |

use std::error::Error;
use std::fs;
use std::path::PathBuf;

use clap::Parser;
use monomorph::data::Dataset;
use monomorph::prelude::*;
use monomorph::watch::{Activations, Activity, Chart, Landscape, Log, Watch, heat_map};

network! { #[watched] pub Spirals: [2] -> [2] {
    first: Dense(32), Relu, second: Dense(32), Relu, third: Dense(16), Relu, last: Dense(2),
} }

/// Shows a training from all sides.
#[derive(Parser)]
struct Options {
    /// How often each sample is seen.
    #[arg(long, default_value_t = 150)]
    epochs: u32,
    /// Ten epochs, to see that it runs.
    #[arg(long)]
    quick: bool,
    /// Where the files go.
    #[arg(long, default_value = "target/watching")]
    out: PathBuf,
}

/// Points on two spirals, with noise; the class is the spiral.
fn spirals(len: usize) -> Dataset<[f32; 2], u8> {
    let mut noise = Noise::new(1);
    Dataset::from_fn(len, |index, x: &mut [f32; 2], y: &mut u8| {
        *y = (index % 2) as u8;
        let along = noise.uniform();
        let angle = 3.0 * std::f64::consts::PI * along + f64::from(*y) * std::f64::consts::PI;
        let radius = 0.1 + 0.9 * along;
        *x = [angle.cos(), angle.sin()].map(|part| (radius * part + 0.02 * noise.normal()) as f32);
    })
}

fn main() -> Result<(), Box<dyn Error>> {
    const GRID: usize = 41;
    let options = Options::parse();
    fs::create_dir_all(&options.out)?;
    let epochs = if options.quick { 10 } else { options.epochs };
    let (train, test) = spirals(2000).split(400);
    let mut net = Spirals::zeroed();
    net.initialize(Init::default(), &mut Noise::new(2));

    let (mut watch, mut activity) = (Watch::new(&net), Activity::new());
    let mut updates = Chart::new("Norm of the update / norm of the weights", ["step", "ratio"]).logarithmic();
    let mut losses = Chart::new("Two spirals", ["epoch", "loss"]).logarithmic();
    let (mut csv, mut json) = (Log::create(options.out.join("log.csv"))?, Log::create(options.out.join("log.jsonl"))?);
    // Callbacks cannot fail; what went wrong last is looked at afterwards.
    let mut logged = Ok(());
    let (mut norms, mut epoch) = (Vec::new(), 0);
    let best = fit(&mut net, &train)
        .validate(&test)
        .epochs(epochs)
        .optimizer(Adam { learning_rate: 0.01, ..Adam::default() })
        .schedule(|total| Schedule::Cosine { warmup: 0, total, floor: 0.01 })
        .on_step(|step| {
            // Dead is what nothing moves in a whole epoch.
            if epoch != step.epoch {
                epoch = step.epoch;
                activity.clear();
            }
            activity.add(step.gradient);
            norms.clear();
            watch.layers(step.network, step.gradient, |layer| {
                norms.push((layer.layer.to_string(), layer.weights, layer.gradient, layer.update));
                if step.step % 20 == 0 {
                    updates.add(&layer.layer.to_string(), step.step as f64, layer.ratio());
                }
            });
        })
        .on_epoch(|epoch| {
            let at = f64::from(epoch.epoch);
            losses.add("training", at, epoch.train.loss);
            losses.add("validation", at, epoch.validation.map_or(f64::NAN, |score| score.loss));
            if let Err(error) = csv.epoch(epoch).and_then(|()| json.epoch(epoch)) {
                logged = Err(error);
            }
        })
        .run()?;
    logged?;

    println!("{best}");
    println!("layer     weights  gradient    update  (last step)");
    for (layer, weights, gradient, update) in &norms {
        println!("{layer:<8} {weights:>8.3} {gradient:>9.2e} {update:>9.2e}");
    }
    activity.dead(|units| println!("{}: {} of {} units dead", units.tensor, units.dead, units.units));

    println!("activations  root of mean square   zeros  dead units");
    let batch = test.batches::<200>().next().ok_or("no batch to look at")?;
    Activations::<Spirals, 200>::new().of(&net, batch.x, |seen| {
        let dead = format!("{} of {}", seen.dead, seen.units);
        println!("{:<11} {:>20.3} {:>6.1} %  {dead:>10}", seen.layer, seen.rms, 100.0 * seen.zeros);
    });

    let mut plane = Landscape::new(&net, &mut Noise::new(3));
    let mut evaluator = Evaluator::<Spirals, 32>::new();
    let grid = plane.grid::<GRID>(1.0, |net| {
        evaluator.score(net, &CrossEntropy, test.inputs(), test.targets()).map_or(f64::NAN, |score| score.loss)
    });
    let middle = grid[GRID / 2][GRID / 2];
    let lowest = grid.as_flattened().iter().copied().fold(f64::INFINITY, f64::min);
    println!("loss in the middle of the landscape: {middle:.4}; lowest of {} points: {lowest:.4}", GRID * GRID);

    for (name, svg) in [
        ("losses.svg", losses.svg()),
        ("updates.svg", updates.svg()),
        ("landscape.svg", heat_map("Loss around the trained network", &grid)),
    ] {
        fs::write(options.out.join(name), svg)?;
    }
    println!("written to {}", options.out.display());
    Ok(())
}
