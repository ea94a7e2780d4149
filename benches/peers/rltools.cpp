// RLtools, a library of C++ headers, from its Python package: the dense networks.
// usage: rltools FOLDER [--quick]      prints lines of JSON
#include "bench.hpp"

#include <rl_tools/operations/cpu_mux.h>

// The moments of Adam are part of the layers, so they come before them.
#include <rl_tools/nn/optimizers/adam/instance/operations_generic.h>

#include <rl_tools/nn/operations_cpu_mux.h>
#include <rl_tools/nn/loss_functions/categorical_cross_entropy/operations_generic.h>
#include <rl_tools/nn_models/sequential/operations_generic.h>
#include <rl_tools/nn/optimizers/adam/operations_generic.h>

namespace rlt = rl_tools;
using Device = rlt::devices::DEVICE_FACTORY<>; // MKL if it is enabled
using TI = Device::index_t;
using Policy = rlt::numeric_types::Policy<float>;
using Activation = rlt::nn::activation_functions::ActivationFunction;

constexpr Activation NONE = Activation::IDENTITY, RELU = Activation::RELU, TANH = Activation::TANH;
// As in src/ours.rs, src/graph.rs and src/bench.rs.
constexpr TI IMAGES = 4, LABELS = 5, BATCH = 64, STEPS = 5;
constexpr float LOSS_TOLERANCE = 1e-3f;

template <TI B, TI N> using Shape = rlt::tensor::Shape<TI, 1, B, N>;
template <TI B, TI N> using Rows = rlt::Tensor<rlt::tensor::Specification<float, TI, Shape<B, N>>>;
template <typename Layer, typename Next = rlt::nn_models::sequential::OutputModule>
using Module = rlt::nn_models::sequential::Module<Layer, Next>;
template <TI N, Activation F>
using Dense = rlt::nn::layers::dense::BindConfiguration<rlt::nn::layers::dense::Configuration<Policy, TI, N, F>>;

// A chain of dense layers; the sizes follow that of the input.
template <Activation F, TI N, TI... Rest> struct Chain {
    using Type = Module<Dense<N, F>, typename Chain<F, Rest...>::Type>;
};
template <Activation F, TI N> struct Chain<F, N> { using Type = Module<Dense<N, NONE>>; };

// Layer by layer as `peers export` writes them: weight [in][out], bias.
template <typename M> void load(Device &device, M &module, const float *numbers) {
    auto &layer = module.content;
    using Spec = typename std::decay_t<decltype(layer)>::SPEC;
    for (TI i = 0; i < Spec::INPUT_DIM; i++)
        for (TI o = 0; o < Spec::OUTPUT_DIM; o++)
            rlt::set(device, layer.weights.parameters, *numbers++, o, i);
    for (TI o = 0; o < Spec::OUTPUT_DIM; o++)
        rlt::set(device, layer.biases.parameters, *numbers++, o);
    if constexpr (!std::is_same_v<typename M::SPEC::NEXT_MODULE, rlt::nn_models::sequential::OutputModule>)
        load(device, module.next_module, numbers);
}

template <Activation F, TI IN, TI... SIZES> void evaluate(const Bench &bench, const std::string &name) {
    constexpr TI sizes[] = {SIZES...}, OUT = sizes[sizeof...(SIZES) - 1];
    using Model = rlt::nn_models::sequential::Build<rlt::nn::capability::Forward<>, typename Chain<F, SIZES...>::Type,
                                                    Shape<1, IN>>;
    auto numbers = bench.read(name);
    const float *outputs = numbers.data(), *inputs = outputs + INPUTS * OUT, *weights = inputs + INPUTS * IN;

    Device device;
    Device::SPEC::RANDOM::ENGINE<> rng;
    Model model;
    typename Model::template Buffer<1> buffer;
    rlt::malloc(device, model), rlt::malloc(device, buffer);
    load(device, model, weights);
    Rows<1, IN> input[INPUTS];
    Rows<1, OUT> output;
    rlt::malloc(device, output);
    for (TI i = 0; i < INPUTS; i++) {
        rlt::malloc(device, input[i]);
        std::copy_n(inputs + i * IN, IN, rlt::data(input[i]));
    }
    bench.evaluate(name, outputs, OUT, [&](TI i) {
        rlt::evaluate(device, model, input[i], output, buffer, rng);
        return rlt::data(output);
    });
}

