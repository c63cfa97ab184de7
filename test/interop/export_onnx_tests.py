"""Writes ONNX's own backend tests into a folder, in ONNX's layout: KIND/TEST/model.onnx, .../test_data_set_0/input_0.pb.

python export_onnx_tests.py FOLDER, which then has them in the folder onnx.

The node tests are made by the package's functions; the other kinds lie in it as files and are copied. tolerances.json
has every test and how near its outputs have to be.
"""

import json
import shutil
import sys
import warnings
from pathlib import Path

import onnx
from onnx import TensorProto, numpy_helper
from onnx.backend.test.loader import DATA_DIR, load_model_tests
from onnx.backend.test.runner import Runner


def message(value, info):
    """The protobuf message that holds an input or output."""
    if info.type.HasField("sequence_type"):
        return numpy_helper.from_list(value, info.name)
    if info.type.HasField("optional_type"):
        return numpy_helper.from_optional(value, info.name)
    if info.type.HasField("map_type"):
        return numpy_helper.from_dict(value, info.name)
    return value if isinstance(value, TensorProto) else numpy_helper.from_array(value, info.name)


def write_node_test(case, folder):
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(case.model.SerializeToString())
    for number, (inputs, outputs) in enumerate(case.data_sets):
        data = folder / f"test_data_set_{number}"
        data.mkdir()
        for direction, values, infos in (
            ("input", inputs, case.model.graph.input),
            ("output", outputs, case.model.graph.output),
        ):
            for position, (value, info) in enumerate(zip(values, infos)):
                (data / f"{direction}_{position}.pb").write_bytes(message(value, info).SerializeToString())


def main(folder):
    tolerances = {}
    with warnings.catch_warnings():
        # NumPy's overflows and divisions by zero are what some of the tests are about.
        warnings.simplefilter("ignore")
        cases = load_model_tests(kind="node")
    for case in cases:
        write_node_test(case, folder / "node" / case.name)
        tolerances[f"node/{case.name}"] = {"relative": case.rtol, "absolute": case.atol}
    for kind in ("simple", "pytorch-converted", "pytorch-operator"):
        shutil.copytree(Path(DATA_DIR) / kind, folder / kind)
        for case in load_model_tests(kind=kind):
            tolerances[f"{kind}/{case.name}"] = {"relative": case.rtol, "absolute": case.atol}
    # The light models are whole networks whose weights are made in the graph; the tests of kind "real" name them.
    for case in load_model_tests(kind="real"):
        source = Path(DATA_DIR) / "light" / Path(case.url).name
        target = folder / "light" / case.name
        target.mkdir(parents=True)
        shutil.copy(source, target / "model.onnx")
        data = target / "test_data_set_0"
        data.mkdir()
        shutil.copy(source.with_name(f"{source.stem}_output_0.pb"), data / "output_0.pb")
        graph = onnx.load(source).graph
        initialized = {tensor.name for tensor in graph.initializer}
        fed = [info for info in graph.input if info.name not in initialized]
        for position, info in enumerate(fed):
            value = Runner.generate_dummy_data(info, seed=0, name=case.name, random=False)
            (data / f"input_{position}.pb").write_bytes(message(value, info).SerializeToString())
        tolerances[f"light/{case.name}"] = {"relative": case.rtol, "absolute": case.atol}
    (folder / "tolerances.json").write_text(json.dumps(tolerances, indent=1))


main(Path(sys.argv[1]) / "onnx")
