//! What the generics and attributes of a declaration say: its number type, budget, alignment and packed networks.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Attribute, Expr, GenericParam, Ident, Lit, Path, Type, parse_quote};

use crate::errors::{Errors, did_you_mean};
use crate::graph::{Budget, Dim, Node, Op, Packed, Value};
use crate::parse::{Declaration, ungroup};
use crate::sizes::is_size;
use crate::words::text;

/// Takes the number type from the generics: the one given (`Name<f64>`), the type parameter of the network, or `f32`.
pub(crate) fn scalar(declaration: &mut Declaration, errors: &mut Errors) -> TokenStream {
    let mut scalar = None;
    let mut kept = syn::punctuated::Punctuated::new();
    for parameter in core::mem::take(&mut declaration.generics.params) {
        match &parameter {
            GenericParam::Type(ty) if is_size(ty) => {
                if !cfg!(feature = "generic-array") {
                    let message = format!(
                        "the size `{}` is a type, which needs the feature `generic-array` of monomorph; without it, a size \
                         is a const parameter: `const {0}: usize`",
                        ty.ident
                    );
                    errors.at(ty.span(), message);
                    continue;
                }
                let name = &ty.ident;
                kept.push(parse_quote!(#name: ::monomorph::__private::ArrayLength));
            }
            GenericParam::Type(ty) if scalar.is_none() => {
                let name = &ty.ident;
                let integers = ["u8", "u16", "u32", "u64", "usize", "i8", "i16", "i32", "i64", "isize", "bool"];
                if integers.iter().any(|integer| name == integer) {
                    let message = format!(
                        "a network cannot be made of `{name}` or trained with it; use `f32`, `f64`, or `T` for both"
                    );
                    errors.at(name.span(), message);
                    scalar = Some(quote!(f32));
                    continue;
                }
                scalar = Some(quote!(#name));
                if name != "f32" && name != "f64" {
                    kept.push(parameter);
                }
            }
            GenericParam::Const(_) => kept.push(parameter),
            other => errors.at(other.span(), "a network is generic over its number type and over sizes, nothing else"),
        }
    }
    declaration.generics.params = kept;
    if declaration.generics.params.is_empty() {
        declaration.generics.lt_token = None;
        declaration.generics.gt_token = None;
    }
    scalar.unwrap_or_else(|| quote!(f32))
}

/// Removes an attribute without arguments, such as `#[unaligned]`; returns where it was, if it was there.
pub(crate) fn flag(declaration: &mut Declaration, name: &str) -> Option<Span> {
    let mut found = None;
    declaration.attributes.retain(|attribute| {
        if attribute.path().is_ident(name) {
            found = Some(attribute.span());
        }
        !attribute.path().is_ident(name)
    });
    found
}

/// Removes `#[cfg(..)]` from the attributes, which holds for all that the macro emits.
pub(crate) fn conditions(declaration: &mut Declaration) -> Vec<Attribute> {
    let (conditions, others) = core::mem::take(&mut declaration.attributes)
        .into_iter()
        .partition(|attribute| attribute.path().is_ident("cfg"));
    declaration.attributes = others;
    conditions
}

/// Removes what a network cannot derive as other structs do from the derives, and reports what it cannot derive at
/// all. Returns whether it is to be comparable.
pub(crate) fn derives(declaration: &mut Declaration, errors: &mut Errors) -> bool {
    let (name, mut is_comparable) = (declaration.name.clone(), false);
    for attribute in declaration.attributes.iter_mut().filter(|attribute| attribute.path().is_ident("derive")) {
        let Ok(paths) = attribute.parse_args_with(Punctuated::<Path, syn::Token![,]>::parse_terminated) else {
            continue;
        };
        let mut kept = Vec::new();
        for path in paths {
            let derived = path.segments.last().map_or_else(String::new, |last| last.ident.to_string());
            let instead = match derived.as_str() {
                // The fields need not be comparable: all numbers of a network are one slice.
                "PartialEq" => {
                    is_comparable = true;
                    continue;
                }
                "Copy" => "it may be large; derive `Clone`, and copy it where you mean to".to_owned(),
                "Default" => format!("write `{name}::zeroed()`, or `{name}::init(..)` for random parameters"),
                "Eq" | "Hash" | "Ord" | "PartialOrd" => "it consists of floating-point numbers".to_owned(),
                _ => {
                    kept.push(path);
                    continue;
                }
            };
            errors.at(path.span(), format!("a network does not derive `{derived}`: {instead}"));
        }
        *attribute = parse_quote!(#[derive(#(#kept),*)]);
    }
    is_comparable
}

/// Checks that a `#[streaming]` network can run step by step: that it takes a sequence, and each layer gives one step
/// for each step of its input.
pub(crate) fn check_streaming(at: Span, values: &[Value], nodes: &[Node], errors: &mut Errors) {
    let Some(Dim::Literal(steps)) = values[0].shape.first() else {
        let message =
            "a streaming network takes one sequence, whose first size is its number of steps: `[512, 1] -> [512, 1]`";
        errors.at(at, message);
        return;
    };
    for node in nodes {
        let works = match node.op {
            Op::Layer(capabilities) => capabilities.streams,
            Op::Activation { .. } | Op::Copy | Op::Add | Op::Multiply | Op::Concat(_) => true,
            Op::View | Op::Part(..) | Op::Outputs(_) => false,
        };
        let Node { name, kind, .. } = node;
        let gives = values[node.output].shape.first();
        let message = if !works {
            let hint = match kind.as_str() {
                "Conv1d" | "DepthwiseConv1d" => "; give it stride 1 and `padding = causal`",
                "Dense" => "; it maps the rows of `[time, features]`",
                "SelfAttention" => "; make it causal, without a length",
                _ => ": it needs the whole sequence",
            };
            format!("{name} ({kind}) cannot run step by step, as `#[streaming]` asks{hint}")
        } else if let Some(Dim::Literal(given)) = gives
            && given != steps
        {
            format!("{name} gives {given} steps for {steps}; a streaming network gives one step for each")
        } else {
            continue;
        };
        // What follows has no steps either.
        errors.at(node.span.unwrap_or(at), message);
        return;
    }
}

/// Removes `#[budget(..)]` from the attributes and reads it.
pub(crate) fn budget(declaration: &mut Declaration, errors: &mut Errors) -> Option<Budget> {
    let mut budget = None;
    let parametric = !declaration.generics.params.is_empty();
    declaration.attributes.retain(|attribute| {
        if !attribute.path().is_ident("budget") {
            return true;
        }
        let limits = budget.get_or_insert(Budget { flash: None, ram: None });
        let parsed = attribute.parse_nested_meta(|meta| {
            let limit = match () {
                () if meta.path.is_ident("flash") => &mut limits.flash,
                () if meta.path.is_ident("ram") => &mut limits.ram,
                () => return Err(meta.error("budget takes `flash` and `ram`, such as `flash = \"64 KiB\"`")),
            };
            let value: Expr = meta.value()?.parse()?;
            match bytes(&value) {
                Some(bytes) => *limit = Some((value.span(), bytes)),
                None => return Err(syn::Error::new(value.span(), "expected bytes, such as `\"64 KiB\"` or `65_536`")),
            }
            Ok(())
        });
        if let Err(error) = parsed {
            errors.add(error);
        }
        if parametric {
            errors.at(attribute.span(), "a budget needs a network without parameters: its size is not known here");
        }
        false
    });
    budget
}

/// A number of bytes: `"64 KiB"`, `"1 MiB"`, `"512 B"`, `512`.
fn bytes(value: &Expr) -> Option<usize> {
    let Expr::Lit(literal) = ungroup(value) else { return None };
    match &literal.lit {
        Lit::Int(number) => number.base10_parse().ok(),
        Lit::Str(text) => {
            let text = text.value().replace('_', "");
            let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
            let unit = match unit.trim() {
                "" | "B" => 1,
                "KiB" => 1 << 10,
                "MiB" => 1 << 20,
                "kB" | "KB" => 1000,
                "MB" => 1_000_000,
                _ => return None,
            };
            number.parse::<usize>().ok()?.checked_mul(unit)
        }
        _ => None,
    }
}

/// The formats in which weights can be packed.
const FORMATS: [&str; 3] = ["bf16", "f16", "i8"];

/// Removes `#[packed(..)]` from the attributes and reads it.
pub(crate) fn packed(declaration: &mut Declaration, errors: &mut Errors) -> Vec<Packed> {
    let mut packed: Vec<Packed> = Vec::new();
    let network = declaration.name.clone();
    const EXAMPLE: &str = "packed takes names and formats, such as `#[packed(DigitsSmall: i8)]`";
    const INSIDE: &str = "in braces stand networks inside, and what they are packed as, such as `#[packed(BothSmall: i8 { eye: EyeSmall })]`";
    declaration.attributes.retain(|attribute| {
        if !attribute.path().is_ident("packed") {
            return true;
        }
        let pairs = attribute.parse_args_with(|input: syn::parse::ParseStream| {
            Punctuated::<_, syn::Token![,]>::parse_terminated_with(input, |input| {
                let (name, format) = pair::<Ident>(input, EXAMPLE)?;
                let mut networks = Punctuated::<_, syn::Token![,]>::new();
                if input.peek(syn::token::Brace) {
                    let inside;
                    syn::braced!(inside in input);
                    networks = Punctuated::parse_terminated_with(&inside, |input| pair::<Type>(input, INSIDE))?;
                }
                Ok((name, format, networks.into_iter().collect()))
            })
        });
        match pairs {
            Ok(pairs) if pairs.is_empty() => errors.at(attribute.span(), EXAMPLE),
            Ok(pairs) => {
                for (name, format, networks) in pairs {
                    if name == network || packed.iter().any(|other| other.name == name) {
                        errors.at(name.span(), format!("there is a network `{name}` already; choose another name"));
                    } else if let Some(format) = FORMATS.into_iter().find(|known| format == known) {
                        packed.push(Packed { name, format, networks });
                    } else {
                        let hint = match did_you_mean(&format.to_string(), FORMATS) {
                            Some(hint) => format!("did you mean `{hint}`?"),
                            None => "use `bf16`, `f16` or `i8`".to_owned(),
                        };
                        errors.at(format.span(), format!("weights cannot be packed as `{format}`; {hint}"));
                    }
                }
            }
            Err(error) => errors.add(error),
        }
        false
    });
    packed
}

/// `name: value`; a syntax error shows the example.
fn pair<T: syn::parse::Parse>(input: syn::parse::ParseStream, example: &str) -> syn::Result<(Ident, T)> {
    let expected = |error: syn::Error| syn::Error::new(error.span(), example);
    let name = input.parse().map_err(expected)?;
    input.parse::<syn::Token![:]>().map_err(expected)?;
    Ok((name, input.parse().map_err(expected)?))
}

/// Checks `#[packed(..)]` against the layers of the network.
pub(crate) fn check_packed(network: &Ident, packed: &[Packed], nodes: &[Node], errors: &mut Errors) {
    let packs = nodes.iter().map(Node::capabilities).any(|layer| layer.packs_weights || layer.user_defined);
    let tied = nodes.iter().find(|node| node.capabilities().transposes);
    for packed in packed {
        if let Some(Node { name, .. }) = tied {
            let message = format!("{name} uses the table of an embedding once more, which cannot be packed");
            errors.at(packed.name.span(), message);
            break;
        }
        check_networks_inside(network, packed, nodes, errors);
        if !packs && packed.networks.is_empty() {
            let message = format!(
                "{network} has no dense or convolutional layer, whose weights could be packed; leave out `#[packed(..)]`"
            );
            errors.at(packed.name.span(), message);
            break;
        }
    }
}

/// Checks that the names in the braces of `#[packed(..)]` are networks inside this one.
fn check_networks_inside(network: &Ident, packed: &Packed, nodes: &[Node], errors: &mut Errors) {
    let fields = |own: bool| {
        let fields = nodes.iter().filter(move |node| node.capabilities().user_defined == own);
        fields.filter_map(|node| node.field.as_ref().map(|field| text(&field.0)))
    };
    let known: Vec<_> = fields(true).collect();
    for (index, (name, _)) in packed.networks.iter().enumerate() {
        let text = text(name);
        let message = if packed.networks[..index].iter().any(|(other, _)| other == name) {
            format!("`{name}` stands here already")
        } else if known.contains(&text) {
            continue;
        } else if fields(false).any(|field| field == text) {
            format!(
                "`{name}` is no network inside {network}; leave it out, weights of {network} itself are packed anyway"
            )
        } else {
            match did_you_mean(&text, known.iter().map(String::as_str)) {
                Some(hint) => format!("{network} has no layer `{name}`; did you mean `{hint}`?"),
                None => format!("{network} has no network inside that is called `{name}`"),
            }
        };
        errors.at(name.span(), message);
    }
}
