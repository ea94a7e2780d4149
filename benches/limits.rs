//! What one core of this machine can do at most: multiply-adds and bytes per second.

use std::hint::black_box;
use std::time::{Duration, Instant};

use monomorph::Scalar;
use monomorph::simd::{Level, Simd, Task, Vector, dispatch, level};

/// Enough independent sums to keep all FMA units busy: more than latency times units, fewer than registers.
const SUMS: usize = 12;

type Register<S> = <f32 as Scalar>::Vector<S>;

/// A data cache.
pub struct Cache {
    pub name: &'static str,
    pub bytes: usize,
    pub bytes_per_second: f64,
}

/// The limits of a core.
pub struct Limits {
    pub flops_per_second: f64,
    pub caches: [Cache; 3],
}

impl Limits {
    /// Measures them for `total` each.
    pub fn measure(level: Level, total: Duration) -> Self {
        let caches = caches().map(|(name, bytes)| {
            // A part of the cache that leaves room for the program's other data. On some processors, more than half of a
            // cache is read faster than less.
            let fastest = [4, 5].map(|eighths| read(total, bytes / 8 * eighths)).into_iter().fold(0.0, f64::max);
            Cache { name, bytes, bytes_per_second: fastest }
        });
        Self { flops_per_second: flops(level, total), caches }
    }

    /// The least time for so many multiply-adds with data of so many bytes, each of which is moved `times`; and what
    /// limits it.
    pub fn least(&self, macs: usize, bytes: usize, times: f64) -> (f64, &'static str) {
        let arithmetic = 2.0 * macs as f64 / self.flops_per_second;
        let (mut memory, mut rest, mut name) = (0.0, bytes, self.caches[0].name);
        for (index, cache) in self.caches.iter().enumerate() {
            if rest > 0 {
                let part = if index + 1 < self.caches.len() { rest.min(cache.bytes) } else { rest };
                memory += times * part as f64 / cache.bytes_per_second;
                (rest, name) = (rest - part, cache.name);
            }
        }
        if memory > arithmetic { (memory, name) } else { (arithmetic, "flops") }
    }
}

/// The minimum time per run, whose index it gets: the best of at least 12 windows of at least 2 ms, or of one run.
pub fn time(total: Duration, mut run: impl FnMut(usize)) -> f64 {
    let window = Duration::from_millis(2);
    let mut turn = 0;
    let mut measure = |runs: usize| {
        let start = Instant::now();
        for _ in 0..runs {
            run(turn);
            turn += 1;
        }
        start.elapsed()
    };
    let mut runs = 1;
    while measure(runs) < window {
        runs *= 2;
    }
    let (start, mut windows, mut best) = (Instant::now(), 0, Duration::MAX);
    while windows < 12 || start.elapsed() < total {
        best = best.min(measure(runs));
        windows += 1;
    }
    best.as_secs_f64() / runs as f64
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

fn flops(level: Level, total: Duration) -> f64 {
    let mut count = 0;
    let seconds = time(total, |_| count = dispatch(level, Arithmetic));
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

fn read(total: Duration, bytes: usize) -> f64 {
    let data = vec![1.0_f32; bytes / 4 + 16];
    // Registers do not straddle cache lines.
    let data = &data[data.as_ptr().align_offset(64)..][..bytes / 4];
    // The best stride for the hardware prefetchers depends on the cache.
    let narrow = time(total, |_| dispatch(level(), Read::<10>(black_box(data))));
    let wide = time(total, |_| dispatch(level(), Read::<16>(black_box(data))));
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
