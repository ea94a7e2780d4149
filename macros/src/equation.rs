//! `ode(to = 1.0) { Dense(32), Tanh, Dense(2) }`: a layer that contains a network, the right side of an equation.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote};
use syn::spanned::Spanned;
use syn::{Expr, Ident, parse_quote};

use crate::builder::Builder;
use crate::graph::{Capabilities, Dim, Model, Op, Shape, ValueId};
use crate::layers::arguments::{Arguments, Signature, decimal, parts};
use crate::parse::{Call, Declaration, Dims, Port};
use crate::shapes::Range;
use crate::sizes::number_type;
use crate::spans::at;
use crate::words::text;

const SIGNATURE: Signature = Signature {
    name: "ode",
    places: &["to"],
    names: &["times", "from", "solver", "steps", "rtol", "atol", "gradient", "checkpoints", "time"],
    required: 0,
};

/// How many steps a solver takes that is not told.
const ADAPTIVE_STEPS: usize = 64;
const FIXED_STEPS: usize = 16;
/// How many states are stored at most, if it is not said.
const STATES: usize = 64;

/// Whether a call is that of an equation.
pub(crate) fn is_equation(call: &Call) -> bool {
    call.path.is_ident(SIGNATURE.name)
}

/// An equation in a network.
pub(crate) struct Equation {
    name: Ident,
    span: Span,
    times: Vec<TokenStream>,
    from: TokenStream,
    solver: TokenStream,
    rtol: TokenStream,
    atol: TokenStream,
    steps: TokenStream,
    states: TokenStream,
}

