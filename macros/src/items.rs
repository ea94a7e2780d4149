//! Attributes that hold for all the items of an expansion.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Attribute, File, Item};

/// The items with `conditions`, such as `#[cfg(..)]`, before each. If the type that they belong to has the attribute
/// `#[deprecated]`, they may use it: nobody could avoid that.
pub(crate) fn with_attributes(code: TokenStream, conditions: &[Attribute], of_type: &[Attribute]) -> TokenStream {
    let is_deprecated = of_type.iter().any(|attribute| attribute.path().is_ident("deprecated"));
    if conditions.is_empty() && !is_deprecated {
        return code;
    }
    let Ok(file) = syn::parse2::<File>(code.clone()) else { return code };
    let items = file.items.iter().map(|item| {
        let allow = (is_deprecated && !matches!(item, Item::Macro(_))).then(|| quote!(#[allow(deprecated)]));
        quote!(#(#conditions)* #allow #item)
    });
    quote!(#(#items)*)
}
