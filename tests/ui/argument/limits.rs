use monomorph::network;

const LOW: f64 = 0.5;

network! {
    pub Small: [4] -> [4] {
        HardTanh(LOW, 0.25), HardTanh(min = 2), HardSigmoid(slope = -0.2),
    }
}

fn main() {}
