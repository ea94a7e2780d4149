//! Names and doc comments that the user writes.

use syn::ext::IdentExt;
use syn::parse::{ParseStream, Result};
use syn::spanned::Spanned;
use syn::{Attribute, GenericParam, Ident};

/// The name of a layer, a value, an input or an output.
pub(crate) fn parse_name(input: ParseStream) -> Result<Ident> {
    let name = Ident::parse_any(input)?;
    let text = name.to_string();
    // Whether these are keywords depends on the edition of the user's crate. Raw, they are names in each.
    if ["async", "await", "dyn", "gen", "try"].iter().any(|keyword| text == *keyword) {
        return Ok(Ident::new_raw(&text, name.span()));
    }
    let message = match text.as_str() {
        "self" | "Self" | "super" | "crate" | "_" => format!("`{name}` cannot be a name; choose another"),
        _ if syn::parse_str::<Ident>(&text).is_err() => format!("`{name}` is a keyword of Rust; write `r#{name}`"),
        _ if text.starts_with("__") => "names that begin with `__` are those of the macro; choose another".to_owned(),
        _ => return Ok(name),
    };
    Err(syn::Error::new(name.span(), message))
}

/// Refuses a generic parameter of a network that the emitted code could not name anything but itself.
pub(crate) fn check_parameter(parameter: &GenericParam) -> Result<()> {
    let name = match parameter {
        GenericParam::Const(size) => &size.ident,
        GenericParam::Type(ty) => &ty.ident,
        GenericParam::Lifetime(_) => return Ok(()),
    };
    let taken = ["bytes", "input", "network", "noise", "output", "state", "workspace"];
    if taken.iter().any(|other| name == other) || name.to_string().starts_with("__") {
        let message = format!("`{name}` is a name that the macro uses; parameters are called like `N`");
        return Err(syn::Error::new(name.span(), message));
    }
    Ok(())
}

/// A name without `r#`, as it stands in messages and files.
pub(crate) fn text(name: &Ident) -> String {
    name.unraw().to_string()
}

/// What is wrong with a doc comment on anything but a layer.
pub(crate) const NO_FIELD: &str =
    "a doc comment becomes that of a layer's field, and here is none; write a plain comment, `//`";

/// Doc comments.
pub(crate) fn docs(input: ParseStream) -> Result<Vec<Attribute>> {
    let attributes = input.call(Attribute::parse_outer)?;
    for attribute in &attributes {
        if attribute.path().is_ident("cfg") || attribute.path().is_ident("cfg_attr") {
            let message =
                "a part of a network cannot be left out by `cfg`; declare two networks, each with its `#[cfg(..)]`";
            return Err(syn::Error::new(attribute.span(), message));
        }
        if !attribute.path().is_ident("doc") {
            return Err(syn::Error::new(
                attribute.span(),
                "inside a network, only doc comments are allowed as attributes",
            ));
        }
    }
    Ok(attributes)
}
