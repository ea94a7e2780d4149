use std::vec::Vec;

use super::special::{digamma, ln_gamma};
use super::*;
use crate::dual::Dual;
use crate::weights::Checkpoint;

fn close(found: f64, expected: f64, tolerance: f64, what: &str) {
    assert!((found - expected).abs() <= tolerance * (1.0 + expected.abs()), "{what}: {found} is not {expected}");
}

struct Reference(Checkpoint<'static>);

impl Reference {
    fn get<const N: usize>(&self, name: &str) -> [f64; N] {
        self.0.numbers(name).unwrap().try_into().unwrap()
    }

    /// Compares what five distributions of a kind say, or one says of five numbers.
    fn check<const N: usize>(&self, name: &str, found: [f64; N]) {
        for (found, expected) in found.into_iter().zip(self.get::<N>(name)) {
            close(found, expected, 1e-10, name);
        }
    }

    fn kind<D: Distribution<Number = f64, Value = f64>>(
        &self,
        name: &str,
        of: impl Fn(usize) -> D,
        entropy: impl Fn(&D) -> f64,
    ) {
        let x = self.get::<5>(&std::format!("{name}.x"));
        let each: [D; 5] = core::array::from_fn(of);
        self.check::<5>(&std::format!("{name}.log_prob"), core::array::from_fn(|k| each[k].log_prob(x[k])));
        self.check::<5>(&std::format!("{name}.entropy"), core::array::from_fn(|k| entropy(&each[k])));
    }

    fn kl<D>(&self, name: &str, first: impl Fn(usize) -> D, second: impl Fn(usize) -> D, kl: impl Fn(&D, &D) -> f64) {
        let found = core::array::from_fn::<f64, 5, _>(|k| kl(&first(k), &second(k)));
        self.check(&std::format!("{name}.kl"), found);
    }
}

#[test]
fn agree_with_the_reference() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/prob_distributions.safetensors");
    let file = Reference(Checkpoint::open(path).unwrap());
    let [mean, sd, mean2, sd2] = ["mean", "sd", "mean2", "sd2"].map(|name| file.get::<5>(name));
    let [alpha, beta, positive] = ["alpha", "beta", "positive"].map(|name| file.get::<5>(name));
    let [logits, logits2] = ["logits", "logits2"].map(|name| file.get::<5>(name));

    let normal = |k: usize| Normal { mean: mean[k], deviation: sd[k] };
    file.kind("normal", normal, Normal::entropy);
    file.kl("normal", normal, |k| Normal { mean: mean2[k], deviation: sd2[k] }, Normal::divergence);
    let laplace = |k: usize| Laplace { mean: mean[k], scale: sd[k] };
    file.kind("laplace", laplace, Laplace::entropy);
    file.kl("laplace", laplace, |k| Laplace { mean: mean2[k], scale: sd2[k] }, Laplace::divergence);
    file.kind("log_normal", |k| LogNormal { mean: mean[k], deviation: sd[k] }, LogNormal::entropy);
    file.kind("cauchy", |k| Cauchy { median: mean[k], scale: sd[k] }, Cauchy::entropy);
    let student = |k: usize| StudentT { freedom: alpha[k] + 2.5, mean: mean[k], scale: sd[k] };
    file.kind("student_t", student, StudentT::entropy);
    let of_beta = |k: usize| Beta { a: alpha[k], b: beta[k] };
    file.kind("beta", of_beta, Beta::entropy);
    file.kl("beta", of_beta, |k| Beta { a: beta[k] + 0.1, b: alpha[k] }, Beta::divergence);
    let gamma = |k: usize| Gamma { shape: alpha[k], rate: beta[k] };
    file.kind("gamma", gamma, Gamma::entropy);
    file.kl("gamma", gamma, |k| Gamma { shape: beta[k], rate: alpha[k] }, Gamma::divergence);
    let exponential = |k: usize| Exponential { rate: alpha[k] };
    file.kind("exponential", exponential, Exponential::entropy);
    file.kl("exponential", exponential, |k| Exponential { rate: beta[k] }, Exponential::divergence);

    let bernoulli = |k: usize| Bernoulli { logit: logits[k] };
    let yes = file.get::<5>("bernoulli.x");
    file.check::<5>("bernoulli.log_prob", core::array::from_fn(|k| bernoulli(k).log_prob(yes[k] > 0.5)));
    file.check::<5>("bernoulli.entropy", core::array::from_fn(|k| bernoulli(k).entropy()));
    file.kl("bernoulli", bernoulli, |k| Bernoulli { logit: logits2[k] }, Bernoulli::divergence);
    let (first, second) = (Categorical { logits }, Categorical { logits: logits2 });
    let [class] = file.get::<1>("categorical.x");
    file.check("categorical.log_prob", [first.log_prob(class as usize)]);
    file.check("categorical.entropy", [first.entropy()]);
    file.check("categorical.kl", [first.divergence(&second)]);
    let poisson = |k: usize| Poisson { rate: 3.0 * positive[k] };
    let events = file.get::<5>("poisson.x");
    file.check::<5>("poisson.log_prob", core::array::from_fn(|k| poisson(k).log_prob(events[k] as u64)));
    file.kl("poisson", poisson, |k| Poisson { rate: positive[k] }, Poisson::divergence);

    let [first, second] = [alpha, beta].map(|numbers| Dirichlet { concentration: numbers.map(|number| number + 0.5) });
    file.check("dirichlet.log_prob", [first.log_prob(file.get("dirichlet.x"))]);
    file.check("dirichlet.entropy", [first.entropy()]);
    file.check("dirichlet.kl", [first.divergence(&second)]);
    let rows = |name| core::array::from_fn(|row| core::array::from_fn(|column| file.get::<25>(name)[5 * row + column]));
    let first = MultivariateNormal { mean, factor: rows("mvn.tril") };
    let second = MultivariateNormal { mean: mean2, factor: rows("mvn.tril2") };
    file.check("mvn.log_prob", [first.log_prob(file.get("normal.x"))]);
    file.check("mvn.entropy", [first.entropy()]);
    file.check("mvn.kl", [first.divergence(&second)]);
}

