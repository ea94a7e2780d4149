//! Every first-order optimizer, and what wraps them, trains a small network, and resumes bit by bit.

use std::path::PathBuf;

use monomorph::prelude::*;
use monomorph::weights::Checkpoint;

network! { pub Noisy: [4] -> [2] { stem: Dense(16), BatchNorm, Relu, Dropout(0.1), Dense(16), Tanh, Dense(2) } }

/// Points in the plane of the first two numbers, inside and outside a circle.
fn samples() -> ([[f32; 4]; 32], [u8; 32]) {
    let mut noise = Noise::new(2);
    let x = [[0.0; 4]; 32].map(|x| x.map(|_| noise.uniform() as f32 * 2.0 - 1.0));
    (x, x.map(|x| u8::from(x[0] * x[0] + x[1] * x[1] < 0.6)))
}

fn start(seed: u64) -> Box<Noisy> {
    let mut net = monomorph::memory::boxed::<Noisy>();
    net.initialize(Init::default(), &mut Noise::new(seed));
    net
}

fn bits(network: &Noisy) -> Vec<u32> {
    network.as_slice().iter().map(|number| number.to_bits()).collect()
}

fn path(name: &str) -> PathBuf {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("every_optimizer");
    std::fs::create_dir_all(&folder).expect("a folder");
    folder.join(name)
}

/// Trains, stops in the middle of whatever the optimizer counts, resumes in another trainer, and compares every bit of
/// the network, of its average, and of the next checkpoint; the loss must have fallen to less than 0.6 of the first.
fn trains_and_resumes<O: Optimizer<f32>>(name: &str, optimizer: impl Fn() -> O, parts: &[&str]) {
    let (x, y) = samples();
    let trainer = || Trainer::<Noisy, _, 32>::new(optimizer(), CrossEntropy).seed(9);
    let (mut net, mut first) = (start(2), trainer());
    let mut losses = vec![];
    for _ in 0..7 {
        losses.push(first.step(&mut net, &x, &y).expect("a step").loss);
    }
    first.save(path(name), &net).expect("saved");
    let of_file = Checkpoint::open(path(name)).expect("a checkpoint").names();
    for part in parts {
        let tensor = format!("optimizer.{part}.stem.weight");
        assert!(of_file.contains(&tensor), "{name}: {tensor} is not among {of_file:?}");
    }
    let (mut again, mut second) = (start(3), trainer());
    second.resume(path(name), &mut again).expect("resumed");
    for _ in 0..20 {
        losses.push(first.step(&mut net, &x, &y).expect("a step").loss);
        second.step(&mut again, &x, &y).expect("a step");
    }
    assert_eq!(bits(&again), bits(&net), "{name}");
    let (mut average, mut other) = (start(4), start(5));
    first.averaged(&net, &mut average);
    second.averaged(&again, &mut other);
    assert_eq!(bits(&average), bits(&other), "{name}: the average");
    first.save(path(name), &net).expect("saved");
    let bytes = std::fs::read(path(name)).expect("a file");
    second.save(path(name), &again).expect("saved");
    assert!(bytes == std::fs::read(path(name)).expect("a file"), "{name}: the memory");

    for _ in 0..130 {
        losses.push(first.step(&mut net, &x, &y).expect("a step").loss);
    }
    first.averaged(&net, &mut average);
    let last = losses[losses.len() - 10..].iter().sum::<f32>() / 10.0;
    assert!(last < 0.6 * losses[0], "{name}: {last} after {}", losses[0]);
    // The average is a network that has learned as well.
    let outputs = x.map(|x| average.evaluate(&x));
    let right = outputs.iter().zip(y).filter(|(output, y)| u8::from(output[1] > output[0]) == *y).count();
    assert!(right >= 24, "{name}: {right} of 32");
}

