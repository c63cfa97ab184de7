"""The training steps in JAX: one jitted function a step, whose state is donated.

jax_peer.py FOLDER THREADS FIRST_STEPS DEVICE; DEVICE is cpu or cuda. XLA takes as many threads as the process may use cores.
"""

import os
import sys

from peer import Plan, missing, parameter, serve, written_out

folder, threads, first_steps, device = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
if device != "cpu":
    # Other processes compute on it, too.
    os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"
elif hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
elif threads != os.cpu_count():
    missing("XLA's threads can be chosen on Linux only, by the cores that a process may use")
os.environ["JAX_PLATFORMS"] = device
try:
    import jax
    import jax.numpy as jnp
    from jax import lax
except ImportError as error:
    missing(f"no JAX in this Python ({error})")

plan = Plan(folder)
axes = {1: ("NCH", "OIH", "NCH"), 2: ("NCHW", "OIHW", "NCHW")}


def convolve(x, weight, strides, pads, groups):
    return lax.conv_general_dilated(
        x, weight, strides, [(pad, pad) for pad in pads], dimension_numbers=axes[len(strides)], feature_group_count=groups
    )


def convolve_transposed(x, weight, shape, strides, pads, groups):
    """The transpose of the convolution of an input of this shape: from its output back."""
    # G and D may see fewer samples than the batch has.
    struct = jax.ShapeDtypeStruct((x.shape[0], *shape[1:]), x.dtype)
    return jax.linear_transpose(lambda back: convolve(back, weight, strides, pads, groups), struct)(x)[0]


def with_bias(x, bias):
    return x if bias is None else x + bias.reshape((-1,) + (1,) * (x.ndim - 2))


def batch_normalization(x, scale, shift, running, momentum, epsilon):
    """running: None, or where the new statistics go: (statistics, name of the mean, name of the variance)."""
    along = (0, *range(2, x.ndim))
    mean, variance = x.mean(along), x.var(along)
    if running is not None and running[0] is not None:
        statistics, mean_name, variance_name = running
        count = x.size // x.shape[1]
        statistics[mean_name] = momentum * statistics[mean_name] + (1 - momentum) * mean
        unbiased = variance * count / (count - 1)
        statistics[variance_name] = momentum * statistics[variance_name] + (1 - momentum) * unbiased
    kept = (1, -1) + (1,) * (x.ndim - 2)
    normal = (x - mean.reshape(kept)) * lax.rsqrt(variance.reshape(kept) + epsilon)
    return normal * scale.reshape(kept) + shift.reshape(kept)


def convolution_line(layer, x):
    strides, pads = tuple(layer["strides"]), tuple(layer["pads"])
    weight, bias = parameter(layer, "weight"), parameter(layer, "bias")
    if layer["op"] == "convolution":
        return f"with_bias(convolve({x}, {weight}, {strides}, {pads}, {layer['groups']}), {bias})"
    shape = tuple(layer["shape"])
    return f"with_bias(convolve_transposed({x}, {weight}, {shape}, {strides}, {pads}, {layer['groups']}), {bias})"


def normalization_line(layer, x):
    scale, shift, mean, variance = layer["statistics"]
    running = f"(statistics, {mean!r}, {variance!r})"
    return f"batch_normalization({x}, p[{scale!r}], p[{shift!r}], {running}, {layer['momentum']}, {layer['epsilon']})"


def linear_line(layer, x):
    weight = parameter(layer, "weight")
    return f"{x} @ {weight if layer['transposed'] else weight + '.T'} + {parameter(layer, 'bias')}"


lines = {
    "linear": linear_line,
    "convolution": convolution_line,
    "transposedConvolution": convolution_line,
    "relu": lambda _, x: f"jax.nn.relu({x})",
    "leakyRelu": lambda layer, x: f"jax.nn.leaky_relu({x}, {layer['slope']})",
    "batchNormalization": normalization_line,
    "add": lambda _, x, y: f"{x} + {y}",
    "reshape": lambda layer, x: f"{x}.reshape({(-1, *layer['shape'][1:])})",
    "globalAverage": lambda layer, x: f"{x}.mean({tuple(range(2, len(layer['inputShape'])))}, keepdims=True)",
    "expand": lambda layer, x: f"jnp.broadcast_to({x}, ({x}.shape[0], *{tuple(layer['shape'][1:])}))",
}
names = {
    "jax": jax,
    "jnp": jnp,
    "convolve": convolve,
    "convolve_transposed": convolve_transposed,
    "with_bias": with_bias,
    "batch_normalization": batch_normalization,
}
features = written_out("features", plan.features, lines, names)
mirror = written_out("mirror", plan.mirror, lines, names)
discriminator = written_out("discriminator", plan.discriminator, lines, names)


