use monomorph::network;

network! {
    pub Small: [4, 3] -> [4, 3] {
        Softmax(axis = 2), LogSoftmax(axis = -1), Softmax(axis = 1),
    }
}

fn main() {}
