"""Loads written weights into PyTorch and compares its outputs with those of ONNX.

Usage: python check_weights.py ZOO RUNS

RUNS holds a folder for each export of the zoo for which `init` was run: weights.safetensors, model.onnx, and
logits.json with the outputs that ONNX Runtime gave for the reference's samples. Prints one JSON object: by export, the
keys that were missing and unexpected, those whose shape did not fit, and how far outputs are apart.
"""

import contextlib
import json
import sys
import warnings
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from export_models import prepare
from models import zoo


def difference(a, b) -> float:
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))


def documented() -> str:
    """The lines for PyTorch of docs/python.md."""
    text = (Path(__file__).parents[2] / "docs" / "python.md").read_text()
    return text.split("## PyTorch")[1].split("```python\n")[1].split("```")[0]


def check(record: dict, folder: Path, run: Path) -> dict:
    variant = record["variant"]
    entry = zoo()[record["model"]]
    model = prepare(entry, variant["fresh"]).eval()
    with safe_open(run / "weights.safetensors", "pt") as file:
        metadata = file.metadata()
    if metadata["format"] != "pt" or not metadata["model_sha256"]:
        return {"error": f"metadata: {metadata}"}
    weights = load_file(run / "weights.safetensors")
    state = model.state_dict()
    shapes = [key for key, value in weights.items() if key in state and value.shape != state[key].shape]
    if shapes:
        return {"missing": [], "unexpected": [], "shapes": shapes, "difference": None}
    before = load_file(folder / record["reference"])
    # The very lines that users are told to write, in the run's folder.
    scope = {"model": model}
    with contextlib.chdir(run):
        exec(documented(), scope)
    missing, unexpected = scope["missing"], scope["unexpected"]
    with torch.no_grad():
        ours = model(entry.taken(before["samples"])).numpy()
    found = {
        "missing": list(missing),
        "unexpected": list(unexpected),
        "shapes": [],
        "difference": difference(np.array(json.loads((run / "logits.json").read_text())).reshape(ours.shape), ours),
    }
    # ONNX Runtime has no kernels for models in training mode.
    if variant["mode"] == "inference":
        session = onnxruntime.InferenceSession(run / "model.onnx", providers=["CPUExecutionProvider"])
        samples = entry.taken(before["samples"]).numpy()
        name = session.get_inputs()[0].name
        batches = np.split(samples, len(samples)) if variant["batch"] == "one" else [samples]
        logits = np.concatenate([session.run(None, {name: batch})[0] for batch in batches])
        found["runtime"] = difference(logits, ours)
    return found


def main() -> None:
    warnings.simplefilter("ignore")
    folder, runs = Path(sys.argv[1]), Path(sys.argv[2])
    found = {}
    for run in sorted(path for path in runs.iterdir() if path.is_dir()):
        record = json.loads((folder / f"{run.name}.json").read_text())
        if record["variant"]["exporter"] not in ("dynamo", "torchscript") or not (run / "logits.json").exists():
            continue
        try:
            found[run.name] = check(record, folder, run)
        except Exception as error:
            found[run.name] = {"error": f"{type(error).__name__}: {str(error)[:300]}"}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
