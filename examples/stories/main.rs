//! Writes a children's story with a Llama of 260,000 parameters.
//!
//! ```text
//! cargo run --release --example stories -- stories260K.bin tok512.bin --steps 200
//! ```
//!
//! The two files are those of github.com/karpathy/llama2.c (`stories260K.bin` and its tokens `tok512.bin`).
//! Expected output, at temperature 0:
//!
//! ```text
//! Once upon a time, there was a little girl named Lily. She loved to play outside in the park. [..]
//! tokens/s: 45000
//! ```

mod model;
mod net;

use std::error::Error;
use std::io::{Write, stdout};
use std::path::PathBuf;
use std::time::Instant;

use clap::Parser;
use model::load;
use monomorph::Noise;
use monomorph::memory::boxed;
use monomorph::sampling::Sampling;
use net::{Stories, StoriesState, Tokens, tell};

/// Writes a children's story.
#[derive(Parser)]
struct Options {
    /// The weights.
    model: PathBuf,
    /// The tokens.
    tokens: PathBuf,
    /// The most tokens to write.
    #[arg(long, default_value_t = 200)]
    steps: usize,
    /// 0 always takes the likeliest token.
    #[arg(long, default_value_t = 0.0)]
    temperature: f64,
    /// Draws from this many of the likeliest tokens; 0 is from all.
    #[arg(long, default_value_t = 0)]
    top_k: usize,
    /// Draws from the likeliest tokens that have this probability together.
    #[arg(long, default_value_t = 1.0)]
    top_p: f64,
    /// The random seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let read = |path: &PathBuf| std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()));
    let mut net = boxed::<Stories>();
    load(&mut net, &read(&options.model)?).map_err(|error| format!("{}: {error}", options.model.display()))?;
    let tokens = read(&options.tokens)?;
    let tokens = Tokens::read(&tokens).ok_or("the file of tokens is damaged")?;
    let sampling = Sampling { temperature: options.temperature, top_k: options.top_k, top_p: options.top_p };
    let mut state = boxed::<StoriesState>();
    let mut tell = |write: &mut dyn FnMut(&[u8])| {
        tell(&net, &mut state, tokens, options.steps, sampling, &mut Noise::new(options.seed), write)
    };
    tell(&mut |text| stdout().write_all(text).unwrap_or_default());
    println!();
    // Once more without the terminal, until a second has passed.
    let (begin, mut steps) = (Instant::now(), 0);
    while begin.elapsed().as_secs_f64() < 1.0 {
        steps += tell(&mut |_| ());
    }
    println!("tokens/s: {:.0}", steps as f64 / begin.elapsed().as_secs_f64());
    Ok(())
}
