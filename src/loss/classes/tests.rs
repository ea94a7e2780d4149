//! The losses over classes against PyTorch, finite differences and by hand.

use super::*;
use crate::loss::{BceWithLogits, Mse, Reduction, Sum, check};
use crate::simd::{level, levels};
use crate::testing::golden::{Case, assert_close, random};
use std::string::ToString;

#[test]
fn classes_agree_with_pytorch() {
    fn every<T: Real>() {
        let name = "loss_cross_entropy";
        check::golden::<T, [T; 6], _, 4>(name, &CrossEntropy, &check::classes::<u8>(name));
        check::golden::<T, [T; 6], _, 4>(name, &CrossEntropy, &check::classes::<u16>(name));
        check::golden::<T, [T; 6], _, 4>(name, &CrossEntropy, &check::classes::<u32>(name));
        check::golden::<T, [T; 6], _, 4>(name, &CrossEntropy, &check::classes::<usize>(name));
        check::golden::<T, [T; 6], _, 4>(name, &CrossEntropy, &one_hot::<T>(name));
        let name = "loss_cross_entropy_smooth01";
        let smooth = SmoothCrossEntropy { smoothing: 0.1 };
        check::golden::<T, [T; 6], _, 4>(name, &smooth, &check::classes::<u8>(name));
        check::golden::<T, [T; 6], _, 4>(name, &smooth, &one_hot::<T>(name));
    }
    every::<f64>();
    every::<f32>();
}

fn one_hot<T: Real>(name: &str) -> [[T; 6]; 4] {
    check::classes::<usize>(name)
        .map(|class| core::array::from_fn(|index| if index == class { T::ONE } else { T::ZERO }))
}

#[test]
fn divergence_and_labels_agree_with_pytorch() {
    fn every<T: Real>() {
        let name = "loss_kl_div_logits";
        check::golden::<T, [T; 6], _, 4>(name, &KlDivergence, &check::numbers::<[T; 6], 4>(name));
        let name = "loss_bce_with_logits";
        check::golden::<T, [T; 6], _, 4>(name, &BceWithLogits, &check::numbers::<[T; 6], 4>(name));
    }
    every::<f64>();
    every::<f32>();
}

#[test]
fn gradients() {
    fn every<const C: usize>() {
        let mut output = random::<[f64; C], 3>(1);
        let classes = [0, C - 1, C / 2];
        check::differences(&CrossEntropy, &mut output, &classes);
        check::differences(&SmoothCrossEntropy::default(), &mut output, &classes);
        // Not even a distribution: the gradient still follows the formula.
        let target = random::<[f64; C], 3>(2).map(|row| row.map(f64::abs));
        check::differences(&CrossEntropy, &mut output, &target);
        check::differences(&SmoothCrossEntropy::default(), &mut output, &target);
        check::differences(&KlDivergence, &mut output, &target);
        check::differences(&BceWithLogits, &mut output, &target);
    }
    every::<1>();
    every::<2>();
    every::<3>();
    every::<17>();
    every::<100>();
    let (mut output, target) = (random::<[[f64; 3]; 5], 2>(1), random::<[[f64; 3]; 5], 2>(2));
    check::differences(&BceWithLogits, &mut output, &target);
}

#[test]
fn a_class_out_of_range_is_an_error() {
    let mut gradient = [[7.0; 3]; 2];
    let error = check::loss(level(), &CrossEntropy, &[[0.0_f32; 3]; 2], &[2_u8, 3], &mut gradient);
    assert_eq!(error, Err(LossError::ClassOutOfRange { sample: 1, class: 3, classes: 3 }));
    assert_eq!(gradient, [[7.0; 3]; 2]);
    assert_eq!(
        error.unwrap_err().to_string(),
        "the target of sample 1 is class 3, but the output has 3 classes, counted from 0: \
         correct the label, or give the last layer at least 4 outputs"
    );
    let smooth = SmoothCrossEntropy::default();
    assert!(check::value(level(), &smooth, &[[0.0_f32; 3]], &[usize::MAX]).is_err());
    assert_eq!(CrossEntropy.correct(&[[0.0_f32; 3]], &[3_u8]), Some(0));
    assert!(check::value(level(), &CrossEntropy, &[[0.0_f32; 0]], &[0_u8]).is_err());
    assert_eq!(check::value(level(), &CrossEntropy, &[[0.0_f32; 3]; 0], &[0_u8; 0]), Ok(0.0));
}