#[test]
fn every_optimizer_trains_and_resumes() {
    let learning_rate = 0.01;
    let sgld = Sgld { learning_rate: 0.2, temperature: 1e-6, ..Sgld::default() };
    trains_and_resumes("sgld", || sgld, &[]);
    let sgd = Sgd { learning_rate: 0.2, ..Sgd::default() };
    let adam = Adam { learning_rate, ..Adam::default() };
    trains_and_resumes("sgd", || sgd, &[]);
    trains_and_resumes("momentum", || Momentum { learning_rate: 0.05, ..Momentum::default() }, &["m"]);
    trains_and_resumes("adagrad", || Adagrad { learning_rate: 0.05, ..Adagrad::default() }, &["v"]);
    trains_and_resumes("rms_prop", RmsProp::default, &["v"]);
    let centered = RmsPropMomentum { learning_rate: 2e-3, centered: true, ..RmsPropMomentum::default() };
    trains_and_resumes("rms_prop_momentum", || centered, &["v", "a", "m"]);
    trains_and_resumes("adam", || adam, &["m", "v"]);
    trains_and_resumes("adam_w", || AdamW { learning_rate, ..AdamW::default() }, &["m", "v"]);
    trains_and_resumes("ams_grad", || AmsGrad { learning_rate, ..AmsGrad::default() }, &["m", "v", "w"]);
    trains_and_resumes("adamax", || Adamax { learning_rate, ..Adamax::default() }, &["m", "u"]);
    trains_and_resumes("nadam", || NAdam { learning_rate, ..NAdam::default() }, &["m", "v"]);
    trains_and_resumes("radam", || RAdam { learning_rate, ..RAdam::default() }, &["m", "v"]);
    trains_and_resumes("adadelta", || Adadelta { learning_rate: 5.0, ..Adadelta::default() }, &["v", "u"]);
    trains_and_resumes("asgd", || Asgd { learning_rate: 0.2, t0: 50, ..Asgd::default() }, &["average"]);
    trains_and_resumes("rprop", Rprop::default, &["gradient", "step_size"]);
    trains_and_resumes("lion", || Lion { learning_rate: 3e-3, ..Lion::default() }, &["m"]);
    trains_and_resumes("muon", || Muon { learning_rate: 0.05, ..Muon::default() }, &["m", "v"]);
    let free = ScheduleFreeSgd { learning_rate: 0.5, ..ScheduleFreeSgd::default() };
    trains_and_resumes("schedule_free_sgd", || free, &["z"]);
    let free = ScheduleFreeAdamW { learning_rate: 0.02, ..ScheduleFreeAdamW::default() };
    trains_and_resumes("schedule_free_adam_w", || free, &["z", "v"]);

    let exponential = Average::Exponential { decay: 0.9 };
    trains_and_resumes("average", || Averaged { optimizer: adam, average: exponential }, &["average", "m"]);
    let mean = Average::Mean { after: 100 };
    trains_and_resumes("mean", || Averaged { optimizer: adam, average: mean }, &["average", "v"]);
    trains_and_resumes("lookahead", || Lookahead::new(adam), &["slow", "m", "v"]);
    trains_and_resumes("sam", || Sam::new(adam), &["m", "v"]);
    let accumulated = Accumulated { optimizer: sgd, every: 3, clip: Some(10.0) };
    trains_and_resumes("accumulated", || accumulated, &["accumulated"]);
    let rates = layer_rates!(Noisy, { "stem": 0.5, "*.bias": 2.0 });
    trains_and_resumes("per_layer", || PerLayer { optimizer: adam, rates }, &["m", "v"]);
    let all = || Lookahead::new(Averaged { optimizer: PerLayer { optimizer: Sam::new(sgd), rates }, average: mean });
    trains_and_resumes("all", all, &["slow", "average"]);
}

#[test]
fn a_pattern_that_means_nothing_is_an_error_in_words() {
    let (x, y) = samples();
    let optimizer = PerLayer { optimizer: Sgd::default(), rates: &[("stem", 0.5), ("conv*", 0.1)] };
    let (mut net, mut trainer) = (start(1), Trainer::<Noisy, _, 32>::new(optimizer, CrossEntropy));
    let before = bits(&net);
    let error = trainer.step(&mut net, &x, &y).expect_err("no such layer").to_string();
    assert!(error.starts_with("no layer or tensor of this network is called `conv*`"), "{error}");
    assert_eq!(bits(&net), before);
}
