// The same trainings by RLtools, a library of C++ headers, from its Python package: seconds for 10,000 steps on the pendulum.
// usage: rltools SEED
#include <rl_tools/operations/cpu_mux.h>
#include <rl_tools/nn/optimizers/adam/instance/operations_generic.h>
#include <rl_tools/nn/operations_cpu_mux.h>
#include <rl_tools/nn/layers/sample_and_squash/operations_generic.h>
#include <rl_tools/nn/layers/td3_sampling/operations_generic.h>
#include <rl_tools/rl/environments/pendulum/operations_generic.h>
#include <rl_tools/nn_models/mlp/operations_generic.h>
#include <rl_tools/nn_models/random_uniform/operations_generic.h>
#include <rl_tools/nn_models/sequential/operations_generic.h>
#include <rl_tools/nn/optimizers/adam/operations_generic.h>

#include <rl_tools/rl/algorithms/sac/loop/core/config.h>
#include <rl_tools/rl/algorithms/td3/loop/core/config.h>
#include <rl_tools/rl/algorithms/sac/loop/core/operations_generic.h>
#include <rl_tools/rl/algorithms/td3/loop/core/operations_generic.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>

namespace rlt = rl_tools;
using Device = rlt::devices::DEVICE_FACTORY<>; // MKL if it is enabled
using TI = Device::index_t;
using Rng = Device::SPEC::RANDOM::ENGINE<>;
using Policy = rlt::numeric_types::Policy<float>;
using PendulumSpec = rlt::rl::environments::pendulum::Specification<float, TI>;
using Pendulum = rlt::rl::environments::Pendulum<PendulumSpec>;

namespace td3 = rlt::rl::algorithms::td3::loop::core;
namespace sac = rlt::rl::algorithms::sac::loop::core;

// Its defaults, except for what says so.
struct Td3Parameters : td3::DefaultParameters<Policy, TI, Pendulum> {};
struct SacParameters : sac::DefaultParameters<Policy, TI, Pendulum> {
    // As TD3 has them by default; those of SAC are batches of 32.
    struct SAC_PARAMETERS : rlt::rl::algorithms::sac::DefaultParameters<Policy, TI, Pendulum::ACTION_DIM> {
        static constexpr TI ACTOR_BATCH_SIZE = 100, CRITIC_BATCH_SIZE = 100;
    };
    static constexpr TI STEP_LIMIT = 10000, REPLAY_BUFFER_CAP = 10000;
    static constexpr TI N_WARMUP_STEPS = 100;
    static constexpr TI ACTOR_HIDDEN_DIM = 64, ACTOR_NUM_LAYERS = 3, CRITIC_HIDDEN_DIM = 64, CRITIC_NUM_LAYERS = 3;
};

template <typename Config> double seconds(TI seed) {
    using State = typename Config::template State<Config>;
    static Device device;
    static State state;
    rlt::malloc(device, state);
    rlt::init(device, state, seed);
    auto start = std::chrono::steady_clock::now();
    for (int step = 0; step < 10000; step++)
        rlt::step(device, state);
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

int main(int count, char **arguments) {
    TI seed = count > 1 ? atoi(arguments[1]) : 0;
    printf("td3 %.3f\n", seconds<td3::Config<Policy, TI, Rng, Pendulum, Td3Parameters>>(seed));
    printf("sac %.3f\n", seconds<sac::Config<Policy, TI, Rng, Pendulum, SacParameters, sac::ConfigApproximatorsMLP>>(seed));
}
