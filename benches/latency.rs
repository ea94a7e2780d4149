//! The distribution of call times: a policy for continuous control, one sample, ten million calls.
//!
//! ```text
//! cargo bench --bench latency
//! ```
//!
//! Each call is timed individually, on one core if the system can pin a thread to it (Linux). The minimum
//! time of two consecutive clock readings is subtracted from each time. The long tail is caused by the
//! machine: interrupts, other programs, the hypervisor. The network itself determines the number of
//! instructions, which does not depend on the input; on Linux they are counted by single-stepping a few
//! calls in another process, which needs no performance counters.

mod random;
mod workloads;

use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use monomorph::prelude::*;
use monomorph::simd::level;
use plotters::prelude::*;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use random::random;
use workloads::PolicyTanh;

const CALLS: usize = 10_000_000;
/// Calls timed together.
const ROW: usize = 100_000;
/// The number of different inputs, used in turn.
const INPUTS: usize = 64;

struct Policy {
    net: Box<PolicyTanh>,
    inputs: Box<[[f32; 22]; INPUTS]>,
}

impl Policy {
    fn new() -> Self {
        Self { net: PolicyTanh::boxed(&mut ChaCha8Rng::seed_from_u64(1)), inputs: random::<_, INPUTS>(2) }
    }

    #[inline(always)]
    fn call(&self, index: usize) {
        black_box(self.net.evaluate(black_box(&self.inputs[index % INPUTS])));
    }
}

fn main() {
    if std::env::args().any(|argument| argument == instructions::CHILD) {
        return instructions::child(&Policy::new());
    }
    let policy = Policy::new();
    let core = pin();
    let level = format!("{:?}", level());
    let level = level.split('(').next().unwrap_or_default();
    println!("PolicyTanh, 22 to 64 to 64 to 4, {level}, {CALLS} calls on {core}");

    let mean = (0..10).map(|_| nanoseconds(|| (0..ROW).for_each(|index| policy.call(index)))).min().unwrap_or(0);
    let mean = f64::from(mean) / ROW as f64;

    let mut empty: Vec<u32> = (0..1_000_000).map(|_| nanoseconds(|| ())).collect();
    empty.sort_unstable();
    let timer = empty[0];
    empty.dedup();
    let tick = empty.windows(2).map(|pair| pair[1] - pair[0]).take(8).max().unwrap_or(0);
    let mut times: Vec<u32> =
        (0..CALLS).map(|index| nanoseconds(|| policy.call(index)).saturating_sub(timer)).collect();
    times.sort_unstable();
    let quantile = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    for (name, time) in [
        ("minimum", quantile(0.0)),
        ("median", quantile(0.5)),
        ("99 %", quantile(0.99)),
        ("99.99 %", quantile(0.9999)),
        ("maximum", quantile(1.0)),
    ] {
        println!("  {name:>8} {time:>8} ns");
    }
    println!("  {mean:>8.0} ns per call, {ROW} calls in a row without reading the clock, the best of 10");
    println!(
        "  {timer:>8} ns for reading the clock were subtracted from each time; the clock advances in steps of up to {tick} ns"
    );
    match instructions::count() {
        Ok(counts) => match (counts.iter().min(), counts.iter().max()) {
            (Some(least), Some(most)) if least == most => {
                println!("  {least:>8} instructions, the same for {} calls with different inputs", counts.len());
            }
            (least, most) => println!("  instructions vary: {least:?} to {most:?} for {} calls", counts.len()),
        },
        Err(why) => println!("  instructions were not counted: {why}"),
    }

    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("latency.svg");
    match histogram(&path, &times, quantile(0.9999)) {
        Ok(()) => println!("  histogram: {}", path.display()),
        Err(why) => println!("  no histogram: {why}"),
    }
}

#[inline(always)]
fn nanoseconds(work: impl FnOnce()) -> u32 {
    let start = Instant::now();
    work();
    start.elapsed().as_nanos() as u32
}

/// Pins this thread to the last core that it may use.
#[cfg(target_os = "linux")]
fn pin() -> String {
    use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
    use nix::unistd::Pid;
    let this = Pid::from_raw(0);
    let pinned = sched_getaffinity(this).and_then(|allowed| {
        let last = (0..CpuSet::count()).rfind(|&core| allowed.is_set(core).unwrap_or(false)).unwrap_or(0);
        let mut one = CpuSet::new();
        one.set(last)?;
        sched_setaffinity(this, &one)?;
        Ok(last)
    });
    match pinned {
        Ok(core) => format!("core {core}"),
        Err(why) => format!("any core, as pinning failed: {why}"),
    }
}

