//! Tests of the whole pipeline: the code that small networks expand to, and the structure of this crate.

use std::fs;
use std::path::Path;

use crate::{errors, expand, resolve};

fn expand(network: &str) -> String {
    let declaration = syn::parse_str(network).expect("a declaration");
    let mut errors = errors::Errors::default();
    let model = resolve::build(declaration, &mut errors);
    assert!(errors.is_empty(), "{}", errors.into_tokens());
    let code = expand::network(&model, errors::Errors::default());
    prettyplease::unparse(&syn::parse2(code).expect("code that parses"))
}

/// The maximum length of a recorded expansion.
const MOST_LINES: usize = 250;

/// Compares an expansion with the one recorded in `macros/expansions`, so that a reviewer sees how a change of the
/// macro affects the emitted code. `UPDATE=1 cargo test -p monomorph-macros` rewrites the files.
fn check_kept(name: &str, network: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("expansions").join(format!("{name}.rs.txt"));
    let actual = expand(network);
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &actual).expect("written");
    }
    let expected = fs::read_to_string(&path).expect("the kept expansion");
    let lines = actual.lines().count();
    assert!(lines < MOST_LINES, "{name} has {lines} lines; an expansion of a small network can be read aloud");
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
    let network = "pub Net(a: [3], b: [3]) -> (sum: [3], sign: [3]) {
        let sum = add(a, b);
        let sign = sum |> Tanh;
    }";
    check_kept("several_inputs_and_outputs", network);
}

#[test]
fn packed() {
    check_kept("packed", "#[packed(NetSmall: i8)] pub Net: [8] -> [2] { Dense(2) }");
}

#[test]
fn const_generics() {
    check_kept(
        "const_generics",
        "pub Net<const IN: usize, const OUT: usize>: [IN] -> [OUT] { Dense(4), Relu, Dense(OUT) }",
    );
}

/// The mistakes in a declaration, in words.
#[cfg(feature = "audio")]
fn mistakes(network: &str) -> String {
    let declaration = match syn::parse_str(network) {
        Ok(declaration) => declaration,
        Err(error) => return error.to_string(),
    };
    let mut errors = errors::Errors::default();
    resolve::build(declaration, &mut errors);
    errors.into_tokens().to_string()
}

#[test]
#[cfg(feature = "import")]
fn graphs_that_are_none() {
    for (network, words) in [
        ("pub Net = \"no/such.onnx\";", "no/such.onnx: No such file"),
        ("pub Net = \"no/such.TFLITE\";", "relative to the folder of `Cargo.toml`"),
        ("pub Net<T> = \"net.onnx\";", "a network from a file has no generics"),
    ] {
        let found = mistakes(network);
        assert!(found.contains(words), "`{network}`: `{found}` does not say `{words}`");
    }
    let path = std::env::temp_dir().join(format!("monomorph-{}.onnx", std::process::id()));
    for (bytes, words) in [
        (b"network".as_slice(), "no ONNX model: it has a field of wire type 6"),
        (b"\x3a\x00".as_slice(), "the model has 0 inputs, where one is known"),
        (b"".as_slice(), "the file is no ONNX model: it has no graph"),
    ] {
        fs::write(&path, bytes).expect("written");
        let found = mistakes(&format!("pub Net = {path:?};"));
        fs::remove_file(&path).expect("removed");
        assert!(found.contains(words), "`{found}` does not say `{words}`");
    }
}

#[test]
#[cfg(feature = "audio")]
fn files_that_are_no_models() {
    for (network, words) in [
        ("pub Net = \"no/such.nam\";", "no/such.nam: No such file"),
        ("pub Net = \"no/such.nam\";", "relative to the folder of `Cargo.toml`"),
        ("pub Net = \"Cargo.toml\";", "Cargo.toml: the file is no JSON"),
        ("pub Net<T> = \"amp.nam\";", "a network from a file has no generics"),
        ("pub Net = amp;", "expected the path of a model file"),
        ("pub Net = \"amp.nam\"; pub Other = \"amp.nam\";", "one `network!` declares one network"),
    ] {
        let found = mistakes(network);
        assert!(found.contains(words), "`{network}`: `{found}` does not say `{words}`");
    }
    let text =
        r#"{"version":"0.5.4","architecture":"Linear","config":{"receptive_field":2,"bias":false},"weights":[1,2]}"#;
    let path = std::env::temp_dir().join(format!("monomorph-{}.nam", std::process::id()));
    fs::write(&path, text).expect("written");
    // An absolute path stays what it is; the declared shapes are checked as those of any network.
    let declared = format!("pub Net: [8, 1] -> [8, 2] = {path:?};");
    let found = mistakes(&declared);
    fs::remove_file(&path).expect("removed");
    assert!(found.contains("[8, 2]") && found.contains("[8, 1]"), "{found}");
}

/// The modules of this crate, lowest first: a module may import only from modules before it. `lib.rs` is above all.
const FLOORS: &[&str] = &[
    "spans",
    "items",
    "derive::attributes",
    "derive::plain",
    "derive::parameters",
    "derive",
    "errors",
    "text",
    "shapes",
    "words",
    "files",
    "syntax",
    "parse",
    "unroll",
    "sizes",
    "graph",
    "attributes",
    "names",
    "builder",
    "combine",
    "layers::arguments",
    "layers::same_shape",
    "layers::window",
    "layers::linear",
    "layers::norm",
    "layers::activation",
    "layers::simple",
    "layers::rearrange",
    "layers::recurrent",
    "layers::attention",
    "layers::graph",
    "layers::group",
    "layers",
    "transformer",
    "equation",
    "derivative",
    "resolve",
    "plan",
    "expand::network",
    "expand::structure",
    "expand::graph",
    "expand::memory",
    "expand::passes",
    "expand::layer",
    "expand::packed",
    "expand::streaming",
    "expand",
];

/// The module that contains `path`, such as `layers::window` for `layers::window::{Window, window};`.
fn floor(path: &str) -> usize {
    let inside = |module: &&str| path.strip_prefix(*module).is_some_and(|rest| rest.is_empty() || !is_word(rest));
    let module = FLOORS.iter().filter(|module| inside(module)).max_by_key(|module| module.len());
    let module = module.unwrap_or_else(|| panic!("`{path}` is in no module of `FLOORS`"));
    FLOORS.iter().position(|other| other == module).expect("the module")
}

fn is_word(text: &str) -> bool {
    text.starts_with(|letter: char| letter.is_alphanumeric() || letter == '_')
}

#[test]
fn imports_point_downward() {
    let mut files = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for file in files {
        let module = file.strip_prefix(&root).expect("a file in src").with_extension("");
        let parts: Vec<_> = module.iter().filter_map(|part| part.to_str()).filter(|part| *part != "mod").collect();
        let module = parts.join("::");
        if module == "lib" || module == "tests" {
            continue;
        }
        let source = fs::read_to_string(&file).expect("a source file");
        let code = source.split("#[cfg(test)]").next().unwrap_or_default();
        assert!(!code.contains("super::") && !code.contains("use crate::{"), "{module}: write `use crate::<module>::`");
        for line in code.lines().filter(|line| !line.trim_start().starts_with("//")) {
            // Also paths in the middle of code, but not `$crate::`.
            for (at, _) in line.match_indices("crate::").filter(|(at, _)| !line[..*at].ends_with('$')) {
                let path = &line[at + "crate::".len()..];
                assert!(floor(path) < floor(&module), "{module} must not import {path}");
            }
        }
    }
}
