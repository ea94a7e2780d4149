use monomorph::network;

network! {
    #[packed(ScaledSmall: i8)]
    pub Scaled: [16] -> [16] { LayerNorm, Relu }
}

fn main() {}
