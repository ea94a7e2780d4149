//! The step of every first-order optimizer alone, over the 101 770 parameters of 784→128→10, beside Adam's.
//!
//! `cargo bench --bench optimizers`; a time counts relative to the optimizer that keeps as many numbers per parameter:
//! SGD none, momentum one, Adam two, AMSGrad three.

mod settings;

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use monomorph::memory::boxed;
use monomorph::prelude::*;

use settings::settings;

network! { pub Digits: [784] -> [10] { Dense(128), Relu, Dense(10) } }

fn step<O: Optimizer<f32>>(criterion: &mut Criterion, name: &str, optimizer: O) {
    let (mut net, mut gradient, mut memory) = (boxed::<Digits>(), boxed::<Digits>(), boxed::<O::Memory<Digits>>());
    let mut noise = Noise::new(1);
    net.as_mut_slice().fill_with(|| noise.normal() as f32);
    gradient.as_mut_slice().fill_with(|| 0.01 * noise.normal() as f32);
    let mut group = criterion.benchmark_group("step");
    group.throughput(Throughput::Elements(Digits::COUNT as u64));
    let mut step = 0;
    group.bench_function(name, |bencher| {
        bencher.iter(|| {
            step += 1;
            optimizer.apply(step, black_box(&mut *net), black_box(&*gradient), black_box(&mut *memory));
        });
    });
}

fn measure(criterion: &mut Criterion) {
    let c = criterion;
    step(c, "Sgd", Sgd::default());
    step(c, "Momentum", Momentum::default());
    step(c, "Lion", Lion::default());
    step(c, "Adagrad", Adagrad::default());
    step(c, "RmsProp", RmsProp::default());
    step(c, "Asgd", Asgd::default());
    step(c, "ScheduleFreeSgd", ScheduleFreeSgd { learning_rate: 1e-3, ..ScheduleFreeSgd::default() });
    step(c, "Adam", Adam::default());
    step(c, "AdamW", AdamW::default());
    step(c, "Adamax", Adamax::default());
    step(c, "NAdam", NAdam::default());
    step(c, "RAdam", RAdam::default());
    step(c, "Adadelta", Adadelta::default());
    step(c, "Rprop", Rprop::default());
    step(c, "ScheduleFreeAdamW", ScheduleFreeAdamW::default());
    step(c, "AmsGrad", AmsGrad::default());
    step(c, "RmsPropMomentum", RmsPropMomentum::default());
    step(c, "Averaged<Adam>", Averaged { optimizer: Adam::default(), average: Average::Exponential { decay: 0.999 } });
    step(c, "Lookahead<Adam>", Lookahead::new(Adam::default()));
    step(c, "Muon", Muon::default());
}

criterion_group! {
    name = optimizers;
    config = settings();
    targets = measure
}
criterion_main!(optimizers);
