//! Recurrent layers.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote};
use syn::spanned::Spanned;
use syn::{Expr, Ident, parse_quote_spanned};

use crate::builder::Builder;
use crate::graph::{Capabilities, Dim, Op, Shape, ValueId};
use crate::layers::arguments::Arguments;
use crate::shapes;

/// A kind of cell: the name of the layer, how many gates it has, and the names of its states.
struct Cell {
    layer: &'static str,
    gates: usize,
    states: &'static [&'static str],
}

const RNN: Cell = Cell { layer: "Rnn", gates: 1, states: &["h"] };
const LSTM: Cell = Cell { layer: "Lstm", gates: 4, states: &["h", "c"] };
const GRU: Cell = Cell { layer: "Gru", gates: 3, states: &["h"] };

pub(super) fn rnn(builder: &mut Builder, arguments: &Arguments, inputs: &[ValueId]) -> Option<ValueId> {
    recurrent(builder, arguments, inputs, &RNN)
}

pub(super) fn lstm(builder: &mut Builder, arguments: &Arguments, inputs: &[ValueId]) -> Option<ValueId> {
    recurrent(builder, arguments, inputs, &LSTM)
}

pub(super) fn gru(builder: &mut Builder, arguments: &Arguments, inputs: &[ValueId]) -> Option<ValueId> {
    recurrent(builder, arguments, inputs, &GRU)
}

/// From `[time, features]`, and perhaps the states before, to a row of hidden units for every step, or for the last.
fn recurrent(builder: &mut Builder, arguments: &Arguments, inputs: &[ValueId], cell: &Cell) -> Option<ValueId> {
    let (text, written) = (arguments.text(), arguments.get("units")?);
    let units = builder.dim(&text, "units", written);
    let last = arguments.flag(builder, "last", false);
    let bidirectional = arguments.flag(builder, "bidirectional", false);
    let with_cell = arguments.flag(builder, "cell", false);
    let learned = arguments.word(builder, "initial", &["zeros", "learned"]);
    let keras = arguments.word(builder, "init", &["pytorch", "keras"]);
    let before = arguments.word(builder, "reset", &["after", "before"]);
    let (input, given) = inputs.split_first()?;
    let sizes = builder.sizes(&arguments.name, arguments.span, "a sequence `[time, features]`", 2, *input)?;
    let (units, last, bidirectional, with_cell) = (units?, last?, bidirectional?, with_cell?);
    let (learned, keras, before) = (learned? == "learned", keras? == "keras", before? == "before");
    check_states(builder, arguments, cell, given, &units, bidirectional || learned)?;

    let [steps, features] = [sizes[0].clone(), sizes[1].clone()];
    let mut times = |factor: usize| match &units {
        Dim::Literal(units) => Some(Dim::Literal(factor * units)),
        _ if factor == 1 => Some(units.clone()),
        _ => {
            let product: Expr = parse_quote_spanned!(written.span()=> (#written) * #factor);
            builder.dim(&text, "units", &product)
        }
    };
    let row = if with_cell { 2 } else { 1 };
    let (wide, given_row) = (times(cell.gates)?, times(row)?);
    let joined_row = if bidirectional { times(2 * row)? } else { given_row.clone() };
    let shape = |row: Dim| Shape::Known(if last { vec![row] } else { vec![steps.clone(), row] });
    let output = shape(given_row);
    let scalar = &builder.scalar;
    let matrix = |rows: &Dim| Shape::Known(vec![rows.clone(), wide.clone()]).ty(scalar);
    let (i, h, b) = (matrix(&features), matrix(&units), Shape::Known(vec![wide.clone()]).ty(scalar));
    let (y, layer) = (output.ty(scalar), Ident::new(cell.layer, Span::call_site()));
    let kept = if learned { cell.states.len() } else { 0 };
    let states = Shape::Known(vec![Dim::Literal(kept), units.clone()]).ty(scalar);
    let options = match (before, keras, learned) {
        (true, ..) => quote!(, #states, #keras, 1),
        (_, true, _) => quote!(, #states, true),
        (.., true) => quote!(, #states),
        _ => TokenStream::new(),
    };
    let types: Vec<_> = inputs.iter().map(|input| builder.ty(*input)).collect();
    let x = if let [x] = types.as_slice() { x.clone() } else { quote!((#(#types),*)) };
    let ty = quote!(::monomorph::layers::#layer<#x, #i, #h, #b, #y #options>);
    let streams = !last && !bidirectional && given.is_empty();
    let op = Op::Layer(Capabilities {
        streams,
        has_state: streams,
        packs_weights: true,
        ..Capabilities::SAVES_AND_NEEDS_WORKSPACE
    });
    let learned = Dim::Literal(kept);
    let direction = |builder: &mut Builder, name: &Ident, inputs: Vec<ValueId>| {
        let title = (name.to_string(), cell.layer);
        let given = builder.layer(op.clone(), Some((name.clone(), ty.clone())), title, inputs, output.clone());
        let tensors: [&[&Dim]; 5] = [&[&features, &wide], &[&units, &wide], &[&wide], &[&wide], &[&learned, &units]];
        builder.count(arguments.span, &tensors);
        builder.locate(given, arguments.span);
        given
    };
    let name = &arguments.name;
    let forward = direction(builder, name, inputs.to_vec());
    if !bidirectional {
        return Some(forward);
    }
    // The steps backward, and what comes of them forward again, beside the others.
    let reverse = format_ident!("{name}_reverse", span = name.span());
    let turned = flipped(builder, &format_ident!("{name}_turned"), *input);
    let mut backward = direction(builder, &reverse, vec![turned]);
    if !last {
        backward = flipped(builder, &format_ident!("{reverse}_turned"), backward);
    }
    let whole = shape(joined_row);
    Some(builder.layer(Op::Concat(usize::from(!last)), None, (text, "Concat"), vec![forward, backward], whole))
}

/// A sequence with its steps in the opposite order.
fn flipped(builder: &mut Builder, name: &Ident, input: ValueId) -> ValueId {
    let (x, shape) = (builder.ty(input), builder.values[input].shape.clone());
    let ty = quote!(::monomorph::layers::Flip<#x, 1>);
    let field = Some((name.clone(), ty));
    builder.node(Op::Layer(Capabilities::NONE), field, (name.to_string(), "Flip"), input, shape)
}

/// Checks the states before the first step, if they are given.
fn check_states(
    builder: &mut Builder,
    arguments: &Arguments,
    cell: &Cell,
    given: &[ValueId],
    units: &Dim,
    begins_otherwise: bool,
) -> Option<()> {
    let text = arguments.text();
    if given.is_empty() {
        return Some(());
    }
    let example = format!("`(x, {}) |> {}(..)`", cell.states.join(", "), cell.layer);
    if given.len() != cell.states.len() {
        let message =
            format!("{text} takes a sequence, alone or with its first {}: {example}", cell.states.join(" and "));
        builder.errors.at(arguments.span, message);
        return None;
    }
    if begins_otherwise {
        let message = format!("{text}: states are given to one direction, and instead of learned ones");
        builder.errors.at(arguments.span, message);
        return None;
    }
    let takes = Shape::Known(vec![units.clone()]);
    for value in given {
        let (gives, source) = (builder.values[*value].shape.clone(), builder.values[*value].source.clone());
        let now = |p: &[usize], q: &[usize]| shapes::taken_input(&text, p, &source, q).err();
        let later = |p, q| quote!(::monomorph::shapes::taken_input(#text, #p, #source, #q));
        if builder.compare(arguments.span, [&takes, &gives], now, later) == Some(false) {
            return None;
        }
    }
    Some(())
}
