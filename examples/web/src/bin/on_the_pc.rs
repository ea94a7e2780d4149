//! Computes the same as the page: reads images of 28×28 bytes, and writes ten probabilities for
//! each as little-endian `f32`. `test.py` compares them.

use std::io::{self, Read, Write};

use digits::{evaluate, image, memory_once, probabilities};

fn main() -> io::Result<()> {
    let (mut input, mut output) = (io::stdin().lock(), io::BufWriter::new(io::stdout().lock()));
    let memory = memory_once().expect("this is the first call");
    let mut bytes = [0; 784];
    loop {
        match input.read_exact(&mut bytes) {
            Err(end) if end.kind() == io::ErrorKind::UnexpectedEof => return output.flush(),
            result => result?,
        }
        for (pixel, byte) in image(memory).as_flattened_mut().as_flattened_mut().iter_mut().zip(bytes) {
            *pixel = f32::from(byte) / 255.0;
        }
        evaluate(memory);
        for probability in probabilities(memory) {
            output.write_all(&probability.to_le_bytes())?;
        }
    }
}
