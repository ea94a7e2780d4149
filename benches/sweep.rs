//! Layers of some two hundred sizes that no kernel was tuned for: the share of this core's measured limit that each
//! reaches, the worst first.
//!
//! ```text
//! cargo bench --bench sweep                        # in about three minutes, plus ten to compile
//! cargo bench --bench sweep -- dense               # those whose name contains this
//! cargo bench --bench sweep -- --level=Avx2        # at another SIMD level
//! ```
//!
//! The limit is the longer of two times: the multiply-accumulates at the core's measured peak, and moving the data at
//! the measured bandwidth of the caches that hold them. Evaluation reads the weights and the input, and writes the
//! output. Forward and backward together take three times the arithmetic, read the weights twice, and read and write
//! their gradient; they move the input, the output and both gradients.

mod limits;
mod random;

use std::hint::black_box;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use monomorph::layer::{Inputs, Layer, Pass};
use monomorph::network::{Workspace, evaluate_at};
use monomorph::prelude::*;
use monomorph::simd::{Level, Simd, Task, dispatch, level, levels};
use monomorph::{Tensor, memory};

use limits::{Limits, time};
use random::random;

/// How long each line is measured.
const TIME: Duration = Duration::from_millis(60);
/// Smaller work is not counted in the summary: calls and borders take most of its time.
const SMALL: usize = 50_000;

/// A measured layer.
struct Line {
    name: String,
    macs: usize,
    seconds: f64,
    limit: f64,
    limited_by: &'static str,
}

impl Line {
    fn share(&self) -> f64 {
        100.0 * self.limit / self.seconds
    }
}

/// The measurements so far, and what they need.
struct Sweep {
    level: Level,
    limits: Limits,
    filter: String,
    progress: ProgressBar,
    lines: Vec<Line>,
}

impl Sweep {
    /// Measures the evaluation of `B` samples.
    fn evaluate<N, const B: usize>(&mut self, name: &str)
    where
        N: Network<Scalar = f32, Input: Tensor<Element = f32>>,
    {
        let name = format!("{name}, evaluate {B}");
        if !self.wants(&name) {
            return;
        }
        let (net, input) = (net::<N>(), random::<N::Input, B>(2));
        let mut output = memory::boxed::<[N::Output; B]>();
        let mut workspace = memory::boxed::<Workspace<N, B>>();
        let seconds = time(TIME, |_| {
            evaluate_at(self.level, black_box(&*net), black_box(&*input), &mut output, &mut workspace);
            black_box(&output);
        });
        self.add(name, B * N::MACS, seconds, N::COUNT + B * (N::Input::LEN + N::Output::LEN), 1.0);
    }

    /// Measures both passes over `B` samples, with the gradient of the input.
    fn gradients<N, const B: usize>(&mut self, name: &str)
    where
        N: Network<Scalar = f32, Input: Tensor<Element = f32>>,
    {
        let name = format!("{name}, gradients {B}");
        if !self.wants(&name) {
            return;
        }
        let mut training = Training::<N, B> {
            input: random(2),
            output: memory::boxed(),
            saved: memory::boxed(),
            grad_output: random(3),
            grad_input: memory::boxed(),
            gradient: memory::boxed(),
            pass: Pass::new(Noise::new(4), 1.0),
            net: net(),
        };
        let level = self.level;
        let seconds = time(TIME, |_| {
            dispatch(level, &mut training);
            black_box(&training.gradient);
        });
        let numbers = 2 * N::COUNT + 2 * B * (N::Input::LEN + N::Output::LEN);
        self.add(name, 3 * B * N::MACS, seconds, numbers, 2.0);
    }

    fn wants(&self, name: &str) -> bool {
        self.progress.inc(1);
        self.progress.set_message(name.to_owned());
        name.contains(&self.filter)
    }

    fn add(&mut self, name: String, macs: usize, seconds: f64, numbers: usize, times: f64) {
        let (limit, limited_by) = self.limits.least(macs, 4 * numbers, times);
        self.lines.push(Line { name, macs, seconds, limit, limited_by });
    }

