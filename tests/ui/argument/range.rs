use monomorph::network;

network! {
    pub Digits: [28, 28, 1] -> [10] {
        Conv2d(6, kernel = 3), BatchNorm(epsilon = -1.0), BatchNorm(momentum = 1.5), LayerNorm(epsilon = 0),
        RmsNorm(epsilon = -1e-6), GroupNorm(2, epsilon = 0.0), Dropout(1), ActivityRegularization(l1 = -0.1),
        Flatten, Dense(10),
    }
}

fn main() {}