template <TI IN, TI... SIZES> void train(const Bench &bench, const std::string &name) {
    constexpr TI sizes[] = {SIZES...}, OUT = sizes[sizeof...(SIZES) - 1];
    using Parameters = rlt::nn::optimizers::adam::DEFAULT_PARAMETERS_PYTORCH<Policy>;
    using Optimizer = rlt::nn::optimizers::Adam<rlt::nn::optimizers::adam::Specification<Policy, TI, Parameters>>;
    using Model = rlt::nn_models::sequential::Build<rlt::nn::capability::Gradient<rlt::nn::parameters::Adam>,
                                                    typename Chain<RELU, SIZES...>::Type, Shape<BATCH, IN>>;
    auto numbers = bench.read(name + "-Adam");
    const float *pictures = numbers.data(), *classes = pictures + IMAGES * BATCH * IN, *losses = classes + LABELS * BATCH;

    Device device;
    Device::SPEC::RANDOM::ENGINE<> rng;
    Model model;
    Optimizer optimizer;
    typename Model::template Buffer<1> buffer;
    rlt::malloc(device, model), rlt::malloc(device, buffer), rlt::malloc(device, optimizer);
    rlt::reset_optimizer_state(device, optimizer, model);
    // Its default lower bound for the second moment is far above the usual one.
    optimizer.parameters.epsilon_sqrt = 0;
    load(device, model, losses + STEPS);
    Rows<BATCH, IN> images[IMAGES];
    Rows<BATCH, OUT> d_output;
    rlt::Matrix<rlt::matrix::Specification<TI, TI, BATCH, 1>> labels[LABELS];
    rlt::malloc(device, d_output);
    for (TI i = 0; i < IMAGES; i++) {
        rlt::malloc(device, images[i]);
        std::copy_n(pictures + i * BATCH * IN, BATCH * IN, rlt::data(images[i]));
    }
    for (TI i = 0; i < LABELS; i++) {
        rlt::malloc(device, labels[i]);
        for (TI row = 0; row < BATCH; row++) rlt::set(labels[i], row, 0, (TI)classes[i * BATCH + row]);
    }
    auto step = [&](TI n) {
        auto &x = images[n % IMAGES];
        auto &y = labels[n % LABELS];
        rlt::zero_gradient(device, model);
        rlt::forward(device, model, x, buffer, rng);
        auto output = rlt::output(device, model);
        auto scores = rlt::matrix_view(device, output), d_scores = rlt::matrix_view(device, d_output);
        float loss = rlt::nn::loss_functions::categorical_cross_entropy::evaluate(device, scores, y);
        rlt::nn::loss_functions::categorical_cross_entropy::gradient(device, scores, y, d_scores);
        rlt::backward(device, model, x, d_output, buffer);
        rlt::step(device, optimizer, model);
        return loss;
    };
    for (TI n = 0; n < STEPS; n++) {
        float loss = step(n);
        if (!(std::abs(loss - losses[n]) <= LOSS_TOLERANCE * std::abs(losses[n])))
            return bench.print(name + " Adam", "wrong", "loss of step " + std::to_string(n) + ": ours " +
                                                      std::to_string(losses[n]) + ", theirs " + std::to_string(loss));
    }
    bench.print(name + " Adam", "seconds", bench.least_time([&](TI n) { step(STEPS + n); }));
}

int main(int count, char **arguments) {
    Bench bench("RLtools", count, arguments);
    evaluate<TANH, 22, 64, 64, 4>(bench, "PolicyTanh");
    evaluate<RELU, 22, 64, 64, 4>(bench, "PolicyRelu");
    evaluate<RELU, 16, 16, 16, 1>(bench, "Tiny16");
    evaluate<RELU, 8, 8, 8, 1>(bench, "Tiny8");
    evaluate<RELU, 128, 128, 128, 128>(bench, "Wide128");
    evaluate<RELU, 784, 128, 10>(bench, "Digits128");
    evaluate<RELU, 784, 512, 256, 10>(bench, "Digits512");
    evaluate<RELU, 640, 128, 128, 128, 128, 8, 128, 128, 128, 128, 640>(bench, "Anomaly");
    train<784, 128, 10>(bench, "Digits128");
    train<784, 512, 256, 10>(bench, "Digits512");
    for (auto work : {"Digits128 Sgd", "Digits512 Sgd"}) bench.print(work, "reason", "its SGD does not implement a step");
    for (auto work : {"LeNet5", "Keywords", "ResNet8", "MobileNet", "LeNet5 Sgd", "LeNet5 Adam"})
        bench.print(work, "reason", "it has no convolutions");
    for (auto work : {"Lstm40", "Gru40", "Gru8", "Dilated", "Block", "Writer Adam"})
        bench.print(work, "reason", "sequences were not written for it");
}
