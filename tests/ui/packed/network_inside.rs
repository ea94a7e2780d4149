use monomorph::network;

network! {
    #[packed(EyeSmall: i8)]
    pub Eye: [4] -> [4] { Dense(4) }
}

network! {
    #[packed(FaceSmall: i8 { eye: EyeSmall, dense1: EyeSmall, ey: EyeSmall, eye: EyeSmall })]
    pub Face: [4] -> [4] { eye: Eye, Dense(4) }
}

network! {
    #[packed(HeadHalf: f16 { eye })]
    pub Head: [4] -> [4] { eye: Eye, Dense(4) }
}

fn main() {}
