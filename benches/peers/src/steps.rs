//! The steps of `steps.sh`: one line of JSON for each, with the least of many times.

use std::hint::black_box;
use std::time::Instant;

use monomorph::memory::boxed;
use monomorph::optim::Optimizer;
use monomorph::prelude::*;
use monomorph::train::{Physics, Term};
use monomorph::{Jet, Parameters};

network! { Small<T>: [2] -> [1] { Dense(20), Tanh, Dense(20), Tanh, Dense(20), Tanh, Dense(1) } }
network! { Large<T>: [2] -> [1] { Dense(64), Tanh, Dense(64), Tanh, Dense(64), Tanh, Dense(1) } }
// A million parameters.
network! { Million: [999] -> [1000] { Dense(1000) } }

/// The least of the times of `f`, for two seconds.
fn least(what: &str, mut f: impl FnMut()) {
    let (mut least, begin) = (f64::INFINITY, Instant::now());
    while begin.elapsed().as_secs_f64() < 2.0 {
        let before = Instant::now();
        f();
        least = least.min(before.elapsed().as_secs_f64());
    }
    println!("{{\"library\": \"monomorph\", \"what\": \"{what}\", \"seconds\": {least}}}");
}

/// A step of Adam for Burgers' equation at random points.
macro_rules! burgers {
    ($net:ident, $width:literal, $points:literal) => {{
        let mut noise = Noise::new(1);
        let mut net = boxed::<$net<f64>>();
        net.initialize(Init::default(), &mut noise);
        let points: Vec<[f64; 2]> = (0..$points).map(|_| [2.0 * noise.uniform() - 1.0, noise.uniform()]).collect();
        let viscosity = 0.01 / std::f64::consts::PI;
        let terms = [Term {
            points: &points,
            weight: 1.0,
            residual: &|_, [u]| u.slopes[1] + u.value * u.slopes[0] - viscosity * u.second,
        }];
        let mut physics = Physics::<$net<f64>, $net<Jet<f64, 2>>, _>::new(Adam::default(), [1.0, 0.0]);
        least(concat!("Burgers 3 × ", $width, ", ", $points, " points"), || {
            physics.step(&mut net, black_box(&terms)).expect("a finite loss");
        });
    }};
}

fn step<O: Optimizer<f32>>(what: &str, optimizer: O) {
    let (mut net, mut gradient, mut memory) = (boxed::<Million>(), boxed::<Million>(), boxed::<O::Memory<Million>>());
    let mut noise = Noise::new(1);
    net.as_mut_slice().fill_with(|| noise.normal() as f32);
    gradient.as_mut_slice().fill_with(|| 0.01 * noise.normal() as f32);
    let mut step = 0;
    least(what, || {
        step += 1;
        optimizer.apply(step, black_box(&mut *net), black_box(&*gradient), black_box(&mut *memory));
    });
}

fn main() {
    burgers!(Small, 20, 256);
    burgers!(Small, 20, 2000);
    burgers!(Large, 64, 2000);
    step("SGD", Sgd::default());
    step("SGD, momentum", Momentum::default());
    step("Adagrad", Adagrad::default());
    step("Adam", Adam::default());
    step("AdamW", AdamW::default());
    step("AMSGrad", AmsGrad::default());
    step("RMSprop", RmsProp::default());
    step("NAdam", NAdam::default());
    step("RAdam", RAdam::default());
    step("Adadelta", Adadelta::default());
    step("Adamax", Adamax::default());
    step("ASGD", Asgd::default());
    step("Rprop", Rprop::default());
}
