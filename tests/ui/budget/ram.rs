use monomorph::network;

network! {
    #[budget(flash = "1 MiB", ram = "4 KiB")]
    pub Digits: [28, 28, 1] -> [10] {
        Conv2d(6, kernel = 5, padding = 2), Relu, MaxPool2d(2), Flatten, Dense(10),
    }
}

fn main() {}
