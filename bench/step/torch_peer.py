"""The training steps in PyTorch, as one writes them there: functional layers, autograd, the fused Adam.

torch_peer.py FOLDER VARIANT THREADS FIRST_STEPS DEVICE; VARIANT is eager, channels-last or compile, DEVICE cpu or cuda.
"""

import shutil
import sys

from peer import Plan, missing, parameter, serve, written_out

folder, variant, threads, first_steps, device = *sys.argv[1:3], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5]
try:
    import torch
    import torch.nn.functional as F
except ImportError as error:
    missing(f"no PyTorch in this Python ({error})")
if variant == "compile" and not (shutil.which("g++") or shutil.which("clang++")):
    missing("torch.compile needs a C++ compiler, and there is neither g++ nor clang++")

if device == "cuda" and not torch.cuda.is_available():
    missing("PyTorch finds no CUDA device")
torch.set_num_threads(threads)
torch.set_num_interop_threads(1)
plan = Plan(folder)


def linear(layer, x):
    weight = parameter(layer, "weight")
    return f"F.linear({x}, {weight + '.t()' if layer['transposed'] else weight}, {parameter(layer, 'bias')})"


def convolution(layer, x):
    rank = len(layer["strides"])
    transposed = layer["op"] == "transposedConvolution"
    settings = f"stride={tuple(layer['strides'])}, padding={tuple(layer['pads'])}, groups={layer['groups']}"
    if transposed:
        settings += f", output_padding={tuple(layer['outputPadding'])}"
    operator = f"F.conv_transpose{rank}d" if transposed else f"F.conv{rank}d"
    return f"{operator}({x}, {parameter(layer, 'weight')}, {parameter(layer, 'bias')}, {settings})"


def batch_normalization(layer, x):
    scale, shift, mean, variance = layer["statistics"]
    running = f"None if statistics is None else statistics[{mean!r}], None if statistics is None else statistics[{variance!r}]"
    momentum = 1 - layer["momentum"]
    return f"F.batch_norm({x}, {running}, p[{scale!r}], p[{shift!r}], True, {momentum}, {layer['epsilon']})"


lines = {
    "linear": linear,
    "convolution": convolution,
    "transposedConvolution": convolution,
    "relu": lambda _, x: f"F.relu({x})",
    "leakyRelu": lambda layer, x: f"F.leaky_relu({x}, {layer['slope']})",
    "batchNormalization": batch_normalization,
    "add": lambda _, x, y: f"{x} + {y}",
    "reshape": lambda layer, x: f"{x}.reshape({tuple(plan_shape(layer))})",
    "globalAverage": lambda layer, x: f"{x}.mean({tuple(range(2, len(layer['inputShape'])))}, keepdim=True)",
    "expand": lambda layer, x: f"{x}.expand({tuple(plan_shape(layer))})",
}


def plan_shape(layer):
    # G and D may see fewer samples than the batch has.
    return (-1, *layer["shape"][1:])


names = {"F": F, "torch": torch}
features = written_out("features", plan.features, lines, names)
mirror = written_out("mirror", plan.mirror, lines, names)
discriminator = written_out("discriminator", plan.discriminator, lines, names)


def as_tensor(array):
    tensor = torch.from_numpy(array.copy()).to(device)
    if variant == "channels-last" and tensor.dim() == 4:
        return tensor.to(memory_format=torch.channels_last)
    return tensor


trained = {name: torch.nn.Parameter(as_tensor(plan.start[name])) for each in plan.trainable.values() for name in each}
statistics = {name: as_tensor(array) for name, array in plan.start.items() if name not in trained}
# On a device, every step fetches its batch from the main memory, as training does.
feeds = [{name: as_tensor(array) for name, array in batch.items()} for batch in plan.feeds]
if device == "cuda":
    feeds = [{name: tensor.cpu().pin_memory() for name, tensor in batch.items()} for batch in feeds]


def batch_at(step):
    batch = feeds[step % len(feeds)]
    return {name: tensor.to(device, non_blocking=True) for name, tensor in batch.items()}


owned = {key: [trained[name] for name in each] for key, each in plan.trainable.items()}
optimizers = {}
for key, settings in plan.optimizers.items():
    optimizers[key] = torch.optim.Adam(
        owned[key],
        lr=settings["learningRate"],
        betas=(settings["momentum"], settings["secondMoment"]),
        eps=settings["epsilon"],
        fused=True,
    )
g = {name: trained[name] for name in plan.trainable.get("generator", [])}
d = {name: trained[name] for name in plan.trainable.get("discriminator", [])}
# The same storage without gradients: G's turn need not compute D's.
d_fixed = {name: value.detach() for name, value in d.items()}


def generate(x, g):
    code = features(x, g, statistics)
    return mirror(code, g, statistics)


def gan_discriminator_loss(x, fake, d):
    return F.softplus(-discriminator(x, d)).mean() + F.softplus(discriminator(fake, d)).mean()


def gan_generator_loss(fake, d):
    return -F.softplus(discriminator(fake, d)).mean()


def task_losses(batch, fake, g):
    """Reconstruction and contrast."""
    settings = plan.recipe["contrast"]
    reconstruction = F.mse_loss(fake, batch["samples"])
    views = features(torch.cat([batch["view/first"], batch["view/second"]]), g).flatten(1)
    unit = F.normalize(torch.addmm(g["contrast/bias"], views, g["contrast/weight"]), dim=1)
    similarity = (unit @ unit.t() / settings["temperature"]).masked_fill(itself, -1e4)
    contrast = F.cross_entropy(similarity, partners)
    return plan.recipe["reconstruction"]["weight"] * reconstruction + settings["weight"] * contrast