#[test]
fn the_gamma_function_is_exact() {
    for (x, expected) in [(0.5, 0.572_364_942_924_700_1), (1.0, 0.0), (2.0, 0.0), (10.0, 12.801_827_480_081_469)] {
        close(ln_gamma(x), expected, 1e-13, "ln Γ");
    }
    for k in 1..400 {
        let x = f64::from(k) * 0.07;
        close(ln_gamma(x), libm::lgamma(x), 1e-13, "ln Γ");
        close(ln_gamma(Dual::<f64, 1>::variable(x, 0)).derivatives[0], digamma(x), 1e-12, "ψ");
    }
    // −γ, and −γ − 2 ln 2.
    close(digamma(1.0), -0.577_215_664_901_532_9, 1e-13, "ψ");
    close(digamma(0.5), -1.963_510_026_021_423_5, 1e-13, "ψ");
    assert!(ln_gamma(-1.0_f64).is_nan() && ln_gamma(f64::NAN).is_nan() && digamma(0.0_f64).is_nan());
}

/// Dual numbers against central differences.
fn derivatives<const N: usize>(
    what: &str,
    at: [f64; N],
    f: impl Fn([f64; N]) -> f64,
    dual: impl Fn([Dual<f64, N>; N]) -> Dual<f64, N>,
) {
    let found = dual(core::array::from_fn(|k| Dual::variable(at[k], k)));
    close(found.value, f(at), 1e-12, what);
    for k in 0..N {
        let moved = |by: f64| {
            let mut x = at;
            x[k] += by;
            f(x)
        };
        close(found.derivatives[k], (moved(1e-5) - moved(-1e-5)) / 2e-5, 1e-7, what);
    }
}

/// Checks a function of numbers that are parameters or values.
macro_rules! differentiable {
    ($name:literal, $at:expr, |$x:ident| $body:expr) => {
        derivatives($name, $at, |$x| $body, |$x| $body)
    };
}

