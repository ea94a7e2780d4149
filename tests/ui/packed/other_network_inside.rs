use monomorph::network;

network! {
    #[packed(EyeSmall: i8)]
    pub Eye: [4] -> [4] { Dense(4) }
}

network! { pub Ear: [4] -> [4] { Dense(4) } }

network! {
    #[packed(HeadSmall: i8 { eye: Ear })]
    pub Head: [4] -> [4] { eye: Eye, Dense(4) }
}

network! {
    #[packed(BodySmall: i8 { ear: EyeSmall })]
    pub Body: [4] -> [4] { ear: Ear, Dense(4) }
}

fn main() {}
