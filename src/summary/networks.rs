//! Graphs for tests.

use super::{Node, Summary};

type Row = (&'static str, &'static str, &'static [usize], &'static [usize], usize, usize);

const fn nodes<const N: usize>(rows: [Row; N]) -> [Node; N] {
    let mut nodes = [Node { name: "", kind: "", inputs: &[], shape: &[], parameters: 0, macs: 0 }; N];
    let mut i = 0;
    while i < N {
        let (name, kind, inputs, shape, parameters, macs) = rows[i];
        nodes[i] = Node { name, kind, inputs, shape, parameters, macs };
        i += 1;
    }
    nodes
}

pub(super) const LENET: Summary = Summary {
    name: "LeNet5",
    graph: &nodes([
        ("input", "input", &[], &[28, 28, 1], 0, 0),
        ("conv1", "Conv2d", &[0], &[28, 28, 6], 156, 117_600),
        ("relu1", "Relu", &[1], &[28, 28, 6], 0, 0),
        ("pool1", "MaxPool2d", &[2], &[14, 14, 6], 0, 0),
        ("conv2", "Conv2d", &[3], &[10, 10, 16], 2416, 240_000),
        ("relu2", "Relu", &[4], &[10, 10, 16], 0, 0),
        ("pool2", "MaxPool2d", &[5], &[5, 5, 16], 0, 0),
        ("flatten1", "Flatten", &[6], &[400], 0, 0),
        ("dense1", "Dense", &[7], &[120], 48_120, 48_000),
        ("relu3", "Relu", &[8], &[120], 0, 0),
        ("dense2", "Dense", &[9], &[84], 10_164, 10_080),
        ("relu4", "Relu", &[10], &[84], 0, 0),
        ("dense3", "Dense", &[11], &[10], 850, 840),
    ]),
    number_bytes: 4,
    evaluate_bytes: 23_520,
    train_bytes: 301_584,
};

pub(super) const RESNET: Summary = Summary {
    name: "ResNet8",
    graph: &nodes([
        ("input", "input", &[], &[32, 32, 3], 0, 0),
        ("stem", "Conv2d", &[0], &[32, 32, 16], 448, 442_368),
        ("norm1", "BatchNorm", &[1], &[32, 32, 16], 64, 0),
        ("relu1", "Relu", &[2], &[32, 32, 16], 0, 0),
        ("conv1", "Conv2d", &[3], &[32, 32, 16], 2320, 2_359_296),
        ("norm2", "BatchNorm", &[4], &[32, 32, 16], 64, 0),
        ("relu2", "Relu", &[5], &[32, 32, 16], 0, 0),
        ("conv2", "Conv2d", &[6], &[32, 32, 16], 2320, 2_359_296),
        ("norm3", "BatchNorm", &[7], &[32, 32, 16], 64, 0),
        ("residual1", "Add", &[8, 3], &[32, 32, 16], 0, 0),
        ("relu3", "Relu", &[9], &[32, 32, 16], 0, 0),
        ("conv3", "Conv2d", &[10], &[16, 16, 32], 4640, 1_179_648),
        ("norm4", "BatchNorm", &[11], &[16, 16, 32], 128, 0),
        ("relu4", "Relu", &[12], &[16, 16, 32], 0, 0),
        ("conv4", "Conv2d", &[13], &[16, 16, 32], 9248, 2_359_296),
        ("norm5", "BatchNorm", &[14], &[16, 16, 32], 128, 0),
        ("shortcut1", "Conv2d", &[10], &[16, 16, 32], 544, 131_072),
        ("residual2", "Add", &[15, 16], &[16, 16, 32], 0, 0),
        ("relu5", "Relu", &[17], &[16, 16, 32], 0, 0),
        ("conv5", "Conv2d", &[18], &[8, 8, 64], 18_496, 1_179_648),
        ("norm6", "BatchNorm", &[19], &[8, 8, 64], 256, 0),
        ("relu6", "Relu", &[20], &[8, 8, 64], 0, 0),
        ("conv6", "Conv2d", &[21], &[8, 8, 64], 36_928, 2_359_296),
        ("norm7", "BatchNorm", &[22], &[8, 8, 64], 256, 0),
        ("shortcut2", "Conv2d", &[18], &[8, 8, 64], 2112, 131_072),
        ("residual3", "Add", &[23, 24], &[8, 8, 64], 0, 0),
        ("relu7", "Relu", &[25], &[8, 8, 64], 0, 0),
        ("pool1", "GlobalAvgPool2d", &[26], &[64], 0, 0),
        ("dense1", "Dense", &[27], &[10], 650, 640),
    ]),
    number_bytes: 4,
    evaluate_bytes: 196_608,
    train_bytes: 2_195_208,
};

