//! An episode as an SVG that a browser plays.

use std::fmt::Write;

use monomorph::rl::{Acrobot, CartPole, Environment, MountainCar, MountainCarContinuous, Pendulum};

/// An environment that can be drawn as a line through some points, between −2 and 2, upward positive.
pub trait Picture: Environment {
    /// The points now; always as many.
    fn picture(&self) -> Vec<[f64; 2]>;
}

/// The end of a rod from a point, at an angle from upright.
fn rod([x, y]: [f64; 2], angle: f64, length: f64) -> [f64; 2] {
    [x + length * angle.sin(), y + length * angle.cos()]
}

impl Picture for CartPole {
    fn picture(&self) -> Vec<[f64; 2]> {
        let [x, _, angle, _] = self.state.map(f64::from);
        let x = x * 2.0 / 2.4;
        let cart = [[x - 0.3, -0.2], [x - 0.3, 0.0], [x + 0.3, 0.0], [x + 0.3, -0.2], [x - 0.3, -0.2]];
        [&cart[..2], &[[x, 0.0], rod([x, 0.0], angle, 1.0), [x, 0.0]], &cart[2..]].concat()
    }
}

impl Picture for Pendulum {
    fn picture(&self) -> Vec<[f64; 2]> {
        vec![[0.0, 0.0], rod([0.0, 0.0], f64::from(self.state[0]), 1.5)]
    }
}

impl Picture for Acrobot {
    fn picture(&self) -> Vec<[f64; 2]> {
        let [first, second, ..] = self.state.map(f64::from);
        let hanging = std::f64::consts::PI;
        let elbow = rod([0.0, 0.0], hanging - first, 0.9);
        vec![[0.0, 0.0], elbow, rod(elbow, hanging - first - second, 0.9)]
    }
}

/// The valley, and the car as a post in it.
fn valley(at: f64) -> Vec<[f64; 2]> {
    let place = |x: f64| [(x + 0.3) * 2.0, (3.0 * x).sin() * 0.8];
    let [x, y] = place(at);
    let left = (0..20).map(|step| place(-1.2 + (at + 1.2) * f64::from(step) / 19.0));
    let right = (0..20).map(|step| place(at + (0.6 - at) * f64::from(step) / 19.0));
    left.chain([[x, y + 0.3], [x, y]]).chain(right).collect()
}

impl Picture for MountainCar {
    fn picture(&self) -> Vec<[f64; 2]> {
        valley(f64::from(self.state[0]))
    }
}

impl Picture for MountainCarContinuous {
    fn picture(&self) -> Vec<[f64; 2]> {
        valley(f64::from(self.state[0]))
    }
}

/// Plays the pictures at 30 a second, again and again.
pub fn animate(frames: &[Vec<[f64; 2]>]) -> String {
    let mut values = String::new();
    for frame in frames {
        for [x, y] in frame {
            let _ = write!(values, "{:.0},{:.0} ", 200.0 + 95.0 * x, 200.0 - 95.0 * y);
        }
        values.push(';');
    }
    let values = values.trim_end_matches(';');
    let first = values.split(';').next().unwrap_or_default();
    let seconds = frames.len() as f64 / 30.0;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 400 400\" width=\"400\" height=\"400\">\n\
         <rect width=\"400\" height=\"400\" fill=\"white\"/>\n\
         <polyline points=\"{first}\" fill=\"none\" stroke=\"#1f4e79\" stroke-width=\"6\" stroke-linejoin=\"round\">\n\
         <animate attributeName=\"points\" dur=\"{seconds:.2}s\" repeatCount=\"indefinite\" calcMode=\"discrete\" \
         values=\"{values}\"/>\n</polyline>\n</svg>\n"
    )
}
