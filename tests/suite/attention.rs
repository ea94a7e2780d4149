//! Networks with attention: blocks against PyTorch's numbers, step by step, and with a tied output.

use monomorph::parameters::for_each_tensor;
use monomorph::prelude::*;
use monomorph::tensor::{batch_slice, batch_slice_mut};
use monomorph::{Layer, Network, Tensor};
use safetensors::SafeTensors;

use crate::gradients::check;
use crate::numbers::{assert_close, network, passes};

network! {
    /// PyTorch's `TransformerEncoderLayer`, norm last.
    pub Encoder<T>: [5, 12] -> [5, 12] {
        block: TransformerBlock(heads = 3, ffn = 20, post_norm, activation = relu),
    }
}

network! {
    /// PyTorch's `TransformerDecoderLayer`, norm first.
    pub Decoder<T>(x: [5, 12], memory: [7, 12]) -> [5, 12] {
        (x, memory) |> block: TransformerBlock(heads = 3, ffn = 20, causal)
    }
}

network! {
    /// A block of Llama.
    pub Llama<T>: [5, 16] -> [5, 16] {
        block: TransformerBlock(
            heads = 4, ffn = 24, kv_heads = 2, causal, rotary = interleaved,
            norm = rms, epsilon = 1e-5, activation = swiglu, bias = false,
        ),
    }
}

network! {
    /// The same written out.
    pub Opened<T>: [6, 16] -> [6, 16] {
        residual { ln1: LayerNorm, attention: SelfAttention(heads = 4) },
        residual { ln2: LayerNorm, Dense(32), Gelu, Dense(16) },
    }
}

network! {
    pub Block<T>: [6, 16] -> [6, 16] { TransformerBlock(heads = 4, ffn = 32) }
}

network! {
    /// Everything else: positions, cross-attention with lengths, heads that share keys, a tied output.
    pub Rest<T>(text: [u8; 5], memory: [3, 6], length: [u16; 1]) -> [5, 7] {
        let x = text |> tokens: Embedding(7, 4) |> Positions |> SinusoidalPositions(base = 100);
        let y = (x, memory, length) |> Attention(heads = 2, kv_heads = 1);
        let z = (y, memory) |> TransformerBlock(2, 3, activation = geglu, rotary = half, base = 50.0);
        z |> LayerNorm |> Unembedding(tokens)
    }
}

network! {
    #[streaming]
    pub Writer: [u8; 20] -> [20, 9] {
        tokens: Embedding(9, 8), Positions,
        repeat 2 { TransformerBlock(heads = 2, ffn = 16, causal) },
        SinusoidalPositions,
        TransformerBlock(heads = 2, kv_heads = 1, ffn = 16, causal, rotary = half, norm = rms, activation = swiglu),
        LayerNorm, Unembedding(tokens),
    }
}

network! {
    #[streaming]
    #[packed(MixerSmall: bf16)]
    pub Mixer: [6, 8] -> [6, 8] {
        residual { LayerNorm, SelfAttention(heads = 2, kv_heads = 1, causal, rotary = interleaved) }, Dense(8),
    }
}

/// The numbers of one of PyTorch's cases.
pub(super) struct Case(Vec<u8>);

impl Case {
    pub(super) fn open(name: &str) -> Self {
        let path = format!("{}/tests/golden/{name}.safetensors", env!("CARGO_MANIFEST_DIR"));
        Self(std::fs::read(path).expect("the case"))
    }

    pub(super) fn numbers(&self, name: &str) -> Vec<f64> {
        let file = SafeTensors::deserialize(&self.0).expect("a safetensors file");
        let bytes = file.tensor(name).unwrap_or_else(|error| panic!("{name}: {error}")).data().as_chunks::<8>().0;
        bytes.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect()
    }

