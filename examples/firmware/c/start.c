/* Does the work of a vendor's start-up file: vectors, memory, FPU. Also output by semihosting, which
   replaces a serial port. */
#include <stdint.h>

extern uint32_t stack_top, data_start, data_end, data_load, bss_start, bss_end;
int main(void);

/* Calls the debugger; here, the emulator. */
static uint32_t host(uint32_t operation, const void *argument)
{
    register uint32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

void put(const char *text)
{
    host(0x04, text);
}

static void leave(uint32_t status)
{
    const uint32_t application_exit[2] = {0x20026, status};
    host(0x20, application_exit);
    for (;;) {
    }
}

void reset(void)
{
    *(volatile uint32_t *)0xe000ed88 |= 0xf << 20; /* the FPU is off after a reset */
    __asm__ volatile("dsb\n isb");
    for (uint32_t *from = &data_load, *to = &data_start; to < &data_end;)
        *to++ = *from++;
    for (uint32_t *to = &bss_start; to < &bss_end;)
        *to++ = 0;
    leave(main());
}

static void fault(void)
{
    leave(102);
}

__attribute__((section(".vectors"), used)) const void *const vectors[16] = {
    &stack_top, reset, fault, fault, fault, fault, fault, 0, 0, 0, 0, fault, fault, 0, fault, fault};
