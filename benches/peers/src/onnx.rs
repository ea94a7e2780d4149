//! Writes a network as an ONNX model, for tract and ONNX Runtime.

use prost::Message;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::tensor_shape_proto::{Dimension, dimension};
use tract_onnx::pb::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto, TensorShapeProto, TypeProto,
    ValueInfoProto, attribute_proto::AttributeType, type_proto,
};

use crate::graph::{Kind, Net, Op, Window};

/// The bytes of an ONNX file, with channels first.
pub fn bytes(net: &Net) -> Vec<u8> {
    let last = net.ops.len() - 1;
    let graph = GraphProto {
        name: net.name.into(),
        node: net.ops[1..].iter().map(|op| node(net, op)).collect(),
        initializer: net
            .tensors
            .iter()
            .map(|(name, tensor)| TensorProto {
                name: name.clone(),
                dims: tensor.shape.iter().map(|&size| size as i64).collect(),
                data_type: DataType::Float as i32,
                raw_data: tensor.data.iter().flat_map(|x| x.to_le_bytes()).collect(),
                ..Default::default()
            })
            .collect(),
        input: vec![value(&net.ops[0])],
        output: vec![value(&net.ops[last])],
        ..Default::default()
    };
    let model = ModelProto {
        ir_version: 8,
        opset_import: vec![OperatorSetIdProto { domain: String::new(), version: 13 }],
        graph: Some(graph),
        ..Default::default()
    };
    model.encode_to_vec()
}

fn node(net: &Net, op: &Op) -> NodeProto {
    let weights = || vec![format!("{}.weight", op.name), format!("{}.bias", op.name)];
    let (op_type, parameters, attribute) = match op.kind {
        Kind::Dense => ("Gemm", weights(), vec![]),
        Kind::Conv(window) => ("Conv", weights(), convolution(window, 1)),
        Kind::Depthwise(window) => ("Conv", weights(), convolution(window, op.shape[0])),
        Kind::MaxPool2 => ("MaxPool", vec![], vec![ints("kernel_shape", &[2, 2]), ints("strides", &[2, 2])]),
        // A mean, because the operator GlobalAveragePool keeps axes of size 1.
        Kind::GlobalAvgPool => ("ReduceMean", vec![], vec![ints("axes", &[2, 3]), int("keepdims", 0)]),
        Kind::Flatten => ("Flatten", vec![], vec![]),
        Kind::Relu => ("Relu", vec![], vec![]),
        Kind::Tanh => ("Tanh", vec![], vec![]),
        Kind::Softmax => ("Softmax", vec![], vec![int("axis", -1)]),
        Kind::Add => ("Add", vec![], vec![]),
        Kind::Input => unreachable!("an input is no node"),
    };
    let read = op.inputs.iter().map(|&source| net.ops[source].name.clone());
    NodeProto {
        name: op.name.clone(),
        op_type: op_type.into(),
        input: read.chain(parameters).collect(),
        output: vec![op.name.clone()],
        attribute,
        ..Default::default()
    }
}

fn convolution(Window { kernel, stride, padding }: Window, group: usize) -> Vec<AttributeProto> {
    let [(top, bottom), (left, right)] = padding;
    vec![
        ints("kernel_shape", &kernel),
        ints("strides", &stride),
        ints("pads", &[top, left, bottom, right]),
        int("group", group as i64),
    ]
}

fn int(name: &str, i: i64) -> AttributeProto {
    AttributeProto { name: name.into(), r#type: AttributeType::Int as i32, i, ..Default::default() }
}

fn ints(name: &str, values: &[usize]) -> AttributeProto {
    let ints = values.iter().map(|&value| value as i64).collect();
    AttributeProto { name: name.into(), r#type: AttributeType::Ints as i32, ints, ..Default::default() }
}

fn value(op: &Op) -> ValueInfoProto {
    let sizes = [1].iter().chain(&op.shape);
    let dim =
        sizes.map(|&size| Dimension { value: Some(dimension::Value::DimValue(size as i64)), ..Default::default() });
    let tensor =
        type_proto::Tensor { elem_type: DataType::Float as i32, shape: Some(TensorShapeProto { dim: dim.collect() }) };
    let r#type = TypeProto { value: Some(type_proto::Value::TensorType(tensor)), ..Default::default() };
    ValueInfoProto { name: op.name.clone(), r#type: Some(r#type), ..Default::default() }
}
