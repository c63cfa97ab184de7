"""Compares models as we wrote them with what they were read from, through ONNX's own reader.

python compare_onnx.py FOLDER

FOLDER/models.json has the paths of the models. Of number n, `n.kept.onnx` is the model with each of its weights replaced
by itself, which has to be the same message; `n.graph.onnx` is its graph written anew, which has to be the same graph.
Prints the differences as JSON, by path.
"""

import json
import sys
from pathlib import Path

import onnx
from onnx import AttributeProto, TensorProto, numpy_helper

DATA_FIELDS = (
    "raw_data",
    "float_data",
    "int32_data",
    "int64_data",
    "double_data",
    "uint64_data",
    "string_data",
)


def elements(tensor):
    if tensor.data_type == TensorProto.STRING:
        return list(tensor.string_data)
    return numpy_helper.to_array(tensor).tobytes()


def tensor_facts(tensor):
    return (tensor.data_type, tuple(tensor.dims), elements(tensor))


def walk_tensors(graph):
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
            if attribute.HasField("g"):
                yield from walk_tensors(attribute.g)
            for inner in attribute.graphs:
                yield from walk_tensors(inner)


def with_raw_data(model):
    """The message with each tensor's elements in one place, whatever field they stood in."""
    for tensor in walk_tensors(model.graph):
        data = elements(tensor)
        for field in DATA_FIELDS:
            tensor.ClearField(field)
        if isinstance(data, list):
            tensor.string_data.extend(data)
        else:
            tensor.raw_data = data
    return model.SerializeToString(deterministic=True)


def attribute_facts(attribute):
    """Kind and value. The first version of ONNX had no field for the kind."""
    if attribute.type == AttributeProto.TENSOR:
        return (attribute.name, "tensor", tensor_facts(attribute.t))
    if attribute.type in (AttributeProto.GRAPH, AttributeProto.GRAPHS, AttributeProto.TYPE_PROTO):
        return (attribute.name, attribute.type, attribute.SerializeToString(deterministic=True))
    value = onnx.helper.get_attribute_value(attribute)
    return (attribute.name, attribute.type, tuple(value) if isinstance(value, (list, tuple)) else value)


def domain(name):
    return "" if name == "ai.onnx" else name


def node_facts(node):
    attributes = sorted((attribute_facts(each) for each in node.attribute), key=lambda facts: facts[0])
    return (node.op_type, domain(node.domain), node.name, list(node.input), list(node.output), attributes)


def info_facts(info):
    """Name, type and shape. Sizes of 0 and less say nothing, as runtimes see it; an output's type may be left open."""
    if not info.HasField("type"):
        return (info.name, TensorProto.FLOAT, None)
    kind = info.type.tensor_type
    if not kind.HasField("shape"):
        return (info.name, kind.elem_type, None)
    sizes = [dim.dim_param or max(dim.dim_value, 0) or None for dim in kind.shape.dim]
    return (info.name, kind.elem_type, sizes)


def graph_facts(model):
    graph = model.graph
    return {
        "name": graph.name,
        "inputs": [info_facts(info) for info in graph.input],
        "outputs": [info_facts(info) for info in graph.output],
        "initializers": {tensor.name: tensor_facts(tensor) for tensor in graph.initializer},
        "nodes": [node_facts(node) for node in graph.node],
        "opset": {domain(each.domain): each.version for each in model.opset_import}.get(""),
    }


def main(folder):
    differences = {}
    for number, path in enumerate(json.loads((folder / "models.json").read_text())):
        original = onnx.load(path)
        facts, found = (graph_facts(model) for model in (original, onnx.load(folder / f"{number}.graph.onnx")))
        differing = [part for part in facts if facts[part] != found[part]]
        kept = onnx.load(folder / f"{number}.kept.onnx")
        if with_raw_data(original) != with_raw_data(kept):
            differing.append("message")
        if differing:
            differences[path] = differing
    print(json.dumps(differences))


main(Path(sys.argv[1]))
