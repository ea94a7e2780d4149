use monomorph::network;

network! {
    pub Block: [32, 32, 16] -> [10] {
        residual { Conv2d(32, kernel = 3, padding = same), BatchNorm, Relu },
        GlobalAvgPool2d, Dense(10),
    }
}

fn main() {}