#[test]
fn dual_numbers_differentiate() {
    differentiable!("normal", [0.3, 0.7, 1.1], |x| Normal { mean: x[0], deviation: x[1] }.log_prob(x[2]));
    differentiable!("log normal", [0.3, 0.7, 1.1], |x| LogNormal { mean: x[0], deviation: x[1] }.log_prob(x[2]));
    differentiable!("laplace", [0.3, 0.7, 1.1], |x| Laplace { mean: x[0], scale: x[1] }.log_prob(x[2]));
    differentiable!("cauchy", [0.3, 0.7, 1.1], |x| Cauchy { median: x[0], scale: x[1] }.log_prob(x[2]));
    differentiable!("tanh normal", [0.3, 0.7, 0.4], |x| TanhNormal { mean: x[0], deviation: x[1] }.log_prob(x[2]));
    differentiable!("gamma", [0.3, 0.7, 1.1], |x| Gamma { shape: x[0], rate: x[1] }.log_prob(x[2]));
    differentiable!("beta", [0.3, 0.7, 0.4], |x| Beta { a: x[0], b: x[1] }.log_prob(x[2]));
    differentiable!("student", [3.3, 0.7, 1.2, 0.1], |x| {
        StudentT { freedom: x[0], mean: x[1], scale: x[2] }.log_prob(x[3])
    });
    differentiable!("entropies", [1.3, 0.7], |x| {
        Gamma { shape: x[0], rate: x[1] }.entropy()
            + Beta { a: x[0], b: x[1] }.entropy()
            + StudentT { freedom: x[0], mean: x[1], scale: x[1] }.entropy()
            + Categorical { logits: x }.entropy()
            + Bernoulli { logit: x[0] }.entropy()
    });
    differentiable!("divergences", [1.3, 0.7, 0.4, 2.1], |x| {
        Gamma { shape: x[0], rate: x[1] }.divergence(&Gamma { shape: x[2], rate: x[3] })
            + Dirichlet { concentration: [x[0], x[1]] }.divergence(&Dirichlet { concentration: [x[2], x[3]] })
            + Cauchy { median: x[0], scale: x[1] }.divergence(&Cauchy { median: x[2], scale: x[3] })
            + Laplace { mean: x[0], scale: x[1] }.divergence(&Laplace { mean: x[2], scale: x[3] })
            + Categorical { logits: [x[0], x[1]] }.divergence(&Categorical { logits: [x[2], x[3]] })
    });
    differentiable!("mixture", [0.3, 0.7, -0.4, 1.1, 0.2], |x| {
        let components = [0, 2].map(|k| Normal { mean: x[k], deviation: x[1] });
        Mixture { weights: Categorical { logits: [x[3], x[4]] }, components }.log_prob(x[2])
    });
    differentiable!("multivariate", [0.3, 0.7, -0.4, 1.1, 0.2], |x| {
        let factor = [[x[1], x[1]], [x[2], x[3]]];
        MultivariateNormal { mean: [x[0], x[4]], factor }.log_prob([x[2], x[0]])
    });
    // Where the pieces of a function meet.
    differentiable!("bernoulli", [0.0], |x| Bernoulli { logit: x[0] }.log_prob(true));
    differentiable!("tanh", [0.0], |x| super::line::tanh(x[0]));
    differentiable!("samples", [0.3, 0.7], |x| {
        let noise = &mut Noise::new(5);
        let factor = [[x[1], x[1]], [x[0], x[1]]];
        Normal { mean: x[0], deviation: x[1] }.sample(noise)
            + LogNormal { mean: x[0], deviation: x[1] }.sample(noise)
            + Laplace { mean: x[0], scale: x[1] }.sample(noise)
            + Cauchy { median: x[0], scale: x[1] }.sample(noise)
            + TanhNormal { mean: x[0], deviation: x[1] }.sample_with_log_prob(noise).1
            + Exponential { rate: x[1] }.sample(noise)
            + MultivariateNormal { mean: x, factor }.sample(noise)[1]
    });
}

const DRAWS: usize = 20_000;

/// Kolmogorov and Smirnov's distance between samples and the integral of the density, by Simpson's rule between them.
fn distance<D: Distribution<Number = f64, Value = f64>>(what: &str, of: &D, from: f64) {
    let mut noise = Noise::new(11);
    let mut samples: Vec<f64> = (0..DRAWS).map(|_| of.sample(&mut noise)).collect();
    samples.sort_by(f64::total_cmp);
    let density = |x: f64| of.log_prob(x).exp();
    let (mut at, mut integral, mut largest) = (from, 0.0, 0.0_f64);
    for (rank, x) in samples.iter().enumerate() {
        assert!(*x >= from, "{what}: {x}");
        if *x > at {
            // Enough pieces for the tails.
            let pieces = if rank == 0 || rank + 50 > DRAWS { 2000 } else { 4 };
            let h = (x - at) / f64::from(pieces);
            for piece in 0..pieces {
                let left = at + h * f64::from(piece);
                integral += h / 6.0 * (density(left) + 4.0 * density(left + h / 2.0) + density(left + h));
            }
            at = *x;
        }
        largest = largest.max((integral - rank as f64 / DRAWS as f64).abs());
    }
    // One time in a million it would be more.
    assert!(largest * (DRAWS as f64).sqrt() < 2.7, "{what}: {largest}");
}

