"""Estimates the cycles of one evaluation on a Cortex-M4F from the timings that Arm has published.

    python3 cycles.py <program built for thumbv7em-none-eabihf> ..

QEMU runs the program and traces the instructions of the first evaluation; each costs the cycles given in the
Cortex-M4 Technical Reference Manual (DDI 0439), tables 3-1 and 7-1. Assumptions: memory has no wait states, a taken
branch refills the pipeline in two cycles (the manual: one to three), and adjacent loads do not overlap (the manual:
they may).
"""

import re
import subprocess
import sys

QEMU = ["qemu-system-arm", "-M", "mps2-an386", "-nographic", "-semihosting-config", "enable=on,target=native"]
TRACE = ["-singlestep", "-d", "exec,nochain", "-D", "/dev/stdout"]
SLOW = {"vmla": 3, "vmls": 3, "vnmla": 3, "vnmls": 3, "vfma": 3, "vdiv": 14, "vsqrt": 14, "udiv": 12, "sdiv": 12}


def registers(text):
    """The number of registers in a list such as `{r4-r7, lr}` or `{s16-s23}`; a `d` register counts as two."""
    count = 0
    for part in text[text.index("{") + 1 : text.index("}")].split(", "):
        names = part.split("-")
        span = 1 if len(names) == 1 else int(names[1][1:]) - int(names[0][1:]) + 1
        count += span * (2 if part.startswith("d") else 1)
    return count


def cost(name, operands):
    stem = name.split(".")[0]
    if "{" in operands:
        return 1 + registers(operands)
    if stem in ("ldrd", "strd"):
        return 3
    if stem.startswith(("ldr", "str", "vldr", "vstr")):
        return 2
    if stem == "vmov" and operands.count(",") == 3:
        return 2
    return SLOW.get(stem, 1)


def disassembled(program):
    """For each address: the length, name and operands of its instruction; and the functions that begin at an address."""
    text = subprocess.run(["arm-none-eabi-objdump", "-d", program], capture_output=True, text=True, check=True).stdout
    code = {}
    for address, raw, name, operands in re.findall(r"^ *(\w+):\t([\w ]+?) *\t(\S+)\t?([^@;<\n]*)", text, re.M):
        code[int(address, 16)] = (len(raw.replace(" ", "")) // 2, name, operands)
    return code, {int(address, 16): name for address, name in re.findall(r"^(\w+) <(\S+)>:$", text, re.M)}


def cycles(program):
    """Cycles and instruction count of the first evaluation."""
    code, functions = disassembled(program)
    total, count, end, before = 0, 0, None, 0
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen([*QEMU, *TRACE, "-kernel", program], **pipes) as qemu:
        for line in qemu.stdout:
            found = re.match(rb"Trace .*\[\w+/(\w+)/", line)
            if not found:
                continue
            at = int(found[1], 16)
            if end is not None:
                length, name, operands = code[before]
                total += cost(name, operands) + (2 if at != before + length else 0)
                count += 1
                if at == end:
                    break
            elif "4simd5level8baseline3run" in functions.get(at, ""):
                end = before + code[before][0]
            before = at
        qemu.kill()
    return total, count


if __name__ == "__main__":
    for program in sys.argv[1:]:
        print(program, *cycles(program))
