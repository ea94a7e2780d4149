use monomorph::network;

const GATE: usize = 12;

network! {
    pub Gated: [16] -> [8] {
        let value = input |> Dense(8);
        let gate = input |> Dense(GATE) |> Sigmoid;
        multiply(value, gate)
    }
}

fn main() {}
