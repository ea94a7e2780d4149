use monomorph::Parameters;

#[derive(Parameters)]
#[parameters(number = f32)]
#[repr(C)]
pub struct Table {
    #[parameters(packd)]
    weight: [[f32; 4]; 8],
}

#[derive(Parameters)]
#[repr(C)]
pub struct Row {
    #[parameters(packd)]
    weight: [f32; 4],
}

fn main() {}
