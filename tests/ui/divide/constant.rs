use monomorph::network;

const GROUPS: usize = 5;

network! {
    pub Grouped: [8, 8, 6] -> [8, 8, 6] {
        GroupNorm(GROUPS), Conv2d(6, kernel = 3, padding = same),
    }
}

fn main() {}
