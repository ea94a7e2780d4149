//! Training on the device: a sensor is calibrated against a reference, sample by sample.
//!
//! A thermistor's reading is a nonlinear function of the temperature, and each part differs. The device
//! sees readings and true temperatures for a while, and learns the inverse function.
#![cfg_attr(target_os = "none", no_std, no_main)]

use firmware::{exit, fail, measure, print, print_number};
use monomorph::memory::zeroed;
use monomorph::prelude::*;
use monomorph::train::TrainMemory;
use static_cell::ConstStaticCell;

network! { Calibration: [1] -> [1] { Dense(12), Tanh, Dense(1) } }

static NET: ConstStaticCell<Calibration> = ConstStaticCell::new(zeroed());
static MEMORY: ConstStaticCell<TrainMemory<Calibration, Adam, 8>> = ConstStaticCell::new(zeroed());

/// This sensor's reading at a temperature; both from −1 to 1.
fn reading(temperature: f32) -> f32 {
    let warm = temperature + 0.3;
    0.7 * temperature + 0.25 * warm * warm * warm - 0.2
}

#[cfg_attr(target_os = "none", firmware::entry)]
fn main() -> ! {
    let (Some(net), Some(memory)) = (NET.try_take(), MEMORY.try_take()) else { fail() };
    let mut noise = Noise::new(7);
    net.initialize(Init::default(), &mut noise);
    print_number("# planned", (size_of::<Calibration>() + size_of::<TrainMemory<Calibration, Adam, 8>>()) as u32);

    let adam = Adam { learning_rate: 0.02, ..Adam::default() };
    let mut trainer = Trainer::<Calibration, _, 8, _>::in_memory(adam, Mse, memory);
    let (mut x, mut y) = ([[0.0]; 8], [[0.0]; 8]);
    for step in 0..200 {
        for (x, y) in x.iter_mut().zip(&mut y) {
            let temperature = (2.0 * noise.uniform() - 1.0) as f32;
            (*x, *y) = ([reading(temperature)], [temperature]);
        }
        match trainer.step(net, &x, &y) {
            Ok(now) if step % 50 == 0 => print("loss", &[now.loss]),
            Ok(_) => {}
            Err(_) => fail(),
        }
    }
    for temperature in [-0.8, -0.3, 0.2, 0.7] {
        print("temperature", &net.evaluate(&[reading(temperature)]));
    }
    measure(1, || {
        if trainer.step(net, &x, &y).is_err() {
            fail()
        }
    });
    exit()
}
