use std::fmt;
use std::ops::{Add, AddAssign, Div, DivAssign, Mul, MulAssign, Neg, Sub, SubAssign};

use monomorph::memory::Plain;
use monomorph::prelude::*;
use monomorph::scalar::Scalar;
use monomorph::simd::{Simd, Single};
use monomorph::tensor::Element;

/// Fixed point.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd, Plain)]
pub struct Q15(i32);

impl Element for Q15 {}

impl Scalar for Q15 {
    type Vector<S: Simd> = Single<Self>;
    const ZERO: Self = Self(0);
    const ONE: Self = Self(1 << 15);
    const NAME: &'static str = "q15";

    fn from_f64(value: f64) -> Self {
        Self((value * 32768.0) as i32)
    }
    fn to_f64(self) -> f64 {
        f64::from(self.0) / 32768.0
    }
    fn is_finite(self) -> bool {
        true
    }
}

impl fmt::Display for Q15 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_f64().fmt(f)
    }
}

impl Neg for Q15 {
    type Output = Self;
    fn neg(self) -> Self {
        Self(-self.0)
    }
}

macro_rules! operators {
    ($($trait:ident $method:ident $assign:ident $assign_method:ident $symbol:tt)*) => { $(
        impl $trait for Q15 {
            type Output = Self;
            fn $method(self, other: Self) -> Self {
                Self::from_f64(self.to_f64() $symbol other.to_f64())
            }
        }
        impl $assign for Q15 {
            fn $assign_method(&mut self, other: Self) {
                *self = *self $symbol other;
            }
        }
    )* };
}
operators!(Add add AddAssign add_assign + Sub sub SubAssign sub_assign -);
operators!(Mul mul MulAssign mul_assign * Div div DivAssign div_assign /);

network! { pub Bent<T: Scalar>: [4] -> [2] { Dense(3), Relu, Dense(2) } }
network! { pub Smooth<T>: [4] -> [2] { Dense(3), Tanh, Dense(2) } }

pub fn bent(net: &Bent<Q15>) -> [Q15; 2] {
    net.evaluate(&[Q15::ONE; 4])
}

pub fn smooth(net: &Smooth<Q15>) {
    let _ = net;
}

fn main() {}
