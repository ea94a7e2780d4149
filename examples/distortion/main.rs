//! Learns the sound of a distortion pedal from a dry and a wet recording, and then plays it sample by sample.
//!
//! ```text
//! cargo run --release --example distortion
//! ```
//!
//! Expected output, after ten seconds:
//!
//! ```text
//! 150 steps: error-to-signal ratio 0.0134
//! [..]
//! wrote out/distortion/dry.wav, wet.wav, learned.wav and waves.svg
//! error-to-signal ratio: 0.0009
//! real-time factor: 37
//! ```
//!
//! The example makes both recordings: plucked notes, and what a pedal with two filters and an asymmetric clipping stage
//! makes of them. The network, a stack of gated causal convolutions, sees each note from its beginning, as it is trained
//! on windows; the error is measured on a melody of other notes, which it hears as a stream. The factor says how many
//! times faster than the sound at 48 kHz that is, with single samples.

mod plot;

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use hound::{SampleFormat, WavSpec, WavWriter};
use monomorph::init::Init;
use monomorph::memory;
use monomorph::prelude::*;

/// Samples a second.
const RATE: u32 = 48_000;
/// The samples of a note that the network learns from.
const WINDOW: usize = 1024;
const BATCH: usize = 8;
const STEPS: usize = 1500;

network! {
    /// Sees the last 127 samples.
    #[streaming]
    Pedal: [1024, 1] -> [1024, 1] {
        Conv1d(8, kernel = 2, padding = causal),
        for d in [1, 2, 4, 8, 16, 32] {
            residual { Conv1d(16, kernel = 3, dilation = d, padding = causal), Glu, Dense(8) },
        }
        Tanh, Dense(1),
    }
}

/// A plucked string: harmonics that decay the faster the higher they are.
fn pluck(noise: &mut Noise, dry: &mut [[f32; 1]]) {
    let (pitch, loudness) = (80.0 * 8.0_f64.powf(noise.uniform()), 0.15 + 0.6 * noise.uniform());
    let harmonics: Vec<(f64, f64)> = (1..12)
        .map(|harmonic| (f64::from(harmonic) * pitch, loudness * noise.normal() / f64::from(harmonic)))
        .collect();
    for (step, sample) in dry.iter_mut().enumerate() {
        let time = step as f64 / f64::from(RATE);
        let attack = (time * 2000.0).min(1.0);
        let wave: f64 = harmonics
            .iter()
            .map(|(pitch, loudness)| {
                loudness * (-time * pitch * 0.01).exp() * (time * pitch * core::f64::consts::TAU).sin()
            })
            .sum();
        sample[0] = (attack * wave) as f32;
    }
}

/// What the pedal makes of a sound that begins in silence: a high-pass filter, a stage that clips both halves of a wave
/// differently, a low-pass filter.
fn distort(dry: &[[f32; 1]]) -> Vec<[f32; 1]> {
    let (mut slow, mut smooth) = (0.0, 0.0);
    let sample = |[x]: &[f32; 1]| {
        slow += 0.03 * (x - slow);
        let driven = 6.0 * (x - slow);
        let clipped = if driven > 0.0 { driven.tanh() } else { 0.7 * (1.3 * driven).tanh() };
        smooth += 0.4 * (clipped - smooth);
        [smooth]
    };
    dry.iter().map(sample).collect()
}

/// Notes of half a second, one after another.
fn melody(noise: &mut Noise, notes: usize) -> Vec<[f32; 1]> {
    let mut dry = vec![[0.0]; notes * RATE as usize / 2];
    dry.chunks_exact_mut(RATE as usize / 2).for_each(|note| pluck(noise, note));
    dry
}

/// The melody as the network plays it, sample by sample, and how many seconds that took.
fn play(net: &Pedal, dry: &[[f32; 1]]) -> (Vec<[f32; 1]>, f64) {
    let mut state: Box<PedalState> = memory::boxed();
    net.prewarm(&mut state);
    let start = Instant::now();
    let played = dry.iter().map(|sample| net.step(&mut state, sample)).collect();
    (played, start.elapsed().as_secs_f64())
}

/// The energy of the error, as a share of that of the signal.
fn error_to_signal(found: &[[f32; 1]], wanted: &[[f32; 1]]) -> f64 {
    let energy = |samples: &mut dyn Iterator<Item = f32>| samples.map(|sample| f64::from(sample * sample)).sum::<f64>();
    let error = energy(&mut found.iter().zip(wanted).map(|(found, wanted)| found[0] - wanted[0]));
    error / energy(&mut wanted.iter().map(|wanted| wanted[0]))
}

fn save(path: &Path, samples: &[[f32; 1]]) -> Result<(), hound::Error> {
    let spec = WavSpec { channels: 1, sample_rate: RATE, bits_per_sample: 32, sample_format: SampleFormat::Float };
    let mut writer = WavWriter::create(path, spec)?;
    samples.iter().try_for_each(|sample| writer.write_sample(sample[0]))?;
    writer.finalize()
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut noise = Noise::new(7);
    let test = melody(&mut noise, 4);
    let wet = distort(&test);

    let mut net: Box<Pedal> = memory::boxed();
    net.initialize(Init::XavierUniform, &mut noise);
    let mut trainer = Trainer::<Pedal, _, BATCH>::new(Adam { learning_rate: 0.004, ..Adam::default() }, Mse)
        .schedule(Schedule::Cosine { warmup: 20, total: STEPS as u64, floor: 0.01 });
    let (mut x, mut y) = (Box::new([[[0.0; 1]; WINDOW]; BATCH]), Box::new([[[0.0; 1]; WINDOW]; BATCH]));
    for step in 1..=STEPS {
        for (dry, wet) in x.iter_mut().zip(y.iter_mut()) {
            pluck(&mut noise, dry);
            wet.copy_from_slice(&distort(dry));
        }
        trainer.step(&mut net, &x, &y)?;
        if step % 150 == 0 {
            println!("{step} steps: error-to-signal ratio {:.4}", error_to_signal(&play(&net, &test).0, &wet));
        }
    }

    let (learned, seconds) = play(&net, &test);
    let folder = Path::new("out/distortion");
    std::fs::create_dir_all(folder)?;
    for (name, samples) in [("dry", &test), ("wet", &wet), ("learned", &learned)] {
        save(&folder.join(format!("{name}.wav")), samples)?;
    }
    plot::waves(&folder.join("waves.svg"), &wet[200..1400], &learned[200..1400], RATE)?;
    println!("wrote out/distortion/dry.wav, wet.wav, learned.wav and waves.svg");
    println!("error-to-signal ratio: {:.4}", error_to_signal(&learned, &wet));
    println!("real-time factor: {:.0}", test.len() as f64 / f64::from(RATE) / seconds);
    Ok(())
}