#[cfg(not(target_os = "linux"))]
fn pin() -> String {
    "any core: this system cannot pin threads".into()
}

/// Counts instructions by single-stepping a process that runs this same program.
#[cfg(target_os = "linux")]
mod instructions {
    use std::error::Error;
    use std::process::Command;

    use nix::sys::ptrace;
    use nix::sys::signal::{Signal, raise};
    use nix::sys::wait::{WaitStatus, waitpid};
    use nix::unistd::Pid;

    use super::{INPUTS, Policy};

    pub const CHILD: &str = "--in-single-steps";

    /// The child's work: one call between each pair of stops, the first one empty.
    pub fn child(policy: &Policy) {
        // The first call detects the processor's features.
        policy.call(0);
        if ptrace::traceme().is_err() {
            return;
        }
        let stop = || raise(Signal::SIGSTOP).is_ok();
        let mut stopped = stop();
        for index in 0..=INPUTS {
            let work = if index == 0 { nothing } else { evaluate };
            work(policy, index.saturating_sub(1));
            stopped &= stop();
        }
        std::process::exit(if stopped { 0 } else { 1 });
    }

    #[inline(never)]
    fn nothing(_: &Policy, _: usize) {}

    #[inline(never)]
    fn evaluate(policy: &Policy, index: usize) {
        policy.call(index);
    }

    /// The instructions of one call for each of the inputs.
    pub fn count() -> Result<Vec<u64>, Box<dyn Error>> {
        let child = Command::new(std::env::current_exe()?).arg(CHILD).spawn()?;
        let child = Pid::from_raw(child.id().try_into()?);
        let (mut counts, mut steps) = (Vec::new(), 0);
        let mut started = false;
        loop {
            match waitpid(child, None)? {
                WaitStatus::Stopped(_, Signal::SIGTRAP) => steps += 1,
                WaitStatus::Stopped(_, Signal::SIGSTOP) => {
                    if started {
                        counts.push(steps);
                    }
                    (started, steps) = (true, 0);
                }
                WaitStatus::Stopped(..) => {}
                WaitStatus::Exited(_, 0) => break,
                other => return Err(format!("unexpected status of the traced process: {other:?}").into()),
            }
            ptrace::step(child, None)?;
        }
        let [nothing, calls @ ..] = &counts[..] else { return Err("this system cannot trace processes".into()) };
        Ok(calls.iter().map(|call| call - nothing).collect())
    }
}

#[cfg(not(target_os = "linux"))]
mod instructions {
    use super::Policy;

    pub const CHILD: &str = "--in-single-steps";

    pub fn child(_: &Policy) {}

    pub fn count() -> Result<Vec<u64>, &'static str> {
        Err("single-stepping is only implemented for Linux")
    }
}

/// Draws a histogram of the times, up to the longest one shown.
fn histogram(path: &Path, times: &[u32], longest: u32) -> Result<(), Box<dyn std::error::Error>> {
    let shortest = times.first().copied().unwrap_or(0);
    let bins = 200_u32.min(longest - shortest + 1);
    let width = (longest - shortest).div_ceil(bins).max(1);
    let mut counts = vec![0_u32; bins as usize + 1];
    for &time in times.iter().filter(|time| **time <= longest) {
        counts[((time - shortest) / width) as usize] += 1;
    }
    let most = counts.iter().copied().max().unwrap_or(1);
    let area = SVGBackend::new(path, (900, 360)).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .margin(12)
        .set_label_area_size(LabelAreaPosition::Left, 70)
        .set_label_area_size(LabelAreaPosition::Bottom, 40)
        .build_cartesian_2d(shortest..longest + width, (1..most).log_scale())?;
    chart.configure_mesh().disable_x_mesh().x_desc("ns per call").y_desc("calls").draw()?;
    chart.draw_series(counts.iter().enumerate().filter(|(_, count)| **count > 0).map(|(bin, count)| {
        let left = shortest + bin as u32 * width;
        Rectangle::new([(left, 1), (left + width, *count)], BLUE.filled())
    }))?;
    area.present()?;
    Ok(())
}
