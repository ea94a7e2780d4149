//! Parses what the user writes into the tree of `syntax`. `resolve` gives it a meaning.

use proc_macro2::{Delimiter, TokenStream};
use quote::quote_spanned;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream, Result};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{
    Attribute, Expr, Generics, Ident, LitStr, Token, Type, TypePath, Visibility, braced, bracketed, parenthesized,
    parse_quote, token,
};

use crate::files;
pub(crate) use crate::syntax::{
    Argument, Body, Call, Combine, Declaration, Dims, Flow, Let, Port, Repeat, Residual, Source, Step,
};
use crate::words::{NO_FIELD, check_parameter, docs, parse_name};

impl Parse for Declaration {
    fn parse(input: ParseStream) -> Result<Self> {
        let attributes = input.call(Attribute::parse_outer)?;
        let visibility = input.parse()?;
        if input.peek(Token![struct]) {
            return Err(input.error("leave out `struct`: a network is declared as `pub Name: [in] -> [out] { .. }`"));
        }
        let name = parse_name(input)?;
        let mut generics: Generics = input.parse()?;
        generics.params.iter().try_for_each(check_parameter)?;
        if input.peek(Token![=]) {
            return from_file(input, Start { attributes, visibility, name, generics }, None);
        }
        let inputs = if input.peek(token::Paren) {
            ports(input)?
        } else {
            input.parse::<Token![:]>().map_err(|error| {
                let forms = "expected `: [input sizes] -> [output sizes]` after the network's name, \
                             or named inputs, such as `(observation: [17])`";
                syn::Error::new(error.span(), forms)
            })?;
            vec![Port { docs: Vec::new(), name: None, dims: input.parse()? }]
        };
        input.parse::<Token![->]>()?;
        let outputs = if input.peek(token::Paren) {
            ports(input)?
        } else {
            vec![Port { docs: Vec::new(), name: None, dims: input.parse()? }]
        };
        if input.peek(Token![=]) {
            return from_file(input, Start { attributes, visibility, name, generics }, Some((inputs, outputs)));
        }
        generics.where_clause = input.parse()?;
        let body_span = input.span();
        let body;
        braced!(body in input);
        let body = body.parse()?;
        if !input.is_empty() {
            return Err(input.error("one `network!` declares one network"));
        }
        Ok(Self { attributes, visibility, name, generics, inputs, outputs, body, body_span, file: None })
    }
}

/// What comes before the shapes.
struct Start {
    attributes: Vec<Attribute>,
    visibility: Visibility,
    name: Ident,
    generics: Generics,
}

