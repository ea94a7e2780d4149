//! Whole files become networks; damaged ones are refused in words.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::{Error, Model, read};

/// The model files beside the library's tests; none if this crate is tested alone.
fn files() -> Vec<(PathBuf, String)> {
    let Ok(folder) = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/files/audio")) else {
        eprintln!("skipped: the model files are not there");
        return Vec::new();
    };
    let paths = folder.map(|entry| entry.expect("an entry").path());
    let models = paths.filter(|path| path.extension().is_some_and(|end| end == "nam" || end == "json"));
    models.map(|path| (path.clone(), fs::read_to_string(path).expect("a text"))).collect()
}

/// A small model of three layers.
fn lstm() -> Value {
    let numbers: Vec<f64> = (0..70).map(f64::from).collect();
    let config = json!({ "input_size": 1, "hidden_size": 3, "num_layers": 1 });
    json!({ "version": "0.5.4", "architecture": "LSTM", "config": config, "weights": numbers })
}

fn wavenet() -> Value {
    let array = json!({
        "input_size": 1, "condition_size": 1, "channels": 2, "head_size": 1, "head_bias": false, "kernel_size": 2,
        "dilations": [1, 2], "activation": "Tanh",
    });
    let config = json!({ "layers": [array], "head": null, "head_scale": 0.5 });
    json!({ "version": "0.5.4", "architecture": "WaveNet", "config": config })
}

fn of(value: &Value) -> Result<Model, Error> {
    read(&value.to_string())
}

#[track_caller]
fn refused(value: &Value, words: &str) {
    let error = of(value).expect_err("a refusal").to_string();
    assert!(error.contains(words), "`{error}` does not say `{words}`");
}

#[test]
fn the_library_s_models_are_read() {
    for (path, text) in files() {
        let model = read(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert!(model.structure().contains("->"));
        for tensor in model.tensors.iter().flatten() {
            assert_eq!(tensor.shape.iter().product::<usize>(), tensor.numbers.len(), "{}", tensor.name);
        }
    }
}

#[test]
fn weights_keep_their_places() {
    let model = of(&lstm()).expect("a model");
    let tensors = model.tensors.expect("weights");
    let get = |name: &str| &tensors.iter().find(|tensor| tensor.name == name).expect("a tensor").numbers;
    // W is `[12][1 + 3]`: its first column is that of the input.
    assert_eq!(get("lstm1.weight_ih")[..3], [0.0, 4.0, 8.0]);
    assert_eq!(get("lstm1.weight_hh")[..3], [1.0, 5.0, 9.0]);
    assert_eq!(get("lstm1.weight_hh")[12], 2.0);
    assert_eq!(get("lstm1.bias_ih")[0], 48.0);
    assert_eq!(get("lstm1.initial")[..], [60.0, 61.0, 62.0, 63.0, 64.0, 65.0]);
    assert_eq!((get("head.weight").as_slice(), get("head.bias").as_slice()), (&[66.0, 67.0, 68.0][..], &[69.0][..]));
}

#[test]
fn every_mistake_has_words() {
    let change = |base: &Value, path: &str, value: Value| {
        let mut changed = base.clone();
        *changed.pointer_mut(path).expect("a place") = value;
        changed
    };
    let (lstm, wavenet) = (lstm(), wavenet());
    let array = "/config/layers/0";
    refused(&json!([1, 2]), "none of a model");
    refused(&json!({ "architecture": "LSTM" }), "has no `version`");
    refused(&change(&lstm, "/version", json!("0.8.0")), "0.8.0");
    refused(&change(&lstm, "/version", json!("five")), "no version");
    refused(&change(&lstm, "/architecture", json!("Transformer")), "`Transformer`");
    refused(&change(&lstm, "/config/hidden_size", json!("3")), "config.hidden_size is \"3\", but a whole number");
    refused(&change(&lstm, "/config/hidden_size", json!(2)), "70 weights, but the network that the file describes has");
    refused(&change(&lstm, "/config/hidden_size", json!(4)), "the weights end too early");
    refused(&change(&lstm, "/config/num_layers", json!(0)), "is 0");
    refused(&change(&lstm, "/config/hidden_size", json!(1_u64 << 40)), "is expected");
    refused(&change(&lstm, "/weights/5", json!(null)), "weights[5] is null, but a number is expected");
    refused(&change(&lstm, "/weights/5", json!(1e300)), "the range of an f32");
    refused(&change(&wavenet, &format!("{array}/activation"), json!("Cosine")), "`Cosine`");
    refused(&change(&wavenet, &format!("{array}/dilations"), json!([])), "no `dilations`");
    refused(&change(&wavenet, &format!("{array}/condition_size"), json!(2)), "condition_size 2, where 1 come");
    refused(&change(&wavenet, &format!("{array}/channels"), json!(1 << 20)), "more than");
    refused(&change(&wavenet, "/config/layers", json!([])), "no `layers`");
    let mut gated = wavenet.clone();
    gated["config"]["layers"][0]["gating_mode"] = json!("sometimes");
    refused(&gated, "none, gated and blended");
    let layer = json!({ "type": "lstm", "shape": [null, null, 2], "weights": [[[1, 2]]] });
    refused(&json!({ "in_shape": [null, null, 1], "layers": [layer] }), "entries, but 8 are expected");
}

#[test]
fn weights_of_structures_are_bounded() {
    let mut model = lstm();
    model.as_object_mut().expect("an object").remove("weights");
    for (layers, hidden) in [(1 << 20, 1 << 20), (1 << 20, 1), (1, 1 << 20)] {
        model["config"]["num_layers"] = json!(layers);
        model["config"]["hidden_size"] = json!(hidden);
        // Either refused or read: within a bounded time.
        let _ = of(&model);
    }
    let deep = (0..1000).fold(String::new(), |text, _| format!("{text}["));
    assert!(read(&deep).is_err());
}

/// A generator of numbers below `n`.
fn random(seed: &mut u64, n: usize) -> usize {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*seed >> 33) as usize % n
}

#[test]
fn damaged_files_never_panic() {
    let mut seed = 1;
    for (_, text) in files() {
        for _ in 0..40 {
            let cut = random(&mut seed, text.trim_end().len());
            let _ = text.get(..cut).map(|text| read(text).expect_err("half a file"));
            let mut bytes = text.clone().into_bytes();
            let at = random(&mut seed, bytes.len());
            bytes[at] ^= 1 << random(&mut seed, 7);
            let _ = core::str::from_utf8(&bytes).map(read);
        }
        // Every member with a value of another kind.
        let root: Value = serde_json::from_str(&text).expect("JSON");
        let mut paths = Vec::new();
        collect(&root, String::new(), &mut paths);
        for path in paths.iter().filter(|path| !path.is_empty()).take(200) {
            let others =
                [json!(null), json!(0), json!(-1), json!(1 << 19), json!("x"), json!([]), json!({}), json!(true)];
            let mut changed = root.clone();
            *changed.pointer_mut(path).expect("a place") = others[random(&mut seed, others.len())].clone();
            let _ = of(&changed);
        }
    }
}

fn collect(value: &Value, path: String, paths: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(key, value)| collect(value, format!("{path}/{key}"), paths));
        }
        Value::Array(list) => {
            let first = list.iter().enumerate().take(3);
            first.for_each(|(index, value)| collect(value, format!("{path}/{index}"), paths));
        }
        _ => {}
    }
    paths.push(path);
}
