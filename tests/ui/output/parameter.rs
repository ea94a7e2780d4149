use monomorph::network;

network! {
    pub Mlp<const IN: usize, const OUT: usize>: [IN] -> [OUT] {
        Dense(64), Relu,
        Dense(IN),
    }
}

fn main() {}
