"""Networks of JAX, exported and loaded by the lines of docs/python.md, section "JAX".

python jax_models.py DOCS FOLDER writes each network as NAME.onnx, with samples as NAME.npy, and one as plain.onnx whose
weights have lost their names.

python jax_models.py DOCS FOLDER --load makes each network anew, loads NAME-run/weights.safetensors into it, and prints a line
of JSON: what it computes of the first samples before and after, how many tensors changed, and the losses of a few steps of
training from there.
"""

import json
import os
import re
import sys

os.environ.setdefault("JAX_PLATFORMS", "cpu")
# Most of the time goes into compiling what runs a few times.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")

import equinox as eqx
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx


class NnxPictures(nnx.Module):
    """Convolutions with batch normalisation, one of them depthwise."""

    def __init__(self, rngs):
        self.first = nnx.Conv(1, 8, (3, 3), strides=2, use_bias=False, rngs=rngs)
        self.norm = nnx.BatchNorm(8, rngs=rngs)
        self.depthwise = nnx.Conv(8, 8, (3, 3), feature_group_count=8, rngs=rngs)
        self.pointwise = nnx.Conv(8, 12, (1, 1), rngs=rngs)
        self.dropout = nnx.Dropout(0.5, rngs=rngs)
        self.head = nnx.Linear(12, 4, rngs=rngs)

    def __call__(self, x):
        x = nnx.relu(self.norm(self.first(x)))
        x = nnx.max_pool(x, window_shape=(2, 2), strides=(2, 2))
        x = nnx.relu(self.pointwise(nnx.relu(self.depthwise(x))))
        return self.head(self.dropout(x.mean((1, 2))))


class NnxSeries(nnx.Module):
    """A recurrent layer, written out."""

    def __init__(self, rngs):
        self.cell = nnx.LSTMCell(3, 8, rngs=rngs)
        self.head = nnx.Linear(8, 4, rngs=rngs)

    def __call__(self, x):
        carry = (jnp.zeros((x.shape[0], 8)),) * 2
        for position in range(x.shape[1]):
            carry, output = self.cell(carry, x[:, position])
        return self.head(output)


class NnxScan(nnx.Module):
    """A recurrent layer by jax.lax.scan."""

    def __init__(self, rngs):
        self.read = nnx.Linear(3, 8, rngs=rngs)
        self.keep = nnx.Linear(8, 8, use_bias=False, rngs=rngs)
        self.head = nnx.Linear(8, 4, rngs=rngs)

    def __call__(self, x):
        def step(state, position):
            state = jnp.tanh(self.read(position) + self.keep(state))
            return state, state

        start = jnp.zeros((x.shape[0], 8))
        state, states = jax.lax.scan(step, start, jnp.swapaxes(x, 0, 1))
        return self.head(state + states.mean(0))


class LinenResidual(nn.Module):
    """A residual block with batch normalisation."""

    @nn.compact
    def __call__(self, x, train):
        x = nn.relu(nn.BatchNorm(use_running_average=not train)(nn.Conv(8, (3, 3), strides=2)(x)))
        y = nn.relu(nn.BatchNorm(use_running_average=not train)(nn.Conv(12, (3, 3), strides=2, use_bias=False)(x)))
        y = nn.BatchNorm(use_running_average=not train)(nn.Conv(12, (3, 3), use_bias=False)(y))
        x = nn.relu(y + nn.Conv(12, (1, 1), strides=2, use_bias=False)(x))
        return nn.Dense(4)(nn.Dropout(0.5, deterministic=not train)(x.mean((1, 2))))


class LinenAttention(nn.Module):
    """Patches, positions and a block of attention."""

    @nn.compact
    def __call__(self, x, train):
        x = nn.Conv(16, (7, 7), strides=7, padding="VALID")(x)
        x = x.reshape(x.shape[0], 16, 16) + self.param("positions", nn.initializers.normal(0.02), (1, 16, 16))
        x = x + nn.MultiHeadDotProductAttention(4)(nn.LayerNorm()(x))
        x = x + nn.Dense(16)(nn.gelu(nn.Dense(32)(nn.LayerNorm()(x))))
        return nn.Dense(4)(x.mean(1))


class EquinoxPictures(eqx.Module):
    """Convolutions, channels first, and dense layers."""

    first: eqx.nn.Conv2d
    second: eqx.nn.Conv2d
    pool: eqx.nn.MaxPool2d
    norm: eqx.nn.LayerNorm
    dense: eqx.nn.MLP
    dropout: eqx.nn.Dropout

    def __init__(self, key):
        keys = jax.random.split(key, 3)
        self.first = eqx.nn.Conv2d(1, 6, 3, stride=2, padding=1, key=keys[0])
        self.second = eqx.nn.Conv2d(6, 8, 3, stride=2, padding=1, key=keys[1])
        self.pool = eqx.nn.MaxPool2d(2, 2)
        self.norm = eqx.nn.LayerNorm(72)
        self.dense = eqx.nn.MLP(72, 4, 16, 1, key=keys[2])
        self.dropout = eqx.nn.Dropout(0.5)

    def __call__(self, x, key=None):
        x = self.pool(jax.nn.relu(self.second(jax.nn.relu(self.first(x)))))
        return self.dense(self.dropout(self.norm(x.ravel()), key=key))


