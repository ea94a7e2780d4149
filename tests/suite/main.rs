//! Whole networks: the properties that users rely on.

mod allocations;
mod attention;
mod audio;
mod bounds;
mod checkpoints;
mod curvature;
mod determinism;
mod distributed;
mod dual;
mod every_optimizer;
#[cfg(unix)]
mod files;
mod floors;
mod generic;
mod gradients;
mod graphs;
mod hygiene;
mod import;
mod include;
mod inputs;
mod layers;
mod losses;
mod numbers;
mod onnx;
mod optimizers;
mod packed;
mod parallel;
mod plan;
mod properties;
mod readme;
mod real_networks;
mod recurrent;
mod refusals;
mod sizes;
mod small_stack;
mod stories;
mod streaming;
mod structure;
mod terms;

/// A folder of models that others made, if it is there: they are no part of this package.
fn others(folder: &str) -> Option<std::path::PathBuf> {
    let models = std::env::var_os("MONOMORPH_MODELS");
    let models = models.unwrap_or_else(|| concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/models").into());
    let path = std::path::PathBuf::from(models).join(folder);
    if !path.is_dir() {
        println!("skipped: there is no {}", path.display());
        return None;
    }
    Some(path)
}
