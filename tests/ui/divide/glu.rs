use monomorph::network;

network! {
    pub Small: [4, 3] -> [4, 1] {
        Dense(6), Glu, Glu,
    }
}

fn main() {}
