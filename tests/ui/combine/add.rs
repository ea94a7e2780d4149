use monomorph::network;

network! {
    pub Block: [16] -> [8] {
        add { { Dense(8), Tanh } { Dense(9) } },
    }
}

fn main() {}
