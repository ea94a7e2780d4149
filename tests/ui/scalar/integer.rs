use monomorph::prelude::*;

network! { pub Net<T>: [4] -> [2] { Dense(8), Relu, Dense(2) } }

static NET: Net<i32> = monomorph::memory::zeroed();

fn main() {
    let _ = &NET;
}
