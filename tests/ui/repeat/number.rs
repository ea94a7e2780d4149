use monomorph::network;

const TIMES: usize = 3;

network! {
    pub Deep: [8] -> [8] { repeat TIMES { Dense(8), Tanh } }
}

fn main() {}
