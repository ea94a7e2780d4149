use monomorph::network;

const CUT: usize = 5;

network! { pub Cut: [4, 4, 3] -> [9, 9, 2] { ConvTranspose2d(2, kernel = 3, padding = CUT) } }
network! { pub Line: [4, 3] -> [2, 2] { ConvTranspose1d(2, kernel = 3, padding = 3) } }
network! { pub Extra: [4, 4, 3] -> [9, 9, 2] { ConvTranspose2d(2, kernel = 3, stride = 2, output_padding = 2) } }
network! { pub Causal: [4, 3] -> [4, 3] { ConvTranspose1d(3, kernel = 3, padding = causal) } }
network! { pub Groups: [4, 3] -> [6, 4] { ConvTranspose1d(4, kernel = 3, groups = 2) } }

fn main() {}
