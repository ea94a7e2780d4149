use monomorph::network;

const SIZE: usize = 24;
const KERNEL: usize = 55;

network! {
    pub Wide: [SIZE, SIZE, 1] -> [10] {
        wide: Conv2d(6, kernel = KERNEL), Relu,
        Flatten, Dense(10),
    }
}

fn main() {}
