use monomorph::memory::Plain;

#[derive(Plain)]
struct View<const N: usize> {
    numbers: &'static [f32; N],
}

fn main() {}
