use monomorph::network;

network! {
    #[stored(EyeSmall: i8)]
    pub Eye: [4] -> [4] { Dense(4) }
}

network! { pub Ear: [4] -> [4] { Dense(4) } }

network! {
    #[stored(HeadSmall: i8 { eye: Ear })]
    pub Head: [4] -> [4] { eye: Eye, Dense(4) }
}

network! {
    #[stored(BodySmall: i8 { ear: EyeSmall })]
    pub Body: [4] -> [4] { ear: Ear, Dense(4) }
}

fn main() {}
