//! The two networks, which read a text of ASCII characters and give scores for the character after each.

use monomorph::prelude::*;

/// How many characters there are.
pub const CHARACTERS: usize = 128;
/// How many of them the networks read at once.
pub const LENGTH: usize = 128;

network! {
    /// A transformer like Llama, of 0.8 million parameters.
    #[streaming]
    pub Transformer: [u8; 128] -> [128, 128] {
        tokens: Embedding(CHARACTERS, 128),
        repeat 4 {
            TransformerBlock(
                heads = 4, ffn = 344, causal, rotary = half, norm = rms, activation = swiglu, bias = false,
            ),
        }
        RmsNorm,
        Dense(CHARACTERS, bias = false),
    }
}

network! {
    /// A recurrent network of 0.7 million parameters.
    #[streaming]
    pub Lstm: [u8; 128] -> [128, 128] {
        Embedding(CHARACTERS, 64), Lstm(256), Lstm(256), Dense(CHARACTERS),
    }
}
