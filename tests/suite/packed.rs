//! Networks with packed weights, and networks as bytes.

use monomorph::prelude::*;
use monomorph::storage::Storage;
use monomorph::weights::blob::{Aligned, BlobError, from_blob, load_blob, to_blob};
use monomorph::{Parameters, Tensor, memory, simd, tensor};

network! {
    #[packed(ImagesBf16: bf16, ImagesF16: f16)]
    #[packed(ImagesI8: i8)]
    pub Images: [8, 6, 2] -> [5] {
        stem: Conv2d(12, kernel = 3, padding = same), BatchNorm, Relu,
        residual { DepthwiseConv2d(3, padding = same), BatchNorm, Relu, Conv2d(12, kernel = 1) },
        MaxPool2d(2), GroupNorm(groups = 3), Flatten, Dense(17, bias = false), Tanh, Dense(5),
    }
}
network! {
    #[packed(SoundsI8: i8)]
    pub Sounds(left: [16, 3], right: [16, 3]) -> (far: [4], near: [1]) {
        let a = left |> ear: Conv1d(8, kernel = 3) |> Relu;
        let b = right |> ear |> Relu;
        let both = concat(a, b) |> Flatten |> Dense(6) |> Silu;
        let far = both |> Dense(4);
        let near = both |> Dense(1);
    }
}
network! { #[packed(MlpHalf: f16)] pub Mlp<T, const IN: usize>: [IN] -> [2] { Dense(6), Tanh, Dense(2) } }
network! {
    #[packed(OuterI8: i8, WholeSmall: i8 { inner: InnerHalf })]
    pub Outer: [4] -> [3] { inner: Inner, Relu, Dense(3) }
}
network! { #[packed(InnerHalf: f16)] pub Inner: [4] -> [5] { Dense(5), Tanh } }
network! {
    #[packed(TwiceSmall: i8 { left: OuterI8, right: WholeSmall })]
    pub Twice: [4] -> [2] {
        let a = input |> left: Outer |> Relu;
        let b = input |> right: Outer;
        concat(a, b) |> Dense(2)
    }
}
network! {
    #[packed(ParentSmall: i8 { only: WholeSmall })]
    pub Parent: [4] -> [3] { only: Outer, Relu }
}

/// A network with numbers in every tensor, including statistics.
fn filled<N: Network<Scalar = f32>>() -> Box<N> {
    let (mut net, mut noise) = (memory::boxed::<N>(), Noise::new(5));
    net.initialize(Init::default(), &mut noise);
    monomorph::parameters::for_each_tensor(N::ENTRIES, &mut |_, tensor, range| {
        if tensor.start != monomorph::parameters::Start::Random {
            net.as_mut_slice()[range].fill_with(|| 0.5 + noise.uniform() as f32);
        }
    });
    net
}

fn input<N: Network<Input: Tensor<Element = f32>>>() -> Box<[N::Input; 3]> {
    let (mut input, mut noise) = (memory::boxed::<[N::Input; 3]>(), Noise::new(6));
    tensor::batch_slice_mut(&mut input[..]).fill_with(|| noise.normal() as f32);
    input
}

fn outputs<N: Network<Scalar = f32>>(level: simd::Level, net: &N, input: &[N::Input; 3]) -> Vec<f32> {
    let (mut output, mut workspace) = (memory::boxed::<[N::Output; 3]>(), memory::boxed());
    monomorph::network::evaluate_at(level, net, input, &mut output, &mut workspace);
    tensor::batch_slice(&output[..]).to_vec()
}

/// The packed network gives the same results as the original with rounded weights, and about the same results as
/// the original.
fn check<N, S, X, Y>(mut widen: impl FnMut(&S, &mut N), tolerance: f32)
where
    X: Tensor<Element = f32>,
    N: Network<Scalar = f32, Input = X, Output = Y>,
    S: PackedNetwork<Of = N, Scalar = f32, Input = X, Output = Y>,
{
    let (net, input) = (filled::<N>(), input::<N>());
    let packed = S::boxed_from(&net);
    let mut widened = filled::<N>();
    widen(&packed, &mut widened);
    for level in simd::levels() {
        let [exact, rounded] = [&net, &widened].map(|net| outputs(level, &**net, &input));
        let actual = outputs(level, &*packed, &input);
        let mut different = false;
        for index in 0..exact.len() {
            let (exact, rounded, actual) = (exact[index], rounded[index], actual[index]);
            assert!((rounded - actual).abs() < 1e-5 * (1.0 + rounded.abs()), "{}: {actual} is {rounded}", S::NAME);
            assert!((exact - actual).abs() < tolerance * (1.0 + exact.abs()), "{}: {actual} of {exact}", S::NAME);
            different |= exact != actual;
        }
        assert!(different, "{} does not round", S::NAME);
    }
    assert_eq!(<S as Network>::PARAMS, <N as Network>::PARAMS);
    assert_eq!(S::GRAPH, N::GRAPH);
    assert!(S::PARAM_BYTES < N::PARAM_BYTES);
}

/// The weights of a layer after widening.
fn widened<W: Storage<f32>>(packed: &[W], scale: &[f32], to: &mut [f32]) {
    assert_eq!(packed.len(), to.len());
    for (index, (packed, to)) in packed.iter().zip(to).enumerate() {
        *to = packed.widen() * scale.get(index % scale.len().max(1)).copied().unwrap_or(1.0);
    }
}

macro_rules! widen {
    ($packed:ident, $net:ident: $($layer:ident $(.$flatten:ident $flatten_mut:ident)*);*) => {{
        $(
            let scale = $packed.$layer.weight.scale.as_flattened();
            widened(
                $packed.$layer.weight.numbers.as_flattened()$(.$flatten())*,
                scale,
                $net.$layer.weight.as_flattened_mut()$(.$flatten_mut())*,
            );
        )*
    }};
}

macro_rules! images {
    ($($test:ident: $packed:ident, $tolerance:literal;)*) => { $(
        #[test]
        fn $test() {
            check::<Images, $packed, _, _>(
                |packed, net| widen!(packed, net:
                    stem .as_flattened as_flattened_mut .as_flattened as_flattened_mut;
                    conv1 .as_flattened as_flattened_mut .as_flattened as_flattened_mut;
                    conv2 .as_flattened as_flattened_mut .as_flattened as_flattened_mut;
                    dense1; dense2
                ),
                $tolerance,
            );
        }
    )* };
}
images! {
    images_in_bf16: ImagesBf16, 0.02;
    images_in_f16: ImagesF16, 0.002;
    images_in_i8: ImagesI8, 0.04;
}

#[test]
fn graphs_with_several_inputs_and_outputs() {
    check::<Sounds, SoundsI8, _, _>(
        |packed, net| widen!(packed, net: ear .as_flattened as_flattened_mut; dense1; dense2; dense3),
        0.04,
    );
}

/// The numbers of [`Outer`] packed as [`WholeSmall`].
fn widen_whole(packed: &WholeSmall, net: &mut Outer) {
    widen!(packed, net: dense1);
    let (packed, net) = (&packed.inner, &mut net.inner);
    widen!(packed, net: dense1);
}

#[test]
fn networks_inside_are_packed_with_what_they_are_in() {
    check::<Outer, WholeSmall, _, _>(widen_whole, 0.04);
    check::<Parent, ParentSmall, _, _>(|packed, net| widen_whole(&packed.only, &mut net.only), 0.04);
    check::<Twice, TwiceSmall, _, _>(
        |packed, net| {
            widen!(packed, net: dense1);
            widen_whole(&packed.right, &mut net.right);
            let (packed, net) = (&packed.left, &mut net.left);
            widen!(packed, net: dense1);
        },
        0.04,
    );
    let net = filled::<Twice>();
    let small = TwiceSmall::boxed_from(&net);
    assert_eq!(small.left.inner.as_slice(), net.left.inner.as_slice());
}

#[test]
fn blobs_hold_networks_inside() {
    let net = filled::<Twice>();
    let small = TwiceSmall::boxed_from(&net);
    let mut again = TwiceSmall::zeroed();
    load_blob(&to_blob(&*small), &mut again).unwrap();
    let input = [0.3, -1.0, 0.0, 2.0];
    assert_eq!(again.evaluate(&input), small.evaluate(&input));
    // How nested networks are packed is part of the structure.
    let outer = OuterI8::boxed_from(&filled());
    assert_eq!(load_blob(&to_blob(&*outer), &mut WholeSmall::zeroed()), Err(BlobError::OtherNetwork("WholeSmall")));
}

#[test]
fn networks_inside_stay_as_they_are() {
    check::<Outer, OuterI8, _, _>(|packed, net| widen!(packed, net: dense1), 0.04);
    let net = filled::<Outer>();
    assert_eq!(OuterI8::boxed_from(&net).inner.as_slice(), net.inner.as_slice());
}

#[test]
fn networks_of_any_number_and_size() {
    let mut net = Mlp::<f64, 3>::zeroed();
    net.initialize(Init::default(), &mut Noise::new(1));
    let mut half = MlpHalf::<f64, 3>::zeroed();
    half.pack(&net);
    let ([exact, _], [actual, _]) = (net.evaluate(&[0.5, -1.0, 2.0]), half.evaluate(&[0.5, -1.0, 2.0]));
    assert!(exact != actual && (exact - actual).abs() < 1e-3, "{exact} {actual}");
}

#[test]
fn summaries_count_packed_bytes() {
    let summary = ImagesI8::summary();
    assert_eq!((summary.name, summary.number_bytes), ("ImagesI8", 1));
    assert_eq!(summary.parameters(), Images::PARAMS);
}

/// Calls `f` with a copy that begins `by` bytes after a multiple of 64.
fn placed<R>(bytes: &[u8], by: usize, f: impl FnOnce(&[u8]) -> R) -> R {
    let mut aligned = vec![0_u8; bytes.len() + 128];
    let skip = aligned.as_ptr().align_offset(64) + by;
    aligned[skip..skip + bytes.len()].copy_from_slice(bytes);
    f(&aligned[skip..skip + bytes.len()])
}

fn round_trip<N: Network<Scalar = f32, Input: Tensor<Element = f32>>>(net: &N) {
    let bytes = to_blob(net);
    assert_eq!(bytes.len(), 64 + N::PARAM_BYTES);
    let input = input::<N>();
    placed(&bytes, 0, |bytes| {
        let read = from_blob::<N>(bytes).expect("a blob");
        assert_eq!(core::ptr::from_ref(read).addr(), bytes.as_ptr().addr() + 64);
        assert_eq!(outputs(simd::level(), read, &input), outputs(simd::level(), net, &input));
        assert_eq!(to_blob(read), bytes);
    });
    let mut loaded = memory::boxed::<N>();
    load_blob(&bytes, &mut *loaded).expect("a blob");
    assert_eq!(to_blob(&*loaded), bytes);
}

#[test]
fn networks_are_read_in_place() {
    let (images, sounds) = (filled::<Images>(), filled::<Sounds>());
    round_trip(&*images);
    round_trip(&*ImagesBf16::boxed_from(&images));
    round_trip(&*ImagesF16::boxed_from(&images));
    round_trip(&*ImagesI8::boxed_from(&images));
    round_trip(&*sounds);
    round_trip(&*SoundsI8::boxed_from(&sounds));
    round_trip(&*OuterI8::boxed_from(&filled::<Outer>()));
}

#[test]
fn other_networks_are_refused() {
    let images = filled::<Images>();
    let (images, small) = (to_blob(&*images), to_blob(&*ImagesBf16::boxed_from(&images)));
    let error = |result: Result<(), BlobError>| result.expect_err("another network");
    assert_eq!(error(from_blob::<Sounds>(&images).map(drop)), BlobError::OtherNetwork("Sounds"));
    assert_eq!(error(from_blob::<Images>(&small).map(drop)), BlobError::OtherNetwork("Images"));
    // A different network of the same size.
    assert_eq!(size_of::<ImagesF16>(), size_of::<ImagesBf16>());
    assert_eq!(error(from_blob::<ImagesF16>(&small).map(drop)), BlobError::OtherNetwork("ImagesF16"));
    let text = BlobError::OtherNetwork("Images").to_string();
    assert!(text.starts_with("the blob holds another network than Images"), "{text}");
}

#[test]
fn damaged_blobs_are_refused() {
    let bytes = to_blob(&*ImagesI8::boxed_from(&filled::<Images>()));
    for len in 0..bytes.len() {
        let error = from_blob::<ImagesI8>(&bytes[..len]).map(drop).expect_err("cut short");
        let expected =
            if len < 8 { BlobError::NoBlob } else { BlobError::Length { expected: bytes.len(), found: len } };
        assert_eq!(error, expected, "{len} bytes");
    }
    let mut longer = bytes.clone();
    longer.push(0);
    assert!(matches!(from_blob::<ImagesI8>(&longer).map(drop), Err(BlobError::Length { .. })));
    let mut net = memory::boxed::<ImagesI8>();
    placed(&bytes, 0, |bytes| assert!(from_blob::<ImagesI8>(bytes).is_ok()));
    let mut damaged = bytes.clone();
    for bit in 0..bytes.len() * 8 {
        damaged[bit / 8] ^= 1 << (bit % 8);
        assert!(load_blob(&damaged, &mut *net).is_err(), "bit {bit}");
        damaged[bit / 8] ^= 1 << (bit % 8);
    }
    assert!(to_blob(&*net)[64..].iter().all(|byte| *byte == 0), "a damaged blob was partially loaded");
    let mut turned = bytes;
    turned[12..16].reverse();
    assert_eq!(load_blob(&turned, &mut *net), Err(BlobError::ByteOrder));
}

#[test]
fn misaligned_blobs_are_refused() {
    let bytes = to_blob(&*filled::<Outer>());
    for by in [1, 4, 32] {
        let error = placed(&bytes, by, |bytes| Outer::from_bytes(bytes).map(drop)).expect_err("misaligned");
        assert_eq!(error, BlobError::Misaligned(by));
        assert!(error.to_string().contains("`&Aligned(*include_bytes!(\"net.blob\"))`"));
    }
    let aligned = Aligned([0_u8; 3]);
    let unsized_: &Aligned<[u8]> = &aligned;
    assert_eq!(unsized_.0.as_ptr().addr() % 64, 0);
}

network! { pub Small: [2] -> [2] { hidden: Dense(3), Tanh, head: Dense(2) } }
static SMALL: Small = monomorph::include_weights!(Small, "../files/small.safetensors");

/// Later versions must be able to read blobs that are already in flash. `UPDATE=1 cargo test` rewrites the file.
#[test]
fn the_kept_blob_is_read() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/files/small.blob");
    let bytes = to_blob(&SMALL);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, &bytes).expect("written");
    }
    let kept = std::fs::read(path).expect("the kept blob");
    assert_eq!(kept, bytes);
}
