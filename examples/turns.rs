//! What turns and reflections of an image change: in a plain convolutional network, and in networks of group
//! convolutions (Cohen and Welling, *Group equivariant convolutional networks*, 2016).
//!
//! ```text
//! cargo run --release --example turns
//! ```
//!
//! Three networks of the same layers with random weights see a digit at every angle. Quarter turns change nothing in
//! the networks over p4 and p4m; reflections change nothing over p4m alone; angles in between change all of them, as
//! the group has no such element. `out/turns/angles.svg` shows by how much.

#[path = "support/curves.rs"]
mod curves;

use std::error::Error;
use std::path::{Path, PathBuf};

use clap::Parser;
use monomorph::data::idx::Mnist;
use monomorph::memory::boxed;
use monomorph::prelude::*;

const SIDE: usize = 29;

type Image = [[[f32; 1]; SIDE]; SIDE];

network! {
    /// A plain network.
    pub Plain: [SIDE, SIDE, 1] -> [16] {
        Conv2d(32, kernel = 5, padding = same), Relu, Conv2d(16, kernel = 5, padding = same), Relu, GlobalAvgPool2d,
    }
}

network! {
    /// Every filter in four orientations.
    pub Turning: [SIDE, SIDE, 1] -> [16] {
        LiftConv2d(8, kernel = 5, padding = same), Relu, GroupConv2d(16, kernel = 5, padding = same), Relu,
        GroupPool, GlobalAvgPool2d,
    }
}

network! {
    /// Every filter in eight.
    pub Flipping: [SIDE, SIDE, 1] -> [16] {
        LiftConv2d(4, kernel = 5, padding = same, group = p4m), Relu,
        GroupConv2d(16, kernel = 5, padding = same, group = p4m), Relu, GroupPool(group = p4m), GlobalAvgPool2d,
    }
}

/// Measures what turns change.
#[derive(Parser)]
struct Options {
    /// The folder with MNIST's four files.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/data/mnist"))]
    data: PathBuf,
    /// The folder for the picture.
    #[arg(long, default_value = "out/turns")]
    out: PathBuf,
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let mnist = Mnist::open(&options.data)?;
    let digit = &mnist.test.inputs()[0];
    let networks = [("plain", seeing::<Plain>()), ("p4", seeing::<Turning>()), ("p4m", seeing::<Flipping>())];
    println!("        changed by a quarter turn, by a reflection, by 45 degrees");
    let mut curves = Vec::new();
    for (name, mut network) in networks {
        let upright = network(&seen(digit, 0, false));
        let mut change = |degrees: u32, flip: bool| {
            let other = network(&seen(digit, degrees, flip));
            let norm = |x: [f32; 16]| x.iter().map(|x| f64::from(x * x)).sum::<f64>().sqrt();
            norm(core::array::from_fn(|index| upright[index] - other[index])) / norm(upright)
        };
        let [quarter, flipped, half] = [change(90, false), change(0, true), change(45, false)].map(|x| 100.0 * x);
        println!("{name:>6}  {quarter:.4} %, {flipped:.4} %, {half:.4} %");
        curves.push((name, (0..=72).map(|step| (f64::from(5 * step), change(5 * step, false))).collect()));
    }
    let path = options.out.join("angles.svg");
    draw(&path, &curves)?;
    println!("wrote {}", path.display());
    Ok(())
}

/// Numbers that a network makes of an image.
type Seeing = Box<dyn FnMut(&Image) -> [f32; 16]>;

/// What a network with random weights makes of an image.
fn seeing<N: Network<Scalar = f32, Input = Image, Output = [f32; 16]>>() -> Seeing {
    let mut net: Box<N> = boxed();
    monomorph::init::initialize(&mut *net, Init::default(), &mut Noise::new(1));
    let mut evaluator = Evaluator::<N, 1>::new();
    Box::new(move |image| {
        let mut output = [0.0; 16];
        evaluator.for_each(&net, std::slice::from_ref(image), |_, y| output = *y);
        output
    })
}

/// The digit at an angle, and reflected, between pixels by the four around; exact for quarter turns.
fn seen(digit: &[[[f32; 1]; 28]; 28], degrees: u32, flip: bool) -> Image {
    let exact = [(1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0)];
    let (cos, sin): (f32, f32) = match degrees % 360 {
        quarter if quarter % 90 == 0 => exact[quarter as usize / 90],
        degrees => ((degrees as f32).to_radians().cos(), (degrees as f32).to_radians().sin()),
    };
    let mut image = [[[0.0]; SIDE]; SIDE];
    for (row, line) in image.iter_mut().enumerate() {
        for (column, pixel) in line.iter_mut().enumerate() {
            let column = if flip { SIDE - 1 - column } else { column };
            let (y, x) = (row as f32 - 14.0, column as f32 - 14.0);
            let (y, x) = (14.0 + cos * y - sin * x, 14.0 + sin * y + cos * x);
            for (row, share) in [(y.floor(), 1.0 - (y - y.floor())), (y.floor() + 1.0, y - y.floor())] {
                for (column, part) in [(x.floor(), 1.0 - (x - x.floor())), (x.floor() + 1.0, x - x.floor())] {
                    if (0.0..28.0).contains(&row) && (0.0..28.0).contains(&column) {
                        pixel[0] += share * part * digit[row as usize][column as usize][0];
                    }
                }
            }
        }
    }
    image
}

fn draw(path: &Path, curves: &[(&str, Vec<(f64, f64)>)]) -> Result<(), Box<dyn Error>> {
    curves::draw(path, "How much a turn changes", ["angle in degrees", "relative change of the output"], curves)
}
