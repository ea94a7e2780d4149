//! The attributes of `#[derive(Parameters)]`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{DeriveInput, Expr, Field, Result, Type};

/// What a struct declares about its number type.
pub(crate) enum Numbers {
    /// `#[parameters(scalar = f32)]`.
    Are(Type),
    /// `#[parameters(of = X)]`: the number type is that of a tensor.
    Of(Type),
}

pub(crate) fn numbers(input: &DeriveInput) -> Result<Option<Numbers>> {
    let mut numbers = None;
    for attribute in input.attrs.iter().filter(|attribute| attribute.path().is_ident("parameters")) {
        attribute.parse_nested_meta(|meta| {
            numbers = Some(if meta.path.is_ident("scalar") {
                Numbers::Are(meta.value()?.parse()?)
            } else if meta.path.is_ident("of") {
                Numbers::Of(meta.value()?.parse()?)
            } else {
                return Err(meta.error("expected `scalar = <number type>` or `of = <tensor type>`"));
            });
            Ok(())
        })?;
    }
    Ok(numbers)
}

pub(crate) fn is_repr_c(input: &DeriveInput) -> Result<bool> {
    let mut found = false;
    for attribute in input.attrs.iter().filter(|attribute| attribute.path().is_ident("repr")) {
        attribute.parse_nested_meta(|meta| {
            found |= meta.path.is_ident("C") || meta.path.is_ident("transparent");
            if meta.input.peek(syn::token::Paren) {
                let content;
                syn::parenthesized!(content in meta.input);
                content.parse::<TokenStream>()?;
            }
            Ok(())
        })?;
    }
    Ok(found)
}

/// `#[parameters(start = 1.0, state)]` on a field.
#[derive(Default)]
pub(crate) struct Options {
    pub start: Option<Expr>,
    /// The standard deviation of the normal distribution that initializes it.
    pub normal: Option<Expr>,
    /// The bound of the uniform distribution that initializes it.
    pub uniform: Option<Expr>,
    /// The initial value as a `Start`.
    pub begin: Option<Expr>,
    pub state: bool,
    /// It is a tensor, although its type is not written as an array.
    pub tensor: bool,
    /// It is a weight that can be packed in fewer bits.
    pub packed: bool,
    /// Zeros that align the next field, not a tensor.
    pub padding: bool,
}

impl Options {
    pub(crate) fn of(field: &Field) -> Result<Self> {
        let mut options = Self::default();
        for attribute in field.attrs.iter().filter(|attribute| attribute.path().is_ident("parameters")) {
            attribute.parse_nested_meta(|meta| {
                match () {
                    () if meta.path.is_ident("start") => options.start = Some(meta.value()?.parse()?),
                    () if meta.path.is_ident("normal") => options.normal = Some(meta.value()?.parse()?),
                    () if meta.path.is_ident("uniform") => options.uniform = Some(meta.value()?.parse()?),
                    () if meta.path.is_ident("begin") => options.begin = Some(meta.value()?.parse()?),
                    () if meta.path.is_ident("state") => options.state = true,
                    () if meta.path.is_ident("tensor") => options.tensor = true,
                    () if meta.path.is_ident("packed") => options.packed = true,
                    () if meta.path.is_ident("padding") => options.padding = true,
                    () => {
                        return Err(meta.error(
                            "expected `start = <number>`, `normal = <deviation>`, `uniform = <bound>`, `begin = <Start>`, `state`, `tensor` or `packed`",
                        ));
                    }
                }
                Ok(())
            })?;
        }
        Ok(options)
    }

    pub(crate) fn role(&self) -> TokenStream {
        if self.state {
            quote!(::monomorph::parameters::Role::State)
        } else {
            quote!(::monomorph::parameters::Role::Learned)
        }
    }

    pub(crate) fn start(&self) -> TokenStream {
        if let Some(start) = &self.begin {
            return quote!(#start);
        }
        match (&self.start, &self.normal, &self.uniform) {
            (Some(value), ..) => quote!(::monomorph::parameters::Start::Constant(#value)),
            (None, Some(deviation), _) => quote!(::monomorph::parameters::Start::Normal(#deviation)),
            (None, None, Some(bound)) => quote!(::monomorph::parameters::Start::Uniform(#bound)),
            (None, None, None) => quote!(::monomorph::parameters::Start::Random),
        }
    }
}
