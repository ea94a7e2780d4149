//! Writes the model that other people trained as a blob. The environment variable `STORIES` is the folder with its files.

#[path = "../../stories/model.rs"]
mod model;
#[allow(dead_code, reason = "here the network only")]
#[path = "../../stories/net.rs"]
mod net;

use std::error::Error;
use std::path::PathBuf;
use std::{env, fs};

use monomorph::memory;
use monomorph::weights::blob::to_blob;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-env-changed=STORIES");
    let from = env::var_os("STORIES").ok_or("set STORIES to the folder with stories260K.bin and tok512.bin")?;
    let (from, out) = (PathBuf::from(from), PathBuf::from(env::var("OUT_DIR")?));
    let mut net = memory::boxed();
    model::load(&mut net, &fs::read(from.join("stories260K.bin"))?)?;
    fs::write(out.join("stories.blob"), to_blob(&*net))?;
    fs::copy(from.join("tok512.bin"), out.join("tokens.bin"))?;
    // It remembers 512 tokens, which takes more RAM than the other programs have.
    fs::copy("memory.x", out.join("memory.x"))?;
    println!("cargo:rerun-if-changed=memory.x");
    println!("cargo:rustc-link-search={}", out.display());
    println!("cargo:rustc-link-arg-bins=-Tlink.x");
    Ok(())
}
