//! What the layers of a network know of its input and of its target while it learns: the information plane of
//! Shwartz-Ziv and Tishby, *Opening the black box of deep neural networks via information* (2017), on a small network.
//!
//! ```text
//! cargo run --release --example information_plane
//! cargo run --release --example information_plane -- --quick
//! ```
//!
//! The input is every one of 4,096 patterns of 12 bits, each as likely as any other, and the target says whether a noisy
//! sum of them is above 0; so `I(T; X)` and `I(T; Y)` of a layer's output `T`, in 30 bins for each unit as in the paper, are exact
//! counts. `I(T; Y)` rises towards what the input tells of the target, 0.897 bits. What follows depends on the units: saturating
//! ones let go of the input again, rectified ones hardly do (Saxe et al., *On the information bottleneck theory of deep
//! learning*, 2018). Output, in bits, means over seeds 1 to 5 (20 seconds on one core):
//!
//! ```text
//! tanh: training loss 0.032
//! layer      I(T; X) at first, at most, at last       I(T; Y) at first, at last, bits
//! 0                  12.00    12.00    12.00                  0.897    0.897
//! 1                  12.00    12.00    11.93                  0.897    0.896
//! 2                  11.95    11.97    11.17                  0.879    0.892
//! 3                  11.13    11.40     8.67                  0.632    0.878
//! 4                   8.54     9.15     4.39                  0.196    0.827
//! ReLU: training loss 0.022
//! layer      I(T; X) at first, at most, at last       I(T; Y) at first, at last, bits
//! 0                  11.96    12.00    11.99                  0.888    0.897
//! 1                  11.22    11.56    11.07                  0.723    0.885
//! 2                   8.59     9.49     8.59                  0.347    0.854
//! 3                   6.43     6.78     5.96                  0.123    0.822
//! 4                   5.26     5.31     4.28                  0.058    0.802
//! ```
//!
//! The plot is `information_plane.svg` in `--out`.

use std::collections::HashMap;
use std::error::Error;
use std::path::{Path, PathBuf};

use clap::Parser;
use monomorph::memory;
use monomorph::metrics::information::entropy;
use monomorph::network::Trainable;
use monomorph::prelude::*;
use plotters::prelude::*;

network! { pub WithTanh: [12] -> [1] {
    a: Dense(10), Tanh, b: Dense(7), Tanh, c: Dense(5), Tanh, d: Dense(4), Tanh, e: Dense(3), Tanh, f: Dense(1)
} }
network! { pub WithRelu: [12] -> [1] {
    a: Dense(10), Relu, b: Dense(7), Relu, c: Dense(5), Relu, d: Dense(4), Relu, e: Dense(3), Relu, f: Dense(1)
} }

/// All inputs.
const INPUTS: usize = 4096;
/// The inputs of a step.
const BATCH: usize = 256;
/// The hidden layers.
const LAYERS: usize = 5;
/// The bins of a unit.
const BINS: f64 = 30.0;

/// Watches a network learn.
#[derive(Parser)]
struct Options {
    /// The passes over the training inputs.
    #[arg(long, default_value_t = 4000)]
    epochs: u64,
    /// How many seeds, from 1 on, whose information is averaged.
    #[arg(long, default_value_t = 5)]
    seeds: u64,
    /// One seed of a few epochs, to see that it runs.
    #[arg(long)]
    quick: bool,
    /// Where the plot goes.
    #[arg(long, default_value = "target")]
    out: PathBuf,
}

/// `(I(T; X), I(T; Y))` in bits of each layer, at each moment.
type Plane = Vec<[(f64, f64); LAYERS]>;

/// The inputs, and the probability that the target is 1.
fn world() -> (Vec<[f32; 12]>, Vec<f64>) {
    let mut noise = Noise::new(12);
    let weights: [f64; 12] = core::array::from_fn(|_| noise.normal());
    let inputs: Vec<[f32; 12]> =
        (0..INPUTS).map(|index| core::array::from_fn(|bit| if index >> bit & 1 == 1 { 1.0 } else { -1.0 })).collect();
    let sharpness = 4.0;
    let probability = |input: &[f32; 12]| {
        let linear: f64 = input.iter().zip(weights).map(|(x, w)| f64::from(*x) * w).sum();
        let pairs: f64 = (0..11).map(|bit| f64::from(input[bit] * input[bit + 1]) * weights[bit]).sum();
        1.0 / (1.0 + (-sharpness * (linear + pairs)).exp())
    };
    let probabilities = inputs.iter().map(probability).collect();
    (inputs, probabilities)
}

