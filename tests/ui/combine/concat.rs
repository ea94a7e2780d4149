use monomorph::network;

network! {
    pub UNet: [64, 64, 1] -> [64, 64, 1] {
        let fine = input |> Conv2d(8, kernel = 3, padding = same) |> Relu;
        let coarse = fine |> MaxPool2d(2) |> Conv2d(16, kernel = 3, padding = same) |> Relu;
        concat(fine, coarse) |> Conv2d(1, kernel = 1)
    }
}

fn main() {}
