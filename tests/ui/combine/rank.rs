use monomorph::network;

network! {
    pub Mixed(image: [8, 8, 3], numbers: [4]) -> [2] {
        concat(image, numbers) |> Dense(2)
    }
}

fn main() {}
