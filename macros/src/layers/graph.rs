//! Layers over graphs.

#![expect(clippy::result_large_err, reason = "a shape rule makes a text only after a mistake")]

use proc_macro2::TokenStream;
use quote::quote;
use syn::spanned::Spanned;
use syn::{Expr, Ident};

use crate::builder::Builder;
use crate::graph::{Capabilities, Dim, Op, Shape, ValueId};
use crate::layers::arguments::Arguments;
use crate::layers::same_shape::worked_out;
use crate::parse::ungroup;
use crate::shapes::{self, Range};

const NODES: &str = "nodes `[nodes, features]`";

/// What a layer takes, as it was found.
struct Found {
    /// The type that says where the edges come from.
    form: TokenStream,
    inputs: Vec<ValueId>,
    nodes: Dim,
    features: Dim,
    /// How many edges there can be, if an input has them.
    edges: Option<Dim>,
    /// How many numbers each edge has, if it has any.
    edge_features: Option<Dim>,
}

/// The nodes, and where their edges come from: the argument `graph`, or further inputs.
fn find(builder: &mut Builder, arguments: &Arguments, inputs: &[ValueId]) -> Option<Found> {
    let (text, span) = (arguments.text(), arguments.span);
    let topology = match arguments.get("graph").map(ungroup) {
        None => None,
        Some(Expr::Path(path)) => Some(quote!(#path)),
        Some(other) => {
            let message = format!("{text}: graph is a type that implements `Topology`, such as `graph = self::Club`");
            builder.errors.at(other.span(), message);
            return None;
        }
    };
    let (nodes, rest) = inputs.split_first()?;
    let x = builder.ty(*nodes);
    let whole = |builder: &Builder, value: &ValueId| builder.values[*value].element.is_some();
    let (edges, rest) = match (&topology, rest) {
        (Some(_), rest) => (None, rest),
        (None, [edges, rest @ ..]) if whole(builder, edges) => (Some(*edges), rest),
        _ => {
            let kind = arguments.title().1;
            let message = format!(
                "{text} takes nodes and edges: `(x, edges) |> {kind}(..)` with an input `edges: [[u16; 2]; 100]`, or \
                 `graph = self::Club`, a type that implements `Topology`"
            );
            builder.errors.at(span, message);
            return None;
        }
    };
    let (numbers, rest) = match rest {
        [numbers, rest @ ..] if !whole(builder, numbers) => (Some(*numbers), rest),
        rest => (None, rest),
    };
    let count = match (rest, edges) {
        ([], _) => None,
        ([count], Some(_)) if whole(builder, count) => Some(*count),
        _ => {
            let message = format!(
                "{text} takes, in this order: nodes, edges, what each edge has, and how many edges are in use, `[u16; 1]`; \
                 edges of a `graph = ..` are all in use"
            );
            builder.errors.at(span, message);
            return None;
        }
    };
    let sizes = builder.sizes(&arguments.name, span, NODES, 2, *nodes)?;
    if let Some(graph) = &topology
        && builder.is_constant(&Shape::Known(vec![sizes[0].clone()]))
        && builder.generic_size(graph).is_none()
    {
        let (count, graph) = (sizes[0].tokens(), quote!(<#graph as ::monomorph::layers::graph::Topology>));
        let result = quote!(::monomorph::shapes::topology(#text, #count, #graph::EDGES, #graph::WEIGHTS.len()));
        builder.check(span, result);
    }
    let mut edge_count = None;
    if let Some(edges) = edges {
        let pairs = builder.sizes(&arguments.name, span, "edges `[[u16; 2]; E]`", 2, edges)?;
        if let Some(Dim::Literal(ends)) = pairs.last().filter(|ends| !matches!(ends, Dim::Literal(2))) {
            let source = &builder.values[edges].source;
            let message = format!("{text} takes edges `[[u16; 2]; E]`, but {source} has {ends} nodes for each");
            builder.errors.at(span, message);
            return None;
        }
        edge_count = pairs.first().cloned();
    }
    if let Some(count) = count
        && builder.values[count].shape.literals().is_some_and(|sizes| sizes != [1])
    {
        let (source, shape) = (&builder.values[count].source, builder.values[count].shape.text());
        let message = format!("{text} takes one number of edges for a sample, `[u16; 1]`, but {source} gives {shape}");
        builder.errors.at(span, message);
        return None;
    }
    let mut edge_features = None;
    if let Some(numbers) = numbers {
        let shape = builder.values[numbers].shape.clone();
        let given = shape.first().cloned();
        edge_features = match shape.rank() {
            Some(1) => Some(Dim::Literal(1)),
            Some(2) => shape.last().cloned(),
            _ => {
                let source = &builder.values[numbers].source;
                let message = format!(
                    "{text}: each edge has a weight, `[E]`, or features, `[E, F]`, but {source} gives {}",
                    shape.text()
                );
                builder.errors.at(span, message);
                return None;
            }
        };
        if let (Some(Dim::Literal(edges)), Some(Dim::Literal(given))) = (&edge_count, &given)
            && edges != given
        {
            let source = &builder.values[numbers].source;
            let message = format!("{text}: there are {edges} edges, but {source} has numbers for {given}");
            builder.errors.at(span, message);
            return None;
        }
    }
    let types = |values: &[Option<ValueId>]| {
        let types = values.iter().flatten().map(|value| builder.ty(*value));
        quote!(#(, #types)*)
    };
    let form = match (&topology, numbers, count) {
        (Some(graph), None, _) => quote!(Known<#x, #graph>),
        (Some(graph), Some(_), _) => {
            let numbers = types(&[numbers]);
            quote!(KnownFeatured<#x, #graph #numbers>)
        }
        (None, numbers, count) => {
            let name = match (numbers, count) {
                (None, None) => "Linked",
                (None, Some(_)) => "LinkedCounted",
                (Some(_), None) => "Featured",
                (Some(_), Some(_)) => "FeaturedCounted",
            };
            let (name, others) = (Ident::new(name, proc_macro2::Span::call_site()), types(&[edges, numbers, count]));
            quote!(#name<#x #others>)
        }
    };
    Some(Found {
        form: quote!(::monomorph::layers::graph::#form),
        inputs: inputs.to_vec(),
        nodes: sizes[0].clone(),
        features: sizes[1].clone(),
        edges: edge_count,
        edge_features,
    })
}

/// Reports features of edges for a layer that has no use for them.
fn unweighted(builder: &mut Builder, arguments: &Arguments, found: &Found) -> Option<()> {
    if found.edge_features.is_none() {
        return Some(());
    }
    let message = format!(
        "{}: edges have no weights or features here; GraphConv and Gin take weights, EdgeConv takes features",
        arguments.text()
    );
    builder.errors.at(arguments.span, message);
    None
}

/// Reports several features of an edge for a layer that takes a weight.
fn one_weight(builder: &mut Builder, arguments: &Arguments, found: &Found) -> Option<()> {
    if matches!(found.edge_features, None | Some(Dim::Literal(1))) {
        return Some(());
    }
    let message = format!("{}: an edge has one weight here; features are for EdgeConv", arguments.text());
    builder.errors.at(arguments.span, message);
    None
}

fn array(builder: &Builder, sizes: &[&Dim]) -> TokenStream {
    Shape::Known(sizes.iter().copied().cloned().collect()).ty(&builder.scalar)
}

/// Adds the node of a layer that gives `[nodes, units]`.
fn given(builder: &mut Builder, arguments: &Arguments, found: Found, units: &Dim, op: Op, ty: TokenStream) -> ValueId {
    let shape = Shape::Known(vec![found.nodes, units.clone()]);
    builder.layer(op, arguments.field(ty), arguments.title(), found.inputs, shape)
}

/// The units, which without a weight are the features; and the rows of the weight.
fn units(builder: &mut Builder, arguments: &Arguments, found: &Found, weighted: bool) -> Option<(Dim, Dim)> {
    let text = arguments.text();
    match (arguments.get("units"), weighted) {
        (Some(units), true) => Some((builder.dim(&text, "units", units)?, found.features.clone())),
        (None, false) => Some((found.features.clone(), Dim::Literal(0))),
        (Some(units), false) => {
            let units = builder.dim(&text, "units", units)?;
            if let (Dim::Literal(units), Dim::Literal(features)) = (&units, &found.features)
                && units != features
            {
                let message = format!("{text}: without a weight it gives as many features as it takes: {features}");
                builder.errors.at(arguments.span, message);
                return None;
            }
            Some((units, Dim::Literal(0)))
        }
        (None, true) => {
            let kind = arguments.title().1;
            let message = format!("{kind}: `units` is missing; write `{kind}(16)`, or `weight = false`");
            builder.errors.at(arguments.span, message);
            None
        }
    }
}

pub(super) fn graph_conv(builder: &mut Builder, arguments: &Arguments, inputs: &[ValueId]) -> Option<ValueId> {
    let bias = arguments.flag(builder, "bias", true);
    let weighted = arguments.flag(builder, "weight", true);
    let found = find(builder, arguments, inputs)?;
    one_weight(builder, arguments, &found)?;
    let (units, rows) = units(builder, arguments, &found, weighted?)?;
    let bias = if bias? { units.clone() } else { Dim::Literal(0) };
    let (w, y, b) =
        (array(builder, &[&rows, &units]), array(builder, &[&found.nodes, &units]), array(builder, &[&bias]));
    let form = &found.form;
    let ty = quote!(::monomorph::layers::GraphConv<#form, #w, #y, #b>);
    let op = Op::Layer(Capabilities { packs_weights: true, ..Capabilities::SAVES_AND_NEEDS_WORKSPACE });
    let output = given(builder, arguments, found, &units, op, ty);
    builder.count(arguments.span, &[&[&rows, &units], &[&bias]]);
    Some(output)
}

pub(super) fn graph_attention(builder: &mut Builder, arguments: &Arguments, inputs: &[ValueId]) -> Option<ValueId> {
    let text = arguments.text();
    let bias = arguments.flag(builder, "bias", true);
    let weighted = arguments.flag(builder, "weight", true);
    let slope = arguments.real(builder, "slope", 0.2, Range::Probability);
    let rate = arguments.real(builder, "dropout", 0.0, Range::Probability);
    let second = arguments.word(builder, "version", &["v1", "v2"]).map(|version| version == "v2");
    let written = arguments.get("heads");
    let heads = match written {
        Some(heads) => builder.dim(&text, "heads", heads),
        None => Some(Dim::Literal(1)),
    };
    let found = find(builder, arguments, inputs)?;
    unweighted(builder, arguments, &found)?;
    let (second, weighted, heads) = (second?, weighted?, heads?);
    if second && !weighted {
        let span = arguments.get("weight").map_or(arguments.span, Spanned::span);
        builder.errors.at(span, format!("{text}: the weights of `version = v2` cannot be left out"));
        return None;
    }
    let (units, rows) = units(builder, arguments, &found, weighted)?;
    let head = worked_out(
        builder,
        arguments,
        written.map_or(arguments.span, Spanned::span),
        &[&heads, &units],
        |sizes| shapes::share(&text, "heads", sizes[0], "features", sizes[1]),
        |sizes| {
            let (heads, units) = (&sizes[0], &sizes[1]);
            quote!(::monomorph::shapes::share(#text, "heads", #heads, "features", #units))
        },
    )?;
    let bias = if bias? { units.clone() } else { Dim::Literal(0) };
    let (w, y, b) =
        (array(builder, &[&rows, &units]), array(builder, &[&found.nodes, &units]), array(builder, &[&bias]));
    let a = array(builder, &[&heads, &head]);
    let (form, of, slope, rate) = (&found.form, heads.tokens(), slope?, rate?);
    let layer = Ident::new(if second { "GraphAttentionV2" } else { "GraphAttention" }, proc_macro2::Span::call_site());
    let ty = quote!(::monomorph::layers::#layer<#form, #w, #a, #y, #b, #of, #slope, #rate>);
    let random = arguments.get("dropout").is_some();
    let op = Op::Layer(Capabilities { random, reads_output: true, ..Capabilities::SAVES_AND_NEEDS_WORKSPACE });
    let output = given(builder, arguments, found, &units, op, ty);
    // v1 has a weight and two vectors for each head, v2 the other way round.
    let (weight, vector): ([&Dim; 2], [&Dim; 2]) = ([&rows, &units], [&heads, &head]);
    let tensors: [&[&Dim]; 4] =
        if second { [&weight, &weight, &vector, &[&bias]] } else { [&weight, &vector, &vector, &[&bias]] };
    builder.count(arguments.span, &tensors);
    Some(output)
}

/// How what reaches a node becomes one.
fn aggregate(builder: &mut Builder, arguments: &Arguments, name: &str, words: &[&'static str]) -> Option<TokenStream> {
    let word = match arguments.word(builder, name, words)? {
        "sum" => "Sum",
        "max" => "Max",
        _ => "Mean",
    };
    let word = Ident::new(word, proc_macro2::Span::call_site());
    Some(quote!(::monomorph::layers::graph::#word))
}

pub(super) fn graph_sage(builder: &mut Builder, arguments: &Arguments, inputs: &[ValueId]) -> Option<ValueId> {
    let bias = arguments.flag(builder, "bias", true);
    let aggregate = aggregate(builder, arguments, "aggregate", &["mean", "max", "sum"]);
    let found = find(builder, arguments, inputs)?;
    unweighted(builder, arguments, &found)?;
    let (units, rows) = units(builder, arguments, &found, true)?;
    let bias = if bias? { units.clone() } else { Dim::Literal(0) };
    let (w, y, b) =
        (array(builder, &[&rows, &units]), array(builder, &[&found.nodes, &units]), array(builder, &[&bias]));
    let (form, aggregate) = (&found.form, aggregate?);
    let ty = quote!(::monomorph::layers::GraphSage<#form, #aggregate, #w, #y, #b>);
    let output = given(builder, arguments, found, &units, Op::Layer(Capabilities::SAVES_AND_NEEDS_WORKSPACE), ty);
    builder.count(arguments.span, &[&[&rows, &units], &[&rows, &units], &[&bias]]);
    Some(output)
}

pub(super) fn gin(builder: &mut Builder, arguments: &Arguments, inputs: &[ValueId]) -> Option<ValueId> {
    let found = find(builder, arguments, inputs)?;
    one_weight(builder, arguments, &found)?;
    let (form, x, units) = (&found.form, builder.ty(inputs[0]), found.features.clone());
    let ty = quote!(::monomorph::layers::Gin<#form, #x>);
    let output = given(builder, arguments, found, &units, Op::Layer(Capabilities::READS_INPUT), ty);
    builder.count(arguments.span, &[&[&Dim::Literal(1)]]);
    Some(output)
}

pub(super) fn edge_conv(builder: &mut Builder, arguments: &Arguments, inputs: &[ValueId]) -> Option<ValueId> {
    let aggregate = aggregate(builder, arguments, "aggregate", &["sum", "mean", "max"]);
    let found = find(builder, arguments, inputs)?;
    let (units, features) = units(builder, arguments, &found, true)?;
    let more = found.edge_features.clone().unwrap_or(Dim::Literal(0));
    let text = arguments.text();
    let rows = worked_out(
        builder,
        arguments,
        arguments.span,
        &[&features, &more],
        |sizes| shapes::size(&text, "the weight", 2 * sizes[0] + sizes[1]),
        |sizes| {
            let (features, more) = (&sizes[0], &sizes[1]);
            quote!(::monomorph::shapes::size(#text, "the weight", 2 * #features + #more))
        },
    )?;
    let (w, y) = (array(builder, &[&rows, &units]), array(builder, &[&found.nodes, &units]));
    let (form, aggregate) = (&found.form, aggregate?);
    let ty = quote!(::monomorph::layers::EdgeConv<#form, #aggregate, #w, #y>);
    let output = given(builder, arguments, found, &units, Op::Layer(Capabilities::SAVES_AND_NEEDS_WORKSPACE), ty);
    builder.count(arguments.span, &[&[&rows, &units], &[&units]]);
    Some(output)
}

/// The ends of each edge of an input.
pub(super) fn edge_pairs(builder: &mut Builder, arguments: &Arguments, inputs: &[ValueId]) -> Option<ValueId> {
    let found = find(builder, arguments, inputs)?;
    unweighted(builder, arguments, &found)?;
    let text = arguments.text();
    let both = worked_out(
        builder,
        arguments,
        arguments.span,
        &[&found.features],
        |sizes| shapes::size(&text, "features", 2 * sizes[0]),
        |sizes| quote!(::monomorph::shapes::size(#text, "features", 2 * #(#sizes)*)),
    )?;
    let edges = match &found.edges {
        Some(edges) => edges.clone(),
        None => {
            let form = &found.form;
            Dim::Constant(quote!(<#form as ::monomorph::layers::graph::Graph>::EDGES))
        }
    };
    let (form, y) = (&found.form, array(builder, &[&edges, &both]));
    let ty = quote!(::monomorph::layers::EdgePairs<#form, #y>);
    let op = Op::Layer(Capabilities::READS_INPUT);
    let shape = Shape::Known(vec![edges, both]);
    Some(builder.layer(op, arguments.field(ty), arguments.title(), found.inputs, shape))
}

pub(super) fn node_pool(builder: &mut Builder, arguments: &Arguments, inputs: &[ValueId]) -> Option<ValueId> {
    let mode = aggregate(builder, arguments, "mode", &["mean", "sum", "max"]);
    let &[x, count] = inputs else {
        let message = format!(
            "{0} takes nodes and how many of them are in use: `(x, count) |> NodePool(mean)` with an input `count: [u16; 1]`; \
             if all are, write `ReduceMean(0)`",
            arguments.text()
        );
        builder.errors.at(arguments.span, message);
        return None;
    };
    let sizes = builder.sizes(&arguments.name, arguments.span, NODES, 2, x)?;
    builder.whole_numbers(arguments.span, &arguments.text(), count)?;
    let (mode, nodes, counts) = (mode?, builder.ty(x), builder.ty(count));
    let ty = quote!(::monomorph::layers::NodePool<#mode, #nodes, #counts>);
    let shape = Shape::Known(vec![sizes[1].clone()]);
    let op = Op::Layer(Capabilities::READS_INPUT);
    Some(builder.layer(op, arguments.field(ty), arguments.title(), inputs.to_vec(), shape))
}

pub(super) fn sparse_dense(builder: &mut Builder, arguments: &Arguments, inputs: &[ValueId]) -> Option<ValueId> {
    let text = arguments.text();
    let units = builder.dim(&text, "units", arguments.get("units")?);
    let size = |builder: &mut Builder, name: &str| {
        let Some(written) = arguments.get(name) else {
            let message = format!("{text}: `{name}` is missing; write `SparseDense(16, rows = 100, columns = 1000)`");
            builder.errors.at(arguments.span, message);
            return None;
        };
        builder.dim(&text, name, written)
    };
    let (rows, columns) = (size(builder, "rows"), size(builder, "columns"));
    let bias = arguments.flag(builder, "bias", true);
    let &[entries, values] = inputs else {
        let message = format!(
            "{text} takes entries and their values: `(entries, values) |> SparseDense(..)` with inputs \
             `entries: [[u16; 2]; 100]` and `values: [100]`"
        );
        builder.errors.at(arguments.span, message);
        return None;
    };
    let pairs = builder.sizes(&arguments.name, arguments.span, "entries `[[u16; 2]; E]`", 2, entries)?;
    builder.numbers(arguments.span, &text, values)?;
    let each = builder.sizes(&arguments.name, arguments.span, "a value for each entry", 1, values)?;
    if let (Dim::Literal(entries), Dim::Literal(values)) = (&pairs[0], &each[0])
        && entries != values
    {
        builder.errors.at(arguments.span, format!("{text}: there are {entries} entries, but {values} values"));
        return None;
    }
    let (units, rows, columns) = (units?, rows?, columns?);
    let bias = if bias? { units.clone() } else { Dim::Literal(0) };
    let (e, v) = (builder.ty(entries), builder.ty(values));
    let (w, y, b) = (array(builder, &[&columns, &units]), array(builder, &[&rows, &units]), array(builder, &[&bias]));
    let ty = quote!(::monomorph::layers::SparseDense<#e, #v, #w, #y, #b>);
    let shape = Shape::Known(vec![rows, units.clone()]);
    let op = Op::Layer(Capabilities::READS_INPUT);
    let output = builder.layer(op, arguments.field(ty), arguments.title(), inputs.to_vec(), shape);
    builder.count(arguments.span, &[&[&columns, &units], &[&bias]]);
    Some(output)
}