    /// Prints all lines, the worst first, and a summary.
    fn report(&mut self) {
        self.progress.finish_and_clear();
        self.lines.sort_by(|a, b| a.share().total_cmp(&b.share()));
        println!("{:>5}  {:>10}  {:>8}  layer", "limit", "time", "Gflop/s");
        for line in &self.lines {
            let gflops = 2e-9 * line.macs as f64 / line.seconds;
            let (share, micros) = (line.share(), 1e6 * line.seconds);
            println!("{share:>4.0}%  {micros:>7.2} µs  {gflops:>8.1}  {} ({})", line.name, line.limited_by);
        }
        let large: Vec<f64> = self.lines.iter().filter(|line| line.macs > SMALL).map(Line::share).collect();
        if let Some(median) = large.get(large.len() / 2) {
            let low = large.iter().filter(|share| **share < 60.0).count();
            let count = large.len();
            println!("of {count} with more than {SMALL} multiply-accumulates: median {median:.0}%, {low} below 60%");
        }
    }
}

/// A network whose parameters are random.
fn net<N: Network<Scalar = f32>>() -> Box<N> {
    let mut net = memory::boxed::<N>();
    net.initialize(Init::KaimingUniform, &mut Noise::new(1));
    net
}

/// Both passes for a batch.
struct Training<N: Network, const B: usize> {
    input: Box<[N::Input; B]>,
    output: Box<[N::Output; B]>,
    saved: Box<<N as Layer>::Saved<B>>,
    grad_output: Box<[N::Output; B]>,
    grad_input: Box<<N::Input as Inputs>::Owned<B>>,
    gradient: Box<N>,
    pass: Pass<N::Scalar>,
    net: Box<N>,
}

impl<N: Network<Input: Tensor>, const B: usize> Task for &mut Training<N, B> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(&mut self, simd: S) {
        let Training { input, output, saved, grad_output, grad_input, gradient, pass, net } = &mut **self;
        net.forward(simd, N::batch(input), output, saved, pass);
        net.backward(simd, N::batch(input), output, saved, grad_output, N::Input::gradient(grad_input), gradient, pass);
    }
}

/// How many windows there are with `padding = same`.
const fn out(size: usize, stride: usize) -> usize {
    size.div_ceil(stride)
}

macro_rules! dense {
    ($sweep:ident: $($in:literal $out:literal),*) => {$({
        network! { Net: [$in] -> [$out] { Dense($out) } }
        let name = concat!("dense ", $in, " to ", $out);
        $sweep.evaluate::<Net, 1>(name);
        $sweep.evaluate::<Net, 8>(name);
        $sweep.evaluate::<Net, 64>(name);
        $sweep.gradients::<Net, 32>(name);
    })*};
}
/// Height, width and channels of the input; channels of the output, kernel, stride.
macro_rules! conv2d {
    ($sweep:ident: $($h:literal $w:literal $c:literal => $o:literal, $k:literal / $s:literal;)*) => {$({
        network! {
            Net: [$h, $w, $c] -> [out($h, $s), out($w, $s), $o] { Conv2d($o, kernel = $k, stride = $s, padding = same) }
        }
        let name = concat!("conv2d ", $h, "x", $w, "x", $c, " to ", $o, ", kernel ", $k, ", stride ", $s);
        $sweep.evaluate::<Net, 1>(name);
        $sweep.gradients::<Net, 8>(name);
    })*};
}
macro_rules! depthwise {
    ($sweep:ident: $($h:literal $w:literal $c:literal, $k:literal / $s:literal;)*) => {$({
        network! {
            Net: [$h, $w, $c] -> [out($h, $s), out($w, $s), $c] { DepthwiseConv2d($k, stride = $s, padding = same) }
        }
        let name = concat!("depthwise ", $h, "x", $w, "x", $c, ", kernel ", $k, ", stride ", $s);
        $sweep.evaluate::<Net, 1>(name);
        $sweep.gradients::<Net, 8>(name);
    })*};
}
macro_rules! conv1d {
    ($sweep:ident: $($t:literal $c:literal => $o:literal, $k:literal, dilation $d:literal;)*) => {$({
        network! {
            Net: [$t, $c] -> [$t, $o] { Conv1d($o, kernel = $k, dilation = $d, padding = same) }
        }
        let name = concat!("conv1d ", $t, "x", $c, " to ", $o, ", kernel ", $k, ", dilation ", $d);
        $sweep.evaluate::<Net, 1>(name);
        $sweep.gradients::<Net, 8>(name);
    })*};
}

