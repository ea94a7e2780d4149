//! A Llama that other people trained, from its weights file to its text.

#[path = "../../examples/stories/model.rs"]
mod model;

use std::path::PathBuf;

use monomorph::Noise;
use monomorph::memory::boxed;
use monomorph::sampling::Sampling;

#[test]
fn writes_its_story_letter_for_letter() {
    let models = std::env::var_os("MONOMORPH_MODELS");
    let folder = models.map_or_else(|| concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/models").into(), PathBuf::from);
    let folder = folder.join("llama");
    let read = |name: &str| std::fs::read(folder.join(name));
    let (Ok(weights), Ok(tokens), Ok(expected)) =
        (read("stories260K.bin"), read("tok512.bin"), read("stories260K-200-steps.txt"))
    else {
        println!("skipped: there is no {}", folder.display());
        return;
    };
    let (mut net, mut text) = (boxed::<model::Stories>(), Vec::new());
    model::load(&mut net, &weights).expect("the weights");
    let tokens = model::Tokens::read(&tokens).expect("the tokens");
    model::tell(&net, &tokens, 200, Sampling::GREEDY, &mut Noise::new(1), |more| text.extend_from_slice(more));
    assert_eq!(String::from_utf8_lossy(&text).trim_end(), String::from_utf8_lossy(&expected).trim_end());
    assert!(model::load(&mut net, &weights[..weights.len() - 4]).is_err());
    assert!(model::load(&mut net, &weights[4..]).is_err());
    assert!(model::load(&mut net, &[]).is_err());
}
