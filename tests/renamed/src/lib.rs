//! Networks and layers in a crate that renames monomorph, and in one that has it from a third crate.

/// As a crate that re-exports monomorph.
pub mod facade {
    pub use mono::*;
}

pub mod layer {
    //! The derives.

    use mono::layer::Pass;
    use mono::simd::Simd;
    use mono::Layer;

    /// `y = s · x`.
    #[derive(mono::Parameters)]
    #[monomorph(crate = mono)]
    #[repr(C)]
    pub struct Scale {
        /// s.
        #[parameters(start = 1.0)]
        pub factor: [f32; 1],
    }

    /// Plain data, with monomorph from another crate.
    #[derive(mono::memory::Plain)]
    #[monomorph(crate = crate::facade)]
    pub struct Seen {
        /// How often.
        pub times: u32,
    }

    impl Layer for Scale {
        type Input = [f32; 3];
        type Output = [f32; 3];
        type Saved<const B: usize> = ();
        type Workspace<const B: usize> = ();
        const MACS: usize = 3;

        fn evaluate<S: Simd, const B: usize>(&self, _: S, x: &[[f32; 3]; B], y: &mut [[f32; 3]; B], _: &mut ()) {
            for (x, y) in x.iter().zip(y) {
                *y = x.map(|x| self.factor[0] * x);
            }
        }

        fn forward<S: Simd, const B: usize>(
            &self,
            simd: S,
            x: &[[f32; 3]; B],
            y: &mut [[f32; 3]; B],
            _: &mut (),
            _: &mut Pass<f32>,
        ) {
            self.evaluate(simd, x, y, &mut ());
        }

        fn backward<S: Simd, const B: usize>(
            &self,
            _: S,
            x: &[[f32; 3]; B],
            _: &[[f32; 3]; B],
            _: &mut (),
            grad_y: &mut [[f32; 3]; B],
            grad_x: Option<&mut [[f32; 3]; B]>,
            gradient: &mut Self,
            _: &Pass<f32>,
        ) {
            for (x, grad_y) in x.iter().zip(grad_y.iter()) {
                gradient.factor[0] += (0..3).map(|i| x[i] * grad_y[i]).sum::<f32>();
            }
            if let Some(grad_x) = grad_x {
                for (grad_x, grad_y) in grad_x.iter_mut().zip(grad_y) {
                    *grad_x = grad_y.map(|grad| self.factor[0] * grad);
                }
            }
        }
    }
}

pub mod networks {
    //! `network!`, by both paths.

    const WIDTH: usize = 3;

    mono::network! {
        /// Names that are keywords in later editions.
        #[packed(SmallPacked: i8)]
        pub Small: [2] -> [3] { hidden: Dense(WIDTH), Tanh, async: Dense(3), crate::layer::Scale }
    }

    crate::facade::network! {
        /// Several inputs and outputs, and a state.
        pub Several(dyn: [2], tokens: [u8; 4]) -> (gen: [2], sum: [4, 2]) {
            let gen = dyn |> try: Dense(2) |> Dropout(0.5);
            let sum = tokens |> Embedding(9, 2) |> LayerNorm;
        }
    }

    crate::facade::network! {
        /// Step by step.
        #[streaming]
        pub Stepping<T>: [5, 1] -> [5, 2] { Conv1d(2, kernel = 3, padding = causal), Relu }
    }
}

#[cfg(test)]
mod tests {
    use crate::layer::Seen;
    use crate::networks::{Several, Small, SmallPacked, Stepping};
    use mono::init::Init;
    use mono::{memory, Network, Noise};

    #[test]
    fn networks_are_what_they_are_elsewhere() {
        let mut net = Small::zeroed();
        net.initialize(Init::default(), &mut Noise::new(1));
        let mut packed = SmallPacked::zeroed();
        packed.pack(&net);
        let (x, y) = (net.evaluate(&[0.5, -1.0]), packed.evaluate(&[0.5, -1.0]));
        assert!(x != [0.0; 3] && x.iter().zip(y.iter()).all(|(x, y)| (x - y).abs() < 0.05), "{:?} {:?}", x, y);
        assert_eq!(net.r#async.bias, [0.0; 3]);
        assert_eq!(Several::zeroed().r#try.bias, [0.0; 2]);
        assert_eq!(Stepping::<f64>::GRAPH.len(), 3);
        assert_eq!(memory::zeroed::<Seen>().times, 0);
    }

    #[test]
    fn files_are_included() {
        mono::network! { Line: [1] -> [1] { Dense(1) } }
        let included = || -> Line { mono::include_weights!(Line, "../line.safetensors") };
        assert_eq!(included().dense1.weight, [[2.0]]);
    }
}
