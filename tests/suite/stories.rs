//! A Llama that other people trained, from its weights file to its text.

#[path = "../../examples/stories/model.rs"]
mod model;
#[path = "../../examples/stories/net.rs"]
mod net;

use monomorph::Noise;
use monomorph::memory::boxed;
use monomorph::sampling::Sampling;

#[test]
fn writes_its_story_letter_for_letter() {
    let Some(folder) = crate::others("llama") else { return };
    let read = |name: &str| std::fs::read(folder.join(name)).expect(name);
    let (weights, tokens) = (read("stories260K.bin"), read("tok512.bin"));
    let expected = read("stories260K-200-steps.txt");
    let (mut llama, mut text) = (boxed::<net::Stories>(), Vec::new());
    model::load(&mut llama, &weights).expect("the weights");
    let tokens = net::Tokens::read(&tokens).expect("the tokens");
    let (mut state, mut noise) = (boxed(), Noise::new(1));
    net::tell(&llama, &mut state, tokens, 200, Sampling::GREEDY, &mut noise, |more| text.extend_from_slice(more));
    assert_eq!(String::from_utf8_lossy(&text).trim_end(), String::from_utf8_lossy(&expected).trim_end());
    assert!(model::load(&mut llama, &weights[..weights.len() - 4]).is_err());
    assert!(model::load(&mut llama, &weights[4..]).is_err());
    assert!(model::load(&mut llama, &[]).is_err());
}