/// The outputs of the hidden layers.
trait Layers: Network<Scalar = f32, Input = [f32; 12], Output = [f32; 1]> + Trainable {
    /// Whether units lie between −1 and 1.
    const SATURATES: bool;

    /// The layers' weights and biases, from the first on.
    fn weights(&self) -> [(Vec<&[f32]>, &[f32]); LAYERS];

    fn activate(x: f32) -> f32 {
        if Self::SATURATES { x.tanh() } else { x.max(0.0) }
    }

    fn hidden(&self, input: &[f32; 12]) -> [Vec<f32>; LAYERS] {
        let mut x = input.to_vec();
        self.weights().map(|(weight, bias)| {
            let sum = |unit: usize| weight.iter().zip(&x).map(|(row, x)| row[unit] * x).sum::<f32>() + bias[unit];
            x = (0..bias.len()).map(|unit| Self::activate(sum(unit))).collect();
            x.clone()
        })
    }
}

macro_rules! layers {
    ($net:ident, $saturates:literal) => {
        impl Layers for $net {
            const SATURATES: bool = $saturates;

            fn weights(&self) -> [(Vec<&[f32]>, &[f32]); LAYERS] {
                [
                    (self.a.weight.iter().map(|row| &row[..]).collect(), &self.a.bias[..]),
                    (self.b.weight.iter().map(|row| &row[..]).collect(), &self.b.bias),
                    (self.c.weight.iter().map(|row| &row[..]).collect(), &self.c.bias),
                    (self.d.weight.iter().map(|row| &row[..]).collect(), &self.d.bias),
                    (self.e.weight.iter().map(|row| &row[..]).collect(), &self.e.bias),
                ]
            }
        }
    };
}
layers!(WithTanh, true);
layers!(WithRelu, false);

/// `I(T; X)` and `I(T; Y)` of each layer, in bits.
fn information<N: Layers>(net: &N, inputs: &[[f32; 12]], probabilities: &[f64]) -> [(f64, f64); LAYERS] {
    let hidden: Vec<_> = inputs.iter().map(|input| net.hidden(input)).collect();
    let whole = probabilities.iter().sum::<f64>() / INPUTS as f64;
    core::array::from_fn(|layer| {
        let largest = hidden.iter().flat_map(|of| &of[layer]).fold(0.0_f32, |a, b| a.max(*b));
        let (low, high) = if N::SATURATES { (-1.0, 1.0) } else { (0.0, f64::from(largest).max(1e-9)) };
        // How many inputs a code stands for, and how many of their targets are 1.
        let mut codes: HashMap<Vec<u8>, [f64; 2]> = HashMap::new();
        for (of, probability) in hidden.iter().zip(probabilities) {
            let bin = |x: &f32| ((f64::from(*x) - low) / (high - low) * BINS).min(BINS - 1.0) as u8;
            let code = codes.entry(of[layer].iter().map(bin).collect()).or_default();
            code[0] += 1.0 / INPUTS as f64;
            code[1] += probability / INPUTS as f64;
        }
        let bits = std::f64::consts::LN_2;
        // The code is a function of the input, so I(T; X) = H(T).
        let of_input = entropy(&codes.values().map(|code| code[0]).collect::<Vec<_>>()) / bits;
        let rest: f64 = codes.values().map(|[p, one]| p * entropy(&[one / p, 1.0 - one / p])).sum();
        (of_input, (entropy(&[whole, 1.0 - whole]) - rest) / bits)
    })
}

