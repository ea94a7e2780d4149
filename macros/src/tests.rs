//! Tests of the whole pipeline: what small networks become.

use std::fs;
use std::path::Path;

use crate::{errors, expand, resolve};

fn expand(network: &str) -> String {
    let declaration = syn::parse_str(network).expect("a declaration");
    let mut errors = errors::Errors::default();
    let model = resolve::build(declaration, &mut errors);
    assert!(errors.is_empty(), "{}", errors.into_tokens());
    let code = expand::network(&model, true);
    prettyplease::unparse(&syn::parse2(code).expect("code that parses"))
}

/// Compares an expansion with the one kept in `macros/expansions`, so that a reviewer sees what a change of the macro
/// does to the code it emits. `UPDATE=1 cargo test -p monomorph-macros` writes the files anew.
fn check_kept(name: &str, network: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("expansions").join(format!("{name}.rs.txt"));
    let actual = expand(network);
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &actual).expect("written");
    }
    let expected = fs::read_to_string(&path).expect("the kept expansion");
    assert!(actual == expected, "the expansion differs from {}; look at it with `UPDATE=1` and git", path.display());
}

#[test]
fn chain() {
    check_kept("chain", "/// Sees.\n pub Net: [8] -> [2] { Dense(4), Relu, Dense(2) }");
}

#[test]
fn residual() {
    check_kept("residual", "pub Net: [8] -> [8] { residual { Dense(4), Relu, Dense(8) } }");
}

#[test]
fn layer_used_again() {
    let network = "pub Net: [4] -> [4] {
        let once = input |> shared: Dense(4) |> Relu;
        let twice = once |> shared;
        add(once, twice)
    }";
    check_kept("layer_used_again", network);
}

#[test]
fn several_inputs_and_outputs() {
    let network = "pub Net(observation: [3], goal: [2]) -> (policy: [2], value: [1]) {
        let trunk = concat(observation, goal) |> Dense(4) |> Tanh;
        let policy = trunk |> Dense(2);
        let value = trunk |> Dense(1);
    }";
    check_kept("several_inputs_and_outputs", network);
}

#[test]
fn stored() {
    check_kept("stored", "#[stored(NetSmall: i8)] pub Net: [8] -> [2] { Dense(4), Relu, Dense(2) }");
}

#[test]
fn const_generics() {
    check_kept(
        "const_generics",
        "pub Net<const IN: usize, const OUT: usize>: [IN] -> [OUT] { Dense(4), Relu, Dense(OUT) }",
    );
}

/// The former kept expansion, until the crate is in its new files.
#[test]
fn former() {
    let network = "/// Sees.\n pub Net: [8, 8, 1] -> [10] {
        Conv2d(4, kernel = 3, padding = 1), Relu,
        residual { Conv2d(4, kernel = 3, padding = same), BatchNorm }, Relu,
        MaxPool2d(2), Flatten, Dense(10),
    }";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("expansion.txt");
    assert!(expand(network) == fs::read_to_string(path).expect("the kept expansion"));
}
