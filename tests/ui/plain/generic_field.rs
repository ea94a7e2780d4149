use monomorph::memory::Plain;

#[derive(Plain)]
struct Sample<X> {
    input: X,
}

const SAMPLE: Sample<Option<char>> = monomorph::memory::zeroed();

fn main() {}
