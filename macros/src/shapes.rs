//! The shape rules, once for all: the macro calls them for literals, and the library, which
//! includes this very file, calls them in const assertions for everything else.

/// Why a layer cannot have the shape it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShapeError {
    /// The kernel, dilation counted, is larger than the padded input.
    KernelTooLarge {
        /// The kernel's extent with dilation: `dilation · (kernel − 1) + 1`.
        extent: usize,
        /// The input's size with padding.
        padded: usize,
    },
    /// A size that must be at least 1 is 0; the text names it.
    Zero(&'static str),
    /// `part` must divide `whole`.
    NotDivisible {
        /// What is to be divided.
        whole: usize,
        /// By how much.
        part: usize,
    },
    /// The sizes multiply to more than this machine can address.
    Overflow,
}

/// The extent of a kernel whose taps are `dilation` apart: `dilation · (kernel − 1) + 1`.
pub const fn extent(kernel: usize, dilation: usize) -> Result<usize, ShapeError> {
    if kernel == 0 {
        return Err(ShapeError::Zero("kernel"));
    }
    if dilation == 0 {
        return Err(ShapeError::Zero("dilation"));
    }
    match (kernel - 1).checked_mul(dilation) {
        Some(extent) if extent < usize::MAX => Ok(extent + 1),
        _ => Err(ShapeError::Overflow),
    }
}

/// The output size of a window that slides along one axis, `padding` being the sum of both ends:
/// `⌊(input + padding − extent) / stride⌋ + 1`.
pub const fn window(
    input: usize,
    kernel: usize,
    stride: usize,
    dilation: usize,
    padding: usize,
) -> Result<usize, ShapeError> {
    if stride == 0 {
        return Err(ShapeError::Zero("stride"));
    }
    let extent = match extent(kernel, dilation) {
        Ok(extent) => extent,
        Err(error) => return Err(error),
    };
    let padded = match input.checked_add(padding) {
        Some(padded) => padded,
        None => return Err(ShapeError::Overflow),
    };
    if extent > padded {
        return Err(ShapeError::KernelTooLarge { extent, padded });
    }
    Ok((padded - extent) / stride + 1)
}

/// The padding `(before, after)` that gives `⌈input / stride⌉` outputs; an odd remainder goes to
/// the end (TensorFlow's `SAME`).
pub const fn same_padding(
    input: usize,
    kernel: usize,
    stride: usize,
    dilation: usize,
) -> Result<(usize, usize), ShapeError> {
    if stride == 0 {
        return Err(ShapeError::Zero("stride"));
    }
    let extent = match extent(kernel, dilation) {
        Ok(extent) => extent,
        Err(error) => return Err(error),
    };
    if input == 0 {
        return Err(ShapeError::Zero("input"));
    }
    let covered = match ((input - 1) / stride * stride).checked_add(extent) {
        Some(covered) => covered,
        None => return Err(ShapeError::Overflow),
    };
    let total = covered.saturating_sub(input);
    Ok((total / 2, total - total / 2))
}

/// `whole / part`, if `part` divides it.
pub const fn divide(whole: usize, part: usize) -> Result<usize, ShapeError> {
    if part == 0 {
        return Err(ShapeError::Zero("divisor"));
    }
    if whole % part != 0 {
        return Err(ShapeError::NotDivisible { whole, part });
    }
    Ok(whole / part)
}

/// The product of the sizes of a shape.
pub const fn product(shape: &[usize]) -> Result<usize, ShapeError> {
    let (mut product, mut axis) = (1_usize, 0);
    while axis < shape.len() {
        product = match product.checked_mul(shape[axis]) {
            Some(product) => product,
            None => return Err(ShapeError::Overflow),
        };
        axis += 1;
    }
    // What does not fit into memory is no shape.
    if product > isize::MAX as usize / 8 {
        return Err(ShapeError::Overflow);
    }
    Ok(product)
}
