use monomorph::network;

network! { pub Encoder<const N: usize>: [16] -> [N] { Dense(8), Tanh, Dense(N) } }

network! {
    pub Classifier<const N: usize>: [16] -> [10] { Encoder::<N>, Dense(10) }
}

network! {
    pub Joined<const N: usize>(x: [16]) -> [20] {
        let code = x |> Encoder::<N>;
        concat(code, x) |> Dense(20)
    }
}

fn main() {}
