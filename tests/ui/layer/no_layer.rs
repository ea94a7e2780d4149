use monomorph::network;

network! {
    pub Net: [4] -> [4] {}
}

fn main() {}
