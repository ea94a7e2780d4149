//! What one core of this machine can do at most: multiply-adds a second, bytes a second.

use std::hint::black_box;

use monomorph::Scalar;
use monomorph::simd::{Simd, Task, Vector, dispatch, level};
use serde_json::{Value, json};

use crate::bench::Bench;

/// Enough independent sums to keep all units busy: more than latency times units, fewer than registers.
const SUMS: usize = 10;

pub fn measure(bench: &Bench) -> Value {
    // Half of a cache, so that what else the program touches fits beside.
    let level =
        |(name, size): (&str, usize)| json!({ "level": name, "size": size, "bytes_per_second": read(bench, size / 2) });
    json!({ "flops": flops(bench), "caches": caches().map(level) })
}

/// Name and size of the caches for data, as Linux says; elsewhere what is usual.
fn caches() -> [(&'static str, usize); 3] {
    [("L1", 0, 32 << 10), ("L2", 2, 1 << 20), ("L3", 3, 16 << 20)].map(|(name, index, usual)| {
        let path = format!("/sys/devices/system/cpu/cpu0/cache/index{index}/size");
        let size = std::fs::read_to_string(path).ok().and_then(|size| {
            let kibibytes: usize = size.trim().strip_suffix('K')?.parse().ok()?;
            Some(kibibytes << 10)
        });
        (name, size.unwrap_or(usual))
    })
}

fn flops(bench: &Bench) -> f64 {
    dispatch(level(), Flops(bench))
}

struct Flops<'a>(&'a Bench);

impl Task for Flops<'_> {
    type Output = f64;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> f64 {
        const ROUNDS: usize = 4096;
        let splat = |value: f32| <f32 as Scalar>::Vector::<S>::splat(simd, black_box(value));
        let (factor, term) = (splat(0.999), splat(0.001));
        let mut sums = [splat(0.5); SUMS];
        let seconds = self.0.time(|_| {
            for _ in 0..ROUNDS {
                sums = sums.map(|sum| sum.mul_add(factor, term));
            }
            black_box(sums[0].lane(0));
        });
        black_box(sums.map(|sum| sum.lane(0)));
        (2 * <f32 as Scalar>::Vector::<S>::LANES * SUMS * ROUNDS) as f64 / seconds
    }
}

fn read(bench: &Bench, bytes: usize) -> f64 {
    let data = vec![1.0_f32; bytes / 4];
    let (data, _) = black_box(&data[..]).as_chunks::<256>();
    let seconds = bench.time(|_| {
        let mut sums = [0.0_f32; 256];
        for block in data {
            for (sum, x) in sums.iter_mut().zip(block) {
                *sum += x;
            }
        }
        black_box(sums);
    });
    size_of_val(data) as f64 / seconds
}
