use monomorph::Parameters;

#[derive(Parameters)]
#[repr(C)]
pub struct Table {
    #[parameters(packed)]
    weight: [[f32; 4]; 8],
}

#[derive(Parameters)]
#[repr(C)]
pub struct Rows<W> {
    #[parameters(packed)]
    weight: [W; 8],
}

fn main() {}
