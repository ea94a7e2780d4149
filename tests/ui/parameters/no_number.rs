use monomorph::Parameters;

#[derive(Parameters)]
#[repr(C)]
pub struct Nothing;

fn main() {}
