use monomorph::network;

network! { pub Keyword: [4] -> [2] { type: Dense(2) } }
network! { pub Itself: [4] -> [2] { self: Dense(2) } }
network! { pub Underscores: [4] -> [2] { __dense: Dense(2) } }
network! { pub Port(fn: [4]) -> [2] { Dense(2) } }
network! { pub Sizes<const input: usize>: [input] -> [2] { Dense(2) } }

fn main() {}
