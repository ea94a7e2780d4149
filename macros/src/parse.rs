//! The syntax tree of what the user writes. `resolve` gives it a meaning.

use proc_macro2::{Span, TokenStream};
use syn::parse::{Parse, ParseStream, Result};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Attribute, Expr, Generics, Ident, Path, Token, Visibility, braced, bracketed, parenthesized, token};

/// `/// docs  pub Name<const N: usize>: [in] -> [out] { .. }`, or with named inputs and outputs
/// `pub Name(a: [3], b: [4]) -> (c: [2], d: [1]) { .. }`. The body is parsed later, so that the type
/// is still declared when there is a syntax error in the body.
pub(crate) struct Declaration {
    pub attributes: Vec<Attribute>,
    pub visibility: Visibility,
    pub name: Ident,
    pub generics: Generics,
    pub inputs: Vec<Port>,
    pub outputs: Vec<Port>,
    pub body: TokenStream,
    pub body_span: Span,
}

/// An input or an output, named where there are several.
pub(crate) struct Port {
    pub name: Option<Ident>,
    pub dims: Dims,
}

/// `[28, 28, 1]`.
pub(crate) struct Dims {
    pub sizes: Vec<Expr>,
    pub span: Span,
}

/// What a network computes.
pub(crate) enum Body {
    /// `Dense(4), Tanh, Dense(2)`.
    Chain(Vec<Step>),
    /// `let a = input |> Dense(4); add(a, input) |> Dense(2)`.
    Graph { values: Vec<Let>, result: Option<Flow> },
}

impl Body {
    /// Calls `f` with every chain of steps.
    pub(crate) fn for_each_chain(&self, f: &mut dyn FnMut(&[Step])) {
        match self {
            Body::Chain(steps) => f(steps),
            Body::Graph { values, result } => {
                values.iter().map(|value| &value.flow).chain(result).for_each(|flow| flow.for_each_chain(f));
            }
        }
    }

    /// Replaces each `repeat` with its copies; named layers get the number of the copy appended.
    pub(crate) fn unroll(&mut self) {
        match self {
            Body::Chain(steps) => unroll(steps),
            Body::Graph { values, result } => {
                values.iter_mut().map(|value| &mut value.flow).chain(result).for_each(Flow::unroll);
            }
        }
    }
}

fn unroll(steps: &mut Vec<Step>) {
    let mut written = Vec::new();
    for mut step in core::mem::take(steps) {
        match &mut step {
            Step::Layer(_) => {}
            Step::Residual(residual) => {
                unroll(&mut residual.body);
                residual.shortcut.iter_mut().for_each(unroll);
            }
            Step::Combine(combine) => combine.branches.iter_mut().for_each(unroll),
            Step::Repeat(repeat) => {
                unroll(&mut repeat.body);
                for time in 1..=repeat.times {
                    let mut body = repeat.body.clone();
                    number(&mut body, time);
                    written.extend(body);
                }
                continue;
            }
        }
        written.push(step);
    }
    *steps = written;
}

/// Appends a number to the names of layers.
fn number(steps: &mut [Step], time: usize) {
    let rename = |name: &mut Option<Ident>| {
        if let Some(name) = name {
            *name = Ident::new(&format!("{name}{time}"), name.span());
        }
    };
    for step in steps {
        match step {
            Step::Layer(call) => rename(&mut call.name),
            Step::Residual(residual) => {
                rename(&mut residual.name);
                number(&mut residual.body, time);
                residual.shortcut.iter_mut().for_each(|steps| number(steps, time));
            }
            Step::Combine(combine) => {
                rename(&mut combine.name);
                combine.branches.iter_mut().for_each(|branch| number(branch, time));
            }
            Step::Repeat(_) => {}
        }
    }
}

impl Flow {
    fn for_each_chain(&self, f: &mut dyn FnMut(&[Step])) {
        f(&self.steps);
        if let Source::Combine(_, flows) = &self.source {
            flows.iter().for_each(|flow| flow.for_each_chain(f));
        }
    }

    fn unroll(&mut self) {
        unroll(&mut self.steps);
        if let Source::Combine(_, flows) = &mut self.source {
            flows.iter_mut().for_each(Flow::unroll);
        }
    }
}

/// `let name = flow;`.
pub(crate) struct Let {
    pub name: Ident,
    pub flow: Flow,
}

/// `source |> step |> step`.
pub(crate) struct Flow {
    pub source: Source,
    pub steps: Vec<Step>,
}

/// Where a flow starts.
pub(crate) enum Source {
    /// A value, by its name.
    Value(Ident),
    /// `concat(a, b |> Relu)`.
    Combine(Ident, Vec<Flow>),
}

/// A step of a chain.
#[derive(Clone)]
pub(crate) enum Step {
    Layer(Call),
    Residual(Residual),
    Combine(Combine),
    Repeat(Repeat),
}

/// `name: Conv2d(6, kernel = 5)`.
#[derive(Clone)]
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
#[derive(Clone)]
pub(crate) struct Argument {
    pub name: Option<Ident>,
    pub value: Expr,
}

