//! Sensor fusion: where a car is and where it is heading, from a satellite receiver and a gyroscope.
//!
//! The gyroscope tells how the car turns, 20 times a second, but not where it stands; the receiver tells where it is,
//! once a second and within metres, but not the heading. An extended Kalman filter has both. Its state is the place,
//! the heading and the speed; dual numbers give the Jacobian of the motion.
#![cfg_attr(target_os = "none", no_std, no_main)]

use core::hint::black_box;

use firmware::{exit, fail, measure, print};
use monomorph::filters::Gaussian;
use monomorph::{Dual, Noise};
use nalgebra::{Matrix2, Matrix2x4, Matrix4, Vector2, Vector4};

/// Seconds between two readings of the gyroscope.
const STEP: f32 = 0.05;
/// The receiver's error, in metres.
const OFF: f32 = 3.0;

/// The car after a step, at the rate of turn that the gyroscope reads.
fn moved([x, y, heading, speed]: [Dual<f32, 4>; 4], turn: f32) -> [Dual<f32, 4>; 4] {
    let way = speed * STEP;
    [x + way * heading.cos(), y + way * heading.sin(), heading + turn * STEP, speed]
}

#[cfg_attr(target_os = "none", firmware::entry)]
fn main() -> ! {
    let motion = Matrix4::from_diagonal(&Vector4::new(1e-4, 1e-4, 1e-5, 1e-3));
    let place = Matrix2x4::new(1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0);
    let receiver = Matrix2::from_diagonal_element(OFF * OFF);
    let mut noise = Noise::new(1);
    let mut normal = |deviation: f32| deviation * noise.normal() as f32;

    // Where the car really is; the filter knows neither heading nor speed.
    let mut car = [0.0, 0.0, 0.5, 8.0];
    let mut track = Gaussian {
        mean: Vector4::new(0.0, 0.0, 0.0, 5.0),
        covariance: Matrix4::from_diagonal(&Vector4::new(9.0, 9.0, 1.0, 25.0)),
    };
    for step in 1..=1200 {
        let turn = if step % 400 < 200 { 0.2 } else { -0.1 };
        car = moved(car.map(Dual::constant), turn).map(|number| number.value);
        let read = turn + normal(0.01);
        track.predict_extended(|state| moved(state, read), &motion);
        if step % 20 == 0 {
            let seen = Vector2::new(car[0] + normal(OFF), car[1] + normal(OFF));
            if track.update(&place, &seen, &receiver).is_err() {
                fail()
            }
        }
        if step % 400 == 0 {
            print("car", &car);
            print("track", track.mean.as_slice());
        }
    }

    // A step with both.
    let seen = Vector2::new(car[0], car[1]);
    measure(16, || {
        let mut track = black_box(track);
        track.predict_extended(|state| moved(state, black_box(0.2)), &motion);
        if track.update(&place, black_box(&seen), &receiver).is_err() {
            fail()
        }
        black_box(track);
    });
    // The linear filter's: a prediction by a matrix and an update.
    measure(16, || {
        let mut track = black_box(track);
        track.predict(black_box(&motion), &motion);
        if track.update(&place, black_box(&seen), &receiver).is_err() {
            fail()
        }
        black_box(track);
    });
    exit()
}