    /// Tensors in the order of the network's memory. Of `name/q`, it is the part of the queries in a tensor that holds
    /// those of 12 queries, keys and values side by side.
    fn all(&self, kind: &str, names: &str) -> Vec<f64> {
        let read = |name: &str| match name.split_once('/') {
            None => self.numbers(&format!("{kind}.{name}")),
            Some((name, part)) => {
                let at = 12 * "qkv".find(part).expect("q, k or v");
                let all = self.numbers(&format!("{kind}.{name}"));
                all.chunks_exact(36).flat_map(|row| row[at..at + 12].to_vec()).collect()
            }
        };
        names.split_whitespace().flat_map(read).collect()
    }
}

/// Compares all passes of a network with a case; `inputs` are its tensors.
fn agrees<N: Network<Scalar = f64, Input: Tensor<Element = f64>>, const B: usize>(
    case: &str,
    names: &str,
    inputs: &[&str],
) {
    let case = Case::open(case);
    agrees_with::<N, B>(&case, names, inputs, &case.numbers("y"), &case.numbers("dy"));
}

/// The same with another output, and another gradient of it.
pub(super) fn agrees_with<N: Network<Scalar = f64, Input: Tensor<Element = f64>>, const B: usize>(
    case: &Case,
    names: &str,
    inputs: &[&str],
    y: &[f64],
    grad_output: &[f64],
) {
    let mut net = monomorph::memory::boxed::<N>();
    // Between tensors there may be space.
    let mut ranges = Vec::new();
    for_each_tensor(N::ENTRIES, &mut |_, _, range| ranges.push(range));
    let mut parameters = case.all("p", names).into_iter();
    for range in &ranges {
        net.as_mut_slice()[range.clone()].iter_mut().zip(&mut parameters).for_each(|(to, from)| *to = from);
    }
    assert_eq!((N::PARAMS, parameters.next()), (case.all("p", names).len(), None), "{}", N::NAME);
    // Samples one after another, each with all of its inputs.
    let read = |kind: &str| -> Vec<f64> {
        let parts: Vec<_> = inputs.iter().map(|name| case.numbers(&format!("{kind}{name}"))).collect();
        let sample =
            |at: usize| parts.iter().flat_map(move |part| part.chunks_exact(part.len() / B).nth(at).expect("B"));
        (0..B).flat_map(|at| sample(at).copied().collect::<Vec<_>>()).collect()
    };
    let (mut x, mut dy) = (monomorph::memory::boxed::<[N::Input; B]>(), monomorph::memory::boxed::<[N::Output; B]>());
    batch_slice_mut(&mut x[..]).copy_from_slice(&read(""));
    batch_slice_mut(&mut dy[..]).copy_from_slice(grad_output);
    for level in monomorph::simd::levels() {
        let found = passes(level, &*net, &x, &dy);
        assert_close("y", batch_slice(&found.output[..]), y, 1e-10);
        assert_close("evaluated", batch_slice(&found.evaluated[..]), y, 1e-10);
        assert_close("dx", batch_slice(&found.grad_input[..]), &read("d"), 1e-10);
        let gradient: Vec<f64> =
            ranges.iter().flat_map(|range| found.gradient.as_slice()[range.clone()].to_vec()).collect();
        assert_close("gradient", &gradient, &case.all("g", names), 1e-10);
    }
}

