//! Says to the linker where memory is.

use std::{env, fs, path::PathBuf};

fn main() {
    println!("cargo:rerun-if-changed=memory");
    let architecture = env::var("CARGO_CFG_TARGET_ARCH").expect("set by cargo");
    if env::var("CARGO_CFG_TARGET_OS").expect("set by cargo") != "none" {
        return;
    }
    let memory = match architecture.as_str() {
        "arm" => "memory/cortex-m.x",
        "riscv32" => "memory/riscv.x",
        other => panic!("there is no memory map for {other}; write one into `memory`"),
    };
    let out = PathBuf::from(env::var("OUT_DIR").expect("set by cargo"));
    fs::copy(memory, out.join("memory.x")).expect("copied");
    println!("cargo:rustc-link-search={}", out.display());
    if architecture == "riscv32" {
        println!("cargo:rustc-link-arg-bins=-Tmemory.x");
    }
    println!("cargo:rustc-link-arg-bins=-Tlink.x");
}
