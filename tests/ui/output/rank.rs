use monomorph::network;

network! {
    pub Detector: [32, 32, 3] -> [8] {
        Conv2d(8, kernel = 3, padding = same), Relu,
    }
}

fn main() {}
