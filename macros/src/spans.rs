//! Where names of the emitted code are looked up, and where the compiler points.
//!
//! What `quote!` writes is looked up where the macro is called. A span of the user's own token would be looked up where
//! that token was written, which is elsewhere if it went through a `macro_rules!`, and in the edition of the user's crate.

use proc_macro2::{Group, Span, TokenStream, TokenTree};
use syn::{Attribute, Result};

/// For emitted code whose errors point at the user's token.
pub(crate) fn at(place: Span) -> Span {
    Span::call_site().located_at(place)
}

/// The tokens at `place`, for errors there.
pub(crate) fn located(tokens: TokenStream, place: Span) -> TokenStream {
    let tokens = tokens.into_iter().map(|mut token| {
        if let TokenTree::Group(group) = &token {
            let mut inner = Group::new(group.delimiter(), located(group.stream(), place));
            inner.set_span(group.span());
            token = TokenTree::Group(inner);
        }
        token.set_span(token.span().located_at(place));
        token
    });
    tokens.collect()
}

/// The path of the library that `#[monomorph(crate = path)]` states, if it does.
pub(crate) fn stated_library(attributes: &[Attribute]) -> Result<Option<TokenStream>> {
    let mut library = None;
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("monomorph")) {
        attribute.parse_nested_meta(|meta| {
            if !meta.path.is_ident("crate") {
                return Err(meta.error("expected `crate = path`, where `path` is what the crate calls monomorph"));
            }
            let path = meta.value()?.call(syn::Path::parse_mod_style)?;
            library = Some(quote::quote!(#path));
            Ok(())
        })?;
    }
    Ok(library)
}

/// The emitted code with another path in place of `::monomorph`: what the library is called where the code stands.
pub(crate) fn with_library(code: TokenStream, path: &TokenStream) -> TokenStream {
    let mut written: Vec<TokenTree> = Vec::new();
    for token in code {
        match token {
            TokenTree::Group(group) => {
                let mut inner = Group::new(group.delimiter(), with_library(group.stream(), path));
                inner.set_span(group.span());
                written.push(TokenTree::Group(inner));
            }
            TokenTree::Ident(word) if word == "monomorph" && begins_path(&written) => {
                written.truncate(written.len() - 2);
                // Errors still point to where the code says.
                written.extend(located(path.clone(), word.span()));
            }
            other => written.push(other),
        }
    }
    written.into_iter().collect()
}

/// Keywords behind which a path may begin.
const KEYWORDS: [&str; 12] = ["as", "dyn", "else", "for", "if", "impl", "in", "match", "mut", "return", "use", "where"];

/// Whether the tokens end in a `::` that is not behind the name of a module.
fn begins_path(tokens: &[TokenTree]) -> bool {
    let is_colon = |token: &TokenTree| matches!(token, TokenTree::Punct(sign) if sign.as_char() == ':');
    match tokens {
        [before @ .., first, second] if is_colon(first) && is_colon(second) => match before.last() {
            Some(TokenTree::Ident(word)) => KEYWORDS.iter().any(|keyword| word == keyword),
            _ => true,
        },
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quote::quote;

    #[test]
    fn the_library_is_renamed_only_where_a_path_begins() {
        let code = quote!(impl ::monomorph::Layer for X<::monomorph::A> { f(own::monomorph::B, [::monomorph::C; 1]) });
        let renamed = quote!(impl mono::Layer for X<mono::A> { f(own::monomorph::B, [mono::C; 1]) });
        assert_eq!(with_library(code, &quote!(mono)).to_string(), renamed.to_string());
    }
}
