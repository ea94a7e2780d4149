//! Gestures with an accelerometer in the hand: made up, learned, and a minute of them recorded for the firmware.

use std::error::Error;
use std::f32::consts::TAU;
use std::fs;
use std::path::Path;

use monomorph::data::Dataset;
use monomorph::prelude::*;
use monomorph::weights;
use networks::Gestures;
use networks::gestures::{Detector, NAMES, RATE};

/// Samples of a window to learn from.
const WINDOW: usize = 128;

/// An accelerometer: what it measures, in multiples of the earth's acceleration, and what the hand was doing.
struct Sensor {
    noise: Noise,
    samples: Vec<[f32; 3]>,
    /// What each sample belongs to.
    classes: Vec<u8>,
    /// The sample at which each gesture ends, and what it was.
    gestures: Vec<(usize, usize)>,
}

impl Sensor {
    fn new(seed: u64) -> Self {
        Self { noise: Noise::new(seed), samples: Vec::new(), classes: Vec::new(), gestures: Vec::new() }
    }

    fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.noise.uniform() as f32
    }

    /// A gesture, or anything else that a hand does, between two rests.
    fn play(&mut self) {
        let rate = RATE as f32;
        let class = (self.noise.uniform() * 6.0) as usize;
        // Nobody holds it upright.
        let (roll, pitch) = (self.between(-0.4, 0.4), self.between(-0.4, 0.4));
        let strength = self.between(0.4, 1.4);
        let seconds = if class == 4 { self.between(0.7, 1.3) } else { self.between(0.4, 0.9) };
        let (before, after) = (self.between(0.4, 1.2), self.between(0.4, 1.2));
        let (times, phase, warp) = (self.between(3.0, 7.0).round(), self.between(0.0, TAU), self.between(0.8, 1.25));
        let samples = ((before + seconds + after) * rate) as usize;
        for sample in 0..samples {
            let at = (sample as f32 / rate - before) / seconds;
            let inside = (0.0..1.0).contains(&at);
            let angle = TAU * at.clamp(0.0, 1.0).powf(warp);
            // Away from where the hand was, and to a halt.
            let (x, y, z) = match class {
                1 => (-angle.sin(), 0.2 * angle.sin(), 0.0),
                2 => (angle.sin(), 0.2 * angle.sin(), 0.0),
                3 => ((angle + phase).cos(), (angle + phase).sin(), 0.0),
                4 => ((times * angle).sin(), 0.0, 0.2 * (times * angle).cos()),
                // None that it knows: up and down, or a tap.
                5 if times > 5.0 => (0.0, 0.3 * angle.sin(), angle.sin()),
                5 => (0.0, 0.0, if at < 0.1 { 2.0 } else { 0.0 }),
                _ => (0.0, 0.0, 0.0),
            };
            let moved = if inside { strength } else { 0.0 };
            let still = [pitch.sin(), roll.sin() * pitch.cos(), roll.cos() * pitch.cos()];
            let shake = [(); 3].map(|()| 0.04 * self.noise.normal() as f32);
            let moves = [moved * x, moved * y, moved * z];
            // As sensors deliver it: in thousandths.
            self.samples
                .push([0, 1, 2].map(|axis| ((still[axis] + moves[axis] + shake[axis]) * 1000.0).round() / 1000.0));
            // While it has just begun, nobody can know.
            let known = class < NAMES.len() && at > 0.7 && at < 1.0 + 0.15 / seconds;
            self.classes.push(if known { class as u8 } else { 0 });
        }
        if (1..NAMES.len()).contains(&class) {
            let end = self.samples.len() - (after * rate) as usize;
            self.gestures.push((end, class));
        }
    }
}

/// How many gestures a network recognizes, how many it misses or takes for others, and how often it sees what is not there.
fn count(net: &Gestures, sensor: &Sensor) -> [usize; 3] {
    let (mut state, mut detector) = (net.start(), Detector::default());
    let mut found = Vec::new();
    for (index, sample) in sensor.samples.iter().enumerate() {
        found.extend(detector.next(&net.step(&mut state, sample)).map(|class| (index, class)));
    }
    let near = |end: usize, at: usize| at + 25 > end && at < end + 20;
    let right = |(end, class): &&(usize, usize)| found.iter().any(|(at, seen)| near(*end, *at) && seen == class);
    let right = sensor.gestures.iter().filter(right).count();
    let nothing = |(at, _): &&(usize, usize)| !sensor.gestures.iter().any(|(end, _)| near(*end, *at));
    [right, sensor.gestures.len() - right, found.iter().filter(nothing).count()]
}

/// Learns the gestures; saves the network and some of them for the firmware.
pub fn train(out: &Path) -> Result<(), Box<dyn Error>> {
    const BATCH: usize = 16;
    const EPOCHS: u64 = 12;
    let mut sensor = Sensor::new(5);
    (0..12_000).for_each(|_| sensor.play());
    let windows = sensor.samples.as_chunks::<WINDOW>().0.iter().zip(sensor.classes.as_chunks::<WINDOW>().0);
    let mut windows = windows.collect::<Vec<_>>().into_iter();
    let mut train = Dataset::from_fn(windows.len(), |_, x: &mut [[f32; 3]; WINDOW], y: &mut [u8; WINDOW]| {
        let (samples, classes) = windows.next().expect("as many as there are");
        (*x, *y) = (*samples, *classes);
    });
    let (mut net, mut noise) = (Gestures::zeroed(), Noise::new(6));
    net.initialize(Init::default(), &mut noise);
    let adam = Adam { learning_rate: 5e-3, ..Adam::default() };
    let mut trainer = Trainer::<Gestures, _, BATCH>::new(adam, CrossEntropy)
        .schedule(Schedule::one_cycle(EPOCHS * (train.len() / BATCH) as u64))
        .clip(1.0);
    for _ in 0..EPOCHS {
        train.shuffle(&mut noise);
        for batch in train.batches::<BATCH>() {
            trainer.step(&mut net, batch.x, batch.y)?;
        }
    }
    let mut others = Sensor::new(7);
    (0..3000).for_each(|_| others.play());
    let [right, wrong, imagined] = count(&net, &others);
    println!(
        "gestures: {right} recognized, {wrong} not; {imagined} that there were not, in {} s",
        others.samples.len() / RATE as usize
    );
    weights::save(out.join("gestures.safetensors"), &net)?;

    // What the sensor measures, in thousandths, and the class of a gesture that ends there.
    let mut minute = Sensor::new(8);
    (0..20).for_each(|_| minute.play());
    let mut bytes = Vec::new();
    for (index, sample) in minute.samples.iter().enumerate() {
        let ended = minute.gestures.iter().find(|(end, _)| *end == index).map_or(0, |(_, class)| *class as i16);
        for number in sample.map(|x| (x * 1000.0).round() as i16).into_iter().chain([ended]) {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
    }
    fs::write(out.join("gestures.bin"), bytes)?;
    Ok(())
}