#[test]
fn blocks_agree_with_pytorch() {
    let attention = |name: &str| {
        let (weight, bias) = (format!("{name}.in_proj_weight"), format!("{name}.in_proj_bias"));
        let out = format!("{name}.out_proj");
        format!("{weight}/q {weight}/k {weight}/v {out}.weight {bias}/q {bias}/k {bias}/v {out}.bias")
    };
    let pair = |name: &str| format!("{name}.weight {name}.bias");
    let all = |parts: &[String]| parts.join(" ");
    let [own, other] = ["self_attn", "multihead_attn"].map(attention);
    let [norm1, norm2, norm3, linear1, linear2] = ["norm1", "norm2", "norm3", "linear1", "linear2"].map(pair);
    let names = all(&[own.clone(), norm1.clone(), linear1.clone(), linear2.clone(), norm2.clone()]);
    agrees::<Encoder<f64>, 2>("att_encoder_postnorm_relu", &names, &["x"]);
    let names = all(&[norm1, own, norm2, other, norm3, linear1, linear2]);
    agrees::<Decoder<f64>, 2>("att_decoder_prenorm_gelu", &names, &["x0", "x1"]);
    agrees::<Llama<f64>, 1>("att_llama_block", "norm1 wq wk wv wo norm2 w1 w3 w2", &["x"]);
    let names = "ln1.weight ln1.bias wq wk wv wo bq bk bv bo ln2.weight ln2.bias w1 b1 w2 b2";
    agrees::<Opened<f64>, 2>("transformer_block_prenorm", names, &["x"]);
    agrees::<Block<f64>, 2>("transformer_block_prenorm", names, &["x"]);
}

#[test]
fn a_block_is_the_layers_that_it_consists_of() {
    fn kinds<N: Network>() -> Vec<&'static str> {
        N::GRAPH.iter().map(|node| node.kind).collect()
    }
    assert_eq!(kinds::<Opened<f64>>(), kinds::<Block<f64>>());
    let names: Vec<_> = Llama::<f64>::GRAPH.iter().map(|node| node.name).collect();
    assert!(names.contains(&"block_attention") && names.contains(&"block_dense3"), "{names:?}");
}

#[test]
fn gradients_agree_with_finite_differences() {
    check::<Decoder<f64>, 2>();
    let mut net = network::<Rest<f64>>(&mut Noise::new(3));
    let memory =
        [[0.5, -1.0, 0.25, 0.75, -0.5, 2.0], [1.0, 0.0, -0.75, 0.1, 0.2, 0.3], [-0.4, 0.6, 0.9, -1.2, 0.8, 0.7]];
    let sample = |text, length| RestInput { text, memory, length: [length] };
    let input = [sample([0, 6, 3, 3, 1], 3), sample([2, 2, 5, 4, 0], 2)];
    monomorph::testing::check_gradients(&mut *net, &input, 1e-6).expect("the derivative");
}

#[test]
fn steps_are_the_whole() {
    let net = network::<Writer>(&mut Noise::new(3));
    let input = core::array::from_fn(|step| (step * step % 9) as u8);
    let (whole, mut state) = (net.evaluate(&input), net.start());
    for (token, y) in input.iter().zip(whole) {
        assert_close("step", &net.step(&mut state, token), &y, 1e-5);
    }
    state = net.start();
    assert_close("again", &net.step(&mut state, &input[0]), &whole[0], 1e-5);
}

#[test]
fn weights_can_be_packed() {
    let net = network::<Mixer>(&mut Noise::new(3));
    let small = MixerSmall::boxed_from(&net);
    let input = core::array::from_fn(|step| core::array::from_fn(|i| (0.7 * step as f32 + 1.3 * i as f32).sin()));
    let (whole, mut state) = (small.evaluate(&input), small.start());
    for ((x, y), exact) in input.iter().zip(whole).zip(net.evaluate(&input)) {
        assert_close("packed", &y, &exact, 0.03);
        assert_close("packed step", &small.step(&mut state, x), &y, 1e-5);
    }
}

#[test]
fn memory_grows_with_the_sequence_not_with_its_square() {
    type Mixer<const STEPS: usize> = monomorph::layers::MultiHeadAttention<
        monomorph::layers::attention::Itself<[[f32; 8]; STEPS]>,
        monomorph::layers::attention::Grouped<2, 2>,
        [f32; 8],
        [f32; 8],
        [[f32; 8]; 8],
        [[f32; 8]; 8],
        [[f32; 8]; 8],
    >;
    const fn bytes<L: Layer>() -> usize {
        size_of::<L::Saved<1>>() + size_of::<L::Workspace<1>>()
    }
    assert_eq!(bytes::<Mixer<4096>>(), 8 * bytes::<Mixer<512>>());
}
