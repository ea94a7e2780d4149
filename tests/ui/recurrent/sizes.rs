use monomorph::network;

network! { pub Flat: [16] -> [4] { Lstm(4) } }
network! { pub Word: [16, 3] -> [4] { Gru(4, first) } }
network! { pub Every: [16, 3] -> [4] { Rnn(4) } }
network! { pub Parameter<const H: usize>: [16, 3] -> [16, H] { Lstm(H) } }

fn main() {}
