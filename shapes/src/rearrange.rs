//! Layers that move numbers, or see them in another shape.

use crate::{Text, numbers, same};

/// The size of an axis that is padded before and after; `mode` says with what.
///
/// # Errors
/// A message for the user if the input is too small to be reflected or repeated that far.
#[doc(hidden)]
pub const fn padded(
    layer: &str,
    axis: &str,
    input: usize,
    before: usize,
    after: usize,
    mode: &str,
) -> Result<usize, Text> {
    let larger = if before > after { before } else { after };
    let most = if same(mode, "reflect") {
        input - 1
    } else if same(mode, "wrap") {
        input
    } else {
        usize::MAX
    };
    if larger > most {
        let text = Text::new().str(layer).str(": padding ").str(axis).str(" by ").number(larger).str(" with mode `");
        let text = text.str(mode).str("` needs more than its input ").str(axis).str(" ").number(input);
        return Err(text.str("; use less padding, or `mode = edge`"));
    }
    match before.checked_add(after) {
        Some(both) if both < usize::MAX - input => Ok(input + both),
        _ => Err(Text::new().str(layer).str(": its sizes overflow")),
    }
}

/// How many indices are between `start` and `end` of an axis, `step` apart.
///
/// # Errors
/// A message for the user if there are none, or if the axis ends before.
#[doc(hidden)]
pub const fn slice(layer: &str, size: usize, start: usize, end: usize, step: usize) -> Result<usize, Text> {
    let text = Text::new().str(layer).str(": ");
    if end > size {
        return Err(text.str("end ").number(end).str(" is behind the end of its axis of ").number(size));
    }
    if start >= end || step == 0 {
        return Err(text.str("from ").number(start).str(" to ").number(end).str(" there is nothing"));
    }
    Ok((end - start).div_ceil(step))
}

/// Compares a shape with another view of the same numbers.
///
/// # Errors
/// A message for the user if they do not hold equally many.
#[doc(hidden)]
pub const fn reshaped(layer: &str, from: &[usize], to: &[usize]) -> Result<(), Text> {
    let (there, wanted) = match (numbers(layer, from), numbers(layer, to)) {
        (Ok(there), Ok(wanted)) => (there, wanted),
        (Err(text), _) | (_, Err(text)) => return Err(text),
    };
    if there == wanted {
        return Ok(());
    }
    let text = Text::new().str(layer).str(": ").shape(to).str(" holds ").number(wanted).str(" numbers, but its input ");
    Err(text.shape(from).str(" holds ").number(there))
}
