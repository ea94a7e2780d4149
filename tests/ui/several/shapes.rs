use monomorph::layer::{Batch, GradientOf, Pass};
use monomorph::prelude::*;
use monomorph::simd::Simd;
use monomorph::{Layer, Parameters};

/// `y = a + b`.
#[derive(Parameters)]
#[parameters(scalar = f32)]
#[repr(C)]
pub struct Sum;

impl Layer for Sum {
    type Input = ([f32; 4], [f32; 4]);
    type Output = [f32; 4];
    type Saved<const B: usize> = ();
    type Workspace<const B: usize> = ();
    const MACS: usize = 0;

    fn evaluate<S: Simd, const B: usize>(
        &self,
        _: S,
        _: Batch<'_, Self::Input, B>,
        _: &mut [[f32; 4]; B],
        _: &mut (),
    ) {
    }

    fn forward<S: Simd, const B: usize>(
        &self,
        _: S,
        _: Batch<'_, Self::Input, B>,
        _: &mut [[f32; 4]; B],
        _: &mut (),
        _: &mut Pass<f32>,
    ) {
    }

    fn backward<S: Simd, const B: usize>(
        &self,
        _: S,
        _: Batch<'_, Self::Input, B>,
        _: &[[f32; 4]; B],
        _: &mut (),
        _: &mut [[f32; 4]; B],
        _: GradientOf<'_, Self::Input, B>,
        _: &mut Self,
        _: &Pass<f32>,
    ) {
    }
}

network! {
    pub Longer(left: [4], right: [5]) -> [4] {
        (left, right) |> self::Sum
    }
}

network! { pub Alone: [4] -> [4] { self::Sum } }

network! {
    pub Three(left: [4], right: [4]) -> [4] {
        (left, right, left) |> self::Sum
    }
}

fn main() {}
