use monomorph::network;

const FRAME: usize = 4;

network! { pub Framed: [4, 4, 6] -> [12, 12, 6] { Pad2d(FRAME, mode = reflect) } }
network! { pub Wrapped: [4, 6] -> [9, 6] { Pad1d((0, 5), mode = wrap) } }
network! { pub Mirrored: [4, 4, 6] -> [6, 6, 6] { Pad2d(1, mode = mirror) } }
network! { pub Same: [4, 4, 6] -> [6, 6, 6] { Pad2d(same), Pad2d } }
network! { pub Shuffled: [4, 4, 6] -> [8, 8, 2] { PixelShuffle(2) } }
network! { pub Deep: [4, 4, 6] -> [2, 2, 24] { SpaceToDepth(3) } }
network! { pub Cut: [4, 6] -> [2, 6] { Slice(axis = 0, start = 2, end = 5) } }
network! { pub Empty: [4, 6] -> [2, 6] { Slice(0, start = FRAME) } }
network! { pub Turned: [4, 5, 6] -> [6, 5, 4] { Transpose } }
network! { pub Twice: [4, 6] -> [6, 4] { Transpose(axes = (1, 1)) } }
network! { pub Seen: [4, 6] -> [5, 5] { Reshape([5, 5]) } }
network! { pub Viewed: [4, 6] -> [6, FRAME] { Reshape([7, FRAME]) } }
network! { pub Shapeless: [4, 6] -> [24] { Reshape(24) } }
network! { pub Grown: [4, 4, 6] -> [8, 8, 6] { Upsample2d } }
network! { pub Mean: [4, 6] -> [4] { ReduceMean } }

fn main() {}
