//! A spring and a pendulum, learned from noisy measurements of how they move, by a plain network and by a Hamiltonian one:
//! Greydanus, Dzamba and Yosinski, *Hamiltonian neural networks* (2019).
//!
//! ```text
//! cargo run --release --example pendulum_hnn
//! cargo run --release --example pendulum_hnn -- --quick
//! ```
//!
//! Both networks learn `(q, p) → (q′, p′)` from the same 1,500 points of 50 trajectories; the plain one gives two numbers, the
//! other one gives an energy whose derivatives they are. Then both are solved as equations from 25 new starts until
//! `t = 20`, and the true energy along the solution is compared with that of the start.
//! It prints root mean squares over starts and times, means over seeds 1 to 5, and their ratio.
//!
//! The plot of a trajectory and of its energy is `pendulum_hnn.svg` in `--out`.

use std::error::Error;
use std::path::{Path, PathBuf};

use clap::Parser;
use monomorph::layers::Ode;
use monomorph::memory;
use monomorph::network::Trainable;
use monomorph::ode::{Problem, Rk4};
use monomorph::prelude::*;
use plotters::prelude::*;

network! { pub Plain: [2] -> [2] { Dense(64), Tanh, Dense(64), Tanh, Dense(2) } }
network! { pub Hamiltonian: [2] -> [2] { hamiltonian { Dense(64), Tanh, Dense(64), Tanh, Dense(1) } } }

/// The times of a solution, and between two of them.
const TIMES: usize = 400;
const BETWEEN: f64 = 0.05;
const ALL: [f64; TIMES] = {
    let (mut times, mut index) = ([0.0; TIMES], 0);
    while index < TIMES {
        times[index] = (index + 1) as f64 * BETWEEN;
        index += 1;
    }
    times
};

impl Problem for Plain {
    type Point = [f32; 2];
    type Solver = Rk4;
    const TIMES: &'static [f64] = &ALL;
}

impl Problem for Hamiltonian {
    type Point = [f32; 2];
    type Solver = Rk4;
    const TIMES: &'static [f64] = &ALL;
}

/// The samples of a step.
const BATCH: usize = 100;

/// Learns to move.
#[derive(Parser)]
struct Options {
    /// The steps of a training.
    #[arg(long, default_value_t = 6000)]
    steps: usize,
    /// How many seeds, from 1 on, whose errors are averaged.
    #[arg(long, default_value_t = 5)]
    seeds: u64,
    /// One seed of a few steps, to see that it runs.
    #[arg(long)]
    quick: bool,
    /// Where the plot goes.
    #[arg(long, default_value = "target")]
    out: PathBuf,
}

/// A system: its name, its energy, and what the energy's derivatives are.
struct System {
    name: &'static str,
    energy: fn([f64; 2]) -> f64,
    motion: fn([f64; 2]) -> [f64; 2],
    /// The largest amplitude.
    most: f64,
}

const SYSTEMS: [System; 2] = [
    System { name: "spring", energy: |[q, p]| (q * q + p * p) / 2.0, motion: |[q, p]| [p, -q], most: 1.0 },
    System {
        name: "pendulum",
        energy: |[q, p]| p * p / 2.0 + 1.0 - q.cos(),
        motion: |[q, p]| [p, -q.sin()],
        most: 2.0,
    },
];

/// A step of the true motion, far more exact than what is learned.
fn step(system: &System, y: [f64; 2], size: f64) -> [f64; 2] {
    let after = |y: [f64; 2], k: [f64; 2], h: f64| [y[0] + h * k[0], y[1] + h * k[1]];
    let a = (system.motion)(y);
    let b = (system.motion)(after(y, a, size / 2.0));
    let c = (system.motion)(after(y, b, size / 2.0));
    let d = (system.motion)(after(y, c, size));
    std::array::from_fn(|i| y[i] + size / 6.0 * (a[i] + 2.0 * b[i] + 2.0 * c[i] + d[i]))
}

fn start(system: &System, noise: &mut Noise) -> [f64; 2] {
    [(0.2 + 0.8 * noise.uniform()) * system.most * if noise.uniform() < 0.5 { 1.0 } else { -1.0 }, 0.0]
}

/// Points of trajectories and how they move, both measured with a deviation of 0.01.
fn measure(system: &System, noise: &mut Noise) -> (Vec<[f32; 2]>, Vec<[f32; 2]>) {
    let (mut x, mut y) = (Vec::new(), Vec::new());
    for _ in 0..50 {
        let mut state = start(system, noise);
        for _ in 0..30 {
            state = step(system, state, 0.25);
            let mut noisy = |value: [f64; 2]| value.map(|value| (value + 0.01 * noise.normal()) as f32);
            x.push(noisy(state));
            y.push(noisy((system.motion)(state)));
        }
    }
    (x, y)
}

/// Where each of the starts is at each time.
type Paths = [[[f32; 2]; TIMES]; 25];

