//! `#[derive(Parameters)]`: the table of contents of a struct of tensors, and its form with packed weights.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Error, Field, Fields, Generics, Ident, Result, Type, parse_quote};

use crate::derive::attributes::{Numbers, Options, is_repr_c, numbers};
use crate::derive::plain::{self, mentions};

/// The kind of a field.
enum Kind {
    /// A tensor.
    Tensor,
    /// A tensor that can be packed in fewer bits; its type is a parameter of the struct.
    Weight,
    /// A struct of parameters.
    Layer,
    /// Zeros that align the next field.
    Padding,
}

/// A field that holds numbers.
struct Part<'a> {
    ident: &'a Ident,
    ty: &'a Type,
    options: Options,
    kind: Kind,
}

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
    let mut generics = input.generics.clone();
    for parameter in generics.type_params_mut() {
        let is_number = |bound: &syn::TypeParamBound| {
            let bound = quote!(#bound).to_string();
            bound.ends_with("Scalar") || bound.ends_with("Real")
        };
        if parameter.ident == "T" && !parameter.bounds.iter().any(is_number) {
            parameter.bounds.push(parse_quote!(::monomorph::Scalar));
        }
    }
    let plain = plain::implementation(&input.ident, &generics, &data.fields)?;
    for parameter in generics.type_params_mut() {
        parameter.bounds.push(parse_quote!('static));
    }
    let parts = parts(&data.fields)?;
    let scalar = scalar(input, &parts, &mut generics)?;
    let packed = pack(input, &parts, &generics, &scalar)?;
    let parameters = parameters(input, &parts, generics, &scalar);
    Ok(quote!(#plain #parameters #packed))
}

/// The fields that hold numbers.
fn parts(fields: &Fields) -> Result<Vec<Part<'_>>> {
    let mut parts = Vec::new();
    for field in fields {
        if is_phantom(&field.ty) {
            continue;
        }
        let Field { ident: Some(ident), ty, .. } = field else {
            return Err(Error::new(field.ty.span(), "parameters have names: give the field one"));
        };
        let options = Options::of(field)?;
        let kind = match () {
            () if options.padding => Kind::Padding,
            () if options.packed => Kind::Weight,
            () if options.tensor || options.state || options.start.is_some() || matches!(ty, Type::Array(_)) => {
                Kind::Tensor
            }
            () => Kind::Layer,
        };
        parts.push(Part { ident, ty, options, kind });
    }
    Ok(parts)
}

/// The number type: the declared one, the parameter `T`, or that of the first field.
fn scalar(input: &DeriveInput, parts: &[Part], generics: &mut Generics) -> Result<TokenStream> {
    match numbers(input)? {
        Some(Numbers::Are(ty)) => return Ok(ty.to_token_stream()),
        Some(Numbers::Of(tensor)) => {
            let predicates = &mut generics.make_where_clause().predicates;
            predicates.push(parse_quote!(#tensor: ::monomorph::Tensor<Element: ::monomorph::Scalar>));
            return Ok(quote!(<#tensor as ::monomorph::Tensor>::Element));
        }
        None => {}
    }
    if input.generics.type_params().any(|parameter| parameter.ident == "T") {
        return Ok(quote!(T));
    }
    let Some(Part { ty, kind, .. }) = parts.first() else {
        return Err(Error::new(
            input.ident.span(),
            "the number type cannot be told from the fields: state it, as in `#[parameters(scalar = f32)]`, or name a tensor, \
             as in `#[parameters(of = X)]`",
        ));
    };
    Ok(match kind {
        Kind::Weight => quote!(<#ty as ::monomorph::weight::Weight>::Scalar),
        Kind::Layer => quote!(<#ty as ::monomorph::Parameters>::Scalar),
        Kind::Tensor | Kind::Padding => {
            element(ty).map_or_else(|| quote!(<#ty as ::monomorph::Tensor>::Element), ToTokens::to_token_stream)
        }
    })
}

/// The bounds which ensure that fields of generic types hold numbers of type `scalar`.
fn bound_fields(parts: &[Part], generics: &mut Generics, scalar: &TokenStream) {
    let names: Vec<Ident> = generics.type_params().map(|parameter| parameter.ident.clone()).collect();
    let names: Vec<&Ident> = names.iter().collect();
    let predicates = &mut generics.make_where_clause().predicates;
    for Part { ty, kind, .. } in parts {
        if matches!(ty, Type::Array(_)) || !mentions(ty.to_token_stream(), &names) {
            continue;
        }
        let own = |of: TokenStream| of.to_string() == scalar.to_string();
        predicates.push(match kind {
            Kind::Weight if own(quote!(<#ty as ::monomorph::weight::Weight>::Scalar)) => {
                parse_quote!(#ty: ::monomorph::weight::Weight)
            }
            Kind::Weight => parse_quote!(#ty: ::monomorph::weight::Weight<Scalar = #scalar>),
            Kind::Layer if own(quote!(<#ty as ::monomorph::Parameters>::Scalar)) => {
                parse_quote!(#ty: ::monomorph::Parameters)
            }
            Kind::Layer => parse_quote!(#ty: ::monomorph::Parameters<Scalar = #scalar>),
            Kind::Tensor | Kind::Padding if own(quote!(<#ty as ::monomorph::Tensor>::Element)) => {
                parse_quote!(#ty: ::monomorph::Tensor<Element: ::monomorph::Scalar>)
            }
            Kind::Tensor | Kind::Padding => parse_quote!(#ty: ::monomorph::Tensor<Element = #scalar>),
        });
    }
}

/// The implementation of `Parameters`.
fn parameters(input: &DeriveInput, parts: &[Part], mut generics: Generics, scalar: &TokenStream) -> TokenStream {
    let ident = &input.ident;
    let (mut entries, mut refusals) = (Vec::new(), Vec::new());
    for Part { ident: name, ty, options, kind } in parts {
        let text = name.unraw().to_string();
        let shape = match kind {
            Kind::Tensor => quote!(::monomorph::__private::tensor_shape::<#scalar, #ty>()),
            Kind::Weight => quote!(::monomorph::__private::weight_shape::<#scalar, #ty>()),
            Kind::Padding => {
                entries.push(quote! {
                    ::monomorph::parameters::Entry::Padding(::monomorph::__private::tensor_len::<#scalar, #ty>())
                });
                continue;
            }
            Kind::Layer => {
                let refusal = format!(
                    "{ident} cannot be trained with `{text}` in it, which is packed in fewer bits; put there what it is packed \
                     from, and pack it as a part of {ident}: `#[packed({ident}Small: i8 {{ {text}: {} }})]`",
                    quote!(#ty)
                );
                let stop = quote_spanned!(ty.span()=> ::core::panic!("{}", #refusal));
                refusals.push(quote! {
                    if <#ty as ::monomorph::Parameters>::ENTRIES.is_empty() && ::core::mem::size_of::<#ty>() > 0 {
                        #stop
                    }
                });
                entries.push(quote! {
                    ::monomorph::parameters::Entry::Layer(#text, ::monomorph::__private::entries::<#scalar, #ty>())
                });
                continue;
            }
        };
        let (role, start) = (options.role(), options.start());
        entries.push(quote! {
            ::monomorph::parameters::Entry::Tensor(::monomorph::parameters::TensorInfo {
                name: #text,
                shape: #shape,
                role: #role,
                start: #start,
            })
        });
    }
    let weights: Vec<_> = parts.iter().filter(|part| matches!(part.kind, Kind::Weight)).map(|part| part.ty).collect();
    // A struct with a packed weight has an empty table of contents: nothing of it is trained.
    let packed = if weights.is_empty() {
        quote!(false)
    } else {
        quote!(#(<#weights as ::monomorph::weight::Weight>::PACKED)||*)
    };
    let pieces = (!weights.is_empty()).then(|| {
        let pieces = parts.iter().map(|Part { ident, kind, .. }| match kind {
            Kind::Weight => quote!(::monomorph::__private::weight_pieces(&self.#ident, __f);),
            Kind::Layer => quote!(::monomorph::Parameters::pieces(&self.#ident, __f);),
            Kind::Tensor | Kind::Padding => quote!(::monomorph::__private::tensor_pieces(&self.#ident, __f);),
        });
        quote! {
            fn pieces(&self, __f: &mut dyn ::core::ops::FnMut(&[u8]))
            where
                #scalar: ::monomorph::__private::Bits,
            {
                #(#pieces)*
            }
        }
    });
    bound_fields(parts, &mut generics, scalar);
    let (impl_generics, type_generics, where_clause) = generics.split_for_impl();
    quote! {
        // SAFETY: the struct is `repr(C)`, its fields are listed in order, and the assertion rejects padding. With a
        // packed weight the table is empty; all fields are tensors of numbers or of a format of numbers.
        #[automatically_derived]
        unsafe impl #impl_generics ::monomorph::Parameters for #ident #type_generics #where_clause {
            type Scalar = #scalar;
            const ENTRIES: &'static [::monomorph::parameters::Entry] = if #packed {
                &[]
            } else {
                #(#refusals)*
                let __entries: &'static [::monomorph::parameters::Entry] = const { &[#(#entries),*] };
                ::core::assert!(
                    ::core::mem::size_of::<Self>()
                        == ::monomorph::parameters::count(__entries) * ::core::mem::size_of::<#scalar>(),
                    "a struct of parameters has no padding and holds nothing but tensors of one number type; \
                    a network within one that has const parameters must be declared `#[unaligned]`",
                );
                __entries
            };

            #pieces
        }
    }
}

/// The implementation of `Pack`: the same struct with packed weights, or the struct itself if it has none.
fn pack(input: &DeriveInput, parts: &[Part], generics: &Generics, scalar: &TokenStream) -> Result<TokenStream> {
    let ident = &input.ident;
    let weights: Vec<_> = parts.iter().filter(|part| matches!(part.kind, Kind::Weight)).collect();
    let mut generics = generics.clone();
    let parameter = |ty: &Type| {
        let path = if let Type::Path(path) = ty { path.path.get_ident() } else { None };
        path.filter(|path| input.generics.type_params().any(|parameter| parameter.ident == **path)).cloned()
    };
    let mut replaced = Vec::new();
    for Part { ty, .. } in &weights {
        let Some(name) = parameter(ty) else {
            let message = "the type of a weight that can be packed is a parameter of the struct: `weight: W`";
            return Err(Error::new(ty.span(), message));
        };
        replaced.push(name);
    }
    // The numbers of a tensor are its elements; the bounds state this for each weight.
    let scalar = match weights.first() {
        Some(Part { ty, .. })
            if scalar.to_string() == quote!(<#ty as ::monomorph::weight::Weight>::Scalar).to_string() =>
        {
            quote!(<#ty as ::monomorph::Tensor>::Element)
        }
        _ => scalar.clone(),
    };
    {
        let predicates = &mut generics.make_where_clause().predicates;
        for name in &replaced {
            predicates.push(if scalar.to_string() == quote!(<#name as ::monomorph::Tensor>::Element).to_string() {
                parse_quote!(#name: ::monomorph::Tensor<Element: ::monomorph::Scalar>)
            } else {
                parse_quote!(#name: ::monomorph::Tensor<Element = #scalar>)
            });
        }
    }
    let others: Vec<Part> = parts
        .iter()
        .filter(|part| !matches!(part.kind, Kind::Weight))
        .map(|Part { ident, ty, kind, .. }| {
            let kind = match kind {
                Kind::Layer => Kind::Layer,
                _ => Kind::Tensor,
            };
            Part { ident, ty, options: Options::default(), kind }
        })
        .collect();
    bound_fields(&others, &mut generics, &scalar);
    let (_, type_generics, _) = input.generics.split_for_impl();
    let arguments = input.generics.params.iter().map(|parameter| match parameter {
        syn::GenericParam::Type(ty) if replaced.contains(&ty.ident) => {
            let name = &ty.ident;
            quote!(::monomorph::weight::Packed<#name, __Format>)
        }
        syn::GenericParam::Type(ty) => ty.ident.to_token_stream(),
        syn::GenericParam::Const(size) => size.ident.to_token_stream(),
        syn::GenericParam::Lifetime(lifetime) => lifetime.lifetime.to_token_stream(),
    });
    let (target, body) = if weights.is_empty() {
        (quote!(Self), quote!(::monomorph::__private::copy_parameters(self, __to);))
    } else {
        let copies = parts.iter().map(|Part { ident, kind, .. }| match kind {
            Kind::Weight => quote!(__to.#ident.pack(&self.#ident);),
            Kind::Layer => quote!(::monomorph::__private::copy_parameters(&self.#ident, &mut __to.#ident);),
            Kind::Tensor | Kind::Padding => quote! {
                ::monomorph::Tensor::numbers_mut(&mut __to.#ident)
                    .copy_from_slice(::monomorph::Tensor::numbers(&self.#ident));
            },
        });
        (quote!(#ident<#(#arguments),*>), quote!(#(#copies)*))
    };
    generics.params.push(parse_quote!(__Format: ::monomorph::scalar::Storage<#scalar>));
    let (impl_generics, _, where_clause) = generics.split_for_impl();
    Ok(quote! {
        #[automatically_derived]
        impl #impl_generics ::monomorph::parameters::Pack<__Format> for #ident #type_generics #where_clause {
            type Packed = #target;

            fn pack(&self, __to: &mut Self::Packed) {
                #body
            }
        }
    })
}

fn is_phantom(ty: &Type) -> bool {
    matches!(ty, Type::Path(path) if path.path.segments.last().is_some_and(|last| last.ident == "PhantomData"))
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
