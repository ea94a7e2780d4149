//! Unrolls repetitions: `repeat 3 { .. }` and `for c in [16, 32] { .. }`.

use proc_macro2::{Group, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::{Expr, Ident};

use crate::parse::{Body, Call, Flow, Source, Step};
use crate::words::text;

impl Body {
    /// Replaces each loop with its copies; named layers get the number of the copy appended.
    pub(crate) fn unroll(&mut self) {
        match self {
            Body::Chain(steps) => unroll(steps),
            Body::Graph { values, result } => {
                values.iter_mut().map(|value| &mut value.flow).chain(result).for_each(Flow::unroll);
            }
        }
    }
}

impl Flow {
    fn unroll(&mut self) {
        unroll(&mut self.steps);
        if let Source::Combine(_, flows, _) | Source::Several(flows, _) = &mut self.source {
            flows.iter_mut().for_each(Flow::unroll);
        }
    }
}

fn unroll(steps: &mut Vec<Step>) {
    let mut written = Vec::new();
    for mut step in core::mem::take(steps) {
        match &mut step {
            Step::Layer(_) => {}
            Step::Residual(residual) => {
                unroll(&mut residual.body);
                residual.shortcut.iter_mut().for_each(unroll);
            }
            Step::Combine(combine) => combine.branches.iter_mut().for_each(unroll),
            Step::Repeat(repeat) => {
                unroll(&mut repeat.body);
                for (index, values) in repeat.copies.iter().enumerate() {
                    let mut body = repeat.body.clone();
                    number(&mut body, index + 1);
                    body.iter_mut().for_each(|step| substitute(step, values));
                    written.extend(body);
                }
                continue;
            }
        }
        written.push(step);
    }
    *steps = written;
}

/// Appends a number to the names of layers.
fn number(steps: &mut [Step], time: usize) {
    let rename = |name: &mut Option<Ident>| {
        if let Some(name) = name {
            let mut text = text(name);
            // The first copy of the eleventh is not the eleventh of the first.
            if text.ends_with(|letter: char| letter.is_ascii_digit()) {
                text.push('_');
            }
            *name = Ident::new(&format!("{text}{time}"), name.span());
        }
    };
    for step in steps {
        match step {
            Step::Layer(call) => rename(&mut call.name),
            Step::Residual(residual) => {
                rename(&mut residual.name);
                number(&mut residual.body, time);
                residual.shortcut.iter_mut().for_each(|steps| number(steps, time));
            }
            Step::Combine(combine) => {
                rename(&mut combine.name);
                combine.branches.iter_mut().for_each(|branch| number(branch, time));
            }
            Step::Repeat(_) => {}
        }
    }
}

/// Substitutes values for names in the arguments and generics of layers.
fn substitute(step: &mut Step, values: &[(Ident, Expr)]) {
    match step {
        Step::Layer(call) => substitute_call(call, values),
        Step::Residual(residual) => {
            let shortcut = residual.shortcut.iter_mut().flatten();
            residual.body.iter_mut().chain(shortcut).for_each(|step| substitute(step, values));
        }
        Step::Combine(combine) => combine.branches.iter_mut().flatten().for_each(|step| substitute(step, values)),
        Step::Repeat(_) => {}
    }
}

fn substitute_call(call: &mut Call, values: &[(Ident, Expr)]) {
    for argument in call.arguments.iter_mut().flatten() {
        if let Ok(value) = syn::parse2(replaced(argument.value.to_token_stream(), values)) {
            argument.value = value;
        }
    }
    if let Some((body, _)) = &mut call.body {
        *body = replaced(core::mem::take(body), values);
    }
    if call.path.segments.iter().any(|segment| !segment.arguments.is_none())
        && let Ok(path) = syn::parse2::<syn::ExprPath>(replaced(call.path.to_token_stream(), values))
    {
        call.path = path.path;
    }
}

/// The tokens with values substituted for names. A value of more than one token is put in parentheses.
fn replaced(tokens: TokenStream, values: &[(Ident, Expr)]) -> TokenStream {
    let tokens = tokens.into_iter().map(|token| match token {
        TokenTree::Ident(ident) => match values.iter().find(|(name, _)| *name == ident) {
            Some((_, value @ (Expr::Lit(_) | Expr::Path(_)))) => value.to_token_stream(),
            Some((_, value)) => quote!((#value)),
            None => ident.to_token_stream(),
        },
        TokenTree::Group(group) => {
            let mut inner = Group::new(group.delimiter(), replaced(group.stream(), values));
            inner.set_span(group.span());
            TokenTree::Group(inner).into()
        }
        other => other.into(),
    });
    tokens.collect()
}
