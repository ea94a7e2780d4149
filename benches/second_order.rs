//! What a product with the Hessian takes, in gradients, and what a step of K-FAC takes, in steps of Adam: both are
//! measured in turns, so that nothing else differs.
//!
//! `cargo bench --bench second_order`; the times are the least of many runs, of a whole batch.

mod random;

use std::hint::black_box;
use std::time::{Duration, Instant};

use monomorph::memory::boxed;
use monomorph::optim::{Kfac, kfac_numbers};
use monomorph::prelude::*;
use monomorph::scalar::Real;
use monomorph::train::{Curvature, SecondOrder};
use monomorph::{Dual, Parameters, Tensor};

network! { Small<T>: [2] -> [3] { Dense(4), Relu, Dense(3) } }
network! { Digits<T>: [784] -> [10] { Dense(128), Relu, Dense(10) } }
network! { LeNet<T>: [28, 28, 1] -> [10] {
    Conv2d(6, kernel = 5, padding = 2), Tanh, AvgPool2d(2), Conv2d(16, kernel = 5), Tanh, AvgPool2d(2), Flatten,
    Dense(120), Tanh, Dense(84), Tanh, Dense(10),
} }

network! { Classes<T>: [64] -> [10] { Dense(32), Tanh, Dense(10) } }

/// The least and the mean times of steps of Adam and of K-FAC, from the same start on the same batch. Those of K-FAC differ:
/// every fifth inverts its factors, and some are tried again.
fn kfac<const B: usize, const F: usize>(name: &str, steps: u32) {
    type Real = Classes<f64>;
    let (mut net, mut other) = (boxed::<Real>(), boxed::<Real>());
    net.initialize(Init::default(), &mut Noise::new(1));
    other.as_mut_slice().copy_from_slice(net.as_slice());
    let x = random::random::<[f64; 64], B>(2);
    let y: [u8; B] = std::array::from_fn(|sample| u8::from(x[sample][0] > 0.5) + 2 * u8::from(x[sample][1] > 0.5));
    let mut adam = Trainer::<Real, _, B>::new(Adam::default(), CrossEntropy);
    let mut kfac = SecondOrder::<Real, Classes<Dual<f64>>, _, B>::new(Kfac::<F>::default(), CrossEntropy);
    let (mut least, mut sum) = ([Duration::MAX; 2], [Duration::ZERO; 2]);
    for _ in 0..steps {
        let mut keep = |which: usize, time: Duration| {
            least[which] = least[which].min(time);
            sum[which] += time;
        };
        let start = Instant::now();
        black_box(adam.step(&mut net, &x, &y)).expect("a step");
        keep(0, start.elapsed());
        let start = Instant::now();
        black_box(kfac.step(&mut other, &x, &y)).expect("a step");
        keep(1, start.elapsed());
    }
    let micros = |time: Duration| time.as_secs_f64() * 1e6;
    for (what, [adam, kfac]) in [("least", least.map(micros)), ("mean", sum.map(|sum| micros(sum / steps)))] {
        println!("{name:<22} {what:<5} {adam:>10.1} {kfac:>10.1} {:>10.1}", kfac / adam);
    }
}

/// The least times of a gradient and of a product.
fn measure<T, N, D, const B: usize>(name: &str, number: &str, runs: usize)
where
    T: Real,
    N: Network<Scalar = T, Input: Tensor<Element = T>> + Trainable,
    D: Network<Scalar = Dual<T, 1>, Input: Tensor<Element = Dual<T, 1>>>,
    CrossEntropy: Loss<T, N::Output, u8> + Loss<Dual<T, 1>, D::Output, u8>,
{
    let mut noise = Noise::new(1);
    let (mut net, mut v, mut product) = (boxed::<N>(), boxed::<N>(), boxed::<N>());
    net.initialize(Init::default(), &mut noise);
    v.as_mut_slice().fill_with(|| T::from_f64(noise.normal()));
    let x = random::random::<N::Input, B>(2);
    let y: [u8; B] = std::array::from_fn(|sample| (sample % 3) as u8);
    // A step that does not move: forward, loss and backward, and a pass over the parameters.
    let still = Sgd { learning_rate: 0.0, ..Sgd::default() };
    let mut trainer = Trainer::<N, _, B>::new(still, CrossEntropy);
    let mut curvature = Curvature::<N, D, B>::new();
    let (mut gradient, mut hessian) = (Duration::MAX, Duration::MAX);
    for _ in 0..runs {
        let start = Instant::now();
        black_box(trainer.step(&mut net, &x, &y)).expect("a loss");
        gradient = gradient.min(start.elapsed());
        let start = Instant::now();
        black_box(curvature.hessian(&CrossEntropy, (&x, &y), &net, &v, &mut product)).expect("a loss");
        hessian = hessian.min(start.elapsed());
    }
    let micros = |time: Duration| time.as_secs_f64() * 1e6;
    let ratio = hessian.as_secs_f64() / gradient.as_secs_f64();
    println!("{name:<22} {number} {:>10.2} {:>10.2} {ratio:>10.2}", micros(gradient), micros(hessian));
}

fn main() {
    println!("network, batch         number  gradient (µs)  H v (µs)  gradients");
    measure::<f32, Small<f32>, Small<Dual<f32>>, 1>("2-4-3, 1", "f32", 200_000);
    measure::<f64, Small<f64>, Small<Dual<f64>>, 1>("2-4-3, 1", "f64", 200_000);
    measure::<f32, Digits<f32>, Digits<Dual<f32>>, 32>("784-128-10, 32", "f32", 1500);
    measure::<f64, Digits<f64>, Digits<Dual<f64>>, 32>("784-128-10, 32", "f64", 1500);
    measure::<f32, LeNet<f32>, LeNet<Dual<f32>>, 32>("LeNet-5, 32", "f32", 500);
    measure::<f64, LeNet<f64>, LeNet<Dual<f64>>, 32>("LeNet-5, 32", "f64", 500);
    println!("\nnetwork, batch                 Adam (µs) K-FAC (µs)      ratio");
    kfac::<256, { kfac_numbers(Classes::<f64>::ENTRIES) }>("64-32-10, 256, f64", 40);
    kfac::<1024, { kfac_numbers(Classes::<f64>::ENTRIES) }>("64-32-10, 1024, f64", 40);
}
