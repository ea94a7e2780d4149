//! Microcontrollers in an emulator: output by semihosting, instruction counts from a timer.

use core::hint::black_box;
use core::panic::PanicInfo;

#[cfg(target_arch = "arm")]
pub use cortex_m_rt::entry;
#[cfg(target_arch = "riscv32")]
pub use riscv_rt::entry;

pub use clock::Ticker;
use semihosting::{process, sys::arm_compat::sys_writec};

/// Ends the program successfully.
pub fn exit() -> ! {
    process::exit(0)
}

/// Ends the program with an error.
pub fn fail() -> ! {
    process::exit(1)
}

#[panic_handler]
fn panicked(_: &PanicInfo<'_>) -> ! {
    panic_is_reachable()
}

/// `run.sh` looks for this name: a program contains it only if something in it can panic.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn panic_is_reachable() -> ! {
    process::exit(101)
}

pub(crate) fn write(byte: u8) {
    sys_writec(byte);
}

/// The instructions that `times` calls of `f` take.
#[inline(never)]
pub(crate) fn instructions(times: u32, f: &mut dyn FnMut()) -> Option<u32> {
    let clock = clock::Clock::start();
    for _ in 0..times {
        black_box(&mut *f)();
    }
    Some(clock.instructions())
}

/// The bytes of stack that a call of `f` takes: paints all of the free stack, and then counts how
/// much of the paint is left.
#[inline(never)]
pub(crate) fn stack(f: &mut dyn FnMut()) -> Option<u32> {
    const PAINT: u32 = 0x5a5a_5a5a;
    /// What this function itself may still push below the stack pointer that it has read.
    const MARGIN: usize = 64;
    let (bottom, top) = ((&raw const __sheap).addr(), stack_pointer());
    let free =
        || (bottom..top - MARGIN).step_by(4).map(|address| core::ptr::with_exposed_provenance_mut::<u32>(address));
    for word in free() {
        // SAFETY: between the end of the statics and the stack pointer there is nothing but unused
        // memory, by the linker script, and no interrupt is enabled.
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

/// The emulator takes one nanosecond per instruction, so a timer counts instructions.
#[cfg(target_arch = "arm")]
mod clock {
    use cortex_m::Peripherals;
    use cortex_m::peripheral::{SCB, SYST, syst::SystClkSource};

    /// Eighths of a nanosecond, and so of an instruction, per tick: the boards run at 25 MHz; the
    /// micro:bit, whose Cortex-M0 is the only processor here without atomic operations, at 16 MHz.
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
            // The timer starts counting at its second tick.
            while SYST::get_current() == 0 {}
            Self(timer)
        }

        /// The instructions since the start, if that was less than half a second ago.
        pub(super) fn instructions(self) -> u32 {
            (u64::from(TOP - SYST::get_current()) * u64::from(EIGHTHS) / 8) as u32
        }
    }

    /// Ticks at a fixed rate; the processor sleeps in between.
    pub struct Ticker(SYST);

    impl Ticker {
        /// A ticker.
        pub fn every(microseconds: u32) -> Self {
            let mut timer = Clock::start().0;
            timer.set_reload(microseconds * 8000 / EIGHTHS - 1);
            timer.clear_current();
            // An interrupt wakes the processor even if it is not taken.
            cortex_m::interrupt::disable();
            timer.enable_interrupt();
            Self(timer)
        }

        /// Whether a tick has passed that `wait` was not called for.
        pub fn is_late(&mut self) -> bool {
            SCB::is_pendst_pending()
        }

        /// Waits for the next tick.
        pub fn wait(&mut self) {
            while !self.is_late() {
                cortex_m::asm::wfi();
            }
            SCB::clear_pendst();
        }
    }

    impl Drop for Ticker {
        fn drop(&mut self) {
            self.0.disable_interrupt();
            SCB::clear_pendst();
        }
    }
}

/// RISC-V has its own instruction counter.
#[cfg(target_arch = "riscv32")]
mod clock {
    use riscv::register::minstret;

    pub(super) struct Clock(usize);

    impl Clock {
        pub(super) fn start() -> Self {
            Self(minstret::read())
        }

        /// The instructions since the start.
        pub(super) fn instructions(self) -> u32 {
            minstret::read().wrapping_sub(self.0) as u32
        }
    }

    /// Ticks at a fixed rate; the processor sleeps in between. Uses the core-local interruptor.
    pub struct Ticker {
        step: u64,
        next: u64,
    }

    /// Ticks of the clock at 10 MHz.
    const NOW: *const u32 = core::ptr::without_provenance(0x0200_bff8);
    /// The time at which the clock interrupts.
    const ALARM: *mut u32 = core::ptr::without_provenance_mut(0x0200_4000);

    fn now() -> u64 {
        // SAFETY: QEMU's `virt` has the two halves of its clock here.
        let read = || unsafe { (NOW.read_volatile(), NOW.add(1).read_volatile()) };
        let (mut now, mut again) = (read(), read());
        while now.1 != again.1 {
            (now, again) = (again, read());
        }
        u64::from(now.1) << 32 | u64::from(now.0)
    }

    impl Ticker {
        /// A ticker.
        pub fn every(microseconds: u32) -> Self {
            let step = u64::from(microseconds) * 10;
            let ticker = Self { step, next: now() + step };
            ticker.set();
            // SAFETY: interrupts are disabled globally; one that is not taken still wakes the processor.
            unsafe { riscv::register::mie::set_mtimer() };
            ticker
        }

        /// Whether a tick has passed that `wait` was not called for.
        pub fn is_late(&mut self) -> bool {
            now() >= self.next
        }

        /// Waits for the next tick.
        pub fn wait(&mut self) {
            while !self.is_late() {
                riscv::asm::wfi();
            }
            self.next += self.step;
            self.set();
        }

        fn set(&self) {
            // SAFETY: QEMU's `virt` has the two halves of the alarm here; the first write cannot trigger it.
            unsafe {
                ALARM.write_volatile(u32::MAX);
                ALARM.add(1).write_volatile((self.next >> 32) as u32);
                ALARM.write_volatile(self.next as u32);
            }
        }
    }
}
