//! Plays a recording through a model of an amplifier: any `.nam`, RTNeural or GuitarML file with one of the structures
//! that are compiled in.
//!
//! ```text
//! cargo run --release --example amp -- FILE.nam IN.wav OUT.wav
//! ```
//!
//! Expected output with a WaveNet of the standard size, its 13,802 weights read while the program runs, on one core:
//!
//! ```text
//! A1 standard: 13729 parameters, 2.00 s of sound at 48000 Hz
//! real-time factor: 40
//! ```
//!
//! The factor says how many times faster than the sound itself it is computed.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Parser;
use hound::{SampleFormat, WavReader, WavSpec, WavWriter};
use monomorph::audio::{self, FromFile};
use monomorph::network::Network;
use monomorph::{Streaming, memory, streaming};

/// Plays a recording through a model of an amplifier.
#[derive(Parser)]
struct Options {
    /// The model.
    model: PathBuf,
    /// What is played; of several channels, their mean.
    input: PathBuf,
    /// Where the result goes: one channel of 32-bit floating-point numbers.
    output: PathBuf,
}

/// How many samples are computed at once.
const BLOCK: usize = 64;

/// Declares networks from structures, and `play`, which looks for that of a file.
macro_rules! structures {
    ($($module:ident: $name:literal, $file:literal;)*) => {
        $(mod $module {
            monomorph::network! { pub(crate) Net = $file; }
        })*

        /// Plays samples through the model of a file; the name of its structure, the result and the time it took.
        fn play(text: &str, input: &[f32]) -> Result<(&'static str, Played), Box<dyn Error>> {
            $(if audio::fits::<$module::Net>(text)? {
                return Ok(($name, run::<$module::Net>(text, input)?));
            })*
            Err("the structure of this model is none of those that are compiled in".into())
        }
    };
}

structures! {
    standard: "A1 standard", "tests/files/audio/a1_standard.nam";
    lite: "A1 lite", "tests/files/audio/a1_lite.nam";
    feather: "A1 feather", "tests/files/audio/a1_feather.nam";
    nano: "A1 nano", "tests/files/audio/a1_nano.nam";
    a2_full: "A2 full", "tests/files/audio/a2_full.nam";
    a2_lite: "A2 lite", "tests/files/audio/a2_lite.nam";
    lstm_3: "LSTM 3", "tests/files/audio/lstm1x3.nam";
    lstm_12: "LSTM 12", "tests/files/audio/lstm1x12.nam";
    lstm_16: "LSTM 16", "tests/files/audio/lstm1x16.nam";
    lstm_24: "LSTM 24", "tests/files/audio/lstm1x24.nam";
    lstm_8_8: "LSTM 2x8", "tests/files/audio/lstm2x8.nam";
    small: "WaveNet of 3 and 2 channels", "tests/files/audio/small.nam";
    rectified: "WaveNet of 4 and 2 channels", "tests/files/audio/relu.nam";
    conditioned: "WaveNet with a condition", "tests/files/audio/conditioned.nam";
    every_feature: "WaveNet with every feature", "tests/files/audio/every_feature.nam";
    minimal: "WaveNet of one channel", "tests/files/audio/minimal.nam";
    impulse_1: "impulse response of 1", "tests/files/audio/impulse1.nam";
    impulse_10: "impulse response of 10", "tests/files/audio/impulse10.nam";
    lstm_pedal: "LSTM pedal", "tests/files/audio/lstm_pedal.json";
    gru_pedal: "GRU pedal", "tests/files/audio/gru_pedal.json";
}

/// What came out.
struct Played {
    output: Vec<f32>,
    parameters: usize,
    /// For how many samples a second the model was trained, if its file says it.
    rate: Option<f64>,
    time: Duration,
}

fn run<N>(text: &str, input: &[f32]) -> Result<Played, Box<dyn Error>>
where
    N: Network + FromFile + Streaming<Scalar = f32, StepInput = [f32; 1], StepOutput = [f32; 1]>,
{
    let mut net: Box<N> = memory::boxed();
    let rate = audio::load(text, &mut *net)?;
    let mut state: Box<N::State> = memory::boxed();
    streaming::prewarm(&*net, &mut *state);
    let mut output = vec![[0.0; 1]; input.len()];
    let start = Instant::now();
    let (blocks, rest) = input.as_chunks::<1>().0.as_chunks::<BLOCK>();
    let (to_blocks, to_rest) = output.as_chunks_mut::<BLOCK>();
    for (x, y) in blocks.iter().zip(to_blocks) {
        streaming::steps(&*net, &mut *state, x, y);
    }
    for (x, y) in rest.iter().zip(to_rest) {
        *y = streaming::step(&*net, &mut *state, x);
    }
    let time = start.elapsed();
    Ok(Played { output: output.into_flattened(), parameters: N::PARAMS, rate, time })
}

/// The samples of a recording, from −1 to 1, and how many there are a second.
fn read(path: &Path) -> Result<(Vec<f32>, u32), hound::Error> {
    let mut reader = WavReader::open(path)?;
    let WavSpec { channels, sample_rate, bits_per_sample, sample_format } = reader.spec();
    let samples: Vec<f32> = match sample_format {
        SampleFormat::Float => reader.samples::<f32>().collect::<Result<_, _>>()?,
        SampleFormat::Int => {
            let scale = 1.0 / (1_u64 << (bits_per_sample - 1)) as f32;
            reader.samples::<i32>().map(|sample| Ok(sample? as f32 * scale)).collect::<Result<_, hound::Error>>()?
        }
    };
    let channels = usize::from(channels);
    let mono = samples.chunks_exact(channels).map(|frame| frame.iter().sum::<f32>() / channels as f32);
    Ok((mono.collect(), sample_rate))
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let (input, rate) = read(&options.input).map_err(|error| format!("{}: {error}", options.input.display()))?;
    let in_file = |error: &dyn std::fmt::Display| format!("{}: {error}", options.model.display());
    let text = std::fs::read_to_string(&options.model).map_err(|error| in_file(&error))?;
    let (name, played) = play(&text, &input).map_err(|error| in_file(&error))?;
    let seconds = input.len() as f64 / f64::from(rate);
    println!("{name}: {} parameters, {seconds:.2} s of sound at {rate} Hz", played.parameters);
    if let Some(trained) = played.rate.filter(|trained| *trained != f64::from(rate)) {
        println!("the model was trained at {trained} Hz");
    }
    let spec = WavSpec { channels: 1, sample_rate: rate, bits_per_sample: 32, sample_format: SampleFormat::Float };
    let mut writer = WavWriter::create(&options.output, spec)?;
    played.output.iter().try_for_each(|sample| writer.write_sample(*sample))?;
    writer.finalize()?;
    println!("real-time factor: {:.0}", seconds / played.time.as_secs_f64());
    Ok(())
}