/// Trains a network, and adds its plane.
fn learn<N: Layers>(options: &Options, seed: u64, moments: &[u64], plane: &mut Plane) -> Result<f64, Box<dyn Error>> {
    let (inputs, probabilities) = world();
    let mut noise = Noise::new(seed);
    let mut net = memory::boxed::<N>();
    net.initialize(Init::XavierNormal, &mut noise);
    let mut trainer = Trainer::<N, _, BATCH>::new(Sgd { learning_rate: 0.05, ..Sgd::default() }, BceWithLogits);
    let mut order: Vec<usize> = (0..INPUTS).collect();
    noise.shuffle(&mut order);
    order.truncate(INPUTS * 85 / 100 / BATCH * BATCH);
    let targets: Vec<[f32; 1]> = probabilities.iter().map(|p| [f32::from(u8::from(noise.uniform() < *p))]).collect();
    let mut next = 0;
    let mut loss = 0.0;
    for epoch in 0..=options.epochs {
        if moments.get(next) == Some(&epoch) {
            for (sum, point) in plane[next].iter_mut().zip(information(&*net, &inputs, &probabilities)) {
                sum.0 += point.0 / options.seeds as f64;
                sum.1 += point.1 / options.seeds as f64;
            }
            next += 1;
        }
        noise.shuffle(&mut order);
        for batch in order.as_chunks::<BATCH>().0 {
            let (x, y) = (batch.map(|index| inputs[index]), batch.map(|index| targets[index]));
            loss = f64::from(trainer.step(&mut net, &x, &y)?.loss);
        }
    }
    Ok(loss)
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut options = Options::parse();
    if options.quick {
        (options.epochs, options.seeds) = (20, 1);
    }
    // As many moments in each factor of ten.
    let mut moments: Vec<u64> =
        (0..60).map(|index| (options.epochs as f64).powf(f64::from(index) / 59.0).round() as u64).collect();
    moments.insert(0, 0);
    moments.dedup();
    let mut planes = Vec::new();
    for (name, kind) in [("tanh", 0), ("ReLU", 1)] {
        let mut plane: Plane = vec![[(0.0, 0.0); LAYERS]; moments.len()];
        let mut loss = 0.0;
        for seed in 1..=options.seeds {
            loss += match kind {
                0 => learn::<WithTanh>(&options, seed, &moments, &mut plane)?,
                _ => learn::<WithRelu>(&options, seed, &moments, &mut plane)?,
            };
        }
        println!("{name}: training loss {:.3}", loss / options.seeds as f64);
        println!("layer      I(T; X) at first, at most, at last       I(T; Y) at first, at last, bits");
        for layer in 0..LAYERS {
            let points: Vec<(f64, f64)> = plane.iter().map(|moment| moment[layer]).collect();
            let (first, last) = (points[0], points[points.len() - 1]);
            let most = points.iter().map(|point| point.0).fold(0.0, f64::max);
            println!("{layer}       {:16.2} {most:8.2} {:8.2} {:22.3} {:8.3}", first.0, last.0, first.1, last.1);
        }
        planes.push((name, plane));
    }
    plot(&options.out.join("information_plane.svg"), &planes)
}

fn plot(path: &Path, planes: &[(&str, Plane)]) -> Result<(), Box<dyn Error>> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let root = SVGBackend::new(path, (1100, 480)).into_drawing_area();
    root.fill(&WHITE)?;
    for (area, (name, plane)) in root.split_evenly((1, planes.len())).iter().zip(planes) {
        let mut chart = ChartBuilder::on(area)
            .caption(format!("{name}, from dark to light"), ("sans-serif", 20))
            .margin(10)
            .x_label_area_size(40)
            .y_label_area_size(45)
            .build_cartesian_2d(0.0..12.2, 0.0..1.0)?;
        chart.configure_mesh().x_desc("I(T; X), bits").y_desc("I(T; Y), bits").light_line_style(WHITE).draw()?;
        for (index, moment) in plane.iter().enumerate() {
            let color = HSLColor(
                0.75 - 0.62 * index as f64 / plane.len() as f64,
                0.8,
                0.25 + 0.35 * index as f64 / plane.len() as f64,
            );
            chart.draw_series(LineSeries::new(moment.iter().copied(), BLACK.mix(0.06)))?;
            chart.draw_series(moment.iter().map(|point| Circle::new(*point, 3, color.filled())))?;
        }
    }
    root.present()?;
    Ok(())
}
