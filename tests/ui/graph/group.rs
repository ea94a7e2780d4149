use monomorph::prelude::*;

network! { NotLifted: [8, 8, 3] -> [8, 8, 16] { GroupConv2d(4, kernel = 3, padding = same) } }
network! { Oblong: [8, 8, 3] -> [8, 8, 16] { LiftConv2d(4, kernel = (3, 5), padding = same) } }
network! { Word: [8, 8, 3] -> [8, 8, 16] { LiftConv2d(4, kernel = 3, padding = same, group = p5) } }
network! { Pooled: [8, 8, 12] -> [8, 8, 3] { GroupPool(group = p4m) } }

fn main() {}
