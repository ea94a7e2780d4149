//! Files are read or refused, whatever is in them.

use std::fs;
use std::path::Path;

use super::read_graph;

fn files() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/files/import"));
    let models = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/models/mlperf-tiny"));
    let mut files = Vec::new();
    for folder in [folder, models] {
        let Ok(entries) = fs::read_dir(folder) else {
            println!("skipped: there is no {}", folder.display());
            continue;
        };
        for path in entries.map(|entry| entry.expect("an entry").path()) {
            let name = path.display().to_string();
            if name.ends_with(".onnx") || name.ends_with(".tflite") {
                files.push((name, fs::read(path).expect("a file")));
            }
        }
    }
    files.sort();
    files
}

#[test]
fn files_become_networks() {
    let mut read = 0;
    for (name, bytes) in files() {
        match read_graph(&bytes) {
            Ok(model) => {
                read += 1;
                assert!(model.tensors.is_some_and(|tensors| !tensors.is_empty()), "{name}");
            }
            Err(error) => assert!(error.to_string().contains("computes in integers"), "{name}: {error}"),
        }
    }
    assert!(read >= 4, "the small files are part of the package");
}

#[test]
fn what_has_no_layer_is_named_at_once() {
    let (_, bytes) = files().into_iter().find(|(name, _)| name.ends_with("image.onnx")).expect("a file");
    // Operators of the same length that nobody knows.
    let mut text = bytes.clone();
    for (known, other) in [("HardSwish", "HardSwosh"), ("LeakyRelu", "LeakyRely")] {
        let at = text.windows(known.len()).position(|part| part == known.as_bytes()).expect("the operator");
        // The second is the kind, the first may be the node's name.
        let all: Vec<usize> =
            (0..text.len() - known.len()).filter(|at| text[*at..].starts_with(known.as_bytes())).collect();
        assert!(all.contains(&at));
        all.iter().for_each(|at| text[*at..at + known.len()].copy_from_slice(other.as_bytes()));
    }
    let error = read_graph(&text).expect_err("two operators that are not known").to_string();
    assert!(error.starts_with("2 operators have no layer here"), "{error}");
    assert!(error.contains("HardSwosh") && error.contains("LeakyRely"), "{error}");
    // What depends on them is no news.
    assert_eq!(error.lines().count(), 3, "{error}");
}

/// `MONOMORPH_FUZZ=1000000 cargo test --release -p monomorph-files damaged` tries so many files.
#[test]
fn damaged_files_are_refused_or_read() {
    let inputs = std::env::var("MONOMORPH_FUZZ").map_or(2_000, |count| count.parse().expect("a number of files"));
    let files: Vec<_> = files().into_iter().filter(|(_, bytes)| bytes.len() < 120_000).collect();
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    for index in 0..inputs {
        // Small files more often, because they are read faster.
        let (_, bytes) = &files[if index % 64 == 0 { random(files.len()) } else { random(4) }];
        let mut damaged = bytes.clone();
        for _ in 0..1 + random(4) {
            match random(5) {
                0 => damaged.truncate(random(damaged.len()).max(1)),
                1 => {
                    let at = random(damaged.len());
                    damaged[at] = random(256) as u8;
                }
                2 => {
                    // The parts that say sizes are small numbers.
                    let at = random(damaged.len());
                    damaged[at] = [0, 1, 2, 127, 128, 255][random(6)];
                }
                3 => {
                    let (from, to) = (random(damaged.len()), random(damaged.len()));
                    let len = random(40).min(damaged.len() - from.max(to));
                    damaged.copy_within(from..from + len, to);
                }
                _ => {
                    let at = random(damaged.len());
                    damaged[at] ^= 1 << random(8);
                }
            }
        }
        let _ = read_graph(&damaged);
    }
}
