//! Plain arrays and loops, as you would write them without a library; the compiler vectorizes them.

use crate::bench::{Bench, Outcome};
use crate::by_hand::{self, Matrix, Products, chain, chains, for_each_tap, mul_add};
use crate::graph::{Kind, Net, Op, Window, Work};

pub fn run(work: &Work, bench: &Bench) -> Outcome {
    match work {
        Work::Evaluate(net) => chains!(net, bench, by_hand::evaluate(net, bench, Loops)),
        Work::Train(task) => by_hand::train(task, bench, Loops),
    }
}

type Row<const N: usize> = [f32; N];

fn row<const N: usize>(data: &[f32]) -> Row<N> {
    data.try_into().expect("inputs have this size")
}

struct Dense<const I: usize, const O: usize> {
    weight: Box<[[f32; O]]>,
    bias: [f32; O],
}

impl<const I: usize, const O: usize> Dense<I, O> {
    fn new(net: &Net, op: &Op) -> Self {
        let (weight, _) = net.weight(op).data.as_chunks::<O>();
        Dense { weight: weight.into(), bias: row(&net.bias(op).data) }
    }

    #[inline(always)]
    fn forward(&self, x: &[f32; I], activation: impl Fn(f32) -> f32) -> [f32; O] {
        let mut y = self.bias;
        for (x, weights) in x.iter().zip(&self.weight) {
            for (y, w) in y.iter_mut().zip(weights) {
                *y = mul_add(*x, *w, *y);
            }
        }
        y.map(activation)
    }
}

struct Loops;

impl Products for Loops {
    fn product(&mut self, [m, k, n]: [usize; 3], a: Matrix, b: Matrix, c: &mut [f32]) {
        for (i, c) in (0..m).zip(c.chunks_exact_mut(n)) {
            for j in 0..k {
                let x = a.data[i * a.strides[0] + j * a.strides[1]];
                let b_row = &b.data[j * b.strides[0]..];
                if b.strides[1] == 1 {
                    c.iter_mut().zip(b_row).for_each(|(c, b)| *c = mul_add(x, *b, *c));
                } else {
                    c.iter_mut().zip(b_row.iter().step_by(b.strides[1])).for_each(|(c, b)| *c = mul_add(x, *b, *c));
                }
            }
        }
    }

    fn conv(&mut self, window: Window, from: &[usize], to: &[usize], x: &[f32], weight: &[f32], y: &mut [f32]) {
        let conv = match to[2] {
            6 => conv::<6>,
            8 => conv::<8>,
            16 => conv::<16>,
            32 => conv::<32>,
            64 => conv::<64>,
            128 => conv::<128>,
            256 => conv::<256>,
            channels => panic!("add a convolution of {channels} channels"),
        };
        conv(window, from, to, x, weight, y);
    }
}

fn conv<const C: usize>(window: Window, from: &[usize], to: &[usize], x: &[f32], weight: &[f32], y: &mut [f32]) {
    let ((weight, _), (y, _)) = (weight.as_chunks::<C>(), y.as_chunks_mut::<C>());
    for_each_tap(window, from, to, |tap, source, target| {
        let (x, weight) = (&x[source * from[2]..][..from[2]], &weight[tap * from[2]..][..from[2]]);
        let mut sum = y[target];
        for (x, weights) in x.iter().zip(weight) {
            for (sum, w) in sum.iter_mut().zip(weights) {
                *sum = mul_add(*x, *w, *sum);
            }
        }
        y[target] = sum;
    });
}
