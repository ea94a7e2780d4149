// Shared by the C++ programs: reading the files of `peers export`, comparing, timing, printing.
#pragma once
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>
#include <type_traits>
#include <vector>

// As in src/graph.rs and src/bench.rs.
constexpr int INPUTS = 4;
constexpr float OUTPUT_TOLERANCE = 1e-4f;

struct Bench {
    std::string peer, folder;
    bool quick;

    // The command line: FOLDER [--quick].
    Bench(const char *peer, int count, char **arguments) : peer(peer) {
        if (count < 2) {
            std::cerr << "usage: " << arguments[0] << " FOLDER [--quick]\n";
            exit(1);
        }
        folder = arguments[1];
        quick = count > 2 && std::string(arguments[2]) == "--quick";
    }

    std::vector<float> read(const std::string &name) const {
        std::ifstream file(folder + "/" + name + ".last.f32", std::ios::binary | std::ios::ate);
        if (!file) {
            std::cerr << "cannot read " << name << " in " << folder << "; run `peers export FOLDER` first\n";
            exit(1);
        }
        std::vector<float> numbers(file.tellg() / sizeof(float));
        file.seekg(0).read(reinterpret_cast<char *>(numbers.data()), numbers.size() * sizeof(float));
        return numbers;
    }

    // One line of results: seconds, or a text.
    template <typename X> void print(const std::string &work, const char *key, X value) const {
        std::cout << R"({"peer": ")" << peer << R"(", "work": ")" << work << R"(", ")" << key << R"(": )";
        if constexpr (std::is_floating_point_v<X>) std::cout << value << "}" << std::endl;
        else std::cout << '"' << value << "\"}" << std::endl;
    }

    // The minimum time per run: the best of at least 12 windows of at least 2 ms, as in src/bench.rs.
    template <typename F> double least_time(F run) const {
        using Clock = std::chrono::steady_clock;
        size_t turn = 0, runs = 1;
        auto measure = [&] {
            auto start = Clock::now();
            for (size_t i = 0; i < runs; i++) run(turn++);
            return std::chrono::duration<double>(Clock::now() - start).count();
        };
        while (measure() < 2e-3) runs *= 2;
        auto start = Clock::now();
        double best = INFINITY;
        for (int windows = 0;
             windows < 12 || std::chrono::duration<double>(Clock::now() - start).count() < (quick ? 0.1 : 1.0); windows++)
            best = std::min(best, measure());
        return best / runs;
    }

    // Times `run`, which takes the index of an input and returns a pointer to its output, after comparing
    // the `size` numbers there with monomorph's.
    template <typename F> void evaluate(const std::string &work, const float *outputs, int size, F run) const {
        for (int i = 0; i < INPUTS; i++) {
            const float *output = run(i);
            float error = 0, scale = 1;
            for (int o = 0; o < size; o++) {
                error = std::max(error, std::abs(outputs[i * size + o] - output[o]));
                scale = std::max(scale, std::abs(outputs[i * size + o]));
            }
            if (!(error <= OUTPUT_TOLERANCE * scale))
                return print(work, "wrong", "output for input " + std::to_string(i) + " differs by " + std::to_string(error));
        }
        print(work, "seconds", least_time([&](size_t turn) {
            const float *output = run(turn % INPUTS);
            asm volatile("" ::"r"(output) : "memory");
        }));
    }
};
