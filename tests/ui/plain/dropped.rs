use monomorph::memory::Plain;

#[derive(Plain)]
struct Handle<T>([T; 1]);

impl<T> Drop for Handle<T> {
    fn drop(&mut self) {}
}

fn main() {}
