//! The shape rules of [monomorph](https://docs.rs/monomorph), in one place: its macro calls them for literals, its
//! library calls them in const assertions for everything else.

#![no_std]
#![forbid(unsafe_code)]
#![expect(clippy::result_large_err, reason = "const code cannot box a text, and makes one only after a mistake")]

mod graph;
mod range;
mod rearrange;
mod text;

#[doc(hidden)]
pub use graph::topology;
#[doc(hidden)]
pub use range::{Range, decimal, ordered};
pub use rearrange::{padded, reshaped, slice};
#[doc(hidden)]
pub use text::Text;

/// Why a layer cannot have a given shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShapeError {
    /// The kernel, including its dilation, is larger than the padded input.
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
        /// The dividend.
        whole: usize,
        /// The divisor.
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

/// The output size of a window that slides along one axis, where `padding` is the sum of both ends:
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
    if !whole.is_multiple_of(part) {
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
    // A shape that does not fit into memory is useless.
    if product > isize::MAX as usize / 8 {
        return Err(ShapeError::Overflow);
    }
    Ok(product)
}

/// The padding of an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Padding {
    /// Padded to give `⌈input / stride⌉` outputs.
    Same,
    /// Padded before the input by as much as the window reaches back: no output depends on a later input.
    Causal,
    /// This many before and this many after.
    Sides(usize, usize),
    /// This many before and this many after; a last window that reaches beyond them counts too, if it begins before the
    /// padding behind the input (PyTorch's `ceil_mode`).
    Ceil(usize, usize),
}

/// A window along one axis, worked out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Axis {
    /// The number of positions of the window, which is the output size.
    pub output: usize,
    /// The padding before the input.
    pub before: usize,
}

/// Works out a window along one axis.
///
/// # Errors
/// A message for the user that begins with the layer's name; `axis` names the axis (`"height"`).
pub const fn axis(
    layer: &str,
    axis: &str,
    input: usize,
    kernel: usize,
    stride: usize,
    dilation: usize,
    padding: Padding,
) -> Result<Axis, Text> {
    let sides = match padding {
        Padding::Sides(before, after) | Padding::Ceil(before, after) => Ok((before, after)),
        Padding::Same => same_padding(input, kernel, stride, dilation),
        Padding::Causal => match extent(kernel, dilation) {
            Ok(extent) => Ok((extent - 1, 0)),
            Err(error) => Err(error),
        },
    };
    let worked_out = match sides {
        Ok((before, after)) => match before.checked_add(after) {
            Some(both) => match window(input, kernel, stride, dilation, both) {
                Ok(fit) => {
                    let more = matches!(padding, Padding::Ceil(..)) && {
                        let (next, left) = (fit * stride, (input + both) - ((fit - 1) * stride));
                        matches!(extent(kernel, dilation), Ok(extent) if extent < left) && next < input + before
                    };
                    Ok(Axis { output: fit + more as usize, before })
                }
                Err(error) => Err(error),
            },
            None => Err(ShapeError::Overflow),
        },
        Err(error) => Err(error),
    };
    match worked_out {
        Ok(axis) => Ok(axis),
        Err(ShapeError::KernelTooLarge { extent, padded }) => {
            let mut text = Text::new().str(layer).str(": kernel ").str(axis).str(" ").number(kernel);
            if extent != kernel {
                text = text.str(" (dilated to ").number(extent).str(")");
            }
            text = text.str(" is larger than its input ").str(axis).str(" ").number(input);
            if padded != input {
                text = text.str(" (padded to ").number(padded).str(")");
            }
            Err(text.str("; use a smaller kernel or more padding"))
        }
        Err(ShapeError::Zero(what)) => {
            Err(Text::new().str(layer).str(": ").str(what).str(" ").str(axis).str(" is 0; it must be at least 1"))
        }
        Err(_) => Err(Text::new().str(layer).str(": its sizes overflow")),
    }
}

