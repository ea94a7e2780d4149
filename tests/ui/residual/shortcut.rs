use monomorph::network;

network! {
    pub Block: [32, 32, 16] -> [10] {
        down: residual(shortcut = Conv2d(32, kernel = 1)) {
            Conv2d(32, kernel = 3, stride = 2, padding = same), Relu,
        },
        GlobalAvgPool2d, Dense(10),
    }
}

fn main() {}
