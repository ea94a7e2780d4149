use monomorph::network;

const CLASSES: usize = 10;
const HIDDEN: usize = 12;

network! {
    pub Classifier: [784] -> [CLASSES] {
        Dense(64), Relu,
        head: Dense(HIDDEN),
    }
}

fn main() {}