#[test]
fn samples_have_the_distribution() {
    distance("normal", &Normal { mean: 0.3, deviation: 0.7 }, -8.0);
    distance("laplace", &Laplace { mean: 0.3, scale: 0.7 }, -20.0);
    distance("student", &StudentT { freedom: 5.0, mean: 0.3, scale: 0.7 }, -60.0);
    distance("log normal", &LogNormal { mean: 0.3, deviation: 0.7 }, 1e-6);
    distance("exponential", &Exponential { rate: 1.7 }, 0.0);
    distance("gamma", &Gamma { shape: 3.5, rate: 1.7 }, 1e-6);
    distance("beta", &Beta { a: 2.5, b: 1.7 }, 1e-6);
    distance("tanh normal", &TanhNormal { mean: 0.3, deviation: 0.5 }, -0.999);
    let mixture = Mixture {
        weights: Categorical { logits: [0.3_f64.ln(), 0.7_f64.ln()] },
        components: [Normal { mean: -1.0, deviation: 0.5 }, Normal { mean: 2.0, deviation: 0.3 }],
    };
    distance("mixture", &mixture, -8.0);

    // Half of Cauchy's numbers are within γ of the middle.
    let (mut noise, cauchy) = (Noise::new(3), Cauchy { median: 0.3, scale: 0.7 });
    let within = (0..DRAWS).filter(|_| (cauchy.sample(&mut noise) - 0.3_f64).abs() < 0.7).count();
    close(within as f64 / DRAWS as f64, 0.5, 0.015, "cauchy");
    // Below a shape of 1 the density has no upper limit: moments.
    let small = moments(|noise| Gamma { shape: 0.4, rate: 2.0 }.sample(noise));
    close(small[0], 0.2, 0.02, "mean of gamma");
    close(small[1], 0.1, 0.02, "variance of gamma");
}

fn moments(mut draw: impl FnMut(&mut Noise) -> f64) -> [f64; 2] {
    let (mut noise, mut sum, mut squares) = (Noise::new(2), 0.0, 0.0);
    for _ in 0..DRAWS {
        let x = draw(&mut noise);
        sum += x;
        squares += x * x;
    }
    let mean = sum / DRAWS as f64;
    [mean, squares / DRAWS as f64 - mean * mean]
}

#[test]
fn samples_have_the_moments() {
    let poisson = moments(|noise| Poisson { rate: 3.5 }.sample(noise) as f64);
    close(poisson[0], 3.5, 0.02, "mean of Poisson");
    close(poisson[1], 3.5, 0.05, "variance of Poisson");
    let yes = moments(|noise| f64::from(Bernoulli { logit: 0.4 }.sample(noise)));
    close(yes[0], Bernoulli { logit: 0.4 }.probability(), 0.02, "mean of Bernoulli");
    let classes = Categorical { logits: [0.0, f64::NEG_INFINITY, 1.0] };
    let class = moments(|noise| classes.sample(noise) as f64);
    close(class[0], 2.0 * classes.log_prob(2).exp(), 0.02, "mean of the class");
    close(classes.entropy(), Bernoulli { logit: 1.0 }.entropy(), 1e-12, "entropy with an impossible class");
    let share = moments(|noise| Dirichlet { concentration: [0.5, 1.0, 2.5] }.sample(noise)[2]);
    close(share[0], 0.625, 0.02, "mean of a share");
    let vector = MultivariateNormal { mean: [1.0, 2.0], factor: [[0.5, 9.0], [0.3, 0.4]] };
    let [product, _] = moments(|noise| {
        let [x, y] = vector.sample(noise);
        (x - 1.0) * (y - 2.0)
    });
    close(product, 0.15, 0.02, "covariance");
}

#[test]
fn a_seed_gives_the_same_numbers_everywhere() {
    let noise = &mut Noise::new(1);
    let normal = Normal { mean: 0.0, deviation: 1.0 }.sample(noise);
    assert_eq!(normal, Noise::new(1).normal());
    assert!(Gamma { shape: f64::NAN, rate: 1.0 }.sample(noise).is_nan());
    assert_eq!(Poisson { rate: f64::INFINITY }.sample(noise), 0);
}