/// Trains a network and solves its equation from the starts.
fn learn<N>(
    options: &Options,
    seed: u64,
    (x, y): (&[[f32; 2]], &[[f32; 2]]),
    starts: &[[f32; 2]; 25],
) -> Result<Box<Paths>, Box<dyn Error>>
where
    N: Network<Scalar = f32, Output = [f32; 2]> + Trainable + Problem<Point = [f32; 2]>,
{
    let mut noise = Noise::new(seed);
    let mut net = memory::boxed::<N>();
    net.initialize(Init::default(), &mut noise);
    let mut trainer = Trainer::<N, _, BATCH>::new(Adam::default(), Mse);
    for step in 0..options.steps {
        // The rate falls to a hundredth.
        trainer.optimizer.learning_rate = 2e-3 * 0.01_f64.powf(step as f64 / options.steps as f64);
        let indices: [usize; BATCH] = std::array::from_fn(|_| noise.below(x.len() as u64) as usize);
        trainer.step(&mut net, &indices.map(|index| x[index]), &indices.map(|index| y[index]))?;
    }
    let mut ode = memory::boxed::<Ode<N, [[f32; 2]; TIMES], TIMES, 1>>();
    ode.as_mut_slice().copy_from_slice(net.as_slice());
    Ok(Box::new(monomorph::layer::evaluate(&*ode, starts)))
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut options = Options::parse();
    if options.quick {
        (options.steps, options.seeds) = (200, 1);
    }
    println!("energy error    plain network    Hamiltonian network    ratio");
    let mut pictures = Vec::new();
    for system in &SYSTEMS {
        let mut errors = [0.0; 2];
        for seed in 1..=options.seeds {
            let mut noise = Noise::new(1000 + seed);
            let (x, y) = measure(system, &mut noise);
            let starts = [(); 25].map(|()| start(system, &mut noise).map(|value| value as f32));
            let solutions = [
                learn::<Plain>(&options, seed, (&x, &y), &starts)?,
                learn::<Hamiltonian>(&options, seed, (&x, &y), &starts)?,
            ];
            for (error, solution) in errors.iter_mut().zip(&solutions) {
                let mut sum = 0.0;
                for (start, states) in starts.iter().zip(solution.iter()) {
                    let first = (system.energy)(start.map(f64::from));
                    sum += states.iter().map(|y| ((system.energy)(y.map(f64::from)) - first).powi(2)).sum::<f64>();
                }
                *error += (sum / (25 * TIMES) as f64).sqrt() / options.seeds as f64;
            }
            if seed == 1 {
                pictures.push((system, starts[0], solutions.map(|solution| solution[0])));
            }
        }
        let [plain, hamiltonian] = errors;
        println!("{:12} {plain:16.5} {hamiltonian:22.5} {:8.1}", system.name, plain / hamiltonian);
    }
    plot(&options.out.join("pendulum_hnn.svg"), &pictures)
}

type Picture<'a> = (&'a System, [f32; 2], [[[f32; 2]; TIMES]; 2]);

fn plot(path: &Path, pictures: &[Picture]) -> Result<(), Box<dyn Error>> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let root = SVGBackend::new(path, (1000, 900)).into_drawing_area();
    root.fill(&WHITE)?;
    let areas = root.split_evenly((2, 2));
    let learned = [("plain network", RGBColor(213, 94, 0)), ("Hamiltonian network", RGBColor(0, 114, 178))];
    for (row, (system, start, solutions)) in pictures.iter().enumerate() {
        let most = 1.3 * system.most;
        let mut chart = ChartBuilder::on(&areas[2 * row])
            .caption(format!("{}: a trajectory", system.name), ("sans-serif", 20))
            .margin(10)
            .x_label_area_size(40)
            .y_label_area_size(50)
            .build_cartesian_2d(-most..most, -most..most)?;
        chart.configure_mesh().x_desc("position").y_desc("momentum").light_line_style(WHITE).draw()?;
        for ((_, color), states) in learned.iter().zip(solutions) {
            let points = states.iter().map(|y| (f64::from(y[0]), f64::from(y[1])));
            chart.draw_series(LineSeries::new(points, color.stroke_width(1)))?;
        }
        let first = (system.energy)(start.map(f64::from));
        let mut chart = ChartBuilder::on(&areas[2 * row + 1])
            .caption("its energy, of which the true one is 1", ("sans-serif", 20))
            .margin(10)
            .x_label_area_size(40)
            .y_label_area_size(50)
            .build_cartesian_2d(0.0..TIMES as f64 * BETWEEN, 0.5..1.5)?;
        chart.configure_mesh().x_desc("time").light_line_style(WHITE).draw()?;
        for ((label, color), states) in learned.iter().zip(solutions) {
            let energies = states.iter().zip(ALL).map(|(y, time)| (time, (system.energy)(y.map(f64::from)) / first));
            let color = *color;
            chart
                .draw_series(LineSeries::new(energies, color.stroke_width(2)))?
                .label(*label)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], color));
        }
        chart.configure_series_labels().border_style(BLACK.mix(0.3)).background_style(WHITE.mix(0.8)).draw()?;
    }
    root.present()?;
    Ok(())
}