impl Equation {
    /// Reads the call of an equation, in the network of this declaration: the equation and the declaration of its right
    /// side; `None` after a mistake.
    pub(crate) fn new(
        builder: &mut Builder,
        network: &Declaration,
        call: &Call,
        input: ValueId,
    ) -> Option<(Self, Declaration)> {
        let span = call.span();
        let Some((body, body_span)) = call.body.clone() else {
            let message = "ode: its right side is missing; write `ode(to = 1.0) { Dense(32), Tanh, Dense(2) }`";
            builder.errors.at(span, message);
            return None;
        };
        let name = builder.name(SIGNATURE.name, call);
        let arguments = Arguments::new(builder, &SIGNATURE, name, call)?;
        builder.numbers(span, &arguments.text(), input)?;
        arguments.check_input(builder, input)?;
        let Shape::Known(state) = builder.values[input].shape.clone() else {
            return arguments.unknown_sizes(builder, input);
        };
        if let Some(size) = state.iter().find(|size| matches!(size, Dim::Type { .. })) {
            let message =
                format!("{}: `{}` is a type, and the sizes of an equation are numbers", arguments.name, size.text());
            builder.errors.at(span, message);
            return None;
        }
        let adaptive = "Dopri5";
        let solvers = ["Dopri5", "Euler", "Midpoint", "Rk4", "Trapezoid", "Rosenbrock"];
        let solver = arguments.word(builder, "solver", &solvers);
        let gradient = arguments.word(builder, "gradient", &["checkpoints", "adjoint"]);
        let timed = arguments.flag(builder, "time", false);
        let [from, rtol, atol] =
            [("from", 0.0, Range::Any), ("rtol", 1e-6, Range::NotNegative), ("atol", 1e-6, Range::Positive)]
                .map(|(name, default, range)| arguments.real(builder, name, default, range));
        let times = times(builder, &arguments);
        let (solver, gradient, timed, times) = (solver?, gradient?, timed?, times?);
        let (steps, states) = steps(builder, &arguments, solver == adaptive, times.len(), gradient == "adjoint")?;

        let mut sizes: Vec<Expr> = Vec::new();
        for size in &state {
            sizes.push(syn::parse2(size.tokens()).ok()?);
        }
        let kind = Ident::new(solver, Span::call_site());
        let mut solver = quote!(::monomorph::ode::#kind);
        if ["Trapezoid", "Rosenbrock"].iter().any(|implicit| kind == implicit) {
            let numbers = numbers(builder, &arguments, &state)?;
            solver = quote!(#solver<#numbers>);
        }
        if gradient == "adjoint" {
            solver = quote!(::monomorph::ode::Adjoint<#solver>);
        }
        let field = field(builder, network, &arguments, (body, body_span), sizes, timed)?;
        let name = arguments.name.clone();
        let (from, rtol, atol) = (from?, rtol?, atol?);
        Some((Self { name, span, times, from, solver, rtol, atol, steps, states }, field))
    }

    /// Adds the layer, of which the right side is `field`; returns its output.
    pub(crate) fn add(&self, builder: &mut Builder, field: &Model, input: ValueId) -> Option<ValueId> {
        let random = |node: &&crate::graph::Node| {
            let capabilities = node.capabilities();
            capabilities.random && !capabilities.user_defined
        };
        if let Some(node) = field.nodes.iter().find(random) {
            let message = format!(
                "{}: {} is random, but the right side of an equation is the same at every time; put it before or behind",
                self.name, node.name
            );
            builder.errors.at(node.span.unwrap_or(self.span), message);
            return None;
        }
        let Shape::Known(mut sizes) = builder.values[input].shape.clone() else { return None };
        if self.times.len() > 1 {
            if sizes.len() == 4 {
                let message = format!("{}: a state of four sizes cannot be given at several times", self.name);
                builder.errors.at(self.span, message);
                return None;
            }
            sizes.insert(0, Dim::Literal(self.times.len()));
        }
        let output = Shape::Known(sizes);
        let (name, generics) = (&field.declaration.name, &field.declaration.generics);
        let (_, arguments, _) = generics.split_for_impl();
        let (y, steps, states) = (output.ty(&builder.scalar), &self.steps, &self.states);
        let ty = quote!(::monomorph::layers::Ode<#name #arguments, #y, #steps, #states>);
        let op = Op::Layer(Capabilities::CONTAINS);
        let title = (text(&self.name), SIGNATURE.name);
        let output = builder.node(op, Some((self.name.clone(), ty)), title, input, output);
        // The compiler counts the parameters.
        builder.count(self.span, &[&[&Dim::Constant(quote!())]]);
        builder.locate(output, self.span);
        Some(output)
    }

    /// How the equation is solved: what its right side implements.
    pub(crate) fn problem(&self) -> TokenStream {
        let Self { times, from, solver, rtol, atol, .. } = self;
        quote! {
            type Point = <Self as ::monomorph::Layer>::Input;
            type Solver = #solver;
            const FROM: f64 = f64::from_bits(#from);
            const TIMES: &'static [f64] = &[#(#times),*];
            const RTOL: f64 = f64::from_bits(#rtol);
            const ATOL: f64 = f64::from_bits(#atol);
        }
    }
}

/// The times at which the solution is wanted.
fn times(builder: &mut Builder, arguments: &Arguments) -> Option<Vec<TokenStream>> {
    let name = &arguments.name;
    let times = match (arguments.get("to"), arguments.get("times")) {
        (Some(_), None) => {
            let to = arguments.real(builder, "to", 1.0, Range::Any)?;
            return Some(vec![quote!(f64::from_bits(#to))]);
        }
        (None, Some(times)) => times,
        (Some(_), Some(times)) => {
            builder.errors.at(times.span(), format!("{name}: either `to` or `times`, not both"));
            return None;
        }
        (None, None) => {
            builder.errors.at(arguments.span, format!("{name}: until when? Write `to = 1.0`, or `times = [0.5, 1.0]`"));
            return None;
        }
    };
    let Some(list) = parts(times).filter(|list| !list.is_empty()) else {
        builder.errors.at(times.span(), format!("{name}: times are a list, such as `[0.5, 1.0]`"));
        return None;
    };
    let numbers: Option<Vec<f64>> = list.iter().map(|time| decimal(time)).collect();
    let from = arguments.get("from").map_or(Some(0.0), decimal);
    if let (Some(numbers), Some(from)) = (numbers, from) {
        let forward = numbers[0] > from;
        let mut before = from;
        for (number, written) in numbers.iter().zip(&list) {
            if (*number > before) != forward || *number == before {
                let message = format!("{name}: the times follow one another, but {number} comes after {before}");
                builder.errors.at(written.span(), message);
                return None;
            }
            before = *number;
        }
    }
    Some(list.iter().map(|time| quote!((#time) as f64)).collect())
}

/// How many steps there are, and how many states are stored.
fn steps(
    builder: &mut Builder,
    arguments: &Arguments,
    adaptive: bool,
    times: usize,
    adjoint: bool,
) -> Option<(TokenStream, TokenStream)> {
    let name = arguments.text();
    let steps = match arguments.get("steps") {
        Some(written) => builder.dim(&name, "steps", written)?,
        None => Dim::Literal(if adaptive { ADAPTIVE_STEPS } else { FIXED_STEPS * times }),
    };
    if let (Dim::Literal(number), false) = (&steps, adaptive)
        && !number.is_multiple_of(times)
    {
        let at = arguments.get("steps").map_or(arguments.span, Spanned::span);
        let message = format!("{name}: {times} times cannot share {number} steps equally; write a multiple of {times}");
        builder.errors.at(at, message);
        return None;
    }
    let states = match arguments.get("checkpoints") {
        _ if adjoint => quote!(0),
        Some(written) => builder.dim(&name, "checkpoints", written)?.argument(),
        None => match &steps {
            Dim::Literal(number) => Dim::Literal((*number).min(STATES)).argument(),
            Dim::Parameter(_) => steps.argument(),
            other => {
                let steps = other.tokens();
                quote!({ if #steps < #STATES { #steps } else { #STATES } })
            }
        },
    };
    if let (Dim::Literal(steps), Some(written), false) = (&steps, arguments.get("checkpoints"), adjoint)
        && let Some(states) = decimal(written)
    {
        let least = steps.next_power_of_two().trailing_zeros() as usize + 1;
        if states < least as f64 {
            let message =
                format!("{name}: {steps} steps need at least {least} checkpoints, one for each time they are halved");
            builder.errors.at(written.span(), message);
            return None;
        }
    }
    Some((steps.argument(), states))
}

/// How many numbers a state has.
fn numbers(builder: &mut Builder, arguments: &Arguments, state: &[Dim]) -> Option<TokenStream> {
    if let [size] = state {
        return Some(size.argument());
    }
    if let Some(sizes) = Shape::Known(state.to_vec()).literals() {
        let numbers: usize = sizes.iter().product();
        return Some(quote!(#numbers));
    }
    let message =
        format!("{}: an implicit solver takes a state of one size, or of sizes that are numbers", arguments.name);
    builder.errors.at(arguments.span, message);
    None
}

/// The declaration of the right side.
fn field(
    builder: &mut Builder,
    network: &Declaration,
    arguments: &Arguments,
    body: (TokenStream, Span),
    state: Vec<Expr>,
    timed: bool,
) -> Option<Declaration> {
    let mut point = state.clone();
    if timed {
        let last = match point.as_slice() {
            [Expr::Lit(size)] => match &size.lit {
                syn::Lit::Int(size) => size.base10_parse::<usize>().ok().map(|size| size + 1),
                _ => None,
            },
            _ => None,
        };
        let Some(last) = last else {
            let message = format!("{}: with `time`, the state has one size, and it is a number", arguments.name);
            builder.errors.at(arguments.span, message);
            return None;
        };
        point = vec![parse_quote!(#last)];
    }
    Some(inner(builder, network, arguments, body, "right side", point, state))
}

/// The declaration of a network inside a layer of another one.
pub(crate) fn inner(
    builder: &Builder,
    network: &Declaration,
    arguments: &Arguments,
    (body, body_span): (TokenStream, Span),
    what: &str,
    takes: Vec<Expr>,
    gives: Vec<Expr>,
) -> Declaration {
    let layer = arguments.text();
    let camel: String = layer.split('_').map(capitalized).collect();
    let name = format_ident!("{}{camel}", network.name, span = at(network.name.span()));
    let mut generics = network.generics.clone();
    generics.where_clause = None;
    if number_type(&generics).is_none() {
        let scalar = &builder.scalar;
        generics.lt_token = Some(syn::token::Lt::default());
        generics.gt_token = Some(syn::token::Gt::default());
        generics.params.insert(0, parse_quote!(#scalar));
    }
    let docs = format!("The {what} of `{layer}` in [`{}`].", network.name);
    let mut attributes = vec![parse_quote!(#[doc = #docs])];
    attributes.extend(network.attributes.iter().filter(|attribute| attribute.path().is_ident("derive")).cloned());
    let span = arguments.span;
    let port = |sizes| vec![Port { docs: Vec::new(), name: None, dims: Dims { sizes, element: None, span } }];
    Declaration {
        attributes,
        visibility: network.visibility.clone(),
        name,
        generics,
        inputs: port(takes),
        outputs: port(gives),
        body,
        body_span,
        file: None,
    }
}

fn capitalized(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