#[test]
fn large_logits_do_not_overflow() {
    for level in levels() {
        let mut gradient = [[0.0_f32; 3]];
        let output = [[1e4, -1e4, f32::NEG_INFINITY]];
        let loss = check::loss(level, &CrossEntropy, &output, &[1_u8], &mut gradient).unwrap();
        assert!(loss == 2e4 && gradient == [[1.0, -1.0, 0.0]]);
        let loss = check::loss(level, &CrossEntropy, &output, &[[1.0, 0.0, 0.0]], &mut gradient).unwrap();
        assert!(loss == 0.0 && gradient == [[0.0; 3]]);
        let mut gradient = [[0.0_f32; 2]];
        let loss = check::loss(level, &BceWithLogits, &[[1e4, -1e4]], &[[0.0, 1.0]], &mut gradient).unwrap();
        assert!(loss == 1e4 && gradient == [[0.5, -0.5]]);
        let mut gradient = [[0.0_f32]];
        check::loss(level, &BceWithLogits, &[[20.0]], &[[1.0]], &mut gradient).unwrap();
        assert_close("certain", &[gradient[0][0] * 1e9], &[-libm::exp(-20.0) * 1e9], 1e-5);
        // A label that is nearly certain has a loss of e^−20, not of 0.
        let loss: f32 = check::value(level, &BceWithLogits, &[[20.0_f32]], &[[1.0]]).unwrap();
        assert_close("certain", &[loss * 1e9], &[libm::exp(-20.0) * 1e9], 1e-5);
        assert!(check::value(level, &CrossEntropy, &[[f32::NAN, 0.0]], &[1_u8]).unwrap().is_nan());
    }
}

#[test]
fn counts_what_is_right() {
    let output = [[0.0, 1.0, 0.5], [2.0, 2.0, 1.0], [f64::NAN; 3], [0.0, f64::NAN, 0.0]];
    assert_eq!(CrossEntropy.correct(&output, &[1_u8, 0, 0, 0]), Some(2));
    assert_eq!(CrossEntropy.correct(&output, &[2_u8, 1, 1, 1]), Some(0));
    assert_eq!(CrossEntropy.correct(&output, &[[0.2, 0.7, 0.1]; 4]), Some(1));
    assert_eq!(KlDivergence.correct(&output, &[[0.2, 0.7, 0.1]; 4]), Some(1));
    assert_eq!(BceWithLogits.correct(&[[1.0, -1.0], [f64::NAN, -1.0]], &[[1.0, 0.0]; 2]), Some(1));
    assert_eq!(Loss::<f64, _, _>::correct(&crate::loss::Mse, &[[1.0]], &[[1.0]]), None);
}

/// PyTorch leaves out the class −100, which is 255 here.
#[test]
fn weights_agree_with_pytorch() {
    fn every<T: Real>(tolerance: f64) {
        let case = Case::open("loss_cross_entropy_weighted_ignored");
        let (x, target, weights) = (case.numbers("x"), case.numbers("target"), case.numbers("class_weights"));
        let output: [[T; 4]; 5] = core::array::from_fn(|row| core::array::from_fn(|c| T::from_f64(x[4 * row + c])));
        let target: [u8; 5] = core::array::from_fn(|row| if target[row] < 0.0 { 255 } else { target[row] as u8 });
        let loss = Weighted::new(CrossEntropy, core::array::from_fn::<f64, 4, _>(|c| weights[c])).ignoring(255);
        let named: f64 = target.iter().filter_map(|class| weights.get(usize::from(*class))).sum();
        assert!((Loss::<T, _, _>::divisor(&loss, &target) - named).abs() < 1e-6);
        let log = output.map(|row| {
            let sum = row.iter().fold(T::ZERO, |sum, x| sum + x.exp());
            row.map(|x| x - sum.ln())
        });
        for level in levels() {
            let mut gradient = [[T::ONE; 4]; 5];
            let actual = check::loss(level, &loss, &output, &target, &mut gradient).expect("a loss");
            assert_close("loss", &[actual], &case.numbers("loss"), tolerance);
            assert_close("dx", gradient.as_flattened(), &case.numbers("dx"), tolerance);
            assert!(check::value(level, &loss, &output, &target) == Ok(actual));
            // As one sample of five steps, and from log-probabilities.
            let actual = check::value(level, &loss, &[output], &[target]).expect("a loss");
            assert_close("a sequence", &[actual], &case.numbers("loss"), tolerance);
            let loss = Weighted { loss: NegativeLogLikelihood, weights: loss.weights, ignored: loss.ignored };
            let actual = check::value(level, &loss, &log, &target).expect("a loss");
            assert_close("log-probabilities", &[actual], &case.numbers("loss"), tolerance);
        }
    }
    every::<f64>(1e-10);
    every::<f32>(2e-6);
}

