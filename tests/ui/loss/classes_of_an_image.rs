use monomorph::prelude::*;

network! { pub Segments: [8, 8, 1] -> [8, 8, 3] { Conv2d(3, kernel = 3, padding = same) } }

fn main() {
    let mut net = Segments::zeroed();
    let mut trainer = Trainer::<Segments, _, 4>::new(Adam::default(), CrossEntropy);
    let (images, labels) = ([[[[0.0; 1]; 8]; 8]; 4], [7_u8, 2, 1, 0]);
    let _ = trainer.step(&mut net, &images, &labels);
}
