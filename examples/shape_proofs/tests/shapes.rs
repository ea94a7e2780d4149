//! Which shapes compile and which do not.

#[test]
fn shapes() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/shapes/fits.rs");
    cases.compile_fail("tests/shapes/kernel_too_large.rs");
    cases.compile_fail("tests/shapes/wrong_picture.rs");
}
