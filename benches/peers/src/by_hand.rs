//! Hand-written networks that need only products, for `nalgebra` and for plain arrays.

use crate::bench::{Bench, Failure, Outcome};
use crate::graph::{BATCH, Kind, Net, Op, Optimizer, Task, Window};

/// A chain of dense layers with compile-time sizes: `chain!(net, bench, f32::tanh; 22 64 64 4)`.
/// The file that uses it must define `Row<N>`, `row`, and `Dense<I, O>`.
macro_rules! chain {
    ($net:ident, $bench:ident, $activation:expr; $input:literal $($size:literal)*) => {{
        let inputs: Vec<Row<$input>> = $net.inputs.iter().map(|data| row(data)).collect();
        let mut ops = $net.ops.iter().filter(|op| op.kind == Kind::Dense);
        let forward = chain!(@layers $net, ops, $activation; $input $($size)*);
        $bench.evaluate($net, |i| forward(&inputs[i]), |output| output.as_slice().to_vec())
    }};
    (@layers $net:ident, $ops:ident, $activation:expr; $input:literal $output:literal) => {{
        let layer = Dense::<$input, $output>::new($net, $ops.next().expect("as many layers"));
        move |x: &Row<$input>| layer.forward(x, |x| x)
    }};
    (@layers $net:ident, $ops:ident, $activation:expr; $input:literal $output:literal $($size:literal)*) => {{
        let layer = Dense::<$input, $output>::new($net, $ops.next().expect("as many layers"));
        let rest = chain!(@layers $net, $ops, $activation; $output $($size)*);
        move |x: &Row<$input>| rest(&layer.forward(x, $activation))
    }};
}
pub(crate) use chain;

/// The workloads that are dense chains; `$otherwise` for all others.
macro_rules! chains {
    ($net:ident, $bench:ident, $otherwise:expr) => {{
        let relu = |x: f32| x.max(0.0);
        match $net.name {
            "PolicyTanh" => chain!($net, $bench, f32::tanh; 22 64 64 4),
            "PolicyRelu" => chain!($net, $bench, relu; 22 64 64 4),
            "Tiny16" => chain!($net, $bench, relu; 16 16 16 1),
            "Tiny8" => chain!($net, $bench, relu; 8 8 8 1),
            "Wide128" => chain!($net, $bench, relu; 128 128 128 128),
            "Digits128" => chain!($net, $bench, relu; 784 128 10),
            "Digits512" => chain!($net, $bench, relu; 784 512 256 10),
            "Anomaly" => chain!($net, $bench, relu; 640 128 128 128 128 8 128 128 128 128 640),
            _ => $otherwise,
        }
    }};
}
pub(crate) use chains;

/// `x · w + sum`, in one instruction if the processor has it: the compiler may not fuse the operations itself, because
/// that rounds less often.
#[inline(always)]
pub fn mul_add(x: f32, w: f32, sum: f32) -> f32 {
    if cfg!(target_feature = "fma") { x.mul_add(w, sum) } else { x * w + sum }
}

/// A matrix in a slice; element (i, j) is at `i * strides[0] + j * strides[1]`.
#[derive(Clone, Copy)]
pub struct Matrix<'a> {
    pub data: &'a [f32],
    pub strides: [usize; 2],
}

impl<'a> Matrix<'a> {
    pub fn rows_of(data: &'a [f32], columns: usize) -> Self {
        Matrix { data, strides: [columns, 1] }
    }

    pub fn transposed(self) -> Self {
        Matrix { strides: [self.strides[1], self.strides[0]], ..self }
    }
}

pub trait Products {
    /// `c += a · b`, sizes `[m, k, n]`; `c` is `[m][n]`.
    fn product(&mut self, sizes: [usize; 3], a: Matrix, b: Matrix, c: &mut [f32]);

    /// `y += conv(x)`; shapes are `[height, width, channels]`.
    fn conv(&mut self, window: Window, from: &[usize], to: &[usize], x: &[f32], weight: &[f32], y: &mut [f32]);
}

/// Evaluates any of the networks, with a reused buffer for each value.
pub fn evaluate(net: &Net, bench: &Bench, mut products: impl Products) -> Outcome {
    let mut values: Vec<Vec<f32>> = net.ops.iter().map(|op| vec![0.0; op.shape.iter().product()]).collect();
    let run = |i: usize| {
        values[0].copy_from_slice(&net.inputs[i]);
        for (index, op) in net.ops.iter().enumerate().skip(1) {
            let (before, rest) = values.split_at_mut(index);
            apply(net, op, before, &mut rest[0], &mut products);
        }
        values[values.len() - 1].clone()
    };
    bench.evaluate(net, run, Vec::clone)
}

