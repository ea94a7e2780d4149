//! `ceil_mode` counts a last window beyond a padding that is known as numbers.

use monomorph::network;

const SIZE: usize = 3;

network! { pub Rounded: [6, 8, 3] -> [3, 4, 3] { MaxPool2d(SIZE, stride = 2, ceil_mode) } }

network! { pub Counted: [6, 8, 3] -> [3, 4, 3] { AvgPool2d(3, stride = 2, ceil_mode, count_include_pad) } }
network! { pub Padded: [6, 8, 3] -> [3, 4, 3] { AvgPool2d(3, stride = 2, padding = same, ceil_mode) } }
network! { pub Floor: [6, 8, 3] -> [2, 3, 3] { MaxPool2d(SIZE, stride = 2, ceil_mode) } }
network! { pub Conv: [6, 8, 3] -> [2, 3, 3] { Conv2d(3, kernel = 3, stride = 2, ceil_mode) } }

fn main() {}