/// Works out a transposed convolution along one axis: `(input − 1) · stride − padding + extent + output_padding` outputs;
/// with the padding `Same`, `input · stride`.
///
/// # Errors
/// A message for the user.
pub const fn transposed_axis(
    layer: &str,
    axis: &str,
    input: usize,
    kernel: usize,
    stride: usize,
    dilation: usize,
    (padding, output_padding): (Padding, usize),
) -> Result<Axis, Text> {
    let text = Text::new().str(layer).str(": ");
    let extent = match extent(kernel, dilation) {
        Ok(extent) if stride > 0 && input > 0 => extent,
        Err(ShapeError::Zero(what)) => {
            return Err(text.str(what).str(" ").str(axis).str(" is 0; it must be at least 1"));
        }
        _ if stride == 0 => return Err(text.str("stride ").str(axis).str(" is 0; it must be at least 1")),
        _ => return Err(text.str("its sizes overflow")),
    };
    if output_padding >= stride && output_padding >= dilation {
        let text = text.str("output_padding ").str(axis).str(" ").number(output_padding);
        return Err(text
            .str(" must be less than the stride ")
            .number(stride)
            .str(" or the dilation ")
            .number(dilation));
    }
    let full = match (input - 1).checked_mul(stride) {
        Some(last) => match last.checked_add(extent) {
            Some(end) if end < usize::MAX - output_padding => end + output_padding,
            _ => return Err(text.str("its sizes overflow")),
        },
        None => return Err(text.str("its sizes overflow")),
    };
    let (before, after) = match padding {
        Padding::Sides(before, after) | Padding::Ceil(before, after) => (before, after),
        Padding::Same => {
            let both = full.saturating_sub(input * stride);
            return Ok(Axis { output: input * stride, before: both / 2 });
        }
        Padding::Causal => {
            return Err(text.str("padding is `same`, or numbers; a transposed convolution is not causal"));
        }
    };
    match before.checked_add(after) {
        Some(both) if both < full => Ok(Axis { output: full - both, before }),
        _ => {
            let text = text.str("its padding cuts off all of its output ").str(axis);
            Err(text.str(" ").number(full).str("; use less padding or a larger kernel"))
        }
    }
}

/// The input channels of one group of a convolution.
///
/// # Errors
/// A message for the user if the groups do not divide the channels.
#[doc(hidden)]
pub const fn group_channels(layer: &str, input: usize, output: usize, groups: usize) -> Result<usize, Text> {
    if groups == 0 {
        return Err(Text::new().str(layer).str(": groups is 0; it must be at least 1"));
    }
    if !input.is_multiple_of(groups) {
        return Err(divides(layer, "groups", groups, "input channels", input));
    }
    if !output.is_multiple_of(groups) {
        return Err(divides(layer, "groups", groups, "output channels", output));
    }
    Ok(input / groups)
}

/// `whole / part`.
///
/// # Errors
/// A message for the user if `part` does not divide `whole`.
#[doc(hidden)]
pub const fn share(layer: &str, parts: &str, part: usize, what: &str, whole: usize) -> Result<usize, Text> {
    match divide(whole, part) {
        Ok(share) => Ok(share),
        Err(ShapeError::Zero(_)) => {
            Err(Text::new().str(layer).str(": ").str(parts).str(" is 0; it must be at least 1"))
        }
        Err(_) => Err(divides(layer, parts, part, what, whole)),
    }
}

const fn divides(layer: &str, parts: &str, part: usize, what: &str, whole: usize) -> Text {
    let text = Text::new().str(layer).str(": ").number(part).str(" ").str(parts).str(" do not divide its ");
    text.number(whole).str(" ").str(what)
}

/// The most that the user can write as a size: two of them still make a type that the compiler accepts.
const MOST: usize = 1 << 28;

/// A size that the user writes.
///
/// # Errors
/// A message for the user if it is 0 or more than fits into memory.
#[doc(hidden)]
pub const fn size(layer: &str, what: &str, size: usize) -> Result<usize, Text> {
    if size == 0 {
        return Err(Text::new().str(layer).str(": ").str(what).str(" is 0; it must be at least 1"));
    }
    if size > MOST {
        return Err(Text::new().str(layer).str(": ").str(what).str(" ").number(size).str(" is too large"));
    }
    Ok(size)
}

/// Checks the windows of a pool along one axis: `Err` if one lies in the padding alone, without a maximum or a mean.
#[doc(hidden)]
pub const fn reaches(
    layer: &str,
    axis: &str,
    input: usize,
    kernel: usize,
    stride: usize,
    dilation: usize,
    Axis { output, before }: Axis,
) -> Result<(), Text> {
    let mut window = 0;
    while window < output {
        let start = window * stride;
        let tap = before.saturating_sub(start).div_ceil(dilation);
        if tap >= kernel || start + tap * dilation >= before + input {
            let text = Text::new().str(layer).str(": with this padding, window ").number(window + 1).str(" of its ");
            return Err(text
                .str(axis)
                .str(" lies in the padding alone; pad by at most half the kernel, ")
                .number(kernel / 2));
        }
        window += 1;
    }
    Ok(())
}

