//! Reinforcement learning: an agent learns to balance, to swing and to climb, in seconds.
//!
//! ```text
//! cargo run --release --example control -- pendulum --algorithm sac --seed 1
//! cargo run --release --example control -- --table
//! ```
//!
//! The environments are `cart-pole`, `acrobot`, `mountain-car`, `pendulum` and `mountain-car-continuous`; the
//! algorithms `dqn` and `ppo` for the first three, `sac`, `td3` and `ppo` for the pendulum, `sac` for the last. The
//! command ends with
//!
//! ```text
//! mean return of 20 episodes: -127.3 after 10000 steps, 1.9 s
//! ```
//!
//! and leaves in `target`: `control.svg`, the returns of all episodes; `control-episode.svg`, an animation of one
//! episode, which a browser plays; `control.safetensors`, the weights of the policy, for `include_weights!`. `--table`
//! trains everything with five seeds. With `--checkpoint FILE` the training is written there when it ends, or when it
//! is stopped by `--stop-at STEPS`; called again, it goes on from there bit by bit.
//!
//! What the presets have reached, the mean return of 20 episodes for each of five seeds (`--table`):
//!
//! | environment | algorithm | steps | returns |
//! | --- | --- | ---: | --- |
//! | cart-pole | ppo | 100,000 | 500, 500, 473.1, 500, 500 |
//! | cart-pole | dqn | 50,000 | 371.0, 212.9, 488.9, 198.3, 500: it forgets again what it knew |
//! | acrobot | dqn | 100,000 | -80.5, -79.7, -79.8, -82.2, -81.4 |
//! | acrobot | ppo | 300,000 | -78.6, -74.8, -85.0, -89.3, -78.8 |
//! | mountain-car | dqn | 120,000 | -100.8, -96.0, -105.2, -134.9, -143.4 |
//! | mountain-car | ppo | 500,000 | -105.2, -103.7, -102.5, -103.8, -122.4 |
//! | pendulum | sac | 10,000 | -132.9, -162.8, -144.8, -190.5, -146.8 |
//! | pendulum | td3 | 20,000 | -132.5, -152.2, -139.0, -159.2, -188.2 |

mod animation;
mod presets;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use monomorph::rl::{Agent, Episode, Persist, evaluate, resume, save};
use plotters::prelude::*;

use animation::{Picture, animate};
use presets::{NAMES, Visit, with};

#[derive(Parser)]
struct Options {
    /// cart-pole, acrobot, mountain-car, pendulum, mountain-car-continuous
    #[arg(required_unless_present = "table")]
    environment: Option<String>,
    /// dqn, ppo, sac, td3
    #[arg(long, default_value = "ppo")]
    algorithm: String,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The steps to take; by default those of the preset.
    #[arg(long)]
    steps: Option<u64>,
    /// Trains everything with several seeds.
    #[arg(long)]
    table: bool,
    #[arg(long, default_value_t = 5)]
    seeds: u64,
    /// Where the training is kept.
    #[arg(long)]
    checkpoint: Option<PathBuf>,
    /// After how many steps to write the checkpoint and to end.
    #[arg(long)]
    stop_at: Option<u64>,
    /// Where plots and weights go.
    #[arg(long, default_value = "target")]
    out: PathBuf,
}

/// What a training came to.
struct Result {
    mean: f64,
    seconds: f64,
    steps: u64,
}

/// A training with a preset.
struct Train<'a> {
    options: &'a Options,
    /// Without plots and files.
    quiet: bool,
    result: Option<std::result::Result<Result, Box<dyn Error>>>,
}

impl Visit for Train<'_> {
    fn agent<A: Agent<Environment: Picture> + Persist>(
        &mut self,
        agent: &mut A,
        steps: u64,
        weights: impl Fn(&A, &Path) -> std::result::Result<(), Box<dyn Error>>,
    ) {
        self.result = Some(self.train(agent, steps, weights));
    }
}

