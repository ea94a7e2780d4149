//! Sizes that are types: the `typenum` numbers of a network such as `Autoencoder<D: Unsigned>`, and arithmetic on them.
//!
//! Stable Rust cannot compute with const parameters, but it can with types: `D / 2` is `<D as Div<U2>>::Output`. That
//! requires bounds, which the macro generates.

use std::collections::HashSet;

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{format_ident, quote};
use syn::spanned::Spanned;
use syn::{BinOp, Expr, Generics, Ident, Lit, TypeParam, TypeParamBound};

use crate::parse::ungroup;

/// A size computed from types.
pub(crate) struct Computed {
    /// Its `typenum` type.
    pub ty: TokenStream,
    /// As the user wrote it.
    pub text: String,
    /// The bounds it requires, for the where clause.
    pub bounds: Vec<TokenStream>,
}

/// Whether a type parameter is a size: `D: Unsigned`.
pub(crate) fn is_size(parameter: &TypeParam) -> bool {
    parameter.bounds.iter().any(|bound| match bound {
        TypeParamBound::Trait(bound) => {
            bound.path.segments.last().is_some_and(|last| last.ident == "Unsigned" || last.ident == "ArrayLength")
        }
        _ => false,
    })
}

/// The type parameters that are sizes.
pub(crate) fn of(generics: &Generics) -> Vec<Ident> {
    generics.type_params().filter(|parameter| is_size(parameter)).map(|parameter| parameter.ident.clone()).collect()
}

/// The type parameter that is the number type of a network, if it has one.
pub(crate) fn number_type(generics: &Generics) -> Option<&TypeParam> {
    generics.type_params().find(|parameter| !is_size(parameter))
}

/// Computes a size; `None` if the expression mentions none of the parameters `sizes`.
///
/// # Errors
/// If it contains anything but sums, differences, products and quotients of integers.
pub(crate) fn compute(expression: &Expr, sizes: &[Ident]) -> Option<syn::Result<Computed>> {
    let mentions = mentioned(quote!(#expression));
    sizes.iter().any(|size| mentions.contains(&size.to_string())).then(|| number(expression, sizes))
}

fn number(expression: &Expr, sizes: &[Ident]) -> syn::Result<Computed> {
    let refused = |span: Span| {
        let message = "a size that is a type is computed with `+`, `-`, `*`, `/`, whole numbers and other such sizes";
        Err(syn::Error::new(span, message))
    };
    match ungroup(expression) {
        Expr::Paren(inner) => {
            let Computed { ty, text, bounds } = number(&inner.expr, sizes)?;
            Ok(Computed { ty, text: format!("({text})"), bounds })
        }
        Expr::Path(path) => match path.path.get_ident() {
            Some(name) if sizes.contains(name) => {
                Ok(Computed { ty: quote!(#name), text: name.to_string(), bounds: Vec::new() })
            }
            _ => refused(path.span()),
        },
        Expr::Lit(literal) => match &literal.lit {
            Lit::Int(number) => {
                let number = number.base10_parse()?;
                Ok(Computed { ty: written(number), text: number.to_string(), bounds: Vec::new() })
            }
            other => refused(other.span()),
        },
        Expr::Binary(binary) => {
            let operator = match binary.op {
                BinOp::Add(_) => "Add",
                BinOp::Sub(_) => "Sub",
                BinOp::Mul(_) => "Mul",
                BinOp::Div(_) => "Div",
                _ => return refused(binary.op.span()),
            };
            let operator = format_ident!("{operator}");
            let (a, b) = (number(&binary.left, sizes)?, number(&binary.right, sizes)?);
            let (left, right, sign) = (a.ty, b.ty, &binary.op);
            let mut bounds = a.bounds;
            bounds.extend(b.bounds);
            bounds.push(quote!(#left: ::core::ops::#operator<#right>));
            Ok(Computed {
                ty: quote!(<#left as ::core::ops::#operator<#right>>::Output),
                text: format!("{} {} {}", a.text, quote!(#sign), b.text),
                bounds,
            })
        }
        other => refused(other.span()),
    }
}

/// An integer as a `typenum` type.
pub(crate) fn written(number: usize) -> TokenStream {
    if number <= 1024 {
        let name = format_ident!("U{number}");
        return quote!(::monomorph::__private::typenum::consts::#name);
    }
    let (higher, bit) = (written(number / 2), format_ident!("B{}", number % 2));
    quote!(::monomorph::__private::typenum::UInt<#higher, ::monomorph::__private::typenum::#bit>)
}

/// All identifiers in a piece of code.
pub(crate) fn mentioned(tokens: TokenStream) -> HashSet<String> {
    let mut words = HashSet::new();
    for token in tokens {
        match token {
            TokenTree::Ident(word) => {
                words.insert(word.to_string());
            }
            TokenTree::Group(group) => words.extend(mentioned(group.stream())),
            _ => {}
        }
    }
    words
}
