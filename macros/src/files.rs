//! Networks that a model file describes: `pub Amp = "amp.nam";`, `pub Keywords = "keywords.onnx";`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{LitStr, Result};

/// A model file, as far as the code of its network needs it.
pub(crate) struct File {
    /// Where it is, from the root of the file system.
    pub path: String,
    /// Its text, so that a network can tell other files of the same structure, if they are read while a program runs.
    pub structure: Option<String>,
    /// The parameters as a safetensors file, if it has any.
    pub weights: Option<Vec<u8>>,
    /// In samples a second.
    pub sample_rate: Option<f64>,
}

/// What a file says of a network.
pub(crate) struct Described {
    pub file: File,
    pub input: Vec<usize>,
    pub output: Vec<usize>,
    pub streaming: bool,
    pub body: TokenStream,
}

/// Whether a path is one of a graph: ONNX or TensorFlow Lite.
fn is_graph(path: &str) -> bool {
    let path = path.to_lowercase();
    path.ends_with(".onnx") || path.ends_with(".tflite")
}

/// Reads a file, whose path is relative to the folder of the package that is compiled.
#[cfg(any(feature = "audio", feature = "import"))]
pub(crate) fn read(literal: &LitStr) -> Result<Described> {
    use std::path::Path;

    use crate::spans::located;

    let error = |problem: String| syn::Error::new(literal.span(), format!("{}: {problem}", literal.value()));
    let graph = is_graph(&literal.value());
    let (wanted, there) = if graph { ("import", cfg!(feature = "import")) } else { ("audio", cfg!(feature = "audio")) };
    if !there {
        return Err(missing(literal, wanted));
    }
    let folder = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default();
    let path = Path::new(&folder).join(literal.value());
    let bytes = std::fs::read(&path)
        .map_err(|problem| error(format!("{problem}; the path is relative to the folder of `Cargo.toml`")))?;
    let model = if graph {
        monomorph_files::read_graph(&bytes)
    } else {
        monomorph_files::read(&String::from_utf8_lossy(&bytes))
    };
    let model = model.map_err(|problem| error(problem.to_string()))?;
    let body = model.body.parse::<TokenStream>().map_err(|problem| error(problem.to_string()))?;
    let file = File {
        path: path.display().to_string(),
        structure: (!graph).then(|| model.structure()),
        weights: model.safetensors(),
        sample_rate: model.sample_rate,
    };
    let (input, output, streaming) = (model.input, model.output, model.streaming);
    Ok(Described { file, input, output, streaming, body: located(body, literal.span()) })
}

/// Without the features there is no reader.
#[cfg(not(any(feature = "audio", feature = "import")))]
pub(crate) fn read(literal: &LitStr) -> Result<Described> {
    Err(missing(literal, if is_graph(&literal.value()) { "import" } else { "audio" }))
}

/// That a feature is not there.
fn missing(literal: &LitStr, feature: &str) -> syn::Error {
    let message = format!("a network is read from such a file with the feature `{feature}` of monomorph");
    syn::Error::new(literal.span(), message)
}

impl File {
    /// The weights of the file as a constant of its network, and what other files are compared with.
    pub(crate) fn items(&self, name: &syn::Ident, visibility: &syn::Visibility) -> TokenStream {
        let Self { path, structure, weights, sample_rate } = self;
        let rate = match sample_rate {
            Some(rate) => quote!(::core::option::Option::Some(#rate)),
            None => quote!(::core::option::Option::None),
        };
        let trained = weights.as_ref().map(|weights| {
            let bytes = proc_macro2::Literal::byte_string(weights);
            quote! {
                #[allow(dead_code, reason = "a program may want the structure alone")]
                impl #name {
                    /// The network with the weights of its file, in read-only memory.
                    #visibility const TRAINED: &'static Self = &::monomorph::__weights!(#name, #bytes, #path);
                }
            }
        });
        let described = structure.as_ref().map(|structure| {
            quote! {
                #[automatically_derived]
                impl ::monomorph::audio::FromFile for #name {
                    const DECLARATION: &'static str = #structure;
                    const SAMPLE_RATE: ::core::option::Option<f64> = #rate;
                }
            }
        });
        quote! {
            #trained
            #described
            // The compiler builds the network again when the file changes.
            const _: &[u8] = ::core::include_bytes!(#path);
        }
    }
}