def adam(key, parameters, slots, slopes, rate, count):
    settings = plan.optimizers[key]
    first_decay, second_decay = settings["momentum"], settings["secondMoment"]
    if plan.recipe["gradientClip"] > 0 and key != "supervised":
        norm = jnp.sqrt(sum(jnp.sum(slope * slope) for slope in slopes.values()))
        factor = jnp.minimum(1.0, plan.recipe["gradientClip"] / (norm + 1e-12))
        slopes = {name: slope * factor for name, slope in slopes.items()}
    moved, kept = {}, {}
    for name, slope in slopes.items():
        first, second = slots[name]
        first = first_decay * first + (1 - first_decay) * slope
        second = second_decay * second + (1 - second_decay) * slope * slope
        step = first / (1 - first_decay**count)
        moved[name] = parameters[name] - rate * step / (jnp.sqrt(second / (1 - second_decay**count)) + settings["epsilon"])
        kept[name] = (first, second)
    return moved, kept


def generate(g, x, statistics):
    """What G makes, and the statistics that this pass leaves."""
    statistics = dict(statistics)
    return mirror(features(x, g, statistics), g, statistics), statistics


softplus = jax.nn.softplus


def gan_step(state, batch, rates, count):
    x = batch["samples"]
    fake, pull, statistics = jax.vjp(lambda g: generate(g, x, state["statistics"]), state["g"], has_aux=True)

    def d_loss_of(d):
        return softplus(-discriminator(x, d)).mean() + softplus(discriminator(fake, d)).mean()

    d_loss, slopes = jax.value_and_grad(d_loss_of)(state["d"])
    d, d_slots = adam("discriminator", state["d"], state["d_slots"], slopes, rates["discriminator"], count)
    g_loss, slope = jax.value_and_grad(lambda fake: -softplus(discriminator(fake, d)).mean())(fake)
    g, g_slots = adam("generator", state["g"], state["g_slots"], pull(slope)[0], rates["generator"], count)
    return {"g": g, "d": d, "g_slots": g_slots, "d_slots": d_slots, "statistics": statistics}, (d_loss, g_loss)


