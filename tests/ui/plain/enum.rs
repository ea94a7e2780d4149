use monomorph::memory::Plain;

#[derive(Plain)]
enum Side {
    Left = 1,
    Right = 2,
}

fn main() {}
