use super::*;
use crate::memory::zeroed;
use crate::optim::{LevenbergMarquardt, NewtonCg, Optimizer, TrustRegion};

#[derive(Parameters)]
#[repr(C)]
struct Place {
    x: [f64; 2],
    #[parameters(state)]
    running: [f64; 1],
}

/// Rosenbrock's function, `(1 − x)² + 100·(y − x²)²`.
struct Rosenbrock {
    value: f64,
    gradient: Place,
    evaluations: u32,
    products: u32,
}

fn residuals([x, y]: [f64; 2]) -> [(f64, [f64; 2]); 2] {
    [(1.0 - x, [-1.0, 0.0]), (10.0 * (y - x * x), [-20.0 * x, 10.0])]
}

fn at(place: &Place) -> (f64, Place) {
    let (mut value, mut x) = (0.0, [0.0; 2]);
    for (residual, slopes) in residuals(place.x) {
        value += residual * residual;
        x = [x[0] + 2.0 * residual * slopes[0], x[1] + 2.0 * residual * slopes[1]];
    }
    (value, Place { x, running: [0.25] })
}

impl Rosenbrock {
    fn new(place: &Place) -> Self {
        let (value, gradient) = at(place);
        Self { value, gradient, evaluations: 1, products: 0 }
    }
}

impl Objective<Place> for Rosenbrock {
    fn loss(&self) -> f64 {
        self.value
    }
    fn gradient(&self) -> &Place {
        &self.gradient
    }
    fn gradient_mut(&mut self) -> &mut Place {
        &mut self.gradient
    }
    fn loss_at(&mut self, place: &Place) -> f64 {
        self.evaluations += 1;
        at(place).0
    }
    fn gradient_at(&mut self, place: &Place) -> f64 {
        (self.value, self.gradient) = at(place);
        self.evaluations += 1;
        self.value
    }
    fn product(&mut self, matrix: Matrix, place: &Place, v: &Place, product: &mut Place) -> Result<(), OptimizerError> {
        assert_eq!(v.running, [0.0]);
        self.products += 1;
        // What is left there means nothing.
        *product = Place { x: [0.0; 2], running: [f64::NAN] };
        for (_, slopes) in residuals(place.x) {
            let along = slopes[0] * v.x[0] + slopes[1] * v.x[1];
            for index in 0..2 {
                product.x[index] += 2.0 * slopes[index] * along;
            }
        }
        if matrix == Matrix::Hessian {
            product.x[0] += -20.0 * 2.0 * residuals(place.x)[1].0 * v.x[0];
        }
        Ok(())
    }
    fn rows(&mut self, place: &Place, row: &mut dyn FnMut(&Place, f64)) -> Result<(), OptimizerError> {
        let root = core::f64::consts::SQRT_2;
        for (residual, slopes) in residuals(place.x) {
            row(&Place { x: slopes.map(|slope| root * slope), running: [0.0] }, -root * residual);
        }
        Ok(())
    }
}

/// Steps to the minimum from the usual start; gives the numbers of steps, evaluations and products.
fn minimize<O: Optimizer<f64>>(optimizer: &O) -> (u64, u32, u32) {
    let mut place = Place { x: [-1.2, 1.0], running: [1.0] };
    let mut memory = zeroed::<O::Memory<Place>>();
    let mut objective = Rosenbrock::new(&place);
    for step in 1..200 {
        let before = objective.value;
        optimizer.minimize(step, &mut place, &mut objective, &mut memory).expect("a step");
        (objective.value, objective.gradient) = at(&place);
        assert!(objective.value <= before);
        // State moves once in each step.
        assert_eq!(place.running, [1.0 - 0.25 * step as f64]);
        if objective.gradient.x.iter().all(|g| g.abs() < 1e-5) {
            assert!(place.x.iter().all(|x| (x - 1.0).abs() < 1e-5), "{:?}", place.x);
            return (step, objective.evaluations, objective.products);
        }
    }
    panic!("{:?}", place.x);
}

#[test]
fn rosenbrock_takes_no_more_steps_and_evaluations_than_in_scipy() {
    // SciPy's Newton-CG takes 85 and 107.
    for matrix in [Matrix::Hessian, Matrix::GaussNewton] {
        let (steps, evaluations, products) = minimize(&NewtonCg { matrix, ..NewtonCg::default() });
        assert!(steps <= 85 && evaluations <= 107, "{matrix:?}: {steps}, {evaluations}, {products}");
        let (steps, evaluations, products) = minimize(&TrustRegion { matrix, ..TrustRegion::default() });
        assert!(steps <= 85 && evaluations <= 107, "{matrix:?}: {steps}, {evaluations}, {products}");
    }
    let (steps, evaluations, _) = minimize(&LevenbergMarquardt::<3>::default());
    assert!(steps <= 40 && evaluations <= 50, "{steps}, {evaluations}");
}

#[test]
fn nothing_moves_at_a_minimum() {
    let objective = || Rosenbrock::new(&Place { x: [1.0, 1.0], running: [1.0] });
    let mut place = Place { x: [1.0, 1.0], running: [1.0] };
    NewtonCg::default().minimize(1, &mut place, &mut objective(), &mut zeroed()).expect("no error");
    TrustRegion::default().minimize(1, &mut place, &mut objective(), &mut zeroed()).expect("no error");
    LevenbergMarquardt::<3>::default().minimize(1, &mut place, &mut objective(), &mut zeroed()).expect("no error");
    assert_eq!((place.x, place.running), ([1.0, 1.0], [0.25]));
}

#[test]
fn a_wrong_gradient_is_an_error_that_changes_nothing() {
    let mut objective = Rosenbrock::new(&Place { x: [-1.2, 1.0], running: [1.0] });
    objective.gradient.x = objective.gradient.x.map(|g| -g);
    let mut place = Place { x: [-1.2, 1.0], running: [1.0] };
    let error = TrustRegion::default().minimize(1, &mut place, &mut objective, &mut zeroed()).unwrap_err();
    assert!(matches!(error, OptimizerError::NoDecrease { .. }), "{error}");
    assert_eq!((place.x, place.running), ([-1.2, 1.0], [1.0]));
}