/// `= "amp.nam";`, with the shapes of the input and the output if they were stated.
fn from_file(input: ParseStream, start: Start, shapes: Option<(Vec<Port>, Vec<Port>)>) -> Result<Declaration> {
    input.parse::<Token![=]>()?;
    if !input.peek(LitStr) {
        return Err(input.error("expected the path of a model file, such as `\"amp.nam\"`"));
    }
    let literal: LitStr = input.parse()?;
    input.parse::<Option<Token![;]>>()?;
    if !input.is_empty() {
        return Err(input.error("one `network!` declares one network"));
    }
    let Start { mut attributes, visibility, name, generics } = start;
    if let Some(parameter) = generics.params.first() {
        return Err(syn::Error::new(parameter.span(), "a network from a file has no generics: it is one of `f32`"));
    }
    let (described, error) = match files::read(&literal) {
        Ok(described) => (Some(described), None),
        Err(error) => (None, Some(error)),
    };
    let port = |sizes: &[usize]| {
        let sizes = sizes.iter().map(|size| parse_quote!(#size)).collect();
        vec![Port { docs: Vec::new(), name: None, dims: Dims { sizes, element: None, span: literal.span() } }]
    };
    let shapes = shapes.or_else(|| described.as_ref().map(|file| (port(&file.input), port(&file.output))));
    let (inputs, outputs) = shapes.unwrap_or_else(|| (port(&[1, 1]), port(&[1, 1])));
    if described.as_ref().is_some_and(|file| file.streaming) && !attributes.iter().any(is_streaming) {
        attributes.push(parse_quote!(#[streaming]));
    }
    let (body, file) = match described {
        Some(described) => (described.body, Some(Ok(described.file))),
        None => (TokenStream::new(), error.map(Err)),
    };
    Ok(Declaration { attributes, visibility, name, generics, inputs, outputs, body, body_span: literal.span(), file })
}

fn is_streaming(attribute: &Attribute) -> bool {
    attribute.path().is_ident("streaming")
}

/// `(policy: [6], value: [1])`.
fn ports(input: ParseStream) -> Result<Vec<Port>> {
    let content;
    let parentheses = parenthesized!(content in input);
    let mut ports = Vec::new();
    while !content.is_empty() {
        let docs = docs(&content)?;
        if !content.peek(Ident::peek_any) {
            return Err(content.error("expected a name and sizes, such as `policy: [6]`"));
        }
        let name = parse_name(&content)?;
        content.parse::<Token![:]>()?;
        ports.push(Port { docs, name: Some(name), dims: content.parse()? });
        if content.is_empty() {
            break;
        }
        content.parse::<Token![,]>()?;
    }
    if ports.is_empty() {
        return Err(syn::Error::new(
            parentheses.span.join(),
            "expected a name and sizes, such as `(observation: [17])`",
        ));
    }
    Ok(ports)
}

impl Parse for Body {
    fn parse(input: ParseStream) -> Result<Self> {
        if !is_graph(&input.fork().parse::<TokenStream>()?) {
            return Ok(Body::Chain(input.parse::<Chain>()?.0));
        }
        let mut values = Vec::new();
        while input.peek(Token![let]) || input.peek(Token![#]) {
            if let Some(comment) = docs(input)?.first() {
                return Err(syn::Error::new(comment.span(), NO_FIELD));
            }
            input.parse::<Token![let]>()?;
            let name = parse_name(input)?;
            input.parse::<Token![=]>()?;
            let flow = input.parse()?;
            if !input.peek(Token![;]) {
                return Err(input.error("expected `;` after the value, or `|>` and a layer"));
            }
            input.parse::<Token![;]>()?;
            values.push(Let { name, flow });
        }
        let result = if input.is_empty() { None } else { Some(input.parse()?) };
        if !input.is_empty() {
            return Err(input.error(
                "expected `|>` and a layer, or the end of the network; values come first, as `let name = ..;`",
            ));
        }
        Ok(Body::Graph { values, result })
    }
}

/// Whether a body is a graph: it begins with `let`, has a `|>` outside all brackets, or consists of
/// one combination of values, `concat(..)`.
fn is_graph(body: &TokenStream) -> bool {
    let tokens: Vec<_> = body.clone().into_iter().collect();
    let first =
        tokens.first().is_some_and(|token| matches!(token, proc_macro2::TokenTree::Ident(word) if word == "let"));
    let is =
        |token: &proc_macro2::TokenTree, sign| matches!(token, proc_macro2::TokenTree::Punct(p) if p.as_char() == sign);
    let combined = tokens.len() == 2
        && matches!(&tokens[0], proc_macro2::TokenTree::Ident(word) if is_combination(word))
        && matches!(&tokens[1], proc_macro2::TokenTree::Group(group) if group.delimiter() == proc_macro2::Delimiter::Parenthesis);
    first || combined || tokens.windows(2).any(|pair| is(&pair[0], '|') && is(&pair[1], '>'))
}

/// `concat`, `add` or `multiply`.
fn is_combination(word: &Ident) -> bool {
    ["concat", "add", "multiply"].iter().any(|keyword| word == keyword)
}

impl Parse for Flow {
    fn parse(input: ParseStream) -> Result<Self> {
        if input.peek(token::Paren) {
            let content;
            let parentheses = parenthesized!(content in input);
            let flows = Punctuated::<Flow, Token![,]>::parse_terminated(&content)?;
            let source = Source::Several(flows.into_iter().collect(), parentheses.span.join());
            return Ok(Self { source, steps: piped(input)? });
        }
        if !input.peek(Ident::peek_any) {
            return Err(input.error("expected a value, such as `input`, or `concat(..)`, `add(..)`, `multiply(..)`"));
        }
        let word = parse_name(input)?;
        let source = if is_combination(&word) && input.peek(token::Paren) {
            let content;
            parenthesized!(content in input);
            let (mut flows, mut axis) = (Vec::new(), None);
            while !content.is_empty() {
                if content.peek(Ident) && content.peek2(Token![=]) {
                    axis = Some(Box::new(self::axis(&content)?));
                } else {
                    flows.push(content.parse()?);
                }
                if !content.is_empty() {
                    content.parse::<Token![,]>()?;
                }
            }
            Source::Combine(word, flows, axis)
        } else if input.peek(token::Paren) {
            let message = format!("a flow begins with a value: `input |> {word}(..)`");
            return Err(syn::Error::new(word.span(), message));
        } else if input.peek(Token![.]) {
            input.parse::<Token![.]>()?;
            Source::Part(word, parse_name(input)?)
        } else {
            Source::Value(word)
        };
        Ok(Self { source, steps: piped(input)? })
    }
}

/// `|> step |> step`.
fn piped(input: ParseStream) -> Result<Vec<Step>> {
    let mut steps = Vec::new();
    while input.peek(Token![|]) {
        input.parse::<Token![|]>()?;
        input.parse::<Token![>]>()?;
        steps.push(input.parse()?);
    }
    Ok(steps)
}

impl Parse for Dims {
    fn parse(input: ParseStream) -> Result<Self> {
        if !input.peek(token::Bracket) {
            return Err(input.error("expected sizes in brackets, such as `[28, 28, 1]`"));
        }
        let content;
        let bracket = bracketed!(content in input);
        let fork = content.fork();
        if fork.parse::<Type>().is_ok() && fork.peek(Token![;]) {
            let (mut sizes, mut ty): (_, Type) = (Vec::new(), content.parse()?);
            content.parse::<Token![;]>()?;
            sizes.push(content.parse()?);
            while let Type::Array(array) = ty {
                sizes.push(array.len);
                ty = *array.elem;
            }
            let element = whole_number(&ty)?;
            return Ok(Self { sizes, element: Some(element), span: bracket.span.join() });
        }
        let sizes = Punctuated::<Expr, Token![,]>::parse_terminated(&content)?;
        Ok(Self { sizes: sizes.into_iter().collect(), element: None, span: bracket.span.join() })
    }
}

/// The integer types that can be inputs.
const WHOLE_NUMBERS: [&str; 6] = ["u8", "u16", "u32", "i8", "i16", "i32"];

fn whole_number(ty: &Type) -> Result<Ident> {
    let name = if let Type::Path(path) = ty { path.path.get_ident() } else { None };
    let name = name.map(ToString::to_string).unwrap_or_default();
    if let Some(number) = WHOLE_NUMBERS.iter().find(|number| **number == name) {
        return Ok(Ident::new(number, ty.span()));
    }
    let message = if ["u64", "u128", "usize", "i64", "i128", "isize", "bool", "char"].contains(&name.as_str()) {
        format!(
            "whole numbers of an input are {}, not `{name}`",
            WHOLE_NUMBERS.map(|name| format!("`{name}`")).join(", ")
        )
    } else {
        "only whole numbers have their type stated, such as `[u8; 128]` for tokens; shapes of the network's own numbers are \
         sizes alone: `[28, 28, 1]`"
            .to_owned()
    };
    Err(syn::Error::new(ty.span(), message))
}

/// A chain: steps with commas between them.
pub(crate) struct Chain(pub Vec<Step>);

impl Parse for Chain {
    fn parse(input: ParseStream) -> Result<Self> {
        let mut steps = Vec::new();
        while !input.is_empty() {
            let step = input.parse()?;
            let ends_in_brace = matches!(step, Step::Repeat(_));
            steps.push(step);
            if input.is_empty() {
                break;
            }
            // As after a Rust loop.
            if ends_in_brace && !input.peek(Token![,]) {
                continue;
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
        let docs = docs(input)?;
        let name = if input.peek(Ident::peek_any) && input.peek2(Token![:]) && !input.peek2(Token![::]) {
            let name = parse_name(input)?;
            input.parse::<Token![:]>()?;
            Some(name)
        } else {
            None
        };
        let step = step(docs.clone(), name, input)?;
        match (&step, docs.first()) {
            (Step::Residual(_) | Step::Combine(_) | Step::Repeat(_), Some(comment)) => {
                Err(syn::Error::new(comment.span(), NO_FIELD))
            }
            _ => Ok(step),
        }
    }
}

fn step(docs: Vec<Attribute>, name: Option<Ident>, input: ParseStream) -> Result<Step> {
    if input.peek(Token![for]) {
        return for_each(input).map(Step::Repeat);
    }
    let fork = input.fork();
    if let Ok(word) = fork.parse::<Ident>() {
        if word == "residual" && (fork.peek(token::Paren) || fork.peek(token::Brace)) {
            return residual(name, input).map(Step::Residual);
        }
        let branches = fork.peek(token::Brace) || fork.peek(token::Paren) && is_before_branches(&fork)?;
        if is_combination(&word) && branches {
            return combine(name, input).map(Step::Combine);
        }
        if word == "repeat" && !fork.is_empty() && !fork.peek(Token![,]) {
            return repeat(input).map(Step::Repeat);
        }
    }
    call(docs, name, input).map(Step::Layer)
}

/// Whether parentheses are followed by branches.
fn is_before_branches(input: ParseStream) -> Result<bool> {
    let fork = input.fork();
    let _content;
    parenthesized!(_content in fork);
    Ok(fork.peek(token::Brace))
}

/// `axis = 0`.
fn axis(input: ParseStream) -> Result<Expr> {
    let name: Ident = input.parse()?;
    if name != "axis" {
        return Err(syn::Error::new(name.span(), "expected `axis`, such as `axis = 0`"));
    }
    input.parse::<Token![=]>()?;
    input.parse()
}

fn combine(name: Option<Ident>, input: ParseStream) -> Result<Combine> {
    let keyword: Ident = input.parse()?;
    let mut axis = None;
    if input.peek(token::Paren) {
        let content;
        parenthesized!(content in input);
        axis = Some(self::axis(&content)?);
        if !content.is_empty() {
            return Err(content.error("expected nothing after the axis"));
        }
    }
    let content;
    braced!(content in input);
    let mut branches = Vec::new();
    while !content.is_empty() {
        if !content.peek(token::Brace) {
            return Err(content.error(format!("expected a branch in braces: `{keyword} {{ {{ .. }} {{ .. }} }}`")));
        }
        let branch;
        braced!(branch in content);
        branches.push(branch.parse::<Chain>()?.0);
        if content.peek(Token![,]) {
            content.parse::<Token![,]>()?;
        }
    }
    Ok(Combine { name, keyword, axis, branches })
}

fn repeat(input: ParseStream) -> Result<Repeat> {
    input.parse::<Ident>()?;
    let times: syn::LitInt = input.parse().map_err(|error| {
        syn::Error::new(error.span(), "expected a number: `repeat 3 { .. }` writes its layers three times")
    })?;
    let count: usize = times.base10_parse()?;
    if count == 0 || count > MOST_COPIES {
        return Err(syn::Error::new(times.span(), "repeat: the number is from 1 to 1000"));
    }
    Ok(Repeat { copies: vec![Vec::new(); count], body: braced_chain(input)? })
}

/// The maximum number of copies of a body.
const MOST_COPIES: usize = 1000;

/// `for c in [16, 32] { .. }` or `for (c, stride) in [(16, 1), (32, 2)] { .. }`.
fn for_each(input: ParseStream) -> Result<Repeat> {
    input.parse::<Token![for]>()?;
    let names: Vec<Ident> = if input.peek(token::Paren) {
        let content;
        parenthesized!(content in input);
        Punctuated::<Ident, Token![,]>::parse_terminated(&content)?.into_iter().collect()
    } else {
        vec![input.parse()?]
    };
    input.parse::<Token![in]>()?;
    if !input.peek(token::Bracket) {
        return Err(input.error("expected a list: `for c in [16, 32, 64] { .. }` writes its layers once for each"));
    }
    let content;
    let brackets = bracketed!(content in input);
    let values = Punctuated::<Expr, Token![,]>::parse_terminated(&content)?;
    if values.is_empty() || values.len() > MOST_COPIES {
        return Err(syn::Error::new(brackets.span.join(), "for: the list has 1 to 1000 elements"));
    }
    let copy = |value: Expr| match (names.as_slice(), ungroup(&value)) {
        ([name], _) => Ok(vec![(name.clone(), value)]),
        (names, Expr::Tuple(tuple)) if tuple.elems.len() == names.len() => {
            Ok(names.iter().cloned().zip(tuple.elems.iter().cloned()).collect())
        }
        (names, other) => {
            let text = format!("expected as many values as there are names, {}, in parentheses", names.len());
            Err(syn::Error::new(other.span(), text))
        }
    };
    let copies = values.into_iter().map(copy).collect::<Result<_>>()?;
    Ok(Repeat { copies, body: braced_chain(input)? })
}

fn braced_chain(input: ParseStream) -> Result<Vec<Step>> {
    let content;
    braced!(content in input);
    Ok(content.parse::<Chain>()?.0)
}

fn call(docs: Vec<Attribute>, name: Option<Ident>, input: ParseStream) -> Result<Call> {
    if !input.peek(Ident::peek_any) && !input.peek(Token![::]) {
        return Err(input.error("expected a layer, such as `Dense(10)`"));
    }
    let path = if input.cursor().group(Delimiter::None).is_some() {
        // A type or a path that went through a `macro_rules!`.
        let mut ty: Type = input.parse()?;
        while let Type::Group(group) = ty {
            ty = *group.elem;
        }
        match ty {
            Type::Path(TypePath { qself: None, path, .. }) => path,
            other => return Err(syn::Error::new(other.span(), "a layer is given by its name or path")),
        }
    } else if input.peek(Ident) || input.peek(Token![::]) || input.peek2(Token![::]) {
        // Parsed as an expression, because `Path` would read the parentheses as those of `Fn(..)`.
        input.parse::<syn::ExprPath>()?.path
    } else {
        parse_name(input)?.into()
    };
    let arguments = if input.peek(token::Paren) {
        let content;
        parenthesized!(content in input);
        Some(Punctuated::<Argument, Token![,]>::parse_terminated(&content)?.into_iter().collect())
    } else {
        None
    };
    let mut body = None;
    let contains = ["ode", "hamiltonian", "divergence"].iter().any(|word| path.is_ident(word));
    if contains && input.peek(token::Brace) {
        let span = input.span();
        let content;
        braced!(content in input);
        body = Some((content.parse()?, span));
    }
    Ok(Call { docs, name, path, arguments, body })
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
    let (mut shortcut, mut drop) = (None, None);
    if input.peek(token::Paren) {
        let content;
        parenthesized!(content in input);
        while !content.is_empty() {
            let option: Ident = content.parse()?;
            let twice = match option.to_string().as_str() {
                "shortcut" => shortcut.is_some(),
                "drop" => drop.is_some(),
                _ => {
                    let message = format!(
                        "residual has no argument `{option}`; it takes `shortcut = <layer>` and `drop = <probability>`"
                    );
                    return Err(syn::Error::new(option.span(), message));
                }
            };
            if twice {
                return Err(syn::Error::new(option.span(), format!("residual: `{option}` is given twice")));
            }
            content.parse::<Token![=]>()?;
            if option == "drop" {
                drop = Some(content.parse::<Expr>()?);
                if !content.is_empty() {
                    content.parse::<Token![,]>()?;
                }
                continue;
            }
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
    let mut body = content.parse::<Chain>()?.0;
    if let (Some(rate), false) = (drop, body.is_empty()) {
        body.push(syn::parse2(quote_spanned!(rate.span()=> StochasticDepth(#rate)))?);
    }
    Ok(Residual { name, keyword, shortcut, body })
}

/// Looks through invisible groups, which come from `macro_rules!`.
pub(crate) fn ungroup(expression: &Expr) -> &Expr {
    match expression {
        Expr::Group(group) => ungroup(&group.expr),
        Expr::Paren(paren) => ungroup(&paren.expr),
        other => other,
    }
}
