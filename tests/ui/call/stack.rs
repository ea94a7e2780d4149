//! A network that is evaluated in more memory than a stack has to spare.
use monomorph::network;

network! {
    pub Large: [224, 224, 3] -> [10] {
        Conv2d(64, kernel = 3, padding = same), Relu, Conv2d(64, kernel = 3, padding = same), Dropout(0.5), Relu,
        GlobalAvgPool2d, Dense(10),
    }
}

fn evaluated(net: &Large, image: &[[[f32; 3]; 224]; 224]) -> [f32; 10] {
    net.evaluate(image)
}

fn sampled(net: &Large, image: &[[[f32; 3]; 224]; 224]) -> [f32; 10] {
    net.sample(image, &mut monomorph::Noise::new(1))
}

fn main() {}