class EquinoxSeries(eqx.Module):
    """Convolutions along one axis."""

    first: eqx.nn.Conv1d
    second: eqx.nn.Conv1d
    head: eqx.nn.Linear

    def __init__(self, key):
        keys = jax.random.split(key, 3)
        self.first = eqx.nn.Conv1d(3, 8, 5, padding=2, key=keys[0])
        self.second = eqx.nn.Conv1d(8, 12, 3, stride=2, key=keys[1])
        self.head = eqx.nn.Linear(12, 4, key=keys[2])

    def __call__(self, x):
        return self.head(jax.nn.relu(self.second(jax.nn.relu(self.first(x)))).mean(1))


# By name: the framework as docs/python.md calls it, the network, and the shape of one sample.
networks = {
    "nnx-pictures": ("Flax NNX", lambda: NnxPictures(nnx.Rngs(0)), (28, 28, 1)),
    "nnx-series": ("Flax NNX", lambda: NnxSeries(nnx.Rngs(0)), (6, 3)),
    "nnx-scan": ("Flax NNX", lambda: NnxScan(nnx.Rngs(0)), (6, 3)),
    "linen-residual": ("Flax Linen", LinenResidual, (28, 28, 1)),
    "linen-attention": ("Flax Linen", LinenAttention, (28, 28, 1)),
    "equinox-pictures": ("Equinox", lambda: EquinoxPictures(jax.random.key(0)), (1, 28, 28)),
    "equinox-series": ("Equinox", lambda: EquinoxSeries(jax.random.key(0)), (3, 40)),
}


def documented(docs):
    """The lines of the section: those for every framework, and by framework those that export and those that load."""
    text = open(docs, encoding="utf8").read()
    section = re.search(r"^## JAX\n(.*?)^## ", text, re.S | re.M).group(1)
    blocks = re.compile(r"```python\n(.*?)```", re.S)
    common = blocks.search(section).group(1)
    own = {}
    for framework in ("Flax NNX", "Flax Linen", "Equinox"):
        export, load = blocks.findall(section[section.index(f"In {framework}") :])[:2]
        own[framework] = (export, load)
    return common, own


def samples_of(shape):
    generator = np.random.default_rng(1)
    return np.cumsum(generator.normal(0, 1, (48, *shape)), axis=-1 if shape[-1] > 3 else 1).astype("float32")


def function_of(scope, framework):
    """What the network in this scope computes, in evaluation mode."""
    if framework == "Flax NNX":
        scope["model"].eval()
        return lambda x: nnx.jit(lambda model, x: model(x))(scope["model"], x)
    if framework == "Flax Linen":
        return jax.jit(lambda x: scope["model"].apply(scope["variables"], x, train=False))
    return jax.jit(jax.vmap(eqx.nn.inference_mode(scope["model"])))


def losses_of(apply, weights, x):
    """The losses of gradient descent from these weights, with labels that the samples tell."""
    labels = jax.nn.one_hot((x.reshape(len(x), -1).sum(1) > 0).astype("int32"), 4)

    def loss(weights):
        return -(labels * jax.nn.log_softmax(apply(weights, x))).sum(1).mean()

    step = jax.jit(jax.value_and_grad(loss))
    losses = []
    for _ in range(20):
        value, gradients = step(weights)
        losses.append(float(value))
        weights = jax.tree.map(lambda weight, gradient: weight - 0.05 * gradient, weights, gradients)
    return losses


def run(docs, folder, loads):
    common, own = documented(docs)
    for name, (framework, make, shape) in networks.items():
        x = samples_of(shape)
        scope = {"model": make()}
        exec(common, scope)
        export = scope["export"]
        exported = {}

        def keep(apply, weights, shape, file):
            exported.update(apply=apply, weights=weights)
            if not loads:
                export(apply, weights, shape, os.path.join(folder, f"{name}.onnx"))

        scope["export"] = keep
        lines, loading = own[framework]
        documented_shape = "1, 28, 28" if framework == "Equinox" else "28, 28, 1"
        exec(lines.replace(documented_shape, ", ".join(map(str, shape))), scope)
        if not loads:
            np.save(os.path.join(folder, f"{name}.npy"), x)
            continue
        file = os.path.join(folder, f"{name}-run", "weights.safetensors")
        before = np.asarray(jax.jit(exported["apply"])(exported["weights"], x[:3]))
        exec(loading.replace('"weights.safetensors"', repr(file)), scope)
        loaded = scope["load"](exported["weights"], file)
        old, new = (jax.tree.leaves(weights) for weights in (exported["weights"], loaded))
        record = {
            "name": name,
            "input": x[:3].tolist(),
            "before": before.ravel().tolist(),
            "after": np.asarray(function_of(scope, framework)(x[:3])).ravel().tolist(),
            "changed": sum(bool((a != b).any()) for a, b in zip(old, new)),
            "same": sum(bool((a == b).all()) for a, b in zip(old, new)),
            "losses": losses_of(exported["apply"], loaded, x),
        }
        print("LOADED " + json.dumps(record), flush=True)
    if not loads:
        import onnx
        from jax2onnx import to_onnx

        model = networks["nnx-pictures"][1]()
        model.eval()
        onnx.save(to_onnx(model, [("batch", 28, 28, 1)]), os.path.join(folder, "plain.onnx"))


if __name__ == "__main__":
    run(sys.argv[1], sys.argv[2], "--load" in sys.argv)