pub(super) const UNET: Summary = Summary {
    name: "UNet",
    graph: &nodes([
        ("input", "input", &[], &[64, 64, 1], 0, 0),
        ("fine", "Conv2d", &[0], &[64, 64, 8], 80, 294_912),
        ("relu1", "Relu", &[1], &[64, 64, 8], 0, 0),
        ("pool1", "MaxPool2d", &[2], &[32, 32, 8], 0, 0),
        ("middle", "Conv2d", &[3], &[32, 32, 16], 1168, 1_179_648),
        ("relu2", "Relu", &[4], &[32, 32, 16], 0, 0),
        ("pool2", "MaxPool2d", &[5], &[16, 16, 16], 0, 0),
        ("coarse", "Conv2d", &[6], &[16, 16, 32], 4640, 1_179_648),
        ("relu3", "Relu", &[7], &[16, 16, 32], 0, 0),
        ("up1", "Upsample2d", &[8], &[32, 32, 32], 0, 0),
        ("concat1", "Concat", &[5, 9], &[32, 32, 48], 0, 0),
        ("conv1", "Conv2d", &[10], &[32, 32, 16], 6928, 7_077_888),
        ("relu4", "Relu", &[11], &[32, 32, 16], 0, 0),
        ("up2", "Upsample2d", &[12], &[64, 64, 16], 0, 0),
        ("concat2", "Concat", &[2, 13], &[64, 64, 24], 0, 0),
        ("conv2", "Conv2d", &[14], &[64, 64, 8], 1736, 7_077_888),
        ("relu5", "Relu", &[15], &[64, 64, 8], 0, 0),
        ("conv3", "Conv2d", &[16], &[64, 64, 1], 9, 32_768),
    ]),
    number_bytes: 4,
    evaluate_bytes: 524_288,
    train_bytes: 1_926_244,
};

pub(super) const ACTOR_CRITIC: Summary = Summary {
    name: "ActorCritic",
    graph: &nodes([
        ("observation", "input", &[], &[17], 0, 0),
        ("dense1", "Dense", &[0], &[64], 1152, 1088),
        ("tanh1", "Tanh", &[1], &[64], 0, 0),
        ("dense2", "Dense", &[2], &[64], 4160, 4096),
        ("tanh2", "Tanh", &[3], &[64], 0, 0),
        ("policy", "Dense", &[4], &[6], 390, 384),
        ("value", "Dense", &[4], &[1], 65, 64),
    ]),
    number_bytes: 4,
    evaluate_bytes: 512,
    train_bytes: 24_164,
};

