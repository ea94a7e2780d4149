use monomorph::network;

network! {
    #[budget(flesh = "64 KiB", ram = "some")]
    pub Digits: [784] -> [10] { Dense(10) }
}

fn main() {}
