//! Squares of several sizes at several places.

use std::error::Error;

use monomorph::distributions::Normal;
use monomorph::memory;
use monomorph::metrics::Moments;
use monomorph::metrics::information::{Codes, information_gap};
use monomorph::network::{evaluate, sample};
use monomorph::prelude::*;

use super::{Options, cross_entropy, distributions, divergence, ink, picture};

/// The side of a picture.
const SIDE: usize = 16;
const PIXELS: usize = SIDE * SIDE;
/// The numbers of a code: more than there are factors.
const CODE: usize = 6;
/// The places in each direction, and the sizes.
const PLACES: usize = 12;
const SIZES: usize = 6;
const BATCH: usize = 64;

network! { pub Squares: [PIXELS] -> [PIXELS] {
    first: Dense(128), Relu, second: Dense(128), Relu, code: Dense(2 * CODE), Bottleneck(beta = 1.0, scale = log_variance),
    third: Dense(128), Relu, fourth: Dense(128), Relu, last: Dense(PIXELS)
} }
network! { pub Encoder: [PIXELS] -> [2 * CODE] { first: Dense(128), Relu, second: Dense(128), Relu, code: Dense(2 * CODE) } }
network! { pub Decoder: [CODE] -> [PIXELS] { third: Dense(128), Relu, fourth: Dense(128), Relu, last: Dense(PIXELS) } }

type Picture = [f32; PIXELS];

/// All pictures, with their factors: horizontal and vertical place, and size.
fn pictures() -> Vec<(Picture, [f64; 3])> {
    let mut all = Vec::new();
    for size in 0..SIZES {
        for y in 0..PLACES {
            for x in 0..PLACES {
                let half = 1.2 + 0.4 * size as f64;
                let middle = [x, y].map(|place| 3.5 + 8.0 * place as f64 / (PLACES - 1) as f64);
                // The share of a pixel that the square covers.
                let covered = |pixel: usize, middle: f64| {
                    let (low, high) = (pixel as f64 - 0.5, pixel as f64 + 0.5);
                    (high.min(middle + half) - low.max(middle - half)).clamp(0.0, 1.0)
                };
                let picture = core::array::from_fn(|index| {
                    (covered(index % SIDE, middle[0]) * covered(index / SIDE, middle[1])) as f32
                });
                all.push((picture, [x as f64, y as f64, size as f64]));
            }
        }
    }
    all
}

fn train(options: &Options, all: &[(Picture, [f64; 3])], beta: f64, seed: u64) -> Result<Box<Squares>, Box<dyn Error>> {
    let mut noise = Noise::new(seed);
    let mut net = memory::boxed::<Squares>();
    net.initialize(Init::KaimingNormal, &mut noise);
    let mut trainer = Trainer::<Squares, _, BATCH>::new(Adam::default(), BceWithLogits)
        .schedule(Schedule::Cosine { warmup: 0, total: options.steps, floor: 0.01 })
        .term_weight(beta / PIXELS as f64)
        .seed(noise.next_u64());
    for _ in 0..options.steps {
        let batch = core::array::from_fn(|_| all[noise.below(all.len() as u64) as usize].0);
        trainer.step(&mut net, &batch, &batch)?;
    }
    Ok(net)
}

pub fn learn(options: &Options) -> Result<(), Box<dyn Error>> {
    let all = pictures();
    println!("squares, in nats:");
    println!("beta  pixels   code  I(z; x)  total correlation  each number   gap");
    let mut rows = Vec::new();
    for (place, beta) in options.betas.iter().enumerate() {
        let mut measured = Moments::<6>::default();
        for seed in 1..=options.seeds {
            let net = train(options, &all, *beta, seed)?;
            let mut encoder = memory::boxed::<Encoder>();
            (encoder.first, encoder.second, encoder.code) = (net.first.clone(), net.second.clone(), net.code.clone());
            let mut noise = Noise::new(seed);
            let codes: Vec<[Normal<f64>; CODE]> =
                all.iter().map(|(picture, _)| distributions(&evaluate(&*encoder, picture))).collect();
            let share = 1.0 / all.len() as f64;
            let pixels: f64 =
                all.iter().map(|(x, _)| cross_entropy(&sample(&*net, x, &mut noise), x)).sum::<f64>() * share;
            let code: f64 = codes.iter().map(|code| divergence(code)).sum::<f64>() * share;
            let parts = Codes::of(&codes, 1, &mut noise).ok_or("the codes are not finite")?;
            let means: Vec<[f64; CODE]> = codes.iter().map(|code| code.map(|normal| normal.mean)).collect();
            let gap = |factor: usize| {
                let values: Vec<f64> = all.iter().map(|(_, factors)| factors[factor]).collect();
                information_gap(&means, &values).unwrap_or_default() / 3.0
            };
            let gaps = (0..3).map(gap).sum();
            measured.add(&[pixels, code, parts.information, parts.total_correlation, parts.dimensions, gaps]);
            if seed == 1 && (place == 0 || place + 1 == options.betas.len()) {
                let mut decoder = memory::boxed::<Decoder>();
                (decoder.third, decoder.fourth, decoder.last) =
                    (net.third.clone(), net.fourth.clone(), net.last.clone());
                rows.extend((0..CODE).flat_map(|number| {
                    let mut code = [0.0; CODE];
                    let decoder = &decoder;
                    (0..9).map(move |step| {
                        code[number] = -2.0 + 0.5 * step as f32;
                        ink(&evaluate(&**decoder, &code))
                    })
                }));
            }
        }
        let [pixels, code, information, correlation, dimensions, gap] = measured.mean();
        println!(
            "{beta:<5} {pixels:6.2} {code:6.2} {information:8.2} {correlation:18.3} {dimensions:12.2} {gap:5.2} ± {:.2}",
            measured.variance()[5].sqrt()
        );
    }
    picture::sheet(&options.out.join("squares.png"), &rows, SIDE, 9, 3)
}