/// `residual(shortcut = ..) { .. }`.
#[derive(Clone)]
pub(crate) struct Residual {
    pub name: Option<Ident>,
    pub keyword: Ident,
    pub shortcut: Option<Vec<Step>>,
    pub body: Vec<Step>,
}

/// `concat { { .. } { .. } }`: branches that read the same input.
#[derive(Clone)]
pub(crate) struct Combine {
    pub name: Option<Ident>,
    pub keyword: Ident,
    pub branches: Vec<Vec<Step>>,
}

/// `repeat 3 { .. }`.
#[derive(Clone)]
pub(crate) struct Repeat {
    pub times: usize,
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
        let inputs = if input.peek(token::Paren) {
            ports(input)?
        } else {
            input.parse::<Token![:]>().map_err(|error| {
                let forms = "expected `: [input sizes] -> [output sizes]` after the network's name, \
                             or named inputs, such as `(observation: [17])`";
                syn::Error::new(error.span(), forms)
            })?;
            vec![Port { name: None, dims: input.parse()? }]
        };
        input.parse::<Token![->]>()?;
        let outputs =
            if input.peek(token::Paren) { ports(input)? } else { vec![Port { name: None, dims: input.parse()? }] };
        generics.where_clause = input.parse()?;
        let body_span = input.span();
        let body;
        braced!(body in input);
        let body = body.parse()?;
        if !input.is_empty() {
            return Err(input.error("one `network!` declares one network"));
        }
        Ok(Self { attributes, visibility, name, generics, inputs, outputs, body, body_span })
    }
}

/// `(policy: [6], value: [1])`.
fn ports(input: ParseStream) -> Result<Vec<Port>> {
    let content;
    let parentheses = parenthesized!(content in input);
    let mut ports = Vec::new();
    while !content.is_empty() {
        let name: Ident = content
            .parse()
            .map_err(|error| syn::Error::new(error.span(), "expected a name and sizes, such as `policy: [6]`"))?;
        content.parse::<Token![:]>()?;
        ports.push(Port { name: Some(name), dims: content.parse()? });
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
        while input.peek(Token![let]) {
            input.parse::<Token![let]>()?;
            let name = input.parse()?;
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
        let word: Ident = input.parse().map_err(|error| {
            syn::Error::new(
                error.span(),
                "expected a value, such as `input`, or `concat(..)`, `add(..)`, `multiply(..)`",
            )
        })?;
        let source = if is_combination(&word) && input.peek(token::Paren) {
            let content;
            parenthesized!(content in input);
            let flows = Punctuated::<Flow, Token![,]>::parse_terminated(&content)?;
            Source::Combine(word, flows.into_iter().collect())
        } else if input.peek(token::Paren) {
            let message = format!("a flow begins with a value: `input |> {word}(..)`");
            return Err(syn::Error::new(word.span(), message));
        } else {
            Source::Value(word)
        };
        let mut steps = Vec::new();
        while input.peek(Token![|]) {
            input.parse::<Token![|]>()?;
            input.parse::<Token![>]>()?;
            steps.push(input.parse()?);
        }
        Ok(Self { source, steps })
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
        if let Ok(word) = fork.parse::<Ident>() {
            if word == "residual" && (fork.peek(token::Paren) || fork.peek(token::Brace)) {
                return residual(name, input).map(Step::Residual);
            }
            if is_combination(&word) && fork.peek(token::Brace) {
                return combine(name, input).map(Step::Combine);
            }
            if word == "repeat" && !fork.is_empty() && !fork.peek(Token![,]) {
                return repeat(input).map(Step::Repeat);
            }
        }
        call(name, input).map(Step::Layer)
    }
}

fn combine(name: Option<Ident>, input: ParseStream) -> Result<Combine> {
    let keyword: Ident = input.parse()?;
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
    Ok(Combine { name, keyword, branches })
}

fn repeat(input: ParseStream) -> Result<Repeat> {
    input.parse::<Ident>()?;
    let times: syn::LitInt = input.parse().map_err(|error| {
        syn::Error::new(error.span(), "expected a number: `repeat 3 { .. }` writes its layers three times")
    })?;
    let count = times.base10_parse()?;
    if count == 0 || count > 1000 {
        return Err(syn::Error::new(times.span(), "repeat: the number is from 1 to 1000"));
    }
    let content;
    braced!(content in input);
    let body = content.parse::<Chain>()?.0;
    Ok(Repeat { times: count, body })
}

fn call(name: Option<Ident>, input: ParseStream) -> Result<Call> {
    if !input.peek(Ident) && !input.peek(Token![::]) && !input.peek(Token![crate]) && !input.peek(Token![self]) {
        return Err(input.error("expected a layer, such as `Dense(10)`"));
    }
    // Parsed as an expression, because `Path` would read the parentheses as those of `Fn(..)`.
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

/// Looks through invisible groups, which come from `macro_rules!`.
pub(crate) fn ungroup(expression: &Expr) -> &Expr {
    match expression {
        Expr::Group(group) => ungroup(&group.expr),
        Expr::Paren(paren) => ungroup(&paren.expr),
        other => other,
    }
}
