//! Saving and loading: nothing is lost, nothing is loaded partially.

use monomorph::Parameters;
use monomorph::prelude::*;
use monomorph::weights::{load, save};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

network! { pub Net: [4] -> [2] { hidden: Dense(8), BatchNorm, Relu, Dropout(0.3), head: Dense(2) } }
network! { pub Wider: [4] -> [2] { hidden: Dense(9), BatchNorm, Relu, head: Dense(2) } }

fn path(name: &str) -> std::path::PathBuf {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("checkpoints");
    std::fs::create_dir_all(&folder).expect("a folder");
    folder.join(name)
}

fn batch(step: u64) -> ([[f32; 4]; 16], [u8; 16]) {
    let mut noise = Noise::new(step);
    let x = [[0.0; 4]; 16].map(|x| x.map(|_| noise.uniform() as f32));
    (x, x.map(|x| u8::from(x[0] > x[1])))
}

#[test]
fn a_network_comes_back_as_it_was() {
    let net = Net::init(&mut ChaCha8Rng::seed_from_u64(1));
    save(path("net.safetensors"), &net).expect("saved");
    let mut back = Net::zeroed();
    load(path("net.safetensors"), &mut back).expect("loaded");
    assert_eq!(net.as_slice(), back.as_slice());
}

#[test]
fn a_file_of_another_network_is_refused_by_name() {
    let net = Net::init(&mut ChaCha8Rng::seed_from_u64(1));
    save(path("other.safetensors"), &net).expect("saved");
    let mut wider = Wider::init(&mut ChaCha8Rng::seed_from_u64(2));
    let before = wider.as_slice().to_vec();
    let error = load(path("other.safetensors"), &mut wider).expect_err("the shapes differ").to_string();
    assert!(error.contains("hidden.weight"), "{error}");
    assert_eq!(wider.as_slice(), before);
}

/// Stopping and resuming gives exactly the same network as training without a stop.
#[test]
fn training_resumes_where_it_stopped() {
    let start = || {
        let net = Net::init(&mut ChaCha8Rng::seed_from_u64(5));
        let trainer = Trainer::<Net, _, 16>::new(Adam::default(), CrossEntropy)
            .schedule(Schedule::Cosine { warmup: 5, total: 40, floor: 0.0 })
            .seed(9);
        (net, trainer)
    };
    let (mut net, mut trainer) = start();
    let mut resumed = None;
    for step in 0..40 {
        if step == 17 {
            trainer.save(path("resume.safetensors"), &net).expect("saved");
            let (mut other, mut again) = start();
            again.resume(path("resume.safetensors"), &mut other).expect("resumed");
            assert_eq!(again.steps(), 17);
            resumed = Some((other, again));
        }
        let (x, y) = batch(step);
        trainer.step(&mut net, &x, &y).expect("a step");
        if let Some((other, again)) = &mut resumed {
            again.step(other, &x, &y).expect("a step");
        }
    }
    let (other, _) = resumed.expect("resumed");
    assert_eq!(net.as_slice(), other.as_slice());
}

#[test]
fn weights_alone_are_no_checkpoint() {
    let mut net = Net::init(&mut ChaCha8Rng::seed_from_u64(5));
    save(path("weights.safetensors"), &net).expect("saved");
    let before = net.as_slice().to_vec();
    let mut trainer = Trainer::<Net, _, 16>::new(Adam::default(), CrossEntropy);
    assert!(trainer.resume(path("weights.safetensors"), &mut net).is_err());
    assert_eq!((net.as_slice(), trainer.steps()), (&before[..], 0));
}