fn main() {
    let (mut filter, mut chosen) = (String::new(), level());
    for argument in std::env::args().skip(1).filter(|argument| argument != "--bench") {
        match argument.strip_prefix("--level=") {
            Some(name) => {
                let found = levels().find(|level| format!("{level:?}").starts_with(&format!("{name}(")));
                chosen = found.unwrap_or_else(|| panic!("this processor has no level {name}"));
            }
            None => filter = argument,
        }
    }
    let limits = Limits::measure(chosen, Duration::from_millis(200));
    print!("limits of this core: {:.0} Gflop/s", 1e-9 * limits.flops_per_second);
    for cache in &limits.caches {
        print!(", {} {:.0} GB/s", cache.name, 1e-9 * cache.bytes_per_second);
    }
    println!();
    let progress = ProgressBar::new(LINES);
    progress.set_style(ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}").expect("the template"));
    let mut sweep = Sweep { level: chosen, limits, filter, progress, lines: Vec::new() };
    dense_layers(&mut sweep);
    first_convolutions(&mut sweep);
    convolutions(&mut sweep);
    others(&mut sweep);
    sweep.report();
}

/// How many lines there are.
const LINES: u64 = 4 * 25 + 2 * (14 + 24 + 12 + 8);

fn dense_layers(sweep: &mut Sweep) {
    dense!(sweep: 16 16, 24 40, 40 100, 64 64, 33 65, 100 20, 100 100, 96 384, 384 96, 128 128, 150 7, 200 300, 300 150,
        256 256, 300 300, 500 50, 512 512, 640 128, 784 10, 784 100, 784 128, 1000 10, 1000 100, 768 768, 17 1000);
}

/// One to three channels.
fn first_convolutions(sweep: &mut Sweep) {
    conv2d!(sweep:
        28 28 1 => 6, 5 / 1; 28 28 1 => 16, 3 / 1; 28 28 1 => 32, 3 / 2; 64 64 1 => 12, 5 / 2; 64 64 1 => 8, 7 / 2;
        49 40 1 => 24, 3 / 1; 32 32 2 => 16, 3 / 1; 32 32 2 => 20, 5 / 2;
        32 32 3 => 16, 3 / 1; 32 32 3 => 24, 3 / 1; 96 96 3 => 8, 3 / 2; 64 64 3 => 32, 7 / 2; 48 48 3 => 12, 5 / 1;
        56 56 3 => 48, 3 / 2;
    );
}

fn convolutions(sweep: &mut Sweep) {
    conv2d!(sweep:
        14 14 6 => 16, 5 / 1; 32 32 16 => 16, 3 / 1; 16 16 24 => 40, 3 / 2; 16 16 40 => 56, 3 / 1; 32 32 8 => 12, 3 / 1;
        8 8 64 => 64, 3 / 1; 16 16 32 => 32, 3 / 1; 7 7 100 => 50, 3 / 1; 13 13 20 => 30, 3 / 1; 10 10 17 => 48, 3 / 1;
        20 20 10 => 10, 5 / 1; 24 24 16 => 24, 5 / 2; 12 12 32 => 48, 7 / 1; 28 28 12 => 24, 7 / 2; 16 16 4 => 64, 3 / 1;
        56 56 24 => 144, 1 / 1; 28 28 144 => 40, 1 / 1; 14 14 100 => 100, 1 / 1; 7 7 256 => 128, 1 / 1;
        32 32 16 => 7, 1 / 1; 16 16 32 => 64, 1 / 2; 6 6 128 => 128, 3 / 1; 4 4 256 => 64, 3 / 1; 40 40 5 => 9, 3 / 1;
    );
}

fn others(sweep: &mut Sweep) {
    conv1d!(sweep:
        250 12 => 32, 3, dilation 1; 250 32 => 64, 3, dilation 1; 250 64 => 64, 5, dilation 1; 512 1 => 16, 3, dilation 1;
        512 16 => 16, 3, dilation 4; 256 32 => 32, 3, dilation 8; 128 10 => 20, 9, dilation 1; 1024 2 => 8, 16, dilation 1;
        100 40 => 100, 3, dilation 2; 64 128 => 128, 3, dilation 1; 300 6 => 50, 5, dilation 1; 200 24 => 24, 7, dilation 2;
    );
    depthwise!(sweep:
        48 48 8, 3 / 1; 24 24 32, 3 / 2; 6 6 128, 3 / 1; 56 56 144, 5 / 2; 28 28 40, 5 / 1; 14 14 100, 3 / 1;
        16 16 20, 7 / 1; 12 12 240, 3 / 1;
    );
}
