//! The reference for the compile time of a network: a program that does not use monomorph, but keeps the
//! compiler busy in the same way, with loops over arrays of many constant sizes.

use std::hint::black_box;

/// x ← tanh-like f(W·x), a few times.
fn layers<const N: usize>(weight: &[[f32; N]; N], x: &mut [f32; N]) -> f32 {
    for _ in 0..4 {
        let mut y = [0.0; N];
        for (row, x) in weight.iter().zip(&*x) {
            for (y, w) in y.iter_mut().zip(row) {
                *y += w * x;
            }
        }
        for (x, y) in x.iter_mut().zip(y) {
            *x = y / (1.0 + y.abs());
        }
    }
    let mut sorted = *x;
    sorted.sort_by(f32::total_cmp);
    sorted[N / 2]
}

macro_rules! sizes {
    ($($size:literal)*) => {
        [$({
            let weight = black_box([[0.5; $size]; $size]);
            layers(&weight, black_box(&mut [1.0; $size]))
        }),*]
    };
}

fn main() {
    let medians = sizes! {
        1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20
        21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39 40
        41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60
        61 62 63 64 65 66 67 68 69 70 71 72 73 74 75 76 77 78 79 80
    };
    println!("{medians:?}");
}
