use monomorph::network;

const WIDTH: usize = 24;

network! {
    pub Block: [16] -> [16] {
        residual { Dense(WIDTH), Tanh },
    }
}

fn main() {}
