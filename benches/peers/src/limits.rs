//! The peak of one core of this machine: multiply-adds and bytes per second.

use std::hint::black_box;

use monomorph::Scalar;
use monomorph::simd::{Simd, Task, Vector, dispatch, level};
use serde_json::{Value, json};

use crate::bench::Bench;

/// Enough independent sums to keep all FMA units busy: more than latency times units, fewer than registers.
const SUMS: usize = 12;

type Register<S> = <f32 as Scalar>::Vector<S>;

pub fn measure(bench: &Bench) -> Value {
    let level = |(name, size): (&str, usize)| {
        // A part of the cache that leaves room for the program's other data. On some processors, more than half of a
        // cache is read faster than less.
        let most = [4, 5].map(|eighths| read(bench, size / 8 * eighths)).into_iter().fold(0.0, f64::max);
        json!({ "level": name, "size": size, "bytes_per_second": most })
    };
    json!({ "flops": flops(bench), "caches": caches().map(level) })
}

/// Name and size of the data caches, as reported by Linux; elsewhere typical values.
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
    let mut count = 0;
    let level = bench.level.unwrap_or_else(level);
    let seconds = bench.time(|_| count = dispatch(level, Arithmetic));
    count as f64 / seconds
}

/// Multiply-adds in registers; returns the number of operations.
struct Arithmetic;

impl Task for Arithmetic {
    type Output = usize;

    #[inline(always)]
    fn run<S: Simd>(&mut self, simd: S) -> usize {
        const ROUNDS: usize = 4096;
        let splat = |value: f32| Register::<S>::splat(simd, black_box(value));
        let (factor, term) = (splat(0.999), splat(0.001));
        let mut sums = [splat(0.5); SUMS];
        for _ in 0..ROUNDS {
            for sum in &mut sums {
                *sum = sum.mul_add(factor, term);
            }
        }
        black_box(sums.map(|sum| sum.lane(0)));
        2 * Register::<S>::LANES * SUMS * ROUNDS
    }
}

fn read(bench: &Bench, bytes: usize) -> f64 {
    let data = vec![1.0_f32; bytes / 4 + 16];
    // Registers do not straddle cache lines.
    let data = &data[data.as_ptr().align_offset(64)..][..bytes / 4];
    // The best stride for the hardware prefetchers depends on the cache.
    let narrow = bench.time(|_| dispatch(level(), Read::<10>(black_box(data))));
    let wide = bench.time(|_| dispatch(level(), Read::<16>(black_box(data))));
    bytes as f64 / narrow.min(wide)
}

/// Reads all of a slice, `N` registers at a time.
struct Read<'a, const N: usize>(&'a [f32]);

impl<const N: usize> Task for Read<'_, N> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(&mut self, simd: S) {
        let mut sums = [Register::<S>::splat(simd, 0.0); N];
        for block in self.0.chunks_exact(N * Register::<S>::LANES) {
            for (index, sum) in sums.iter_mut().enumerate() {
                // SAFETY: a block contains this many registers.
                *sum = *sum + unsafe { Register::<S>::load(simd, block.as_ptr().add(index * Register::<S>::LANES)) };
            }
        }
        black_box(sums.map(|sum| sum.lane(0)));
    }
}