fn apply(net: &Net, op: &Op, before: &mut [Vec<f32>], y: &mut Vec<f32>, products: &mut impl Products) {
    let source = op.inputs[0];
    let (from, to) = (&net.ops[source].shape[..], &op.shape[..]);
    match op.kind {
        // In place.
        Kind::Relu | Kind::Tanh | Kind::Flatten => {
            std::mem::swap(&mut before[source], y);
            match op.kind {
                Kind::Relu => y.iter_mut().for_each(|y| *y = y.max(0.0)),
                Kind::Tanh => y.iter_mut().for_each(|y| *y = y.tanh()),
                _ => {}
            }
        }
        Kind::Dense => {
            y.copy_from_slice(&net.bias(op).data);
            let weight = Matrix::rows_of(&net.weight(op).data, to[0]);
            products.product([1, from[0], to[0]], Matrix::rows_of(&before[source], from[0]), weight, y);
        }
        Kind::Conv(window) | Kind::Depthwise(window) => {
            for pixel in y.chunks_exact_mut(to[2]) {
                pixel.copy_from_slice(&net.bias(op).data);
            }
            let (x, weight) = (&before[source], &net.weight(op).data);
            match op.kind {
                Kind::Conv(_) => products.conv(window, from, to, x, weight, y),
                _ => for_each_tap(window, from, to, |tap, from, to| {
                    let (weight, x) = (&weight[tap * op.shape[2]..], &x[from * op.shape[2]..]);
                    for ((y, x), w) in y[to * op.shape[2]..][..op.shape[2]].iter_mut().zip(x).zip(weight) {
                        *y = mul_add(*x, *w, *y);
                    }
                }),
            }
        }
        Kind::MaxPool2 => {
            y.fill(f32::NEG_INFINITY);
            let window = Window { kernel: [2, 2], stride: [2, 2], padding: [(0, 0); 2] };
            let (x, channels) = (&before[source], to[2]);
            for_each_tap(window, from, to, |_, from, to| {
                for (y, x) in y[to * channels..][..channels].iter_mut().zip(&x[from * channels..]) {
                    *y = y.max(*x);
                }
            });
        }
        Kind::GlobalAvgPool => {
            y.fill(0.0);
            for pixel in before[source].chunks_exact(to[0]) {
                y.iter_mut().zip(pixel).for_each(|(y, x)| *y += x);
            }
            let scale = 1.0 / (from[0] * from[1]) as f32;
            y.iter_mut().for_each(|y| *y *= scale);
        }
        Kind::Softmax => {
            y.copy_from_slice(&before[source]);
            softmax(y);
        }
        Kind::Add => {
            for ((y, a), b) in y.iter_mut().zip(&before[source]).zip(&before[op.inputs[1]]) {
                *y = a + b;
            }
        }
        Kind::Input => unreachable!("an input is not computed"),
    }
}

/// Calls `f` with every (position in the kernel, pixel of the input, pixel of the output) of a window.
#[inline(always)]
pub fn for_each_tap(window: Window, from: &[usize], to: &[usize], mut f: impl FnMut(usize, usize, usize)) {
    let Window { kernel, stride, padding } = window;
    for row in 0..to[0] {
        for column in 0..to[1] {
            for ky in 0..kernel[0] {
                for kx in 0..kernel[1] {
                    // Outside: a negative index wraps around to a large number.
                    let y = (row * stride[0] + ky).wrapping_sub(padding[0].0);
                    let x = (column * stride[1] + kx).wrapping_sub(padding[1].0);
                    if y < from[0] && x < from[1] {
                        f(ky * kernel[1] + kx, y * from[1] + x, row * to[1] + column);
                    }
                }
            }
        }
    }
}

fn softmax(scores: &mut [f32]) {
    let largest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    scores.iter_mut().for_each(|x| *x = (*x - largest).exp());
    let sum: f32 = scores.iter().sum();
    scores.iter_mut().for_each(|x| *x /= sum);
}

/// What training keeps for a dense layer, one row per sample.
struct Layer {
    sizes: [usize; 2],
    output: Vec<f32>,
    delta: Vec<f32>,
    parameters: Parameters,
    bias: Parameters,
}

struct Parameters {
    value: Vec<f32>,
    gradient: Vec<f32>,
    moments: [Vec<f32>; 2],
}

