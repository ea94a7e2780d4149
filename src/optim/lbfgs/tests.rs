use super::*;
use crate::memory::zeroed;

#[derive(Parameters)]
#[repr(C)]
struct Place<const P: usize> {
    x: [f64; P],
    #[parameters(state)]
    running: [f64; 1],
}

type Function<const P: usize> = fn(&[f64; P]) -> (f64, [f64; P]);

struct Landscape<const P: usize>(Function<P>, f64, Place<P>);

impl<const P: usize> Landscape<P> {
    fn at(function: Function<P>, place: &Place<P>) -> Self {
        let (value, x) = function(&place.x);
        Self(function, value, Place { x, running: [0.25] })
    }
}

impl<const P: usize> Objective<Place<P>> for Landscape<P> {
    fn loss(&self) -> f64 {
        self.1
    }
    fn gradient(&self) -> &Place<P> {
        &self.2
    }
    fn gradient_mut(&mut self) -> &mut Place<P> {
        &mut self.2
    }
    fn loss_at(&mut self, at: &Place<P>) -> f64 {
        self.0(&at.x).0
    }
    fn gradient_at(&mut self, at: &Place<P>) -> f64 {
        *self = Self::at(self.0, at);
        self.1
    }
}

/// Rosenbrock's function of any number of variables.
fn rosenbrock<const P: usize>(x: &[f64; P]) -> (f64, [f64; P]) {
    let (mut value, mut gradient) = (0.0, [0.0; P]);
    for index in 0..P - 1 {
        let (a, b) = (1.0 - x[index], x[index + 1] - x[index] * x[index]);
        value += a * a + 100.0 * b * b;
        gradient[index] -= 2.0 * a + 400.0 * x[index] * b;
        gradient[index + 1] += 200.0 * b;
    }
    (value, gradient)
}

/// Steps until `done`; gives the place, and the numbers of steps and of evaluations.
fn minimize<const P: usize>(
    function: Function<P>,
    start: [f64; P],
    done: impl Fn(f64, &[f64; P]) -> bool,
) -> (Place<P>, u64, u64) {
    let mut place = Place { x: start, running: [1.0] };
    let mut memory = zeroed::<LbfgsMemory<Place<P>, 10>>();
    let mut landscape = Landscape::at(function, &place);
    let mut steps = 0;
    while !done(landscape.1, &landscape.2.x) {
        steps += 1;
        assert!(steps < 200, "{:?}", place.x);
        Lbfgs::<10>::default().minimize(steps, &mut place, &mut landscape, &mut memory).expect("a step");
        // The objective is where the step ended.
        assert_eq!(landscape.1, function(&place.x).0);
    }
    (place, steps, memory.evaluations + 1)
}

#[test]
fn rosenbrock_takes_no_more_evaluations_than_in_scipy() {
    // SciPy's L-BFGS-B takes 47 to the same slope.
    let flat = |_: f64, gradient: &[f64; 2]| gradient.iter().all(|g| g.abs() < 1e-5);
    let (place, steps, evaluations) = minimize(rosenbrock::<2>, [-1.2, 1.0], flat);
    assert!(place.x.iter().all(|x| (x - 1.0).abs() < 1e-5), "{:?}", place.x);
    assert!(evaluations <= 47, "{evaluations} evaluations, {steps} steps");
    // State moves once in each step.
    assert_eq!(place.running, [1.0 - 0.25 * steps as f64]);
}

#[test]
fn a_parabola_takes_few_steps() {
    fn bowl(x: &[f64; 4]) -> (f64, [f64; 4]) {
        let weights = [1.0, 10.0, 100.0, 0.1];
        let value = (0..4).map(|index| weights[index] * x[index] * x[index]).sum();
        (value, core::array::from_fn(|index| 2.0 * weights[index] * x[index]))
    }
    let (_, steps, _) = minimize(bowl, [1.0, -2.0, 3.0, 4.0], |value, _| value < 1e-20);
    assert!(steps <= 25, "{steps}");
}

#[cfg(feature = "safetensors")]
#[test]
fn as_few_steps_as_pytorch() {
    use crate::testing::golden::Case;
    let case = Case::open("optim_lbfgs_rosenbrock");
    let start: [f64; 6] = case.numbers("w0").try_into().expect("six numbers");
    let values = case.numbers("values");
    assert!((rosenbrock(&start).0 - values[0]).abs() < 1e-9);
    // Both end in the same valley, which is not the deepest.
    let end = values[values.len() - 1];
    let theirs = values.iter().position(|value| value - end < 1e-10).expect("it converges") as u64;
    let (_, steps, _) = minimize(rosenbrock::<6>, start, |value, _| value - end < 1e-10);
    assert!(steps <= theirs, "{steps} steps, {theirs} there");
}

#[test]
fn at_a_minimum_nothing_moves() {
    let mut place = Place { x: [1.0, 1.0], running: [1.0] };
    let mut memory = zeroed::<LbfgsMemory<Place<2>, 10>>();
    let mut landscape = Landscape::at(rosenbrock::<2>, &place);
    Lbfgs::<10>::default().minimize(1, &mut place, &mut landscape, &mut memory).expect("no error");
    assert_eq!((place.x, place.running), ([1.0, 1.0], [0.75]));
}

#[test]
fn a_wrong_gradient_is_an_error_that_changes_nothing() {
    fn liar(x: &[f64; 2]) -> (f64, [f64; 2]) {
        let (value, gradient) = rosenbrock(x);
        (value, gradient.map(|g| -g))
    }
    let mut place = Place { x: [-1.2, 1.0], running: [1.0] };
    let mut memory = zeroed::<LbfgsMemory<Place<2>, 10>>();
    let mut landscape = Landscape::at(liar, &place);
    let error = Lbfgs::<10>::default().minimize(1, &mut place, &mut landscape, &mut memory).unwrap_err();
    assert!(matches!(error, OptimizerError::NoDecrease { .. }), "{error}");
    assert_eq!((place.x, place.running), ([-1.2, 1.0], [1.0]));
}