impl Train<'_> {
    fn train<A: Agent<Environment: Picture> + Persist>(
        &self,
        agent: &mut A,
        steps: u64,
        weights: impl Fn(&A, &Path) -> std::result::Result<(), Box<dyn Error>>,
    ) -> std::result::Result<Result, Box<dyn Error>> {
        let options = self.options;
        let steps = options.steps.unwrap_or(steps);
        if let Some(checkpoint) = options.checkpoint.as_ref().filter(|path| path.exists()) {
            resume(checkpoint, agent)?;
            println!("goes on after {} steps", agent.steps());
        }
        let bar = if self.quiet { ProgressBar::hidden() } else { ProgressBar::new(steps) };
        bar.set_style(ProgressStyle::with_template("{bar:40} {pos}/{len} steps  {eta}  {msg}")?);
        let (start, mut returns) = (Instant::now(), Vec::new());
        let end = options.stop_at.unwrap_or(steps).min(steps);
        while agent.steps() < end {
            if let Some(finished) = agent.step()? {
                returns.push((agent.steps() as f64, finished.total));
                if returns.len().is_multiple_of(10) {
                    bar.set_position(agent.steps());
                    bar.set_message(format!("return {:.1}", recent(&returns)));
                }
            }
        }
        let seconds = start.elapsed().as_secs_f64();
        bar.finish_and_clear();
        if let Some(checkpoint) = &options.checkpoint {
            save(checkpoint, agent)?;
        }
        let mean = evaluate::<A::Environment>(20, 1000 + options.seed, |seen| agent.act(seen));
        if !self.quiet {
            plot(&options.out.join("control.svg"), &returns)?;
            std::fs::write(options.out.join("control-episode.svg"), animate(&frames(agent, options.seed)))?;
            weights(agent, &options.out.join("control.safetensors"))?;
        }
        Ok(Result { mean, seconds, steps: agent.steps() })
    }
}

/// The mean of the last ten returns.
fn recent(returns: &[(f64, f64)]) -> f64 {
    let last = &returns[returns.len().saturating_sub(10)..];
    last.iter().map(|(_, total)| total).sum::<f64>() / last.len().max(1) as f64
}

/// The pictures of an episode.
fn frames<A: Agent<Environment: Picture>>(agent: &A, seed: u64) -> Vec<Vec<[f64; 2]>> {
    let mut episode = Episode::<A::Environment>::seeded(2000 + seed);
    let mut frames = Vec::new();
    loop {
        frames.push(episode.environment.picture());
        if episode.step(&agent.act(&episode.observation().clone())).last() {
            return frames;
        }
    }
}

/// The returns of all episodes.
fn plot(path: &Path, returns: &[(f64, f64)]) -> std::result::Result<(), Box<dyn Error>> {
    let Some(last) = returns.last() else { return Ok(()) };
    let least = returns.iter().map(|(_, total)| *total).fold(f64::INFINITY, f64::min);
    let most = returns.iter().map(|(_, total)| *total).fold(f64::NEG_INFINITY, f64::max);
    let margin = 0.05 * (most - least) + 1.0;
    let area = SVGBackend::new(path, (800, 400)).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .margin(10)
        .x_label_area_size(40)
        .y_label_area_size(60)
        .build_cartesian_2d(0.0..last.0, least - margin..most + margin)?;
    chart.configure_mesh().x_desc("steps").y_desc("return").draw()?;
    chart.draw_series(returns.iter().map(|point| Circle::new(*point, 2, BLUE.mix(0.4).filled())))?;
    let means = (0..returns.len()).map(|index| (returns[index].0, recent(&returns[..=index])));
    chart.draw_series(LineSeries::new(means, &RED))?;
    area.present()?;
    Ok(())
}

fn train(options: &Options, quiet: bool) -> std::result::Result<Result, Box<dyn Error>> {
    let mut train = Train { options, quiet, result: None };
    let environment = options.environment.as_deref().unwrap_or_default();
    with(environment, &options.algorithm, options.seed, &mut train);
    train.result.unwrap_or_else(|| {
        let known: Vec<String> =
            NAMES.iter().map(|(environment, algorithm)| format!("{environment} {algorithm}")).collect();
        Err(format!("no preset for {environment} by {}; there are {}", options.algorithm, known.join(", ")).into())
    })
}

fn main() -> std::result::Result<(), Box<dyn Error>> {
    let mut options = Options::parse();
    if !options.table {
        let Result { mean, seconds, steps } = train(&options, false)?;
        println!("mean return of 20 episodes: {mean:.1} after {steps} steps, {seconds:.1} s");
        return Ok(());
    }
    println!("| environment | algorithm | steps | seconds | mean returns of 20 episodes, by seed | worst |");
    println!("| --- | --- | ---: | ---: | --- | ---: |");
    for (environment, algorithm) in NAMES {
        (options.environment, options.algorithm) = (Some(environment.to_string()), algorithm.to_string());
        let mut results = Vec::new();
        for seed in 1..=options.seeds {
            options.seed = seed;
            results.push(train(&options, true)?);
        }
        let means: Vec<String> = results.iter().map(|result| format!("{:.1}", result.mean)).collect();
        let worst = results.iter().map(|result| result.mean).fold(f64::INFINITY, f64::min);
        let seconds = results.iter().map(|result| result.seconds).sum::<f64>() / results.len().max(1) as f64;
        let steps = results.first().map_or(0, |result| result.steps);
        println!("| {environment} | {algorithm} | {steps} | {seconds:.1} | {} | {worst:.1} |", means.join(" "));
    }
    Ok(())
}
