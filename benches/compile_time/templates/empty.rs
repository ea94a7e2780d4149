use monomorph::prelude::*;

fn main() {
    println!("nothing");
}
