use std::string::ToString;
use std::vec;
use std::vec::Vec;

use super::*;

type Pair = ([f64; 2], [[u32; 1]; 3]);
type Triple = (f64, [f32; 2], [[f64; 2]; 1]);

/// All numbers of a type, part by part.
fn parts<T: Element, X: Inputs, const B: usize>(owned: &mut X::Owned<B>) -> Vec<Vec<T>> {
    let mut parts = Vec::new();
    X::each_part::<T, B>(owned, &mut |part| parts.push(part.to_vec()));
    parts
}

#[test]
fn a_tensor_is_one_input() {
    type X = [[f32; 2]; 1];
    let mut owned = [[[1.0, 2.0]], [[3.0, 4.0]]];
    let batch: &[X; 2] = X::batch(&owned);
    assert_eq!(batch[1], [[3.0, 4.0]]);
    let gradient: Option<&mut [X; 2]> = X::gradient(&mut owned);
    gradient.expect("memory")[0][0][1] = 5.0;
    assert!(X::no_gradient::<2>().is_none());
    let mut copy = [[[0.0; 2]; 1]; 2];
    X::copy(&owned, &mut copy);
    assert_eq!(copy, [[[1.0, 5.0]], [[3.0, 4.0]]]);
    assert_eq!(parts::<f32, X, 2>(&mut copy), [[1.0, 5.0, 3.0, 4.0]]);
    assert!(parts::<f64, X, 2>(&mut copy).is_empty() && parts::<u32, X, 2>(&mut copy).is_empty());
}

#[test]
fn pairs_are_two_batches() {
    let mut owned: <Pair as Inputs>::Owned<2> = ([[1.0, 2.0], [3.0, 4.0]], [[[5], [6], [7]], [[8], [9], [10]]]);
    let (numbers, tokens): (&[[f64; 2]; 2], &[[[u32; 1]; 3]; 2]) = Pair::batch(&owned);
    assert_eq!((numbers[1], tokens[1]), ([3.0, 4.0], [[8], [9], [10]]));

    let mut copy: <Pair as Inputs>::Owned<2> = crate::memory::zeroed();
    Pair::copy(&owned, &mut copy);
    assert_eq!(copy, owned);

    let (numbers, tokens) = Pair::gradient(&mut owned);
    numbers.expect("memory")[0] = [11.0, 12.0];
    tokens.expect("memory")[0][2] = [13];
    assert_eq!(owned, ([[11.0, 12.0], [3.0, 4.0]], [[[5], [6], [13]], [[8], [9], [10]]]));
    let (numbers, tokens) = Pair::no_gradient::<2>();
    assert!(numbers.is_none() && tokens.is_none());

    // Only numbers of the requested type.
    assert_eq!(parts::<f64, Pair, 2>(&mut owned), [[11.0, 12.0, 3.0, 4.0]]);
    assert_eq!(parts::<u32, Pair, 2>(&mut owned), [[5, 6, 13, 8, 9, 10]]);
    assert!(parts::<f32, Pair, 2>(&mut owned).is_empty() && parts::<i32, Pair, 2>(&mut owned).is_empty());
    Pair::each_part::<f64, 2>(&mut owned, &mut |part| part.fill(0.5));
    assert_eq!(owned, ([[0.5; 2]; 2], [[[5], [6], [13]], [[8], [9], [10]]]));
}

#[test]
fn triples_are_three_batches() {
    let mut owned: <Triple as Inputs>::Owned<2> = ([1.0, 2.0], [[3.0, 4.0], [5.0, 6.0]], [[[7.0, 8.0]], [[9.0, 10.0]]]);
    let (x, y, z) = Triple::batch(&owned);
    assert_eq!((x[1], y[1], z[1]), (2.0, [5.0, 6.0], [[9.0, 10.0]]));
    let mut copy: <Triple as Inputs>::Owned<2> = crate::memory::zeroed();
    Triple::copy(&owned, &mut copy);
    assert_eq!(copy, owned);
    // In the order of the tuple.
    assert_eq!(parts::<f64, Triple, 2>(&mut owned), [vec![1.0, 2.0], vec![7.0, 8.0, 9.0, 10.0]]);
    assert_eq!(parts::<f32, Triple, 2>(&mut owned), [[3.0, 4.0, 5.0, 6.0]]);
    let (x, y, z) = Triple::gradient(&mut owned);
    (x.expect("memory")[0], y.expect("memory")[1][0], z.expect("memory")[1][0][1]) = (0.0, 0.25, 0.5);
    assert_eq!(owned, ([0.0, 2.0], [[3.0, 4.0], [0.25, 6.0]], [[[7.0, 8.0]], [[9.0, 0.5]]]));
    assert!(matches!(Triple::no_gradient::<2>(), (None, None, None)));
}

#[test]
fn a_pass_carries_terms_and_the_first_error() {
    let mut pass = Pass::new(Noise::new(3), 0.5_f32);
    assert_eq!((pass.terms(), pass.error()), (0.0, None));
    pass.add_term(3.0);
    pass.add_term(5.0);
    assert_eq!(pass.terms(), 4.0);
    pass.term_weight = 0.25;
    assert_eq!(pass.terms(), 2.0);

    let error = InputError::OutOfRange { sample: 1, position: 2, index: 30, limit: 20 };
    pass.refuse(error);
    pass.refuse(error.later_by(2));
    assert_eq!(error.later_by(2).sample(), 3);
    assert_eq!(pass.error(), Some(error));
    assert_eq!(
        error.to_string(),
        "number 2 of the input of sample 1 is 30, but the layer knows 20 of them, counted from 0"
    );
    assert_eq!(pass.noise, Noise::new(3));
}