/// How many numbers a shape holds.
///
/// # Errors
/// A message for the user if it is more than fits into memory.
#[doc(hidden)]
pub const fn numbers(layer: &str, shape: &[usize]) -> Result<usize, Text> {
    match product(shape) {
        Ok(product) => Ok(product),
        Err(_) => Err(Text::new().str(layer).str(": ").shape(shape).str(" is more than fits into memory")),
    }
}

/// Compares the declared output of a network with the computed one.
///
/// # Errors
/// A message for the user if they differ; `last` names the layer that computes it.
#[doc(hidden)]
pub const fn declared_output(declared: &[usize], last: &str, computed: &[usize]) -> Result<(), Text> {
    if equal(declared, computed) {
        return Ok(());
    }
    let text =
        Text::new().str("the network is declared to give ").shape(declared).str(", but ").str(last).str(" gives ");
    Err(text.shape(computed).str("; declare `-> ").shape(computed).str("` or change ").str(last))
}

/// Compares the input of a user-defined layer with the actual one.
///
/// # Errors
/// A message for the user if they differ.
#[doc(hidden)]
pub const fn taken_input(layer: &str, takes: &[usize], source: &str, gives: &[usize]) -> Result<(), Text> {
    if equal(takes, gives) {
        return Ok(());
    }
    let text = Text::new().str(layer).str(" takes ").shape(takes).str(", but ").str(source).str(" gives ");
    Err(text.shape(gives))
}

/// Compares what a user-defined layer takes with the values it is given.
///
/// # Errors
/// A sentence for the user if one of as many values differs. If there are more or fewer, the types say so.
#[doc(hidden)]
pub const fn taken_inputs(layer: &str, takes: &[&[usize]], sources: &[&str], gives: &[&[usize]]) -> Result<(), Text> {
    let mut index = 0;
    while takes.len() == gives.len() && index < takes.len() {
        if !equal(takes[index], gives[index]) {
            if takes.len() == 1 {
                return taken_input(layer, takes[index], sources[index], gives[index]);
            }
            let text = Text::new().str(layer).str(" takes ").shape(takes[index]).str(" as value ").number(index + 1);
            return Err(text.str(", but ").str(sources[index]).str(" gives ").shape(gives[index]));
        }
        index += 1;
    }
    Ok(())
}

/// Compares the two branches of a residual block; `shortcut` is `its input is` or `its shortcut
/// gives`.
///
/// # Errors
/// A message for the user if they differ.
#[doc(hidden)]
pub const fn residual(layer: &str, body: &[usize], shortcut: &str, other: &[usize]) -> Result<(), Text> {
    if equal(body, other) {
        return Ok(());
    }
    let text = Text::new().str(layer).str(": its body gives ").shape(body).str(", but ").str(shortcut).str(" ");
    let text = text.shape(other).str("; change the body, or give a shortcut of that shape: `residual(shortcut = ..)`");
    Err(text)
}

/// Compares two values that are added or multiplied.
///
/// # Errors
/// A message for the user if they differ.
#[doc(hidden)]
pub const fn alike(layer: &str, x: &str, a: &[usize], y: &str, b: &[usize]) -> Result<(), Text> {
    if equal(a, b) {
        return Ok(());
    }
    let text = Text::new().str(layer).str(": ").str(x).str(" gives ").shape(a).str(", but ").str(y).str(" gives ");
    Err(text.shape(b).str("; they must be alike"))
}

/// Compares two values that are concatenated along an axis.
///
/// # Errors
/// A message for the user if any other size differs.
#[doc(hidden)]
pub const fn beside(layer: &str, x: &str, a: &[usize], y: &str, b: &[usize], along: usize) -> Result<(), Text> {
    let (mut fits, mut axis) = (a.len() == b.len(), 0);
    while fits && axis < a.len() {
        fits = axis == along || a[axis] == b[axis];
        axis += 1;
    }
    if fits {
        return Ok(());
    }
    let text = Text::new().str(layer).str(": ").str(x).str(" gives ").shape(a).str(", but ").str(y).str(" gives ");
    let text = text.shape(b);
    if along + 1 == a.len() {
        return Err(text.str("; only the last size may differ"));
    }
    Err(text.str("; only the size of axis ").number(along).str(" may differ"))
}

