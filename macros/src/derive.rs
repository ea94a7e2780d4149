//! `#[derive(Parameters)]`: the table of contents of a struct of tensors.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Error, Field, Fields, GenericParam, Result, Type};

pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let Data::Struct(data) = &input.data else {
        return Err(Error::new(input.ident.span(), "parameters are a struct of tensors and layers"));
    };
    if !is_repr_c(input)? {
        return Err(Error::new(
            input.ident.span(),
            format!("add `#[repr(C)]` to `{}`: its parameters are also read as one slice, in this order", input.ident),
        ));
    }
    let fields = match &data.fields {
        Fields::Named(fields) => fields.named.iter().collect(),
        Fields::Unit => Vec::new(),
        Fields::Unnamed(fields) => {
            let tensors: Vec<&Field> = fields.unnamed.iter().filter(|field| !is_phantom(&field.ty)).collect();
            if let Some(field) = tensors.first() {
                return Err(Error::new(field.ty.span(), "parameters have names: give the field one"));
            }
            tensors
        }
    };

    // A struct that is not generic over `T` has tensors of one fixed number type, or none at all.
    let own_scalar = input.generics.type_params().any(|parameter| parameter.ident == "T");
    let declared = declared_scalar(input)?;
    let fixed =
        declared.or_else(|| fields.iter().find_map(|field| element(&field.ty)).cloned()).filter(|_| !own_scalar);
    let scalar = match &fixed {
        Some(element) => quote!(#element),
        None if own_scalar => quote!(T),
        None => quote!(AnyScalar),
    };

    let (mut entries, mut refusals) = (Vec::new(), Vec::new());
    for field in fields {
        if is_phantom(&field.ty) {
            continue;
        }
        let name = field.ident.as_ref().map(ToString::to_string).unwrap_or_default();
        let options = Options::of(field)?;
        let ty = &field.ty;
        entries.push(if options.padding {
            quote!(::monomorph::parameters::Entry::Padding(<#ty as ::monomorph::Tensor<#scalar>>::LEN))
        } else if matches!(ty, Type::Array(_)) {
            let (role, start) = (options.role(), options.start());
            quote! {
                ::monomorph::parameters::Entry::Tensor(::monomorph::parameters::TensorInfo {
                    name: #name,
                    shape: <#ty as ::monomorph::Tensor<#scalar>>::SHAPE,
                    role: #role,
                    start: #start,
                })
            }
        } else {
            let (whole, part) = (&input.ident, quote!(#ty));
            let refusal = format!(
                "{whole} cannot be trained with `{name}` in it, which is stored in fewer bits; put there what it is stored \
                 from, and store it as a part of {whole}: `#[stored({whole}Small: i8 {{ {name}: {part} }})]`"
            );
            refusals.push(quote_spanned! {ty.span()=>
                if <#ty as ::monomorph::Parameters<#scalar>>::ENTRIES.is_empty() && ::core::mem::size_of::<#ty>() > 0 {
                    ::core::panic!("{}", #refusal);
                }
            });
            quote! {
                ::monomorph::parameters::Entry::Layer(#name, <#ty as ::monomorph::Parameters<#scalar>>::ENTRIES)
            }
        });
    }

    let ident = &input.ident;
    let (_, type_generics, where_clause) = input.generics.split_for_impl();
    let mut generics = input.generics.clone();
    if own_scalar {
        for parameter in generics.type_params_mut() {
            if parameter.ident == "T"
                && !parameter.bounds.iter().any(|bound| quote!(#bound).to_string().ends_with("Scalar"))
            {
                parameter.bounds.push(syn::parse_quote!(::monomorph::Scalar));
            }
        }
    } else if fixed.is_none() {
        generics.params.insert(0, syn::parse_quote!(AnyScalar: ::monomorph::Scalar));
    }
    for parameter in &mut generics.params {
        match parameter {
            GenericParam::Type(parameter) => {
                parameter.default = None;
                parameter.bounds.push(syn::parse_quote!('static));
            }
            GenericParam::Const(parameter) => parameter.default = None,
            GenericParam::Lifetime(_) => {}
        }
    }
    let (impl_generics, ..) = generics.split_for_impl();
    let mut plain = generics.clone();
    if !own_scalar && fixed.is_none() {
        plain.params = plain.params.into_iter().skip(1).collect();
    }
    let (plain_generics, ..) = plain.split_for_impl();

    Ok(quote! {
        // SAFETY: every field is a tensor or a struct of tensors, for which zeros are valid.
        #[automatically_derived]
        unsafe impl #plain_generics ::monomorph::memory::Plain for #ident #type_generics #where_clause {}

        // SAFETY: the struct is `repr(C)`, its fields are listed in order, and the assertion
        // refuses padding.
        #[automatically_derived]
        unsafe impl #impl_generics ::monomorph::Parameters<#scalar> for #ident #type_generics #where_clause {
            const ENTRIES: &'static [::monomorph::parameters::Entry] = {
                #(#refusals)*
                let entries: &'static [::monomorph::parameters::Entry] = &[#(#entries),*];
                ::core::assert!(
                    ::core::mem::size_of::<Self>()
                        == ::monomorph::parameters::count(entries) * ::core::mem::size_of::<#scalar>(),
                    "a struct of parameters has no padding and holds nothing but tensors of one number type; \
                    a network within one that has const parameters must be declared `#[unaligned]`",
                );
                entries
            };
        }
    })
}

fn is_repr_c(input: &DeriveInput) -> Result<bool> {
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

fn is_phantom(ty: &Type) -> bool {
    matches!(ty, Type::Path(path) if path.path.segments.last().is_some_and(|last| last.ident == "PhantomData"))
}

/// The type of `#[parameters(scalar = f32)]` on the struct.
fn declared_scalar(input: &DeriveInput) -> Result<Option<Type>> {
    let mut scalar = None;
    for attribute in input.attrs.iter().filter(|attribute| attribute.path().is_ident("parameters")) {
        attribute.parse_nested_meta(|meta| {
            if !meta.path.is_ident("scalar") {
                return Err(meta.error("expected `scalar = <number type>`"));
            }
            scalar = Some(meta.value()?.parse()?);
            Ok(())
        })?;
    }
    Ok(scalar)
}

/// The `f32` of `[[f32; 3]; 4]`.
fn element(ty: &Type) -> Option<&Type> {
    let mut ty = ty;
    let mut nested = false;
    while let Type::Array(array) = ty {
        (ty, nested) = (&array.elem, true);
    }
    nested.then_some(ty)
}

/// `#[parameters(start = 1.0, state)]` on a field.
#[derive(Default)]
struct Options {
    start: Option<syn::Expr>,
    state: bool,
    /// Zeros that align the next field, not a tensor.
    padding: bool,
}

impl Options {
    fn of(field: &Field) -> Result<Self> {
        let mut options = Self::default();
        for attribute in field.attrs.iter().filter(|attribute| attribute.path().is_ident("parameters")) {
            attribute.parse_nested_meta(|meta| {
                if meta.path.is_ident("start") {
                    options.start = Some(meta.value()?.parse()?);
                    Ok(())
                } else if meta.path.is_ident("state") {
                    options.state = true;
                    Ok(())
                } else if meta.path.is_ident("padding") {
                    options.padding = true;
                    Ok(())
                } else {
                    Err(meta.error("expected `start = <number>` or `state`"))
                }
            })?;
        }
        Ok(options)
    }

    fn role(&self) -> TokenStream {
        if self.state {
            quote!(::monomorph::parameters::Role::State)
        } else {
            quote!(::monomorph::parameters::Role::Learned)
        }
    }

    fn start(&self) -> TokenStream {
        match &self.start {
            Some(value) => quote!(::monomorph::parameters::Start::Constant(#value)),
            None => quote!(::monomorph::parameters::Start::Random),
        }
    }
}
