//! A control loop at a fixed step: a dense policy balances a pole on a cart, 500 times a second.
//!
//! The policy takes the same time for every state, so once you have chosen the step, the loop is
//! either never late or always late.
#![cfg_attr(target_os = "none", no_std, no_main)]

use firmware::{Ticker, exit, measure, print, print_number};
use monomorph::prelude::*;
use networks::Balance;
use networks::balance::{FORCE, SCALE, step};

static POLICY: Balance = include_weights!(Balance, "../../weights/balance.safetensors");

/// Steps per second.
const RATE: u32 = 500;

/// All state of the loop: a value owned by its task.
struct Controller {
    policy: &'static Balance,
}

impl Controller {
    /// The force, in newtons, for a state.
    fn force(&self, state: &[f32; 4]) -> f32 {
        let mut scaled = *state;
        for (value, scale) in scaled.iter_mut().zip(SCALE) {
            *value /= scale;
        }
        self.policy.evaluate(&scaled)[0].clamp(-1.0, 1.0) * FORCE
    }
}

/// RTIC and embassy tasks take `Send` values; statics shared with interrupts must be `Sync`.
const fn is_shareable<X: Send + Sync>() {}
const _: () = is_shareable::<Controller>();

#[cfg_attr(target_os = "none", firmware::entry)]
fn main() -> ! {
    let controller = Controller { policy: &POLICY };
    // The pole leans by a tenth of a radian.
    let mut state = [0.0, 0.0, 0.1, 0.0];
    let mut ticker = Ticker::every(1_000_000 / RATE);
    let mut late = 0;
    for tick in 0..2 * RATE {
        late += u32::from(ticker.is_late());
        ticker.wait();
        if tick % RATE == 0 {
            print("state", &state);
        }
        state = step(state, controller.force(&state), 1.0 / RATE as f32);
    }
    drop(ticker);
    print("state", &state);
    print_number("late", late);
    print_number("# macs", Balance::MACS as u32);
    for state in [state, [0.0; 4], [-3.0, 2.0, 0.5, 9.0]] {
        measure(16, || {
            core::hint::black_box(controller.force(core::hint::black_box(&state)));
        });
    }
    exit()
}
