// RTNeural, a library of C++ headers for audio plugins: the dense networks, with compile-time sizes.
// usage: rtneural FOLDER [--quick]      prints lines of JSON
#include "bench.hpp"

#include <memory>

#include <RTNeural/RTNeural.h>

template <int I, int O> using Dense = RTNeural::DenseT<float, I, O>;
template <int N> using Relu = RTNeural::ReLuActivationT<float, N>;
template <int N> using Tanh = RTNeural::TanhActivationT<float, N>;

// A chain of dense layers of these sizes with an activation between them: `Chain<Relu, 8, 8, 8, 1>::Type`.
template <typename... LAYERS> struct List {};
template <int FIRST, template <int> typename F, typename L, int... SIZES> struct Append;
template <int FIRST, template <int> typename F, typename... LAYERS, int I, int O>
struct Append<FIRST, F, List<LAYERS...>, I, O> {
    using Type = RTNeural::ModelT<float, FIRST, O, LAYERS..., Dense<I, O>>;
};
template <int FIRST, template <int> typename F, typename... LAYERS, int I, int O, int... REST>
struct Append<FIRST, F, List<LAYERS...>, I, O, REST...>
    : Append<FIRST, F, List<LAYERS..., Dense<I, O>, F<O>>, O, REST...> {};
template <template <int> typename F, int FIRST, int... REST>
struct Chain : Append<FIRST, F, List<>, FIRST, REST...> {};

// Layer by layer as `peers export` writes them: weight [in][out], bias.
template <int INDEX, int LAYERS, typename Model> void load(Model &model, const float *numbers) {
    auto &layer = model.template get<2 * INDEX>();
    std::vector<std::vector<float>> weights(layer.out_size, std::vector<float>(layer.in_size));
    for (int i = 0; i < layer.in_size; i++)
        for (int o = 0; o < layer.out_size; o++) weights[o][i] = *numbers++;
    layer.setWeights(weights);
    layer.setBias(numbers);
    if constexpr (INDEX + 1 < LAYERS) load<INDEX + 1, LAYERS>(model, numbers + layer.out_size);
}

template <template <int> typename F, int... SIZES> void evaluate(const Bench &bench, const std::string &name) {
    using Model = typename Chain<F, SIZES...>::Type;
    constexpr int IN = Model::input_size, OUT = Model::output_size;
    auto numbers = bench.read(name);
    const float *outputs = numbers.data(), *from = outputs + INPUTS * OUT;

    auto model = std::make_unique<Model>();
    load<0, sizeof...(SIZES) - 1>(*model, from + INPUTS * IN);
    // It reads whole registers, so pad with zeros.
    struct alignas(64) Input { float numbers[(IN + 15) / 16 * 16]; };
    auto inputs = std::make_unique<Input[]>(INPUTS);
    for (int i = 0; i < INPUTS; i++) std::copy_n(from + i * IN, IN, inputs[i].numbers);
    bench.evaluate(name, outputs, OUT, [&](int i) {
        model->forward(inputs[i].numbers);
        return model->getOutputs();
    });
}

int main(int count, char **arguments) {
    Bench bench("RTNeural", count, arguments);
    evaluate<Tanh, 22, 64, 64, 4>(bench, "PolicyTanh");
    evaluate<Relu, 22, 64, 64, 4>(bench, "PolicyRelu");
    evaluate<Relu, 16, 16, 16, 1>(bench, "Tiny16");
    evaluate<Relu, 8, 8, 8, 1>(bench, "Tiny8");
    evaluate<Relu, 128, 128, 128, 128>(bench, "Wide128");
    evaluate<Relu, 784, 128, 10>(bench, "Digits128");
    evaluate<Relu, 784, 512, 256, 10>(bench, "Digits512");
    evaluate<Relu, 640, 128, 128, 128, 128, 8, 128, 128, 128, 128, 640>(bench, "Anomaly");
    for (auto work : {"LeNet5", "Keywords", "ResNet8", "MobileNet"})
        bench.print(work, "reason", "its convolutions run along time, and it has no pooling");
    for (auto work : {"Digits128 Sgd", "Digits128 Adam", "Digits512 Sgd", "Digits512 Adam", "LeNet5 Sgd", "LeNet5 Adam"})
        bench.print(work, "reason", "it does not train");
}
