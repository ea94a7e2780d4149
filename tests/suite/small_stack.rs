//! A 50 MB network in a thread with a small stack, in a debug build.
//!
//! Tests are compiled with optimization, so this builds the program separately in the dev profile.

use std::process::Command;

#[test]
fn a_large_network_needs_no_large_stack() {
    let output = Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--profile", "dev", "--example", "small_stack", "--features", "rayon"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{text}");
    assert!(text.contains("50 MB network: initialised, trained and evaluated"), "{text}");
}
