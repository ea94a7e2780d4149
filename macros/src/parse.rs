//! What the user writes, as a tree. Meaning comes later, in `model`.

use proc_macro2::{Span, TokenStream};
use syn::parse::{Parse, ParseStream, Result};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Attribute, Expr, Generics, Ident, Path, Token, Visibility, braced, bracketed, parenthesized, token};

/// `/// docs  pub Name<const N: usize>: [in] -> [out] { .. }`, the body unparsed: a mistake in it
/// must not take the declaration away.
pub(crate) struct Declaration {
    pub attributes: Vec<Attribute>,
    pub visibility: Visibility,
    pub name: Ident,
    pub generics: Generics,
    pub input: Dims,
    pub output: Dims,
    pub body: TokenStream,
    pub body_span: Span,
}

/// `[28, 28, 1]`.
pub(crate) struct Dims {
    pub sizes: Vec<Expr>,
    pub span: Span,
}

/// A step of a chain.
pub(crate) enum Step {
    Layer(Call),
    Residual(Residual),
}

/// `name: Conv2d(6, kernel = 5)`.
pub(crate) struct Call {
    pub name: Option<Ident>,
    pub path: Path,
    pub arguments: Option<Vec<Argument>>,
}

impl Call {
    /// Where the layer's kind is written.
    pub(crate) fn span(&self) -> Span {
        self.path.segments.last().map_or_else(|| self.path.span(), |last| last.ident.span())
    }
}

/// `kernel = 5` or `6`.
pub(crate) struct Argument {
    pub name: Option<Ident>,
    pub value: Expr,
}

/// `residual(shortcut = ..) { .. }`.
pub(crate) struct Residual {
    pub name: Option<Ident>,
    pub keyword: Ident,
    pub shortcut: Option<Vec<Step>>,
    pub body: Vec<Step>,
}

impl Parse for Declaration {
    fn parse(input: ParseStream) -> Result<Self> {
        let attributes = input.call(Attribute::parse_outer)?;
        let visibility = input.parse()?;
        if input.peek(Token![struct]) {
            return Err(input.error("leave out `struct`: a network is declared as `pub Name: [in] -> [out] { .. }`"));
        }
        let name = input.parse()?;
        let mut generics: Generics = input.parse()?;
        input.parse::<Token![:]>().map_err(|error| {
            syn::Error::new(error.span(), "expected `: [input sizes] -> [output sizes]` after the network's name")
        })?;
        let from = input.parse()?;
        input.parse::<Token![->]>()?;
        let to = input.parse()?;
        generics.where_clause = input.parse()?;
        let body_span = input.span();
        let body;
        braced!(body in input);
        let body = body.parse()?;
        if !input.is_empty() {
            return Err(input.error("one `network!` declares one network"));
        }
        Ok(Self { attributes, visibility, name, generics, input: from, output: to, body, body_span })
    }
}

impl Parse for Dims {
    fn parse(input: ParseStream) -> Result<Self> {
        if !input.peek(token::Bracket) {
            return Err(input.error("expected sizes in brackets, such as `[28, 28, 1]`"));
        }
        let content;
        let bracket = bracketed!(content in input);
        let sizes = Punctuated::<Expr, Token![,]>::parse_terminated(&content)?;
        Ok(Self { sizes: sizes.into_iter().collect(), span: bracket.span.join() })
    }
}

/// A chain: steps with commas between them.
pub(crate) struct Chain(pub Vec<Step>);

impl Parse for Chain {
    fn parse(input: ParseStream) -> Result<Self> {
        let mut steps = Vec::new();
        while !input.is_empty() {
            steps.push(input.parse()?);
            if input.is_empty() {
                break;
            }
            if !input.peek(Token![,]) {
                return Err(input.error("expected `,` between layers"));
            }
            input.parse::<Token![,]>()?;
        }
        Ok(Self(steps))
    }
}

impl Parse for Step {
    fn parse(input: ParseStream) -> Result<Self> {
        let name = if input.peek(Ident) && input.peek2(Token![:]) && !input.peek2(Token![::]) {
            let name = input.parse()?;
            input.parse::<Token![:]>()?;
            Some(name)
        } else {
            None
        };
        let fork = input.fork();
        if fork.parse::<Ident>().is_ok_and(|word| word == "residual")
            && (fork.peek(token::Paren) || fork.peek(token::Brace))
        {
            return residual(name, input).map(Step::Residual);
        }
        call(name, input).map(Step::Layer)
    }
}

fn call(name: Option<Ident>, input: ParseStream) -> Result<Call> {
    if !input.peek(Ident) && !input.peek(Token![::]) && !input.peek(Token![crate]) && !input.peek(Token![self]) {
        return Err(input.error("expected a layer, such as `Dense(10)`"));
    }
    // As in an expression: `Path` alone would take the parentheses for those of `Fn(..)`.
    let path = input.parse::<syn::ExprPath>()?.path;
    let arguments = if input.peek(token::Paren) {
        let content;
        parenthesized!(content in input);
        Some(Punctuated::<Argument, Token![,]>::parse_terminated(&content)?.into_iter().collect())
    } else {
        None
    };
    Ok(Call { name, path, arguments })
}

impl Parse for Argument {
    fn parse(input: ParseStream) -> Result<Self> {
        let name = if input.peek(Ident) && input.peek2(Token![=]) && !input.peek2(Token![==]) {
            let name = input.parse()?;
            input.parse::<Token![=]>()?;
            Some(name)
        } else {
            None
        };
        Ok(Self { name, value: input.parse()? })
    }
}

fn residual(name: Option<Ident>, input: ParseStream) -> Result<Residual> {
    let keyword: Ident = input.parse()?;
    let mut shortcut = None;
    if input.peek(token::Paren) {
        let content;
        parenthesized!(content in input);
        while !content.is_empty() {
            let option: Ident = content.parse()?;
            if option != "shortcut" {
                let message = format!("residual has no argument `{option}`; it takes `shortcut = <layer>`");
                return Err(syn::Error::new(option.span(), message));
            }
            if shortcut.is_some() {
                return Err(syn::Error::new(option.span(), "residual: `shortcut` is given twice"));
            }
            content.parse::<Token![=]>()?;
            shortcut = Some(if content.peek(token::Brace) {
                let chain;
                braced!(chain in content);
                chain.parse::<Chain>()?.0
            } else {
                vec![content.parse()?]
            });
            if content.is_empty() {
                break;
            }
            content.parse::<Token![,]>()?;
        }
    }
    let content;
    braced!(content in input);
    let body = content.parse::<Chain>()?.0;
    Ok(Residual { name, keyword, shortcut, body })
}
