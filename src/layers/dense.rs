//! Dense.
use crate::parameters::Parameters;
/// To come.
#[derive(Parameters)]
#[repr(C)]
pub struct Dense<T, const IN: usize, const OUT: usize, const BIAS: usize = OUT> {
    /// W.
    pub weight: [[T; OUT]; IN],
    /// b.
    #[parameters(start = 0.0)]
    pub bias: [T; BIAS],
}