/// Trains a chain of dense layers with ReLU between them.
pub fn train(task: &Task, bench: &Bench, mut products: impl Products) -> Outcome {
    let net = &task.net;
    if net.ops.iter().any(|op| !matches!(op.kind, Kind::Input | Kind::Dense | Kind::Relu)) {
        return Err(Failure::NotMeasured("convolution gradients were not written by hand".into()));
    }
    let parameters = |value: &Vec<f32>| {
        let zeros = vec![0.0; value.len()];
        Parameters { value: value.clone(), gradient: zeros.clone(), moments: [zeros.clone(), zeros] }
    };
    let layer = |op: &Op| Layer {
        sizes: [net.weight(op).shape[0], net.weight(op).shape[1]],
        output: vec![0.0; BATCH * op.shape[0]],
        delta: vec![0.0; BATCH * op.shape[0]],
        parameters: parameters(&net.weight(op).data),
        bias: parameters(&net.bias(op).data),
    };
    let mut layers: Vec<Layer> = net.ops.iter().filter(|op| op.kind == Kind::Dense).map(layer).collect();
    let last = layers.len() - 1;

    let step = |n: usize| {
        let (images, labels) = (&task.images[n % task.images.len()], &task.labels[n % task.labels.len()]);
        for index in 0..=last {
            let (before, rest) = layers.split_at_mut(index);
            let Layer { sizes: [inputs, outputs], output, parameters, bias, .. } = &mut rest[0];
            let x = before.last().map_or(images, |layer| &layer.output);
            output.chunks_exact_mut(*outputs).for_each(|row| row.copy_from_slice(&bias.value));
            let weight = Matrix::rows_of(&parameters.value, *outputs);
            products.product([BATCH, *inputs, *outputs], Matrix::rows_of(x, *inputs), weight, output);
            if index < last {
                output.iter_mut().for_each(|x| *x = x.max(0.0));
            }
        }

        let Layer { sizes: [_, classes], output, delta, .. } = &mut layers[last];
        let mut loss = 0.0;
        for ((scores, delta), &label) in output.chunks(*classes).zip(delta.chunks_mut(*classes)).zip(labels) {
            delta.copy_from_slice(scores);
            softmax(delta);
            loss -= delta[usize::from(label)].ln() / BATCH as f32;
            delta[usize::from(label)] -= 1.0;
            delta.iter_mut().for_each(|x| *x /= BATCH as f32);
        }

        for index in (0..=last).rev() {
            let (before, rest) = layers.split_at_mut(index);
            let Layer { sizes: [inputs, outputs], delta, parameters, bias, .. } = &mut rest[0];
            bias.gradient.fill(0.0);
            for row in delta.chunks_exact(*outputs) {
                bias.gradient.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
            }
            let x = before.last().map_or(images, |layer| &layer.output);
            let (x, delta) = (Matrix::rows_of(x, *inputs), Matrix::rows_of(delta, *outputs));
            parameters.gradient.fill(0.0);
            products.product([*inputs, BATCH, *outputs], x.transposed(), delta, &mut parameters.gradient);
            if let Some(layer) = before.last_mut() {
                layer.delta.fill(0.0);
                let weight = Matrix::rows_of(&parameters.value, *outputs).transposed();
                products.product([BATCH, *outputs, *inputs], delta, weight, &mut layer.delta);
                for (delta, output) in layer.delta.iter_mut().zip(&layer.output) {
                    *delta = if *output > 0.0 { *delta } else { 0.0 };
                }
            }
        }
        for layer in &mut layers {
            layer.parameters.update(task.optimizer, n);
            layer.bias.update(task.optimizer, n);
        }
        loss
    };
    bench.train(task, step, |&loss| loss)
}

impl Parameters {
    fn update(&mut self, optimizer: Optimizer, step: usize) {
        let (rate, count) = (optimizer.learning_rate() as f32, step as i32 + 1);
        let Self { value, gradient, moments: [mean, square] } = self;
        match optimizer {
            Optimizer::Sgd => value.iter_mut().zip(gradient).for_each(|(value, g)| *value -= rate * *g),
            Optimizer::Adam => {
                let (rate, scale) = (rate / (1.0 - 0.9_f32.powi(count)), 1.0 / (1.0 - 0.999_f32.powi(count)));
                for (((value, g), m), v) in value.iter_mut().zip(gradient).zip(mean).zip(square) {
                    *m = 0.9 * *m + 0.1 * *g;
                    *v = 0.999 * *v + 0.001 * *g * *g;
                    *value -= rate * *m / ((*v * scale).sqrt() + 1e-8);
                }
            }
        }
    }
}
