//! Microcontrollers, in an emulator: output by semihosting, instructions by a timer.

use core::hint::black_box;
use core::panic::PanicInfo;

#[cfg(target_arch = "arm")]
pub use cortex_m_rt::entry;
#[cfg(target_arch = "riscv32")]
pub use riscv_rt::entry;

use semihosting::{process, sys::arm_compat::sys_writec};

/// Ends the program: all is well.
pub fn exit() -> ! {
    process::exit(0)
}

/// Whoever panics links this function into the program, and `run.sh` finds it there.
#[panic_handler]
fn panicked(_: &PanicInfo<'_>) -> ! {
    process::exit(101)
}

pub(crate) fn write(byte: u8) {
    sys_writec(byte);
}

/// How many instructions so many calls of `f` take.
#[inline(never)]
pub(crate) fn instructions(times: u32, f: &mut dyn FnMut()) -> Option<u32> {
    let clock = clock::Clock::start();
    for _ in 0..times {
        black_box(&mut *f)();
    }
    Some(clock.instructions())
}

/// How many bytes of stack a call of `f` takes: all of the free stack is painted, and afterwards
/// one sees how much of the paint is left.
#[inline(never)]
pub(crate) fn stack(f: &mut dyn FnMut()) -> Option<u32> {
    const PAINT: u32 = 0x5a5a_5a5a;
    /// What this function itself may still push below the top it has read.
    const MARGIN: usize = 64;
    let (bottom, top) = ((&raw const __sheap).addr(), stack_pointer());
    let free = || (bottom..top - MARGIN).step_by(4).map(|address| core::ptr::with_exposed_provenance_mut::<u32>(address));
    for word in free() {
        // SAFETY: between the end of the statics and the stack pointer there is nothing but unused
        // memory, by the linker's script, and no interrupt is enabled.
        unsafe { word.write_volatile(PAINT) };
    }
    f();
    // SAFETY: as above, for reading.
    let left = free().take_while(|word| unsafe { word.read_volatile() } == PAINT).count();
    Some((top - bottom - 4 * left) as u32)
}

unsafe extern "C" {
    /// The end of all statics; both runtimes' linker scripts define it.
    static __sheap: u32;
}

#[cfg(target_arch = "arm")]
fn stack_pointer() -> usize {
    cortex_m::register::msp::read() as usize
}

#[cfg(target_arch = "riscv32")]
fn stack_pointer() -> usize {
    let pointer;
    // SAFETY: it copies a register.
    unsafe { core::arch::asm!("mv {}, sp", out(reg) pointer, options(nomem, nostack, preserves_flags)) };
    pointer
}

/// The emulator takes one nanosecond for every instruction, so a timer counts instructions.
#[cfg(target_arch = "arm")]
mod clock {
    use cortex_m::Peripherals;
    use cortex_m::peripheral::{SYST, syst::SystClkSource};

    /// Eighths of a nanosecond, and so of an instruction, a tick: the boards run at 25 MHz, the
    /// micro:bit, whose Cortex-M0 is the only one here without atomic operations, at 16 MHz.
    const EIGHTHS: u32 = if cfg!(target_has_atomic = "32") { 320 } else { 500 };
    /// The timer counts down from here.
    const TOP: u32 = 0x00ff_ffff;

    pub(super) struct Clock(SYST);

    impl Clock {
        pub(super) fn start() -> Self {
            // SAFETY: nothing else in these programs uses the timer.
            let mut timer = unsafe { Peripherals::steal() }.SYST;
            timer.set_clock_source(SystClkSource::Core);
            timer.set_reload(TOP);
            timer.clear_current();
            timer.enable_counter();
            Self(timer)
        }

        pub(super) fn instructions(self) -> u32 {
            (u64::from(TOP - SYST::get_current()) * u64::from(EIGHTHS) / 8) as u32
        }
    }
}

/// RISC-V counts its instructions itself.
#[cfg(target_arch = "riscv32")]
mod clock {
    use riscv::register::minstret;

    pub(super) struct Clock(usize);

    impl Clock {
        pub(super) fn start() -> Self {
            Self(minstret::read())
        }

        pub(super) fn instructions(self) -> u32 {
            minstret::read().wrapping_sub(self.0) as u32
        }
    }
}