/// The key of a part of a value.
///
/// # Errors
/// A message for the user if it has no such part.
#[doc(hidden)]
pub const fn part(value: &str, part: &str, parts: &[&str], key: u64) -> Result<u64, Text> {
    if parts.is_empty() {
        let text = Text::new()
            .str("`")
            .str(value)
            .str("` has no parts; only the output of a network with several outputs has");
        return Err(text);
    }
    let mut text = Text::new().str("`").str(value).str("` has no part `").str(part).str("`; it has ");
    let mut index = 0;
    while index < parts.len() {
        if same(parts[index], part) {
            return Ok(key);
        }
        text = text.str(if index > 0 { ", `" } else { "`" }).str(parts[index]).str("`");
        index += 1;
    }
    Err(text)
}

const fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut index = 0;
    while index < a.len() && index < b.len() && a[index] == b[index] {
        index += 1;
    }
    index == a.len() && index == b.len()
}

/// Checks a pool whose windows do not overlap.
///
/// # Errors
/// A message for the user if they do not cover the input.
#[doc(hidden)]
pub const fn covers(layer: &str, axis: &str, kernel: usize, input: usize) -> Result<(), Text> {
    // A kernel that does not fit at all is reported elsewhere.
    if kernel == 0 || kernel > input || input.is_multiple_of(kernel) {
        return Ok(());
    }
    let text = Text::new().str(layer).str(": windows of ").str(axis).str(" ").number(kernel);
    let text = text
        .str(" do not divide its input ")
        .str(axis)
        .str(" ")
        .number(input)
        .str("; use another size, pad, or write `stride = ");
    Err(text.number(kernel).str("` to leave the rest out"))
}

/// Compares the input that the user declares for a layer with the actual one.
///
/// # Errors
/// A message for the user if they differ.
#[doc(hidden)]
pub const fn stated_input(layer: &str, stated: &[usize], source: &str, gives: &[usize]) -> Result<(), Text> {
    if equal(stated, gives) {
        return Ok(());
    }
    let text = Text::new().str(layer).str(" is stated to take ").shape(stated).str(", but ").str(source).str(" gives ");
    Err(text.shape(gives))
}

/// Compares what a network needs with its budget, and names the largest layers.
///
/// # Errors
/// A message for the user if it needs more.
#[doc(hidden)]
pub const fn budget(what: &str, limit: usize, needs: usize, layers: &[(&str, usize)]) -> Result<(), Text> {
    if needs <= limit {
        return Ok(());
    }
    let mut text = Text::new().str("the network needs ").number(needs).str(" bytes of ").str(what);
    text = text.str(", more than its budget of ").number(limit);
    let (mut named, mut below) = (0, usize::MAX);
    while named < 3 {
        // The largest layer that is smaller than those already named.
        let (mut pick, mut found, mut index) = (0, false, 0);
        while index < layers.len() {
            if layers[index].1 < below && layers[index].1 > 0 && (!found || layers[index].1 > layers[pick].1) {
                (pick, found) = (index, true);
            }
            index += 1;
        }
        if !found {
            break;
        }
        text = text
            .str(if named == 0 { "; most of it: " } else { ", " })
            .str(layers[pick].0)
            .str(" ")
            .number(layers[pick].1);
        below = layers[pick].1;
        named += 1;
    }
    Err(text)
}

/// Checks the rank of the output of a user-defined layer.
///
/// # Errors
/// A message for the user if it differs.
#[doc(hidden)]
pub const fn rank(layer: &str, takes: &str, rank: usize, source: &str, gives: &[usize]) -> Result<(), Text> {
    if gives.len() == rank {
        return Ok(());
    }
    let text = Text::new().str(layer).str(" takes ").str(takes).str(", but ").str(source).str(" gives ");
    Err(text.shape(gives))
}

const fn equal(a: &[usize], b: &[usize]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let mut axis = 0;
    while axis < a.len() {
        if a[axis] != b[axis] {
            return false;
        }
        axis += 1;
    }
    true
}