views = torch.arange(2 * plan.batchSize, device=device)
itself = torch.eye(2 * plan.batchSize, dtype=torch.bool, device=device)
partners = (views + plan.batchSize) % (2 * plan.batchSize)


def relativistic_losses(batch, g, d):
    """Both players' losses from one look of D, to be differentiated for each of them."""
    fake = generate(batch["samples"], g)
    real_logits = discriminator(batch["samples"] + batch["noise/real"], d)
    fake_logits = discriminator(fake + batch["noise/fake"], d)
    d_loss = F.softplus(fake_logits - real_logits).mean()
    g_loss = plan.recipe["adversarial"]["weight"] * F.softplus(real_logits - fake_logits).mean()
    return d_loss, g_loss + task_losses(batch, fake, g)


def relativistic_sum(batch, g, d, d_fixed):
    """The same in one backward pass: what either player must not move is detached. The compiler joins equal looks."""
    fake = generate(batch["samples"], g)
    real, noisy = batch["samples"] + batch["noise/real"], fake + batch["noise/fake"]
    d_loss = F.softplus(discriminator(noisy.detach(), d) - discriminator(real, d)).mean()
    adversarial = F.softplus(discriminator(real, d_fixed) - discriminator(noisy, d_fixed)).mean()
    g_loss = plan.recipe["adversarial"]["weight"] * adversarial + task_losses(batch, fake, g)
    return d_loss + g_loss, d_loss, g_loss


def told_error(task, code, batch, g):
    """How far from its targets is what a task's linear layer tells of features."""
    return F.mse_loss(torch.addmm(g[f"{task}/bias"], code, g[f"{task}/weight"]), batch[task])


def rotation_loss(batch, g):
    """How samples have been turned, and the directions of edges of those that have not."""
    code = features(batch["rotated"], g, statistics).flatten(1)
    turns = F.cross_entropy(torch.addmm(g["task/bias"], code, g["task/weight"]), quarters)
    edges = told_error("orientations", code[: len(batch["orientations"])], batch, g)
    return plan.recipe["selfSupervision"]["weight"] * turns + plan.recipe["orientations"]["weight"] * edges


def visual_words_loss(batch, g):
    """The directions of samples' edges, and their visual words."""
    code = features(batch["samples"], g, statistics).flatten(1)
    edges, words = told_error("orientations", code, batch, g), told_error("visual-words", code, batch, g)
    return plan.recipe["orientations"]["weight"] * edges + plan.recipe["visualWords"]["weight"] * words


def supervised_loss(x, labels, p):
    return F.cross_entropy(features(x, p, statistics), labels)


if plan.step == "supervised":
    labels = [batch["targets"].argmax(1).to(device) for batch in feeds]
if plan.step == "rotation":
    # The first quarter of every batch is upright, the next turned once, and so on.
    quarters = feeds[0]["turns"].argmax(1).to(device)
if variant == "compile":
    # On a device launching kernels is what takes the time of small networks: recorded ones are launched at once.
    compiled = torch.compile(dynamic=False, mode="reduce-overhead" if device == "cuda" else None)
    generate_compiled = compiled(generate)
    gan_discriminator_loss = compiled(gan_discriminator_loss)
    gan_generator_loss = compiled(gan_generator_loss)
    relativistic_sum = compiled(relativistic_sum)
    rotation_loss = compiled(rotation_loss)
    visual_words_loss = compiled(visual_words_loss)
    supervised_loss = compiled(supervised_loss)
else:
    generate_compiled = generate


def move(key, step):
    optimizer = optimizers[key]
    if plan.recipe["gradientClip"] > 0 and key != "supervised":
        torch.nn.utils.clip_grad_norm_(owned[key], plan.recipe["gradientClip"], foreach=True)
    for group in optimizer.param_groups:
        group["lr"] = plan.learning_rate(key, step)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


def gan_step(step):
    x = batch_at(step)["samples"]
    fake = generate_compiled(x, g)
    d_loss = gan_discriminator_loss(x, fake.detach(), d)
    d_loss.backward()
    move("discriminator", step)
    g_loss = gan_generator_loss(fake, d_fixed)
    g_loss.backward()
    move("generator", step)
    return d_loss.detach(), g_loss.detach()


def contrast_step(step):
    batch = batch_at(step)
    if variant == "compile":
        total, d_loss, g_loss = relativistic_sum(batch, g, d, d_fixed)
        total.backward()
    else:
        d_loss, g_loss = relativistic_losses(batch, g, d)
        for loss, key in ((d_loss, "discriminator"), (g_loss, "generator")):
            slopes = torch.autograd.grad(loss, owned[key], retain_graph=key == "discriminator")
            for tensor, slope in zip(owned[key], slopes):
                tensor.grad = slope
    move("discriminator", step)
    move("generator", step)
    return d_loss.detach(), g_loss.detach()


def task_step(loss_of):
    """A step down the loss of a task alone."""

    def make_step(step):
        loss = loss_of(batch_at(step), g)
        loss.backward()
        move("generator", step)
        return (loss.detach(),)

    return make_step


def supervised_step(step):
    loss = supervised_loss(batch_at(step)["samples"], labels[step % len(feeds)], trained)
    loss.backward()
    move("supervised", step)
    return (loss.detach(),)


make = {
    "gan": gan_step,
    "contrast": contrast_step,
    "rotation": task_step(rotation_loss),
    "visual-words": task_step(visual_words_loss),
    "supervised": supervised_step,
}[plan.step]
steps = iter(range(sys.maxsize))


def step():
    if variant == "compile" and device == "cuda":
        torch.compiler.cudagraph_mark_step_begin()
    return make(next(steps))


serve(step, first_steps, torch.cuda.synchronize if device == "cuda" else lambda: None)
