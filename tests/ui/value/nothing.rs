use monomorph::network;

network! {
    pub Net: [4] -> [4] { let same = input; }
}

fn main() {}
