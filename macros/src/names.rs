//! The names of layers and of the items that the macro emits.

use std::collections::HashMap;

use proc_macro2::Span;
use syn::Ident;

use crate::errors::Errors;
use crate::parse::Step;
use crate::words::text;

/// The names of layers: the user's, and generated ones (`conv1`, `conv2`, …) for the rest.
#[derive(Default)]
pub(crate) struct Names {
    taken: HashMap<String, Span>,
    counts: HashMap<&'static str, usize>,
}

impl Names {
    /// Reserves the user's names first, so that no generated name clashes with one.
    pub(crate) fn reserve(&mut self, steps: &[Step], errors: &mut Errors) {
        for step in steps {
            let name = match step {
                Step::Layer(call) => call.name.as_ref(),
                Step::Residual(residual) => {
                    self.reserve(residual.shortcut.as_deref().unwrap_or_default(), errors);
                    self.reserve(&residual.body, errors);
                    residual.name.as_ref()
                }
                Step::Combine(combine) => {
                    combine.branches.iter().for_each(|branch| self.reserve(branch, errors));
                    combine.name.as_ref()
                }
                Step::Repeat(_) => None,
            };
            let Some(name) = name else { continue };
            if self.taken.insert(text(name), name.span()).is_some() {
                errors.at(name.span(), format!("`{name}` names two layers; every layer has a name of its own"));
            }
        }
    }

    /// The given name, or the next free one of this kind.
    pub(crate) fn next(&mut self, kind: &'static str, given: Option<&Ident>, span: Span) -> Ident {
        if let Some(given) = given {
            return given.clone();
        }
        loop {
            let count = self.counts.entry(kind).or_insert(0);
            *count += 1;
            let name = format!("{kind}{count}");
            if !self.taken.contains_key(&name) {
                self.taken.insert(name.clone(), span);
                return Ident::new(&name, Span::call_site());
            }
        }
    }

    /// The name of another use of a layer: `eye_2`, or the next that is free.
    pub(crate) fn again(&mut self, layer: &str, uses: usize) -> String {
        let mut names = (uses..).map(|number| format!("{layer}_{number}"));
        let name = names.find(|name| !self.taken.contains_key(name)).unwrap_or_default();
        self.taken.insert(name.clone(), Span::call_site());
        name
    }
}
