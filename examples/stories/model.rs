//! Reads the weights of the Llama.
//!
//! They are Karpathy's `stories260K.bin` (github:karpathy/llama2.c): seven sizes as `i32`, then the tensors as
//! `f32`. Matrices are `[out][in]` there and `[in][out]` here.

use std::collections::HashMap;

use monomorph::Parameters;
use monomorph::parameters::for_each_tensor;

use super::net::Stories;

/// Dimension, hidden dimension, layers, heads, heads of keys, vocabulary, length: what the network is declared with.
const SIZES: [i32; 7] = [64, 172, 5, 8, 4, 512, 512];

/// Reads the weights.
pub fn load(net: &mut Stories, file: &[u8]) -> Result<(), String> {
    let (words, rest) = file.as_chunks::<4>();
    let Some((sizes, numbers)) = words.split_at_checked(7) else { return Err("the file is too short".into()) };
    let sizes: Vec<i32> = sizes.iter().map(|word| i32::from_le_bytes(*word)).collect();
    if sizes != SIZES {
        return Err(format!("the file holds a network of the sizes {sizes:?}, but this one has {SIZES:?}"));
    }
    let mut numbers = numbers.iter().map(|word| f32::from_le_bytes(*word));
    // The rotary tables at the end are computed here.
    let (parameters, tables) = (Stories::PARAMS, 2 * 512 * 4);
    if numbers.len() != parameters + tables || !rest.is_empty() {
        let bytes = file.len();
        return Err(format!("the file has {bytes} bytes, not those of {parameters} parameters and the rotary tables"));
    }
    let mut places = HashMap::new();
    for_each_tensor(Stories::ENTRIES, &mut |name, tensor, range| {
        places.insert(name.to_string(), (tensor.shape, range));
    });
    let mut fill = |name: String| {
        let (shape, range) = &places[&name];
        let to = &mut net.as_mut_slice()[range.clone()];
        // The table of the tokens is the same in both.
        let (inputs, outputs) = match shape {
            [inputs, outputs] if name != "tokens.weight" => (*inputs, *outputs),
            _ => (1, to.len()),
        };
        for (place, number) in (0..inputs * outputs).zip(&mut numbers) {
            to[place % inputs * outputs + place / inputs] = number;
        }
    };
    fill("tokens.weight".into());
    let parts = ["norm1.weight", "attention.wq", "attention.wk", "attention.wv", "attention.wo", "norm2.weight"];
    for part in parts.into_iter().chain(["dense1.weight", "dense3.weight", "dense2.weight"]) {
        (1..=5).for_each(|layer| fill(format!("layer{layer}_{part}")));
    }
    fill("norm.weight".into());
    Ok(())
}
