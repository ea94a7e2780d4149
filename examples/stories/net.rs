//! A Llama of 260,000 parameters, the texts of its tokens, and how it writes with them. Nothing here needs an allocator.

use monomorph::Noise;
use monomorph::prelude::*;
use monomorph::sampling::Sampling;

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

/// The texts of the tokens: a file, such as Karpathy's `tok512.bin`, as it is.
///
/// The longest length, then for each token its score, its length and its bytes; sizes are of four bytes.
#[derive(Clone, Copy)]
pub struct Tokens<'a>(&'a [u8]);

/// The token that begins a text, and that separates one from the next.
pub const BEGIN: u16 = 1;

impl<'a> Tokens<'a> {
    /// The file's tokens, if it has as many as the network knows.
    pub fn read(file: &'a [u8]) -> Option<Self> {
        let (mut rest, mut count) = (file.get(4..)?, 0);
        while !rest.is_empty() {
            rest = Self::split(rest)?.1;
            count += 1;
        }
        (count == 512).then_some(Self(file.get(4..)?))
    }

    /// The text of the first token, and what follows it.
    fn split(rest: &[u8]) -> Option<(&[u8], &[u8])> {
        let (head, rest) = rest.split_at_checked(8)?;
        let length = i32::from_le_bytes(*head.last_chunk()?);
        rest.split_at_checked(length.try_into().ok()?)
    }

    /// Writes what a token adds to a text after the token `before`.
    pub fn write(self, before: u16, token: u16, mut write: impl FnMut(&[u8])) {
        let mut rest = self.0;
        for _ in 0..token {
            rest = Self::split(rest).map_or(&[], |(_, rest)| rest);
        }
        let text = Self::split(rest).map_or(&[][..], |(text, _)| text);
        if let Some(hex) = text.strip_prefix(b"<0x").and_then(|text| text.strip_suffix(b">"))
            && let Some(byte) = core::str::from_utf8(hex).ok().and_then(|hex| u8::from_str_radix(hex, 16).ok())
        {
            return write(&[byte]);
        }
        // The tokenizer puts a space before the first word.
        write(if before == BEGIN { text.strip_prefix(b" ").unwrap_or(text) } else { text });
    }
}

/// Writes a text of at most `steps` tokens; `write` is given the text of each. Returns how many steps it took.
pub fn tell(
    net: &Stories,
    state: &mut StoriesState,
    tokens: Tokens<'_>,
    steps: usize,
    sampling: Sampling,
    noise: &mut Noise,
    mut write: impl FnMut(&[u8]),
) -> usize {
    net.reset(state);
    let mut token = BEGIN;
    for step in 1..=steps {
        let mut scores = net.step(state, &token);
        let next = sampling.draw(&mut scores, noise) as u16;
        if next == BEGIN {
            return step;
        }
        tokens.write(token, next, &mut write);
        token = next;
    }
    steps
}
