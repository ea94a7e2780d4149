//! Writes the header.

use std::env;

fn main() {
    println!("cargo:rerun-if-changed=src");
    let config = cbindgen::Config {
        layout: cbindgen::LayoutConfig { aligned_n: Some("DIGITS_ALIGNED".to_owned()), ..Default::default() },
        ..Default::default()
    };
    let header = cbindgen::Builder::new()
        .with_config(config)
        .with_crate(env::var("CARGO_MANIFEST_DIR").expect("set by cargo"))
        .with_language(cbindgen::Language::C)
        .with_include_guard("DIGITS_H")
        .with_style(cbindgen::Style::Type)
        .with_cpp_compat(true)
        .with_documentation(true)
        .with_no_includes()
        .with_sys_include("stdint.h")
        .with_after_include("\n#define DIGITS_ALIGNED(bytes) __attribute__((aligned(bytes)))")
        .generate()
        .expect("the functions for C are well-formed");
    header.write_to_file("digits.h");
}
