//! The solution of Burgers' equation `u_t + u u_x = ν u_xx` with `u(x, 0) = −sin πx` and `u(±1, t) = 0`, from that of the
//! heat equation: E. Hopf, *The partial differential equation u_t + u u_x = μ u_xx* (1950); J. Cole, *On a quasi-linear
//! parabolic equation occurring in aerodynamics* (1951).

use std::f64::consts::PI;

/// The viscosity.
pub const VISCOSITY: f64 = 0.01 / PI;

/// `u(x, t) = −∫ sin(πy) e^E dz / ∫ e^E dz` with `y = x − 2√(νt) z` and `E = −cos(πy)/(2πν) − z²`.
///
/// The trapezoidal rule is exact up to rounding for such integrals; the largest exponent is subtracted from all.
pub fn solution([x, t]: [f64; 2]) -> f64 {
    if t == 0.0 {
        return -(PI * x).sin();
    }
    const STEPS: i32 = 400;
    let nodes: Vec<(f64, f64)> = (-STEPS..=STEPS)
        .map(|n| {
            let z = 16.0 * f64::from(n) / f64::from(STEPS);
            let (sine, cosine) = (PI * (x - 2.0 * (VISCOSITY * t).sqrt() * z)).sin_cos();
            (-cosine / (2.0 * PI * VISCOSITY) - z * z, sine)
        })
        .collect();
    let largest = nodes.iter().fold(f64::NEG_INFINITY, |largest, (exponent, _)| largest.max(*exponent));
    let (mut above, mut below) = (0.0, 0.0);
    for (exponent, sine) in nodes {
        let weight = (exponent - largest).exp();
        above += weight * sine;
        below += weight;
    }
    -above / below
}
