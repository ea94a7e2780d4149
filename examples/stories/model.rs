//! A Llama of 260,000 parameters, and the files that hold its weights and its tokens.
//!
//! The weights are Karpathy's `stories260K.bin` (github:karpathy/llama2.c): seven sizes as `i32`, then the tensors as
//! `f32`. Matrices are `[out][in]` there and `[in][out]` here.

use std::collections::HashMap;

use monomorph::memory::boxed;
use monomorph::parameters::for_each_tensor;
use monomorph::prelude::*;
use monomorph::sampling::Sampling;
use monomorph::{Noise, Parameters};

network! {
    /// Llama 2 in small: it has read children's stories.
    #[streaming]
    pub Stories: [u16; 512] -> [512, 512] {
        tokens: Embedding(512, 64),
        repeat 5 {
            layer: TransformerBlock(
                heads = 8, kv_heads = 4, ffn = 172, causal, rotary = interleaved,
                norm = rms, epsilon = 1e-5, activation = swiglu, bias = false,
            ),
        }
        norm: RmsNorm(epsilon = 1e-5),
        Unembedding(tokens),
    }
}

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

/// The texts of the tokens.
pub struct Tokens(Vec<Vec<u8>>);

/// The token that begins a text, and that separates one from the next.
pub const BEGIN: u16 = 1;

impl Tokens {
    /// Reads them: the longest length, then for each its score, its length and its bytes.
    pub fn read(file: &[u8]) -> Option<Self> {
        let (_, mut rest) = file.split_at_checked(4)?;
        let mut tokens = Vec::new();
        while let Some((head, after)) = rest.split_at_checked(8) {
            let length = i32::from_le_bytes(*head.last_chunk()?);
            let (text, after) = after.split_at_checked(length.try_into().ok()?)?;
            tokens.push(text.to_vec());
            rest = after;
        }
        (rest.is_empty() && tokens.len() == 512).then_some(Self(tokens))
    }

    /// What a token adds to a text after the token `before`.
    pub fn text(&self, before: u16, token: u16) -> Vec<u8> {
        let text = &self.0[usize::from(token)];
        if let Some(hex) = text.strip_prefix(b"<0x").and_then(|text| text.strip_suffix(b">"))
            && let Some(byte) = core::str::from_utf8(hex).ok().and_then(|hex| u8::from_str_radix(hex, 16).ok())
        {
            return vec![byte];
        }
        // The tokenizer puts a space before the first word.
        let text = if before == BEGIN { text.strip_prefix(b" ").unwrap_or(text) } else { text };
        text.to_vec()
    }
}

/// Writes a text of at most `steps` tokens; `write` is given the text of each. Returns how many steps it took.
pub fn tell(
    net: &Stories,
    tokens: &Tokens,
    steps: usize,
    sampling: Sampling,
    noise: &mut Noise,
    mut write: impl FnMut(&[u8]),
) -> usize {
    let (mut state, mut token) = (boxed::<StoriesState>(), BEGIN);
    for step in 1..=steps {
        let mut scores = net.step(&mut state, &token);
        let next = sampling.draw(&mut scores, noise) as u16;
        if next == BEGIN {
            return step;
        }
        write(&tokens.text(token, next));
        token = next;
    }
    steps
}
