//! Numbers that stand for many: bounds of a network's outputs, against those of another implementation and against the
//! outputs themselves.

use monomorph::bounds::Bounded;
use monomorph::memory::boxed;
use monomorph::prelude::*;
use monomorph::scalar::Scalar;
use monomorph::tensor::{Tensor, batch_slice, batch_slice_mut};
use monomorph::testing::{self, check_gradients};
use monomorph::{Ball, Interval, Parameters};

use crate::attention::Case;
use crate::numbers::{Digits, Functions, Images, Joined, Steps, network, passes, random};

network! { pub Rectified<T>: [4] -> [3] { Dense(6), Relu, Dense(3) } }
network! { pub Bent<T>: [4] -> [3] { Dense(6), Tanh, Dense(3) } }

/// The parameters of both networks of the case, in the order of memory.
fn parameters(case: &Case) -> Vec<f64> {
    ["w1", "b1", "w2", "b2"].into_iter().flat_map(|name| case.numbers(name)).collect()
}

fn bounds_agree<N: Network<Scalar = Interval<f64>, Input = [Interval<f64>; 4], Output = [Interval<f64>; 3]>>(
    name: &str,
) {
    let case = Case::open("bounds_interval");
    let mut net = boxed::<N>();
    for (to, from) in net.as_mut_slice().iter_mut().zip(parameters(&case)) {
        *to = Interval::point(from);
    }
    let mut x = [Interval::ZERO; 4];
    for (x, center) in x.iter_mut().zip(case.numbers("x")) {
        *x = Interval::around(center, 0.1);
    }
    let y = monomorph::network::evaluate(&*net, &x);
    let (low, high) = (case.numbers(&format!("low_{name}")), case.numbers(&format!("high_{name}")));
    for ((y, low), high) in y.iter().zip(low).zip(high) {
        assert!((y.low - low).abs() < 1e-12 && (y.high - high).abs() < 1e-12, "{y} is not [{low}, {high}]");
    }
}

#[test]
fn intervals_agree_with_centers_and_radii() {
    bounds_agree::<Rectified<Interval<f64>>>("relu");
    bounds_agree::<Bent<Interval<f64>>>("tanh");
}

/// Whatever the layers, the outputs of points in a box are in the bounds of the box, at every level.
fn contains<A, N, X, Y, const B: usize>()
where
    X: Tensor<Element = f64>,
    Y: Tensor<Element = Interval<f64>>,
    A: Network<Scalar = f64, Input = X>,
    N: Network<Scalar = Interval<f64>, Input = Y>,
{
    let mut noise = Noise::new(5);
    let net = network::<A>(&mut noise);
    let mut bounds = boxed::<N>();
    for (to, from) in bounds.as_mut_slice().iter_mut().zip(net.as_slice()) {
        *to = Interval::point(*from);
    }
    let center = random::<X, B>(&mut noise);
    let zero = boxed::<[A::Output; B]>();
    for radius in [0.0, 1e-6, 0.01] {
        let mut region = boxed::<[Y; B]>();
        for (to, from) in batch_slice_mut(&mut region[..]).iter_mut().zip(batch_slice(&center[..])) {
            *to = Interval::around(*from, radius);
        }
        let bounded = passes(monomorph::simd::level(), &*bounds, &region, &boxed());
        let mut widest: f64 = 0.0;
        for _ in 0..20 {
            let mut x = boxed::<[X; B]>();
            for (x, center) in batch_slice_mut(&mut x[..]).iter_mut().zip(batch_slice(&center[..])) {
                *x = center + radius * (2.0 * noise.uniform() - 1.0);
            }
            let exact = passes(monomorph::simd::level(), &*net, &x, &zero);
            let pairs = batch_slice(&bounded.evaluated[..]).iter().zip(batch_slice(&exact.evaluated[..]));
            for (bounds, y) in pairs {
                // The network's own rounding errors are no larger than what a point's bounds allow for.
                let slack = 1e-12 * (1.0 + y.abs());
                assert!(bounds.low <= y + slack && y - slack <= bounds.high, "{}: {bounds} without {y}", N::NAME);
                widest = widest.max(bounds.width());
            }
        }
        assert!(radius > 0.0 || widest < 1e-9, "{}: {widest}", N::NAME);
    }
}

