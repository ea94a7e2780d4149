use super::*;
use crate::network;
use crate::optim::{Averaged, Sgd};
use crate::parameters::Parameters;
use std::string::ToString;
use std::vec;

network! { pub Line: [1] -> [1] { Dense(1) } }
network! { pub Sorter: [2] -> [2] { Dense(8), Tanh, Dense(2) } }

fn line(len: usize) -> Dataset<[f32; 1], [f32; 1]> {
    Dataset::from_fn(len, |i, x: &mut [f32; 1], y: &mut [f32; 1]| {
        *x = [i as f32 / len as f32];
        *y = [3.0 * x[0] - 1.0];
    })
}

fn corners(len: usize) -> Dataset<[f32; 2], u8> {
    let mut noise = Noise::new(5);
    Dataset::from_fn(len, |_, x: &mut [f32; 2], y: &mut u8| {
        *x = [noise.uniform() as f32 - 0.5, noise.uniform() as f32 - 0.5];
        *y = u8::from(x[0] * x[1] > 0.0);
    })
}

#[test]
fn it_is_the_loop_that_one_would_write() {
    let adam = Adam { learning_rate: 0.1, ..Adam::default() };
    let (train, test) = line(100).split(20);
    let (mut net, mut by_hand) = (Line::zeroed(), Line::zeroed());
    let mut losses = vec![];
    let report = fit(&mut net, &train)
        .validate(&test)
        .epochs(3)
        .optimizer(adam)
        .batch_size::<16>()
        .schedule(|total| Schedule::Polynomial { total, power: 1 })
        .clip(1.0)
        .in_order()
        .on_epoch(|epoch| losses.push(epoch.train.loss))
        .run()
        .unwrap();

    let mut trainer =
        Trainer::<Line, _, 16>::new(adam, Mse).schedule(Schedule::Polynomial { total: 15, power: 1 }).clip(1.0);
    let mut evaluator = Evaluator::<Line, 16>::new();
    let mut best = (f64::INFINITY, Line::zeroed());
    for loss in losses {
        let mut sum = 0.0;
        for batch in train.batches::<16>() {
            sum += f64::from(trainer.step(&mut by_hand, batch.x, batch.y).unwrap().loss);
        }
        assert_eq!(loss, sum / 5.0);
        let score = evaluator.score(&by_hand, &Mse, test.inputs(), test.targets()).unwrap();
        if score.loss < best.0 {
            best = (score.loss, Line { ..Line::zeroed() });
            best.1.as_mut_slice().copy_from_slice(by_hand.as_slice());
        }
    }
    assert_eq!(report.validation.unwrap().loss, best.0);
    assert_eq!(net.as_slice(), best.1.as_slice());
}

#[test]
fn classes_have_an_accuracy() {
    let (train, test) = corners(600).split(200);
    let mut net = Sorter::zeroed();
    net.initialize(crate::init::Init::default(), &mut Noise::new(1));
    let mut lines = vec![];
    let adam = Adam { learning_rate: 0.02, ..Adam::default() };
    let report = fit(&mut net, &train)
        .validate(&test)
        .epochs(40)
        .optimizer(adam)
        .on_epoch(|epoch| lines.push(epoch.to_string()))
        .run()
        .unwrap();
    assert!(report.validation.unwrap().accuracy.unwrap() > 0.93, "{report}");
    assert!(report.train.accuracy.unwrap() > 0.93, "{report}");
    assert_eq!(lines.len(), 40);
    assert!(lines[0].starts_with("epoch 1: loss 0.") && lines[0].contains("; validation loss 0."), "{}", lines[0]);
    // The same seed, the same network.
    let mut again = Sorter::zeroed();
    again.initialize(crate::init::Init::default(), &mut Noise::new(1));
    fit(&mut again, &train).validate(&test).epochs(40).optimizer(adam).run().unwrap();
    assert_eq!(net.as_slice(), again.as_slice());
}

#[test]
fn it_stops_early_and_keeps_the_best() {
    let (train, test) = corners(80).split(40);
    let mut net = Sorter::zeroed();
    net.initialize(crate::init::Init::default(), &mut Noise::new(1));
    let mut seen = vec![];
    let report = fit(&mut net, &train)
        .validate(&test)
        .epochs(1000)
        .stop_early(4)
        .optimizer(Adam { learning_rate: 0.1, ..Adam::default() })
        .batch_size::<8>()
        .on_epoch(|epoch| seen.push((epoch.best, epoch.validation.unwrap().loss)))
        .run()
        .unwrap();
    assert!(seen.len() < 1000 && seen.len() == report.epoch as usize + 4);
    assert!(seen[report.epoch as usize - 1].0 && seen[report.epoch as usize..].iter().all(|(best, _)| !best));
    let score = Evaluator::<Sorter, 8>::new().score(&net, &CrossEntropy, test.inputs(), test.targets()).unwrap();
    assert_eq!(Some(score), report.validation);
}

#[test]
fn averages_are_what_is_left() {
    let train = line(64);
    let (mut net, mut last) = (Line::zeroed(), Line::zeroed());
    let sgd = Sgd { learning_rate: 0.1, ..Sgd::default() };
    let averaged = Averaged { optimizer: sgd, average: crate::optim::Average::Exponential { decay: 0.9 } };
    fit(&mut net, &train).optimizer(averaged).epochs(2).run().unwrap();
    fit(&mut last, &train).optimizer(sgd).epochs(2).run().unwrap();
    assert_ne!(net.as_slice(), last.as_slice());
}

#[test]
fn errors_say_what_to_do() {
    let message = |result: Result<Epoch, FitError>| result.unwrap_err().to_string();
    let mut net = Line::zeroed();
    assert_eq!(
        message(fit(&mut net, &line(10)).run()),
        "10 samples do not fill a batch of 32: give more, or say `.batch_size::<..>()`"
    );
    assert_eq!(message(fit(&mut net, &line(40)).epochs(0).run()), "0 epochs train nothing: give at least 1");
    assert_eq!(
        message(fit(&mut net, &line(40)).validate(&line(0)).run()),
        "validation after epoch 1: 0 inputs and 0 targets have no score: give at least one input, and one target for each"
    );
    let wrong = Sgd { learning_rate: f64::NAN, ..Sgd::default() };
    assert!(message(fit(&mut net, &line(40)).optimizer(wrong).run()).starts_with("epoch 1: "));
}
