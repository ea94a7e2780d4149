//! What a layer with random Gaussian weights and a ReLU does to distances and angles, beside the exact curves.
//!
//! ```text
//! cargo run --release --example geometry
//! ```
//!
//! For weights drawn from `N(0, 1/m)` and `m` outputs, with the angle `θ` between `x` and `y`:
//!
//! | | exactly, in the mean |
//! | --- | --- |
//! | squared distance | `½‖x - y‖² - ‖x‖‖y‖ (sin θ - θ cos θ)/π` |
//! | angle `θ′` behind it | `cos θ′ = (sin θ + (π - θ) cos θ)/π` (Cho and Saul, *Kernel methods for deep learning*, 2009) |
//!
//! So neighbors keep half of their squared distance, and opposite points a quarter: the larger the angle, the stronger
//! the shrinkage. (It is sometimes stated the other way round.) Layer by layer all angles shrink towards 0.
//! `out/geometry/distances.svg` and `angles.svg` show what is measured and the curves.

#[path = "support/curves.rs"]
mod curves;

use std::error::Error;
use std::f64::consts::PI;
use std::path::PathBuf;

use clap::Parser;
use monomorph::memory::boxed;
use monomorph::prelude::*;

const WIDTH: usize = 2048;

network! { pub Gaussian: [WIDTH] -> [WIDTH] { Dense(WIDTH, bias = false), Relu } }

/// Measures what random layers do to distances and angles.
#[derive(Parser)]
struct Options {
    /// How many layers are drawn for each figure.
    #[arg(long, default_value_t = 3)]
    draws: u64,
    /// The folder for the pictures.
    #[arg(long, default_value = "out/geometry")]
    out: PathBuf,
}

/// What is left of a squared distance at this angle, for points of equal length.
fn distance(angle: f64) -> f64 {
    let (sin, cos) = angle.sin_cos();
    let whole = 2.0 - 2.0 * cos;
    if whole < 1e-9 { 0.5 } else { 0.5 - (sin - angle * cos) / PI / whole }
}

/// The angle behind a layer.
fn angle(before: f64) -> f64 {
    ((before.sin() + (PI - before) * before.cos()) / PI).clamp(-1.0, 1.0).acos()
}

fn dot(x: &[f32], y: &[f32]) -> f64 {
    x.iter().zip(y).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum()
}

/// The squared distance and the angle of two points.
fn between(x: &[f32; WIDTH], y: &[f32; WIDTH]) -> (f64, f64) {
    let (xx, xy, yy) = (dot(x, x), dot(x, y), dot(y, y));
    (xx - 2.0 * xy + yy, (xy / (xx * yy).sqrt()).clamp(-1.0, 1.0).acos())
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let mut net: Box<Gaussian> = boxed();
    let (mut measured, mut after) = (Vec::new(), Vec::new());
    let angles: Vec<f64> = (0..=12).map(|step| f64::from(15 * step).max(5.0)).collect();
    for degrees in &angles {
        let (sin, cos) = degrees.to_radians().sin_cos();
        let (mut x, mut y) = ([0.0; WIDTH], [0.0; WIDTH]);
        (x[0], y[0], y[1]) = (1.0, cos as f32, sin as f32);
        let (mut ratio, mut turned) = (0.0, 0.0);
        for draw in 0..options.draws {
            let deviation = 1.0 / (WIDTH as f64).sqrt();
            monomorph::init::initialize(&mut *net, Init::Normal(deviation), &mut Noise::new(draw));
            let (whole, _) = between(&x, &y);
            let (left, angle) = between(&net.evaluate(&x), &net.evaluate(&y));
            (ratio, turned) = (ratio + left / whole / options.draws as f64, turned + angle / options.draws as f64);
        }
        measured.push((*degrees, ratio));
        after.push((*degrees, turned.to_degrees()));
    }
    println!("angle   squared distance left     angle behind the layer");
    println!("        measured    exact         measured    exact");
    let mut most = [0.0_f64; 2];
    for ((degrees, ratio), (_, turned)) in measured.iter().zip(&after) {
        let exact = [distance(degrees.to_radians()), angle(degrees.to_radians()).to_degrees()];
        most = [most[0].max((ratio - exact[0]).abs()), most[1].max((turned - exact[1]).abs())];
        println!("{degrees:>5}°  {ratio:.3}       {:.3}         {turned:>6.2}°    {:>6.2}°", exact[0], exact[1]);
    }
    let mut deep =
        vec![("one layer", curve(1)), ("2 layers", curve(2)), ("4 layers", curve(4)), ("8 layers", curve(8))];
    deep.push(("one layer, measured", after));
    let exact = (0..=180).map(|degrees| (f64::from(degrees), distance(f64::from(degrees).to_radians()))).collect();
    let labels = ["angle in degrees", "share of the squared distance that is left"];
    let path = options.out.join("distances.svg");
    curves::draw(&path, "Distances behind a random layer", labels, &[("measured", measured), ("exact", exact)])?;
    let labels = ["angle in degrees", "angle behind the layers"];
    curves::draw(&options.out.join("angles.svg"), "Angles behind random layers", labels, &deep)?;
    println!("wrote {} and angles.svg", path.display());
    println!("largest difference: {:.3} of the distance, {:.2} degrees", most[0], most[1]);
    Ok(())
}

/// The exact angle behind several layers.
fn curve(layers: usize) -> Vec<(f64, f64)> {
    let behind =
        |degrees: u32| (0..layers).fold(f64::from(degrees).to_radians(), |before, _| angle(before)).to_degrees();
    (0..=180).map(|degrees| (f64::from(degrees), behind(degrees))).collect()
}
