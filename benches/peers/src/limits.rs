//! What one core of this machine can do at most: multiply-adds a second, bytes a second.

use std::hint::black_box;

use serde_json::{Value, json};

use crate::bench::Bench;

/// Enough independent sums, each as wide as the widest register, to keep all units busy.
const SUMS: usize = 16;
const WIDTH: usize = 16;

pub fn measure(bench: &Bench) -> Value {
    // Half of each cache's usual size, so that the code's own data fits beside.
    let levels = [("L1", 24 << 10, 48 << 10), ("L2", 512 << 10, 1 << 20), ("L3", 8 << 20, usize::MAX)];
    let bandwidth = levels.map(|(name, bytes, up_to)| {
        json!({ "level": name, "up_to": up_to as f64, "bytes_per_second": read(bench, bytes) })
    });
    json!({ "flops": flops(bench), "bandwidth": bandwidth })
}

fn flops(bench: &Bench) -> f64 {
    const ROUNDS: usize = 4096;
    let mut sums = [[0.5_f32; WIDTH]; SUMS];
    let (factor, term) = (black_box([0.999_f32; WIDTH]), black_box([0.001_f32; WIDTH]));
    let seconds = bench.time(|_| {
        for _ in 0..ROUNDS {
            for sum in &mut sums {
                for lane in 0..WIDTH {
                    sum[lane] = sum[lane].mul_add(factor[lane], term[lane]);
                }
            }
        }
        black_box(&mut sums);
    });
    (2 * WIDTH * SUMS * ROUNDS) as f64 / seconds
}

fn read(bench: &Bench, bytes: usize) -> f64 {
    let data = vec![1.0_f32; bytes / 4];
    let (data, _) = black_box(&data[..]).as_chunks::<{ SUMS * WIDTH }>();
    let seconds = bench.time(|_| {
        let mut sums = [0.0_f32; SUMS * WIDTH];
        for block in data {
            for (sum, x) in sums.iter_mut().zip(block) {
                *sum += x;
            }
        }
        black_box(sums);
    });
    size_of_val(data) as f64 / seconds
}
