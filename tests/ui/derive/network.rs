use monomorph::network;

network! { #[derive(Clone, Copy, Debug)] pub Copied: [4] -> [2] { Dense(2) } }
network! { #[derive(Default, PartialEq, Eq)] pub Compared: [4] -> [2] { Dense(2) } }

fn main() {}
