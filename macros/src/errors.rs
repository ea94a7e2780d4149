//! Collects all mistakes, so that they are reported together.

use std::fmt::Display;

use proc_macro2::{Span, TokenStream};
use quote::quote_spanned;
use syn::Ident;

use crate::spans::at;

/// Mistakes found so far.
#[derive(Default)]
pub(crate) struct Errors(Vec<syn::Error>);

impl Errors {
    /// Records a mistake at the user's own tokens.
    pub(crate) fn at(&mut self, span: Span, message: impl Display) {
        self.0.push(syn::Error::new(span, message));
    }

    /// Records a mistake that the parser found.
    pub(crate) fn add(&mut self, error: syn::Error) {
        self.0.push(error);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One `compile_error!` for each mistake.
    pub(crate) fn into_tokens(self) -> TokenStream {
        self.0.into_iter().map(syn::Error::into_compile_error).collect()
    }
}

/// A panic of const code with the text `__error`, of which the compiler says that it is at the user's token.
pub(crate) fn stop(span: Span) -> TokenStream {
    // Only where the macro is called is there this variable.
    let error = Ident::new("__error", at(span));
    quote_spanned!(span=> ::core::panic!("{}", #error.as_str()))
}

/// The candidate closest to `word`, if one is close enough to be what was meant.
pub(crate) fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let close = 1 + word.len() / 4;
    candidates
        .into_iter()
        .map(|candidate| (distance(&word.to_lowercase(), &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= close)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// The Levenshtein distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let substitute = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = substitute.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typos_are_recognised_and_strangers_are_not() {
        let layers = ["Dense", "Conv2d", "MaxPool2d", "Relu"];
        assert_eq!(did_you_mean("Dence", layers), Some("Dense"));
        assert_eq!(did_you_mean("conv2d", layers), Some("Conv2d"));
        assert_eq!(did_you_mean("Maxpool", layers), Some("MaxPool2d"));
        assert_eq!(did_you_mean("ReLU", layers), Some("Relu"));
        assert_eq!(did_you_mean("Encoder", layers), None);
    }
}
