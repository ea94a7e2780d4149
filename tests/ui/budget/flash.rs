use monomorph::network;

network! {
    #[budget(flash = "64 KiB")]
    pub Digits: [784] -> [10] {
        hidden: Dense(64), Relu, Dense(32), Relu, head: Dense(10),
    }
}

fn main() {}
