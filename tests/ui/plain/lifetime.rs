use monomorph::memory::Plain;

#[derive(Plain)]
struct View<'a> {
    numbers: &'a [f32; 4],
}

fn main() {}