#[test]
fn bounds_contain_all_outputs() {
    contains::<Functions<f64>, Functions<Interval<f64>>, _, _, 2>();
    contains::<Steps<f64>, Steps<Interval<f64>>, _, _, 1>();
    contains::<Images<f64>, Images<Interval<f64>>, _, _, 2>();
    contains::<Joined<f64>, Joined<Interval<f64>>, _, _, 1>();
    contains::<Digits<f64>, Digits<Interval<f64>>, _, _, 1>();
}

network! { pub Certain<T>: [7, 7, 2] -> [5] {
    Conv2d(5, kernel = 3, padding = same), Relu, Conv2d(3, kernel = 3, stride = 2, bias = false), LeakyRelu,
    residual { Conv2d(3, kernel = 1), Tanh, AvgPool2d(3, stride = 1, padding = same) },
    Flatten, Dense(17), Elu, Dense(5),
} }
network! { pub Rows<T>: [3, 4] -> [1] {
    Dense(33), Sigmoid, concat { { Dense(1), Softplus } { Dense(2), Softsign } { } }, ReduceMean(0), Dense(1),
} }

/// A [`Bounded`] network with random parameters, and two random regions.
fn bounded<A, I, X, V, Y, W>(noise: &mut Noise) -> (Box<Bounded<A, I>>, Box<[[X; 3]; 2]>)
where
    X: Tensor<Element = f64>,
    V: Tensor<Element = Ball<f64>>,
    Y: Tensor<Element = f64>,
    W: Tensor<Element = Ball<f64>>,
    A: Network<Scalar = f64, Input = X, Output = Y>,
    I: Network<Scalar = Ball<f64>, Input = V, Output = W>,
{
    let mut net = boxed::<Bounded<A, I>>();
    net.as_mut_slice().copy_from_slice(network::<A>(noise).as_slice());
    let mut regions = random::<[X; 3], 2>(noise);
    for [x, low, high] in regions.iter_mut() {
        for ((x, low), high) in x.numbers().iter().zip(low.numbers_mut()).zip(high.numbers_mut()) {
            (*low, *high) = (x - 0.2 * low.abs(), x + 0.2 * high.abs());
        }
    }
    (net, regions)
}

#[test]
fn gradients_of_bounds_are_exact() {
    let mut noise = Noise::new(6);
    let (mut net, regions) = bounded::<Certain<f64>, Certain<Ball<f64>>, _, _, _, _>(&mut noise);
    check_gradients(&mut *net, &regions, 1e-7).expect("a gradient");
    testing::passes(&*net, &regions, &random::<[[f64; 5]; 3], 2>(&mut noise)).expect("all passes");
    let (mut net, regions) = bounded::<Rows<f64>, Rows<Ball<f64>>, _, _, _, _>(&mut noise);
    check_gradients(&mut *net, &regions, 1e-7).expect("a gradient");
    testing::passes(&*net, &regions, &random::<[[f64; 1]; 3], 2>(&mut noise)).expect("all passes");
}

#[test]
fn balls_bound_what_intervals_bound() {
    let mut noise = Noise::new(7);
    let (net, regions) = bounded::<Certain<f64>, Certain<Ball<f64>>, _, _, _, _>(&mut noise);
    let mut intervals = boxed::<Certain<Interval<f64>>>();
    for (to, from) in intervals.as_mut_slice().iter_mut().zip(net.as_slice()) {
        *to = Interval::point(*from);
    }
    for region in regions.iter() {
        let [y, low, high] = monomorph::network::evaluate(&*net, region);
        let mut input = boxed::<[[[Interval<f64>; 2]; 7]; 7]>();
        let ends = region[1].numbers().iter().zip(region[2].numbers());
        for (to, (low, high)) in input.numbers_mut().iter_mut().zip(ends) {
            *to = Interval::new(*low, *high);
        }
        let bounds = intervals.evaluate(&input);
        assert_eq!(y, net.net.evaluate(&region[0]));
        for (class, bounds) in bounds.iter().enumerate() {
            let near = |a: f64, b: f64| (a - b).abs() < 1e-11 * (1.0 + b.abs());
            assert!(near(low[class], bounds.low) && near(high[class], bounds.high), "{bounds}");
            assert!(bounds.contains(y[class]));
        }
    }
}