/// Means of samples' derivatives are derivatives of means.
#[test]
fn implicit_derivatives_are_right_on_average() {
    let mut noise = Noise::new(7);
    let mut mean = |f: &mut dyn FnMut(&mut Noise) -> Dual<f64, 2>| -> [f64; 2] {
        let mut sums = [0.0; 2];
        for _ in 0..DRAWS {
            let derivatives = f(&mut noise).derivatives;
            sums = core::array::from_fn(|k| sums[k] + derivatives[k] / DRAWS as f64);
        }
        sums
    };
    let at = |a: f64, b: f64| [Dual::<f64, 2>::variable(a, 0), Dual::variable(b, 1)];
    for (a, r) in [(0.4, 1.3), (2.5, 0.7), (20.0, 2.0)] {
        let [shape, rate] = at(a, r);
        let found = mean(&mut |noise| Gamma { shape, rate }.sample(noise));
        close(found[0], 1.0 / r, 0.03, "of a/r by a");
        close(found[1], -a / (r * r), 0.03, "of a/r by r");
        // E ln x = ψ(a) − ln r.
        let found = mean(&mut |noise| Gamma { shape, rate }.sample(noise).ln());
        close(found[0], digamma(Dual::<f64, 1>::variable(a, 0)).derivatives[0], 0.05, "of E ln x by a");
    }
    let [a, b] = at(2.5, 1.2);
    let found = mean(&mut |noise| Beta { a, b }.sample(noise));
    close(found[0], 1.2 / (3.7 * 3.7), 0.01, "of a/(a + b) by a");
    close(found[1], -2.5 / (3.7 * 3.7), 0.01, "of a/(a + b) by b");
    // E x² = σ²·ν/(ν − 2).
    let [freedom, scale] = at(12.0, 0.7);
    let student = StudentT { freedom, mean: Dual::constant(0.0), scale };
    let found = mean(&mut |noise| {
        let x = student.sample(noise);
        x * x
    });
    close(found[0], -0.49 * 2.0 / 100.0, 0.005, "of the variance by ν");
    close(found[1], 1.4 * 1.2, 0.05, "of the variance by σ");
    // E x = Σ w·μ.
    let [logit, place] = at(0.4, -1.0);
    let mixture = Mixture {
        weights: Categorical { logits: [logit, Dual::constant(0.0)] },
        components: [place, Dual::constant(2.0)].map(|mean| Normal { mean, deviation: Dual::constant(0.5) }),
    };
    let weight = Bernoulli { logit: 0.4 }.probability();
    let found = mean(&mut |noise| mixture.sample_reparameterized(noise));
    close(found[0], -3.0 * weight * (1.0 - weight), 0.03, "of the mean by a weight");
    close(found[1], weight, 0.03, "of the mean by a component");
}

#[test]
fn entropies_without_a_formula() {
    let poisson = Poisson { rate: 0.8_f64 };
    let direct: f64 = (0..60).map(|k| poisson.log_prob(k)).map(|log| -log * log.exp()).sum();
    close(poisson.entropy(), direct, 1e-12, "Poisson");
    // ½ ln 2πe·r − 1/12r − 1/24r² − ..
    let large = 0.5 * (core::f64::consts::TAU * core::f64::consts::E * 1e4).ln() - 1.0 / 12e4 - 1.0 / 24e8;
    close(Poisson { rate: 1e4 }.entropy(), large, 1e-10, "Poisson");
    differentiable!("Poisson", [3.0], |x| Poisson { rate: x[0] }.entropy());
    // −E ln p over samples, and the divergence of the normal distributions.
    for (mean, deviation) in [(0.0, 0.05), (0.4, 0.7), (-2.0, 3.0), (0.0, 40.0)] {
        let of = TanhNormal { mean, deviation };
        let mut noise = Noise::new(4);
        let found = (0..DRAWS).map(|_| -of.sample_with_log_prob(&mut noise).1).sum::<f64>() / DRAWS as f64;
        close(of.entropy(), found, 0.04, "tanh normal");
    }
    let wide = TanhNormal { mean: 0.3_f64, deviation: 0.7 };
    differentiable!("tanh normal", [0.3, 0.7], |x| TanhNormal { mean: x[0], deviation: x[1] }.entropy());
    close(wide.divergence(&wide), 0.0, 1e-15, "tanh normal");
    let normal = Normal { mean: 0.3, deviation: 0.7 };
    close(normal.cumulative(0.3 + 0.7 * 1.959_963_984_540_054), 0.975, 1e-12, "the normal distribution function");
    differentiable!("cumulative", [0.3, 0.7, 1.1], |x| Normal { mean: x[0], deviation: x[1] }.cumulative(x[2]));
}
