"""What the peers in Python share: reading the plan, writing out layers as source, and taking turns.

A peer makes its first steps, says what their losses were, and waits. For each line with a number on its standard input
it makes that many steps, and answers how long they took; an empty line ends it.
"""

import json
import os
import re
import resource
import sys
import time


class Plan:
    """plan.json, the start weights and the batches of a folder, as NumPy arrays."""

    def __init__(self, folder):
        from safetensors.numpy import load_file

        with open(os.path.join(folder, "plan.json"), encoding="utf-8") as file:
            self.__dict__.update(json.load(file))
        self.start = load_file(os.path.join(folder, "start.safetensors"))
        fed = load_file(os.path.join(folder, "feeds.safetensors"))
        self.feeds = [
            {name.split("/", 1)[1]: fed[name] for name in fed if name.startswith(f"{batch}/")}
            for batch in range(self.batches)
        ]

    def learning_rate(self, optimizer, step):
        rates = self.learningRates[optimizer]
        return rates[min(step, len(rates) - 1)]


def written_out(name, layers, lines, names, output=None):
    """Layers as the source of one function `name(x, p, statistics)`, compiled; p holds parameters by name.

    lines: by operator, what gives the source of the expression that computes a layer
    names: what the expressions refer to
    """
    values = {"input": "x"}
    body = []
    for number, layer in enumerate(layers):
        value = f"v{number + 1}"
        read = [values[each] for each in layer["inputs"]]
        body.append(f"    {value} = {lines[layer['op']](layer, *read)}")
        values[layer["output"]] = value
    body.append(f"    return {values[layers[-1]['output']] if layers else 'x'}")
    source = f"def {name}(x, p, statistics=None):\n" + "\n".join(body) + "\n"
    if os.environ.get("BENCH_SOURCES"):
        print(source, file=sys.stderr)
    scope = dict(names)
    exec(compile(source, f"<{name}>", "exec"), scope)
    return scope[name]


def parameter(layer, key):
    """The source of a layer's parameter, or None."""
    return f"p[{layer[key]!r}]" if layer.get(key) else "None"


def answer(line):
    print(json.dumps(line), flush=True)


def missing(reason):
    answer({"missing": reason})
    sys.exit(0)


def peak_memory():
    """The most memory that this process has had, in bytes; getrusage would count what its parent had when it forked."""
    try:
        with open("/proc/self/status", encoding="ascii") as file:
            return int(re.search(r"VmHWM:\s+(\d+) kB", file.read()).group(1)) * 1024
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024


def serve(step, first_steps, finish=lambda: None):
    """step() makes one step and gives its losses, numbers or not yet; finish() waits for all of them."""
    losses = [[float(loss) for loss in step()] for _ in range(first_steps)]
    finish()
    answer({"losses": losses})
    for line in sys.stdin:
        if not line.strip():
            break
        began = time.perf_counter()
        for _ in range(int(line)):
            step()
        finish()
        answer({"seconds": time.perf_counter() - began})
    answer({"memory": peak_memory()})
