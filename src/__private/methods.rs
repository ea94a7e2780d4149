//! The methods of networks, as users call them.

/// The methods of a network: those of every network (`evaluate`), of a trainable one (`train`), of one with stochastic
/// layers (`sample`), of a packed one (`pack`), of one that runs step by step (`step`).
///
/// The impls stand where [`names`](super::names) hides constants of the user's that are called like a parameter.
#[doc(hidden)]
#[macro_export]
macro_rules! __methods {
    (evaluate [$($impl:tt)*] $name:ty; [$($where:tt)*] $visibility:vis $input:ty => $output:ty; $scalar:ty; [$($bound:tt)*]) => {
        #[allow(dead_code, deprecated, reason = "a program need not call every method, nor avoid a network it deprecates")]
        const _: () = {
            #[allow(unused_imports, reason = "they only hide constants of the user's")]
            use $crate::__private::names::*;

            impl $($impl)* $name $($where)* {
                /// How many bytes its parameters take.
                $visibility const PARAM_BYTES: usize = <Self as $crate::Network>::PARAM_BYTES;
                /// The size of the workspace for evaluating one sample, in bytes.
                $visibility const EVALUATE_BYTES: usize = <Self as $crate::Network>::EVALUATE_BYTES;
                /// Multiply-accumulate operations of one evaluation.
                $visibility const MACS: usize = <Self as $crate::Layer>::MACS;

                /// Evaluates one sample, without allocation; the workspace is on the stack. That of a network which would
                /// take more than 256 KiB of it (`monomorph::network::MOST_ON_STACK`) does not compile:
                /// [`evaluate_in`](Self::evaluate_in) works in other memory.
                #[inline]
                $visibility fn evaluate(&self, input: &$input) -> $output $($bound)* {
                    $crate::network::evaluate(self, input)
                }

                /// Evaluates `BATCH` samples into `output`, in a workspace that the caller provides:
                /// `monomorph::memory::zeroed()` in a `static`, or `monomorph::memory::boxed()`.
                #[inline]
                $visibility fn evaluate_in<const BATCH: usize>(
                    &self,
                    input: &[$input; BATCH],
                    output: &mut [$output; BATCH],
                    workspace: &mut $crate::network::Workspace<Self, BATCH>,
                ) {
                    $crate::network::evaluate_in(self, input, output, workspace);
                }

                /// The network that a blob holds, without a copy; see `monomorph::weights::blob`.
                ///
                /// # Errors
                /// If the bytes are not a blob of this network, are damaged, or are not aligned.
                $visibility fn from_bytes(
                    bytes: &[u8],
                ) -> ::core::result::Result<&Self, $crate::weights::blob::BlobError>
                where
                    $scalar: $crate::__private::Bits,
                {
                    $crate::weights::blob::from_blob(bytes)
                }
            }
        };
    };
    (train [$($impl:tt)*] $name:ty; [$($where:tt)*] $visibility:vis,) => {
        #[allow(dead_code, deprecated, reason = "a program need not call every method, nor avoid a network it deprecates")]
        const _: () = {
            #[allow(unused_imports, reason = "they only hide constants of the user's")]
            use $crate::__private::names::*;

            impl $($impl)* $name $($where)* {
                /// How many parameters it has.
                $visibility const PARAMS: usize = <Self as $crate::Network>::PARAMS;
                /// The memory for the gradient of one sample, in bytes: the saved activations, their gradients, and the
                /// gradient of the parameters.
                $visibility const TRAIN_BYTES: usize = <Self as $crate::Network>::TRAIN_BYTES;
            }
        };
    };
    (sample [$($impl:tt)*] $name:ty; [$($where:tt)*] $visibility:vis $input:ty => $output:ty; [$($bound:tt)*]) => {
        #[allow(dead_code, deprecated, reason = "a program need not call every method, nor avoid a network it deprecates")]
        const _: () = {
            #[allow(unused_imports, reason = "they only hide constants of the user's")]
            use $crate::__private::names::*;

            impl $($impl)* $name $($where)* {
                /// One of the outputs that the network may give if its stochastic layers, such as dropout, draw as in
                /// training; the workspace is on the stack.
                #[inline]
                $visibility fn sample(&self, input: &$input, noise: &mut $crate::Noise) -> $output $($bound)* {
                    $crate::network::sample(self, input, noise)
                }
            }
        };
    };
    (pack [$($impl:tt)*] $name:ty; [$($where:tt)*] $visibility:vis $of:ty) => {
        #[allow(dead_code, deprecated, reason = "a program need not call every method, nor avoid a network it deprecates")]
        const _: () = {
            #[allow(unused_imports, reason = "they only hide constants of the user's")]
            use $crate::__private::names::*;

            impl $($impl)* $name $($where)* {
                /// Packs the parameters of an unpacked network, in place.
                $visibility fn pack(&mut self, network: &$of) {
                    $crate::network::PackedNetwork::pack(self, network);
                }
            }
        };
    };
    (step [$($impl:tt)*] $name:ty; [$($where:tt)*] $visibility:vis $input:ty => $output:ty; $state:ty) => {
        #[allow(dead_code, deprecated, reason = "a program need not call every method, nor avoid a network it deprecates")]
        const _: () = {
            #[allow(unused_imports, reason = "they only hide constants of the user's")]
            use $crate::__private::names::*;

            impl $($impl)* $name $($where)* {
                /// The state before the first step of a sequence.
                $visibility fn start(&self) -> $state {
                    let mut state = $crate::memory::zeroed();
                    $crate::Streaming::start(self, &mut state);
                    state
                }

                /// Resets a state to that before the first step of a sequence.
                $visibility fn reset(&self, state: &mut $state) {
                    $crate::Streaming::start(self, state);
                }

                /// Resets a state and makes steps of zeros until the output no longer changes: see
                /// `monomorph::streaming::prewarm`.
                $visibility fn prewarm(&self, state: &mut $state) {
                    $crate::streaming::prewarm(self, state);
                }

                /// Computes one step, without allocation; the steps of a sequence equal `evaluate` of the whole sequence.
                #[inline]
                $visibility fn step(&self, state: &mut $state, input: &$input) -> $output {
                    $crate::streaming::step(self, state, input)
                }

                /// Computes a block of consecutive steps, without allocation, in less time than one after another. What
                /// passes between layers is on the stack; 16 to 64 steps are enough to be fast.
                #[inline]
                $visibility fn steps<const STEPS: usize>(
                    &self,
                    state: &mut $state,
                    input: &[$input; STEPS],
                ) -> [$output; STEPS] {
                    let mut output = $crate::memory::zeroed();
                    $crate::streaming::steps(self, state, input, &mut output);
                    output
                }

                /// [`steps`](Self::steps) into memory that the caller provides.
                #[inline]
                $visibility fn steps_in<const STEPS: usize>(
                    &self,
                    state: &mut $state,
                    input: &[$input; STEPS],
                    output: &mut [$output; STEPS],
                ) {
                    $crate::streaming::steps(self, state, input, output);
                }
            }
        };
    };
    (state [$($impl:tt)*] $name:ty; [$($where:tt)*] $visibility:vis,) => {
        #[allow(dead_code, deprecated, reason = "a program need not call every method, nor avoid a network it deprecates")]
        const _: () = {
            #[allow(unused_imports, reason = "they only hide constants of the user's")]
            use $crate::__private::names::*;

            impl $($impl)* $name $($where)* {
                /// The state before the first step, for a `static`, if the state of all layers starts with zeros.
                $visibility const fn new() -> Self {
                    $crate::memory::zeroed()
                }
            }
        };

        #[automatically_derived]
        impl $($impl)* ::core::default::Default for $name $($where)* {
            fn default() -> Self {
                Self::new()
            }
        }
    };
}
