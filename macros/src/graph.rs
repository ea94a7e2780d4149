//! A network as a graph of values, which have shapes, and of the nodes that compute them.
//!
//! Plain data, the same for every notation: `plan` and `expand` do not see whether the user wrote a chain or a graph.

use proc_macro2::{Group, Span, TokenStream, TokenTree};
use quote::{format_ident, quote};
use syn::{Attribute, Generics, Ident, Type};

use crate::parse::Declaration;
use crate::sizes::number_type;
use crate::words::text as written;

/// A size, known to the macro or only to the compiler.
#[derive(Clone, Debug)]
pub(crate) enum Dim {
    Literal(usize),
    /// A const expression of type `usize` without generic parameters.
    Constant(TokenStream),
    /// A const item that the macro emits, with the value of what the user wrote.
    Item {
        name: Ident,
        text: String,
    },
    /// A const generic parameter of the network.
    Parameter(Ident),
    /// A `typenum` type, computed from those that are parameters of the network.
    Type {
        ty: TokenStream,
        text: String,
    },
}

impl Dim {
    /// As an expression.
    pub(crate) fn tokens(&self) -> TokenStream {
        match self {
            Dim::Literal(size) => {
                let size = proc_macro2::Literal::usize_unsuffixed(*size);
                quote!(#size)
            }
            Dim::Constant(expression) => quote!({ #expression }),
            Dim::Item { name, .. } => quote!({ #name }),
            Dim::Parameter(name) => quote!(#name),
            Dim::Type { ty, .. } => quote!(<#ty as ::monomorph::__private::typenum::Unsigned>::USIZE),
        }
    }

    /// As the size of a user-defined layer: an argument of its generics.
    pub(crate) fn argument(&self) -> TokenStream {
        if let Dim::Type { ty, .. } = self { ty.clone() } else { self.tokens() }
    }

    /// Its text, if it is a parameter of the network or computed from one, which no const item can name.
    pub(crate) fn parameter(&self) -> Option<String> {
        matches!(self, Dim::Parameter(_) | Dim::Type { .. }).then(|| self.text())
    }

    /// As a user would write it.
    pub(crate) fn text(&self) -> String {
        match self {
            Dim::Literal(size) => size.to_string(),
            // What the macro computes means nothing to the user.
            Dim::Constant(_) => "_".to_owned(),
            Dim::Parameter(name) => written(name),
            Dim::Item { text, .. } | Dim::Type { text, .. } => text.clone(),
        }
    }
}

/// The shape of a value.
#[derive(Clone, Debug)]
pub(crate) enum Shape {
    Known(Vec<Dim>),
    /// The output of a user-defined layer: a type that implements `Tensor`.
    Opaque(TokenStream),
    /// The result of an error; it fits everywhere, so that each error is reported only once.
    Unknown,
}

impl Shape {
    /// As a user would write it.
    pub(crate) fn text(&self) -> String {
        match self {
            Shape::Known(dims) => format!("[{}]", dims.iter().map(Dim::text).collect::<Vec<_>>().join(", ")),
            Shape::Opaque(_) | Shape::Unknown => "[..]".to_owned(),
        }
    }

    /// The sizes, if the macro knows all of them.
    pub(crate) fn literals(&self) -> Option<Vec<usize>> {
        let Shape::Known(dims) = self else { return None };
        dims.iter().map(|dim| if let Dim::Literal(size) = dim { Some(*size) } else { None }).collect()
    }

    /// How many axes it has, if the macro knows.
    pub(crate) fn rank(&self) -> Option<usize> {
        if let Shape::Known(dims) = self { Some(dims.len()) } else { None }
    }

    /// The first size, if the macro knows it.
    pub(crate) fn first(&self) -> Option<&Dim> {
        if let Shape::Known(dims) = self { dims.first() } else { None }
    }

    /// The last size, if the macro knows it.
    pub(crate) fn last(&self) -> Option<&Dim> {
        if let Shape::Known(dims) = self { dims.last() } else { None }
    }

    /// The shape of one step of a sequence.
    pub(crate) fn step(&self) -> Self {
        match self {
            Shape::Known(dims) => Shape::Known(dims.iter().skip(1).cloned().collect()),
            Shape::Opaque(ty) => Shape::Opaque(quote!(<#ty as ::monomorph::Tensor>::Item)),
            Shape::Unknown => Shape::Unknown,
        }
    }

    /// The array type, with numbers of type `scalar`.
    pub(crate) fn ty(&self, scalar: &TokenStream) -> TokenStream {
        match self {
            Shape::Known(dims) => dims.iter().rev().fold(scalar.clone(), |inner, dim| {
                if let Dim::Type { ty, .. } = dim {
                    return quote!(::monomorph::__private::GenericArray<#inner, #ty>);
                }
                let size = dim.tokens();
                quote!([#inner; #size])
            }),
            Shape::Opaque(ty) => ty.clone(),
            Shape::Unknown => quote!([#scalar; 1]),
        }
    }

    /// An expression of type `&[usize]` with the sizes, for const code.
    pub(crate) fn slice(&self, scalar: &TokenStream) -> TokenStream {
        match self {
            Shape::Known(dims) => {
                let sizes = dims.iter().map(Dim::tokens);
                quote!(&[#(#sizes),*])
            }
            _ => {
                let ty = self.ty(scalar);
                quote!(<#ty as ::monomorph::Tensor>::SHAPE)
            }
        }
    }
}

/// Something computed: the input or the output of a node.
#[derive(Clone)]
pub(crate) struct Value {
    pub shape: Shape,
    /// The type of its numbers, if they are integers such as tokens and not of the network's number type.
    pub element: Option<Ident>,
    /// What computes it, for messages: `the input`, `conv1`.
    pub source: String,
}

impl Value {
    /// Its array type, in a network of numbers of type `scalar`.
    pub(crate) fn ty(&self, scalar: &TokenStream) -> TokenStream {
        match &self.element {
            Some(element) => self.shape.ty(&quote!(#element)),
            None => self.shape.ty(scalar),
        }
    }

    /// One step of it, if it is a sequence.
    pub(crate) fn step(&self) -> Self {
        Self { shape: self.shape.step(), ..self.clone() }
    }
}

/// The index of a [`Value`].
pub(crate) type ValueId = usize;

/// What a node does.
#[derive(Clone)]
pub(crate) enum Op {
    /// Calls the layer in the node's field.
    Layer(Capabilities),
    /// An elementwise function, which can run inside the layer before it or in place. `from_output` says whether its
    /// derivative follows from its output; `None` if only the compiler knows.
    Activation { marker: TokenStream, from_output: Option<bool> },
    /// The same numbers in another shape.
    View,
    /// The same numbers in other memory.
    Copy,
    /// The sum of its two inputs.
    Add,
    /// The product of its two inputs.
    Multiply,
    /// Its inputs side by side along an axis: `concat`.
    Concat(usize),
    /// One field of its input: of the struct of several inputs, or of the output of a nested network, which is
    /// identified by the key of its name.
    Part(Ident, Option<TokenStream>),
    /// Its inputs as the fields of the struct of several outputs.
    Outputs(Vec<Ident>),
}

/// What the planner and the code generator need to know about a layer.
#[derive(Clone, Copy)]
pub(crate) struct Capabilities {
    /// It can apply the activation that follows it; its `backward` does not read its output.
    pub fuses_activation: bool,
    /// Its `backward` reads its input. The type says the same, which the emitted code asserts.
    pub reads_input: bool,
    /// Its `backward` reads its output.
    pub reads_output: bool,
    /// It is stochastic: `sample` draws random numbers.
    pub random: bool,
    /// It can run step by step.
    pub streams: bool,
    /// It keeps state between steps.
    pub has_state: bool,
    /// It can write the maximum of every 2 × 2 pixels instead of the pixels.
    pub fuses_max_pool: bool,
    /// It is a max pool of 2 × 2 pixels without overlap or padding.
    pub is_max_pool_2x2: bool,
    /// Its `Saved` is not `()`.
    pub saves: bool,
    /// Its `Workspace` is not `()`.
    pub needs_workspace: bool,
    /// Its weights can be packed in fewer bits.
    pub packs_weights: bool,
    /// It is defined by the user, so that only its type tells the shapes of its input and output.
    pub user_defined: bool,
    /// It is the table of an embedding, used the other way round.
    pub transposes: bool,
    /// It contains a network, and is aligned as that is.
    pub contains: bool,
}

impl Capabilities {
    pub(crate) const NONE: Self = Self {
        fuses_activation: false,
        reads_input: false,
        reads_output: false,
        random: false,
        streams: false,
        has_state: false,
        fuses_max_pool: false,
        is_max_pool_2x2: false,
        saves: false,
        needs_workspace: false,
        packs_weights: false,
        user_defined: false,
        transposes: false,
        contains: false,
    };
    pub(crate) const READS_INPUT: Self = Self { reads_input: true, ..Self::NONE };
    pub(crate) const READS_OUTPUT: Self = Self { reads_output: true, ..Self::NONE };
    pub(crate) const DENSE_OR_CONV: Self = Self { fuses_activation: true, packs_weights: true, ..Self::READS_INPUT };
    pub(crate) const SAVES: Self = Self { saves: true, ..Self::READS_INPUT };
    pub(crate) const SAVES_AND_NEEDS_WORKSPACE: Self = Self { needs_workspace: true, ..Self::SAVES };
    pub(crate) const CONTAINS: Self = Self { contains: true, ..Self::SAVES_AND_NEEDS_WORKSPACE };
    /// The macro does not know what it uses, so it gets everything, even if that is `()`.
    pub(crate) const USER_DEFINED: Self = Self {
        user_defined: true,
        reads_output: true,
        random: true,
        streams: true,
        has_state: true,
        ..Self::SAVES_AND_NEEDS_WORKSPACE
    };
}

/// A step of the computation.
pub(crate) struct Node {
    pub op: Op,
    /// The field of the network and its type; `None` for views, sums and the like.
    pub field: Option<(Ident, TokenStream)>,
    /// What it reads; the layer may take an array type of another shape with the same length.
    pub inputs: Vec<ValueId>,
    pub output: ValueId,
    /// For summaries: its name and what kind of layer it is.
    pub name: String,
    pub kind: String,
    /// How many earlier nodes use the same layer.
    pub uses: usize,
    /// How many parameters it adds to the network, if the macro can count them.
    pub parameters: Option<usize>,
    /// Where the user wrote it, if it is a layer.
    pub span: Option<Span>,
}

impl Node {
    /// The capabilities of its layer; none if it is not a layer.
    pub(crate) fn capabilities(&self) -> Capabilities {
        if let Op::Layer(capabilities) = self.op { capabilities } else { Capabilities::NONE }
    }

    /// Whether its backward pass reads its inputs.
    pub(crate) fn backward_reads_input(&self) -> bool {
        match self.op {
            Op::Layer(capabilities) => capabilities.reads_input,
            Op::Activation { from_output, .. } => from_output != Some(true),
            Op::Multiply => true,
            Op::View | Op::Copy | Op::Add | Op::Concat(_) | Op::Part(..) | Op::Outputs(_) => false,
        }
    }

    /// Whether its backward pass reads its output.
    pub(crate) fn backward_reads_output(&self) -> bool {
        match self.op {
            Op::Layer(capabilities) => capabilities.reads_output,
            Op::Activation { .. } => true,
            _ => false,
        }
    }
}

/// A network after `resolve`.
pub(crate) struct Model {
    pub declaration: Declaration,
    /// The networks that are declared inside its layers, each with its `ode::Problem` if it is the right side of an equation.
    pub inner: Vec<(Model, Option<TokenStream>)>,
    pub scalar: TokenStream,
    /// The input and the output as a whole: the declared shape, or a struct if there are several.
    pub input: Shape,
    pub output: Shape,
    /// The individual inputs and outputs, if there are several; otherwise empty.
    pub input_parts: Vec<(Ident, Value)>,
    pub output_parts: Vec<(Ident, Value)>,
    /// Value 0 is the whole input; its parts follow.
    pub values: Vec<Value>,
    pub nodes: Vec<Node>,
    /// The value that the network returns.
    pub result: ValueId,
    /// `#[cfg(..)]`, which holds for everything emitted.
    pub conditions: Vec<Attribute>,
    /// Whether it implements `PartialEq`.
    pub comparable: bool,
    /// The most memory it may take.
    pub budget: Option<Budget>,
    /// Whether it is not aligned to cache lines: `#[unaligned]`.
    pub unaligned: bool,
    /// Whether it also runs step by step: `#[streaming]`.
    pub streaming: bool,
    /// Whether the values that its forward pass keeps can be looked at: `#[watched]`.
    pub watched: bool,
    /// Additional networks with its weights packed in fewer bits: `#[packed(..)]`.
    pub packed: Vec<Packed>,
    /// Const items that compute and check the sizes that only the compiler knows.
    pub constants: Vec<TokenStream>,
    /// The doc comments of layers.
    pub docs: Vec<(Ident, Vec<Attribute>)>,
    /// Whether sizes depend on generic parameters.
    pub parametric: bool,
}

impl Model {
    /// Whether a value has a gradient: integers have none, and neither does a struct of inputs that are all integers.
    pub(crate) fn has_gradient(&self, value: ValueId) -> bool {
        self.values[value].element.is_none()
    }

    /// The tokens with a concrete number type, see [`concrete`].
    pub(crate) fn concrete(&self, tokens: &TokenStream) -> TokenStream {
        concrete(&self.declaration.generics, tokens)
    }
}

/// `#[budget(flash = "64 KiB", ram = "8 KiB")]`: each limit in bytes, and where it is written.
pub(crate) struct Budget {
    pub flash: Option<(Span, usize)>,
    pub ram: Option<(Span, usize)>,
}

/// `#[packed(DigitsSmall: i8 { eye: EyeSmall })]`: a second network, the format of its weights, and the packed types
/// of the networks inside it.
pub(crate) struct Packed {
    pub name: Ident,
    pub format: &'static str,
    pub networks: Vec<(Ident, Type)>,
}

impl Packed {
    /// The type in which its weights are packed.
    pub(crate) fn format_type(&self) -> TokenStream {
        match self.format {
            "bf16" => quote!(::monomorph::storage::Bf16),
            "f16" => quote!(::monomorph::storage::F16),
            _ => quote!(i8),
        }
    }
}

/// The tokens with `f32` in place of the number type, if that is a type parameter: const items cannot name it, and
/// shapes and parameter counts are the same for every number type.
pub(crate) fn concrete(generics: &Generics, tokens: &TokenStream) -> TokenStream {
    match number_type(generics) {
        Some(parameter) => replaced(tokens, &parameter.ident, &format_ident!("f32")),
        None => tokens.clone(),
    }
}

/// The tokens with one identifier replaced by another.
fn replaced(tokens: &TokenStream, from: &Ident, to: &Ident) -> TokenStream {
    let tokens = tokens.clone().into_iter().map(|token| match token {
        TokenTree::Ident(ident) if ident == *from => TokenTree::Ident(Ident::new(&to.to_string(), ident.span())),
        TokenTree::Group(group) => {
            let mut inner = Group::new(group.delimiter(), replaced(&group.stream(), from, to));
            inner.set_span(group.span());
            TokenTree::Group(inner)
        }
        other => other,
    });
    tokens.collect()
}

/// A number for the name of a field, by which its type is looked up: 64-bit FNV-1a.
pub(crate) fn name_hash(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}
