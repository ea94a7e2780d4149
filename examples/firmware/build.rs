//! Writes the files that the programs need: networks as blobs, and the memory map for the linker.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

use monomorph::fixed::convert;
use monomorph::memory;
use monomorph::network::PackedNetwork;
use monomorph::weights::{blob::to_blob, load_bytes};
use networks::{Digits, DigitsHalf, DigitsOf, DigitsSmall, Number};

fn main() -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(env::var("OUT_DIR")?);
    blobs(&out)?;
    memory_map(&out)
}

/// Packs the weights.
fn blobs(out: &Path) -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=weights/digits.safetensors");
    let file = fs::read("weights/digits.safetensors")?;
    let mut net = memory::boxed::<Digits>();
    load_bytes(&file, &mut *net)?;
    fs::write(out.join("digits_half.blob"), to_blob(&*DigitsHalf::boxed_from(&net)))?;
    fs::write(out.join("digits_small.blob"), to_blob(&*DigitsSmall::boxed_from(&net)))?;

    let mut net = memory::boxed::<DigitsOf<f32>>();
    load_bytes(&file, &mut *net)?;
    let mut fixed = memory::boxed::<DigitsOf<Number>>();
    let report = convert(&*net, &mut *fixed);
    if report.saturated > 0 {
        return Err(format!("weights up to {} do not fit", report.largest).into());
    }
    fs::write(out.join("digits_fixed.blob"), to_blob(&*fixed))?;
    Ok(())
}

/// Gives the linker the memory map.
fn memory_map(out: &Path) -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=memory");
    if env::var("CARGO_CFG_TARGET_OS")? != "none" {
        return Ok(());
    }
    let architecture = env::var("CARGO_CFG_TARGET_ARCH")?;
    let memory = match architecture.as_str() {
        "arm" => "memory/cortex-m.x",
        "riscv32" => "memory/riscv.x",
        other => return Err(format!("there is no memory map for {other}; write one into `memory`").into()),
    };
    fs::copy(memory, out.join("memory.x"))?;
    println!("cargo:rustc-link-search={}", out.display());
    if architecture == "riscv32" {
        println!("cargo:rustc-link-arg-bins=-Tmemory.x");
    }
    println!("cargo:rustc-link-arg-bins=-Tlink.x");
    if env::var_os("CARGO_FEATURE_DEFMT").is_some() {
        println!("cargo:rustc-link-arg-bin=log=-Tdefmt.x");
    }
    Ok(())
}
