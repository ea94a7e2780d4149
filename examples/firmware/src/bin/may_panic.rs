//! The counterexample: this program may panic, and `run.sh` must notice.
#![cfg_attr(target_os = "none", no_std, no_main)]

use core::hint::black_box;

#[cfg_attr(target_os = "none", firmware::entry)]
fn main() -> ! {
    firmware::print_number("third", [1, 2, 3, 4][black_box(2)]);
    firmware::exit()
}
