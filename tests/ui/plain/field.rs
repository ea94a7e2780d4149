use monomorph::memory::Plain;

#[derive(Plain)]
struct Names {
    lengths: [u32; 4],
    names: Vec<String>,
}

fn main() {}