/// Two inputs, a gate, four branches, a layer that is used twice, a transformer's sums.
pub(super) const MIXED: Summary = Summary {
    name: "Mixed",
    graph: &nodes([
        ("image", "input", &[], &[16, 16, 8], 0, 0),
        ("action", "input", &[], &[8], 0, 0),
        ("embed", "Conv2d", &[0], &[16, 16, 8], 584, 147_456),
        ("norm1", "LayerNorm", &[2], &[16, 16, 8], 16, 2048),
        ("attention", "self::Attention<8, 2>", &[3], &[16, 16, 8], 288, 600_000),
        ("add1", "Add", &[4, 2], &[16, 16, 8], 0, 0),
        ("norm2", "LayerNorm", &[5], &[16, 16, 8], 16, 2048),
        ("feed", "Dense", &[6], &[16, 16, 8], 72, 16_384),
        ("add2", "Add", &[7, 5], &[16, 16, 8], 0, 0),
        ("point", "Conv2d", &[8], &[16, 16, 4], 36, 8192),
        ("reduce3", "Conv2d", &[8], &[16, 16, 4], 36, 8192),
        ("conv3", "Conv2d", &[10], &[16, 16, 8], 296, 73_728),
        ("reduce5", "Conv2d", &[8], &[16, 16, 2], 18, 4096),
        ("conv5", "Conv2d", &[12], &[16, 16, 4], 204, 51_200),
        ("pool", "MaxPool2d", &[8], &[16, 16, 8], 0, 0),
        ("conv1", "Conv2d", &[14], &[16, 16, 4], 36, 8192),
        ("concat1", "Concat", &[9, 11, 13, 15], &[16, 16, 20], 0, 0),
        ("pool2", "GlobalAvgPool2d", &[16], &[20], 0, 0),
        ("dense1", "Dense", &[17], &[8], 168, 160),
        ("gate", "Sigmoid", &[18], &[8], 0, 0),
        ("product", "Multiply", &[19, 1], &[8], 0, 0),
        ("square", "Multiply", &[20, 20], &[8], 0, 0),
        ("mix", "Dense", &[21], &[8], 72, 64),
        ("mix", "Dense", &[22], &[8], 0, 64),
        ("policy", "Dense", &[23], &[2], 18, 16),
        ("hidden", "Dense", &[23], &[4], 36, 32),
        ("value", "Dense", &[25], &[1], 5, 4),
        ("early", "Dense", &[17], &[3], 63, 60),
    ]),
    number_bytes: 4,
    evaluate_bytes: 20_000,
    train_bytes: 90_000,
};

/// Every layer reads all layers before it.
pub(super) const DENSE_NET: Summary = Summary {
    name: "DenseNet",
    graph: &nodes([
        ("input", "input", &[], &[8, 8, 4], 0, 0),
        ("conv1", "Conv2d", &[0], &[8, 8, 4], 148, 9216),
        ("concat1", "Concat", &[0, 1], &[8, 8, 8], 0, 0),
        ("conv2", "Conv2d", &[2], &[8, 8, 4], 292, 18_432),
        ("concat2", "Concat", &[0, 1, 3], &[8, 8, 12], 0, 0),
        ("conv3", "Conv2d", &[4], &[8, 8, 4], 436, 27_648),
        ("concat3", "Concat", &[0, 1, 3, 5], &[8, 8, 16], 0, 0),
    ]),
    number_bytes: 4,
    evaluate_bytes: 8192,
    train_bytes: 30_000,
};

/// Names and a graph that the macro would not make.
pub(super) const HOSTILE: Summary = Summary {
    name: "<\"\\&>",
    graph: &nodes([
        ("", "input", &[0, 7], &[], 0, 0),
        ("a<b>\"c\"&'d'\\e\n", "crate::Own<'static, \"x\">", &[0, usize::MAX], &[1], usize::MAX, usize::MAX),
        ("überlänge", "Add", &[1, 1, 9], &[1], 1, 1),
        ("alone", "Relu", &[], &[1, 2, 3, 4], 0, 0),
    ]),
    number_bytes: 8,
    evaluate_bytes: usize::MAX,
    train_bytes: 0,
};

pub(super) const ALL: [Summary; 7] = [LENET, RESNET, UNET, ACTOR_CRITIC, MIXED, DENSE_NET, HOSTILE];
