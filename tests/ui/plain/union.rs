use monomorph::memory::Plain;

#[derive(Plain)]
union Word {
    number: f32,
    bits: u32,
}

fn main() {}
