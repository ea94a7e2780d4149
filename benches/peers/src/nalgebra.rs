//! nalgebra: static matrices for chains of dense layers, dynamic ones for the rest.

use ::nalgebra::{DMatrixView, DMatrixViewMut, Dyn, SMatrix, SVector};

use crate::bench::{Bench, Outcome};
use crate::by_hand::{self, Matrix, Products, chain, chains, for_each_tap};
use crate::graph::{Kind, Net, Op, Window, Work};

pub fn run(work: &Work, bench: &Bench) -> Outcome {
    match work {
        Work::Evaluate(net) => chains!(net, bench, by_hand::evaluate(net, bench, Dynamic::default())),
        Work::Train(task) => by_hand::train(task, bench, Dynamic::default()),
    }
}

type Row<const N: usize> = SVector<f32, N>;

fn row<const N: usize>(data: &[f32]) -> Row<N> {
    Row::from_column_slice(data)
}

struct Dense<const I: usize, const O: usize> {
    weight: Box<SMatrix<f32, O, I>>,
    bias: SVector<f32, O>,
}

impl<const I: usize, const O: usize> Dense<I, O> {
    fn new(net: &Net, op: &Op) -> Self {
        let weight = SMatrix::from_column_slice(&net.weight(op).data);
        Dense { weight: Box::new(weight), bias: row(&net.bias(op).data) }
    }

    #[inline(always)]
    fn forward(&self, x: &SVector<f32, I>, activation: impl Fn(f32) -> f32) -> SVector<f32, O> {
        let mut y = self.bias;
        y.gemv(1.0, &self.weight, x, 1.0);
        y.apply(|y| *y = activation(*y));
        y
    }
}

#[derive(Default)]
struct Dynamic {
    patches: Vec<f32>,
}

impl Products for Dynamic {
    fn product(&mut self, [m, k, n]: [usize; 3], a: Matrix, b: Matrix, c: &mut [f32]) {
        fn view(x: Matrix<'_>, rows: usize, columns: usize) -> DMatrixView<'_, f32, Dyn, Dyn> {
            let (down, right) = (Dyn(x.strides[1]), Dyn(x.strides[0]));
            DMatrixView::from_slice_with_strides_generic(x.data, Dyn(rows), Dyn(columns), down, right)
        }
        // nalgebra is column-major: cᵀ += bᵀ · aᵀ.
        let mut c = DMatrixViewMut::from_slice(c, n, m);
        c.gemm(1.0, &view(b, n, k), &view(a, k, m), 1.0);
    }

    fn conv(&mut self, window: Window, from: &[usize], to: &[usize], x: &[f32], weight: &[f32], y: &mut [f32]) {
        let (pixels, [kh, kw]) = (to[0] * to[1], window.kernel);
        let depth = kh * kw * from[2];
        let weight = Matrix::rows_of(weight, to[2]);
        if window.kernel == [1, 1] && window.stride == [1, 1] {
            return self.product([pixels, depth, to[2]], Matrix::rows_of(x, depth), weight, y);
        }
        let mut patches = std::mem::take(&mut self.patches);
        patches.clear();
        patches.resize(pixels * depth, 0.0);
        for_each_tap(window, from, to, |tap, source, target| {
            let x = &x[source * from[2]..][..from[2]];
            patches[target * depth + tap * from[2]..][..from[2]].copy_from_slice(x);
        });
        self.product([pixels, depth, to[2]], Matrix::rows_of(&patches, depth), weight, y);
        self.patches = patches;
    }
}