#[test]
fn weights_by_hand() {
    // Equal logits: the surprise of each class is ln 3.
    let (output, ln) = ([[1.0_f64; 3]; 2], libm::log(3.0));
    let value = |loss: &Weighted<SmoothCrossEntropy, 3>, target: &[u8; 2]| check::value(level(), loss, &output, target);
    let smooth = Weighted::new(SmoothCrossEntropy { smoothing: 0.3 }, [1.0, 2.0, 4.0]);
    // The mean of 0.7·w + 0.1·(1 + 2 + 4), divided by the mean of w.
    let expected = (0.7 * (1.0 + 4.0) + 2.0 * 0.7) / (1.0 + 4.0) * ln;
    assert_close("smooth", &[value(&smooth, &[0, 2]).unwrap()], &[expected], 1e-14);
    assert_close("alone", &[value(&smooth.ignoring(2), &[0, 2]).unwrap()], &[(0.7 + 0.7) * ln], 1e-14);
    // Distributions count equally.
    let weighted = Weighted::new(CrossEntropy, [1.0, 2.0, 4.0]);
    let target = [[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]];
    assert_close("shares", &[check::value(level(), &weighted, &output, &target).unwrap()], &[2.75 * ln], 1e-14);
    // Where nothing counts, nothing is asked.
    let mut gradient = [[7.0; 3]; 2];
    let nothing = smooth.ignoring(1);
    assert_eq!(check::loss(level(), &nothing, &output, &[1_u8, 1], &mut gradient), Ok(0.0));
    assert_eq!((gradient, Loss::<f64, [f64; 3], _>::divisor(&nothing, &[1_u8, 1])), ([[0.0; 3]; 2], 0.0));
    let counted = (nothing.correct(&output, &[0_u8, 1]), Loss::<f64, [f64; 3], _>::counted(&nothing, &[0_u8, 1]));
    assert_eq!(counted, (Some(1), 1));
    let error = value(&Weighted { weights: [1.0, -1.0, 0.0], ..smooth }, &[0, 2]).unwrap_err().to_string();
    assert_eq!(error, "`weights` of `Weighted` is -1, but must be at least 0 and finite");
}

#[test]
fn rows_have_targets_of_their_own() {
    type Image = [[[f64; 3]; 5]; 2];
    let mut output = random::<Image, 2>(1);
    let mut noise = crate::noise::Noise::new(5);
    let target = [[[0_u8; 5]; 2]; 2].map(|image| image.map(|row| row.map(|_| noise.below(3) as u8)));
    let flat: [u8; 20] = target.as_flattened().as_flattened().try_into().unwrap();
    let rows: [[f64; 3]; 20] = output.as_flattened().as_flattened().try_into().unwrap();
    for level in levels() {
        let mut gradients = [[[[0.0; 3]; 5]; 2]; 2];
        let mut expected = [[0.0; 3]; 20];
        let image = check::loss(level, &CrossEntropy, &output, &target, &mut gradients);
        assert_eq!(image, check::loss(level, &CrossEntropy, &rows, &flat, &mut expected));
        assert_eq!(gradients.as_flattened().as_flattened(), expected);
    }
    assert_eq!(CrossEntropy.correct(&output, &target), CrossEntropy.correct(&rows, &flat));
    assert_eq!(Loss::<f64, Image, _>::counted(&CrossEntropy, &target), 20);
    let mut wrong = target;
    wrong[1][0][3] = 3;
    let error = check::value(level(), &CrossEntropy, &output, &wrong);
    assert_eq!(error, Err(LossError::ClassOutOfRange { sample: 1, class: 3, classes: 3 }));

    let weighted = Weighted::new(SmoothCrossEntropy::default(), [0.5, 2.0, 0.0]).ignoring(1);
    check::differences(&CrossEntropy, &mut output, &target);
    check::differences(&weighted, &mut output, &target);
    check::differences(&Sum(weighted), &mut output, &target);
    check::differences(&NegativeLogLikelihood, &mut output, &target);
    let shares = random::<Image, 2>(2).map(|image| image.map(|row| row.map(|pixel| pixel.map(f64::abs))));
    check::differences(&CrossEntropy, &mut output, &shares);
    check::differences(&KlDivergence, &mut output, &shares);
    check::differences(&NegativeLogLikelihood, &mut output, &shares);
    check::differences(&Weighted { ignored: None, ..weighted }, &mut output, &shares);
    let (mut steps, target) = (random::<[[f64; 17]; 3], 2>(3), [[0_u32, 16, 5], [7, 7, 1]]);
    check::differences(&CrossEntropy, &mut steps, &target);
}

#[test]
fn sums_are_means_times_their_divisor() {
    let (mut output, target) = (random::<[f64; 4], 3>(1), random::<[f64; 4], 3>(2));
    let squares: f64 = output.as_flattened().iter().zip(target.as_flattened()).map(|(x, t)| (x - t) * (x - t)).sum();
    for level in levels() {
        assert_close("Mse", &[check::value(level, &Sum(Mse), &output, &target).unwrap()], &[squares], 1e-14);
        // A sum of sums is a sum.
        assert_eq!(
            check::value(level, &Sum(Sum(Mse)), &output, &target),
            check::value(level, &Sum(Mse), &output, &target)
        );
        let mean: f64 = check::value(level, &CrossEntropy, &output, &[0_u8, 3, 1]).unwrap();
        let sum = check::value(level, &Sum(CrossEntropy), &output, &[0_u8, 3, 1]).unwrap();
        assert_close("CrossEntropy", &[sum], &[3.0 * mean], 1e-14);
    }
    check::differences(&Sum(Mse), &mut output, &target);
    check::differences(&Sum(CrossEntropy), &mut output, &[0_usize, 3, 1]);
    check::differences(&Sum(BceWithLogits), &mut output, &target.map(|row| row.map(f64::abs)));
    assert_eq!(<Sum<Mse> as Loss<f64, [f64; 4], [f64; 4]>>::REDUCTION, Reduction::Sum);
    assert_eq!(Sum(CrossEntropy).correct(&output, &[0_u8, 3, 1]), CrossEntropy.correct(&output, &[0_u8, 3, 1]));
}
