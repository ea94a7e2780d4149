use monomorph::network;

network! {
    pub Part: [4] -> [2] {
        #[cfg(feature = "wide")]
        Dense(8),
        Dense(2),
    }
}
network! {
    pub Block: [4] -> [4] {
        /// What it learns beside its input.
        residual { Dense(4) }
    }
}
network! {
    pub Other: [4] -> [4] {
        #[inline]
        Dense(4)
    }
}

fn main() {}
