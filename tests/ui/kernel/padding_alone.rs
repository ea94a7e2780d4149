use monomorph::network;

const THREE: usize = 3;

network! { pub Literal: [4, 4, 1] -> [5, 5, 1] { MaxPool2d(2, padding = 3) } }
network! { pub Constant: [8, 1] -> [7, 1] { AvgPool1d(2, padding = THREE) } }

fn main() {}
