// RTNeural, a library of C++ headers for audio plugins: the dense networks and those that run sample by sample, with
// compile-time sizes.
// usage: rtneural FOLDER [--quick]      prints lines of JSON
#include "bench.hpp"

#include <memory>
#include <utility>

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

// The numbers of a file of src/sequences.rs, one after another: inputs, outputs, then the tensors by name.
struct Numbers {
    std::vector<float> all;
    size_t at = 0;
    const float *take(size_t count) { return all.data() + std::exchange(at, at + count); }
    std::vector<std::vector<float>> matrix(int rows, int columns) {
        std::vector<std::vector<float>> rows_of(rows);
        for (auto &row : rows_of) {
            const float *from = take(columns);
            row.assign(from, from + columns);
        }
        return rows_of;
    }
};

constexpr int SAMPLES = 64;

// Compares the outputs for each sequence, then times single samples.
template <typename Model> void stream(const Bench &bench, const std::string &name, Model &model, Numbers &numbers) {
    const float *inputs = numbers.all.data(), *outputs = inputs + INPUTS * SAMPLES;
    struct alignas(64) Sample { float number[16] = {}; };
    auto samples = std::make_unique<Sample[]>(SAMPLES);
    std::vector<float> theirs(INPUTS * SAMPLES);
    for (int i = INPUTS; i-- > 0;) {
        model.reset();
        for (int s = 0; s < SAMPLES; s++) {
            samples[s].number[0] = inputs[i * SAMPLES + s];
            theirs[i * SAMPLES + s] = model.forward(samples[s].number);
        }
    }
    float error = 0, scale = 1;
    for (int i = 0; i < INPUTS * SAMPLES; i++) {
        error = std::max(error, std::abs(outputs[i] - theirs[i]));
        scale = std::max(scale, std::abs(outputs[i]));
    }
    if (!(error <= OUTPUT_TOLERANCE * scale))
        return bench.print(name, "wrong", "samples differ by " + std::to_string(error));
    bench.print(name, "seconds", bench.least_time([&](size_t turn) {
        float output = model.forward(samples[turn % SAMPLES].number);
        asm volatile("" ::"m"(output) : "memory");
    }));
}

template <typename Model> void load_dense(Model &dense, Numbers &numbers, int size) {
    const float *bias = numbers.take(1), *weight = numbers.take(size);
    dense.setWeights(std::vector<std::vector<float>>{{weight, weight + size}});
    dense.setBias(bias);
}

template <int SIZE> void lstm(const Bench &bench, const std::string &name) {
    using Model = RTNeural::ModelT<float, 1, 1, RTNeural::LSTMLayerT<float, 1, SIZE>, Dense<SIZE, 1>>;
    auto model = std::make_unique<Model>();
    Numbers numbers{bench.read(name), 2 * INPUTS * SAMPLES};
    load_dense(model->template get<1>(), numbers, SIZE);
    auto biases = numbers.matrix(2, 4 * SIZE), u = numbers.matrix(SIZE, 4 * SIZE), w = numbers.matrix(1, 4 * SIZE);
    for (int i = 0; i < 4 * SIZE; i++) biases[0][i] += biases[1][i];
    auto &layer = model->template get<0>();
    layer.setBVals(biases[0]), layer.setUVals(u), layer.setWVals(w);
    stream(bench, name, *model, numbers);
}

template <int SIZE> void gru(const Bench &bench, const std::string &name) {
    using Model = RTNeural::ModelT<float, 1, 1, RTNeural::GRULayerT<float, 1, SIZE>, Dense<SIZE, 1>>;
    auto model = std::make_unique<Model>();
    Numbers numbers{bench.read(name), 2 * INPUTS * SAMPLES};
    load_dense(model->template get<1>(), numbers, SIZE);
    auto biases = numbers.matrix(2, 3 * SIZE), u = numbers.matrix(SIZE, 3 * SIZE), w = numbers.matrix(1, 3 * SIZE);
    std::swap(biases[0], biases[1]); // That of the input comes first.
    for (auto *rows : {&biases, &u, &w}) // Our gates are r, z, n; theirs z, r, n.
        for (auto &row : *rows) std::swap_ranges(row.begin(), row.begin() + SIZE, row.begin() + SIZE);
    auto &layer = model->template get<0>();
    layer.setBVals(biases), layer.setUVals(u), layer.setWVals(w);
    stream(bench, name, *model, numbers);
}

template <int IN, typename Layer> void load_convolution(Layer &layer, Numbers &numbers) {
    const float *bias = numbers.take(16);
    std::vector<std::vector<std::vector<float>>> weights(16, std::vector<std::vector<float>>(IN, std::vector<float>(3)));
    for (int k = 3; k-- > 0;) // Their first tap is the newest.
        for (int i = 0; i < IN; i++) {
            const float *row = numbers.take(16);
            for (int o = 0; o < 16; o++) weights[o][i][k] = row[o];
        }
    layer.setWeights(weights);
    layer.setBias(std::vector<float>(bias, bias + 16));
}

void dilated(const Bench &bench, const std::string &name) {
    using namespace RTNeural;
    using Model = ModelT<float, 1, 1, Conv1DT<float, 1, 16, 3, 1>, Tanh<16>, Conv1DT<float, 16, 16, 3, 2>, Tanh<16>,
                         Conv1DT<float, 16, 16, 3, 4>, Tanh<16>, Conv1DT<float, 16, 16, 3, 8>, Tanh<16>, ::Dense<16, 1>>;
    auto model = std::make_unique<Model>();
    Numbers numbers{bench.read(name), 2 * INPUTS * SAMPLES};
    load_convolution<1>(model->get<0>(), numbers);
    load_convolution<16>(model->get<2>(), numbers);
    load_convolution<16>(model->get<4>(), numbers);
    load_convolution<16>(model->get<6>(), numbers);
    load_dense(model->get<8>(), numbers, 16);
    stream(bench, name, *model, numbers);
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
    lstm<40>(bench, "Lstm40");
    gru<40>(bench, "Gru40");
    gru<8>(bench, "Gru8");
    dilated(bench, "Dilated");
    bench.print("Block", "reason", "it has no attention");
    for (auto work : {"Writer Adam", "Digits128 Sgd", "Digits128 Adam", "Digits512 Sgd", "Digits512 Adam", "LeNet5 Sgd", "LeNet5 Adam"})
        bench.print(work, "reason", "it does not train");
}