def task_losses(g, batch, fake):
    settings = plan.recipe["contrast"]
    reconstruction = jnp.mean((fake - batch["samples"]) ** 2)
    views = features(jnp.concatenate([batch["view/first"], batch["view/second"]]), g)
    count = views.shape[0]
    projected = views.reshape(count, -1) @ g["contrast/weight"] + g["contrast/bias"]
    unit = projected / jnp.sqrt(jnp.sum(projected**2, 1, keepdims=True) + 1e-12)
    similarity = jnp.where(jnp.eye(count, dtype=bool), -1e4, unit @ unit.T / settings["temperature"])
    partners = (jnp.arange(count) + count // 2) % count
    contrast = -jax.nn.log_softmax(similarity)[jnp.arange(count), partners].mean()
    return plan.recipe["reconstruction"]["weight"] * reconstruction + settings["weight"] * contrast


def contrast_step(state, batch, rates, count):
    """The compiler joins the two players' equal looks of D."""

    def losses(g, d):
        fake, statistics = generate(g, batch["samples"], state["statistics"])
        real, noisy = batch["samples"] + batch["noise/real"], fake + batch["noise/fake"]
        fixed = lax.stop_gradient(d)
        d_loss = softplus(discriminator(lax.stop_gradient(noisy), d) - discriminator(real, d)).mean()
        adversarial = softplus(discriminator(real, fixed) - discriminator(noisy, fixed)).mean()
        g_loss = plan.recipe["adversarial"]["weight"] * adversarial + task_losses(g, batch, fake)
        return d_loss + g_loss, (d_loss, g_loss, statistics)

    (_, (d_loss, g_loss, statistics)), (g_slopes, d_slopes) = jax.value_and_grad(losses, (0, 1), has_aux=True)(
        state["g"], state["d"]
    )
    d, d_slots = adam("discriminator", state["d"], state["d_slots"], d_slopes, rates["discriminator"], count)
    g, g_slots = adam("generator", state["g"], state["g_slots"], g_slopes, rates["generator"], count)
    return {"g": g, "d": d, "g_slots": g_slots, "d_slots": d_slots, "statistics": statistics}, (d_loss, g_loss)


def told(task, g, code):
    """What a task's linear layer tells of features."""
    return code @ g[f"{task}/weight"] + g[f"{task}/bias"]


def told_error(task, g, code, batch):
    return jnp.mean((told(task, g, code) - batch[task]) ** 2)


def rotation_loss(g, code, batch):
    """How samples have been turned, and the directions of edges of those that have not."""
    logits = told("task", g, code)
    turns = -(batch["turns"] * jax.nn.log_softmax(logits)).sum() / logits.shape[0]
    edges = told_error("orientations", g, code[: batch["orientations"].shape[0]], batch)
    return plan.recipe["selfSupervision"]["weight"] * turns + plan.recipe["orientations"]["weight"] * edges


def visual_words_loss(g, code, batch):
    """The directions of samples' edges, and their visual words."""
    edges, words = told_error("orientations", g, code, batch), told_error("visual-words", g, code, batch)
    return plan.recipe["orientations"]["weight"] * edges + plan.recipe["visualWords"]["weight"] * words


def task_step(read, loss_of_code):
    """A step down the loss of a task alone, from F's features of the batch that is called `read`."""

    def make_step(state, batch, rates, count):
        def loss_of(g):
            statistics = dict(state["statistics"])
            code = features(batch[read], g, statistics)
            return loss_of_code(g, code.reshape(code.shape[0], -1), batch), statistics

        (loss, statistics), slopes = jax.value_and_grad(loss_of, has_aux=True)(state["g"])
        g, g_slots = adam("generator", state["g"], state["g_slots"], slopes, rates["generator"], count)
        return {"g": g, "g_slots": g_slots, "statistics": statistics}, (loss,)

    return make_step


def supervised_step(state, batch, rates, count):
    def loss_of(p):
        statistics = dict(state["statistics"])
        logits = features(batch["samples"], p, statistics)
        return -(batch["targets"] * jax.nn.log_softmax(logits)).sum() / logits.shape[0], statistics

    (loss, statistics), slopes = jax.value_and_grad(loss_of, has_aux=True)(state["g"])
    g, g_slots = adam("supervised", state["g"], state["g_slots"], slopes, rates["supervised"], count)
    return {"g": g, "g_slots": g_slots, "statistics": statistics}, (loss,)


def parameters_of(key):
    return {name: jnp.array(plan.start[name]) for name in plan.trainable.get(key, [])}


def slots_of(parameters):
    return {name: (jnp.zeros_like(value), jnp.zeros_like(value)) for name, value in parameters.items()}


supervised = plan.step == "supervised"
g, d = parameters_of("supervised" if supervised else "generator"), parameters_of("discriminator")
owned = {name for each in plan.trainable.values() for name in each}
state = {"g": g, "g_slots": slots_of(g)}
state["statistics"] = {name: jnp.array(value) for name, value in plan.start.items() if name not in owned}
if d:
    state.update({"d": d, "d_slots": slots_of(d)})
# On a device, every step fetches its batch from the main memory, as training does.
feeds = [
    {name: jnp.array(value) if device == "cpu" else value for name, value in batch.items()} for batch in plan.feeds
]
function = {
    "gan": gan_step,
    "contrast": contrast_step,
    "rotation": task_step("rotated", rotation_loss),
    "visual-words": task_step("samples", visual_words_loss),
    "supervised": supervised_step,
}[plan.step]
compiled = jax.jit(function, donate_argnums=0)
made = 0


def make():
    global state, made
    rates = {key: plan.learning_rate(key, made) for key in plan.optimizers}
    state, losses = compiled(state, feeds[made % len(feeds)], rates, float(made + 1))
    made += 1
    return losses


serve(make, first_steps, lambda: jax.block_until_ready(state))
