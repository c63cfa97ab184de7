"""Exports Keras models through Keras' own ONNX export and tf2onnx, and scikit-learn's MLPs through skl2onnx.

Usage: python export_others.py FOLDER

Writes what export_models.py writes; the gradients come from TensorFlow's tape, and for scikit-learn, which has none to
show, from PyTorch with the same weights.
"""

import json
import os
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["KERAS_BACKEND"] = "tensorflow"

import numpy as np
from safetensors.numpy import save_file

BATCH = 4
CLASSES = 5


def record(folder: Path, model: str, exporter: str, names: list[str], state: dict, failed: str | None = None) -> None:
    found = {
        "model": model,
        "reference": f"{model}.safetensors",
        "variant": {"name": exporter, "exporter": exporter, "mode": "inference", "batch": "dynamic", "fresh": False},
        "head": names,
        "state": {key: list(value.shape) for key, value in state.items()},
    }
    if failed:
        found["failed"] = failed
    (folder / f"{model}.{exporter}.json").write_text(json.dumps(found, indent=1) + "\n")


def keras_models(folder: Path) -> None:
    import keras
    import tensorflow as tf
    from keras import layers

    def perceptron():
        return keras.Sequential(
            [
                keras.Input((20,)),
                layers.Dense(16, activation="sigmoid", name="first"),
                layers.Dense(12, activation="relu", name="second"),
                layers.Dense(CLASSES, activation="softmax", name="out"),
            ]
        )

    def pictures():
        inputs = keras.Input((16, 16, 3))
        x = layers.Conv2D(8, 3, strides=2, padding="same", activation="relu", name="conv1")(inputs)
        x = layers.DepthwiseConv2D(3, padding="same", name="depthwise")(x)
        x = layers.LeakyReLU(negative_slope=0.1)(x)
        y = layers.Conv2D(8, 1, activation="swish", name="conv2")(x)
        x = layers.Add()([x, y])
        x = layers.MaxPooling2D(2)(x)
        x = layers.Conv2D(12, 3, name="conv3")(x)
        x = layers.Activation(lambda value: keras.activations.gelu(value, approximate=True))(x)
        x = layers.Flatten()(x)
        x = layers.Dropout(0.3)(x)
        x = layers.Dense(16, activation="elu", name="dense")(x)
        return keras.Model(inputs, layers.Dense(CLASSES, name="out")(x))

    def signals():
        inputs = keras.Input((32, 2))
        x = layers.Conv1D(8, 5, padding="same", activation="tanh", name="conv1")(inputs)
        x = layers.AveragePooling1D(2)(x)
        x = layers.Conv1D(12, 3, activation="relu", name="conv2")(x)
        x = layers.LayerNormalization(name="norm")(x)
        x = layers.GlobalAveragePooling1D()(x)
        return keras.Model(inputs, layers.Dense(CLASSES, name="out")(x))

    def normalised():
        """Batch normalisation behind an activation, which nothing can be folded into."""
        inputs = keras.Input((16, 16, 3))
        x = layers.Conv2D(8, 3, padding="same", activation="relu", name="conv1")(inputs)
        x = layers.BatchNormalization(name="norm1")(x)
        x = layers.MaxPooling2D(3, strides=2, padding="valid")(x)
        x = layers.Conv2D(8, 3, padding="same", activation="relu", name="conv2")(x)
        x = layers.GlobalAveragePooling2D()(x)
        return keras.Model(inputs, layers.Dense(CLASSES, activation="softmax", name="out")(x))

    for model, make in {"keras-mlp": perceptron, "keras-cnn": pictures, "keras-cnn1d": signals, "keras-norm": normalised}.items():
        keras.utils.set_random_seed(5)
        network = make()
        generator = np.random.default_rng(3)
        for variable in network.variables:
            if len(variable.shape) == 1:
                noise = generator.normal(0, 0.1, variable.shape)
                variable.assign(np.abs(variable.numpy() + noise) if "variance" in variable.path else variable.numpy() + noise)
        samples = generator.normal(size=(BATCH, *network.input_shape[1:])).astype(np.float32)
        labels = np.arange(BATCH) % CLASSES
        last = network.layers[-1]
        if last.activation is keras.activations.softmax:
            last.activation = keras.activations.linear
            logits_of = keras.Model(network.inputs, network.outputs) if not isinstance(network, keras.Sequential) else network
        else:
            logits_of = network
        logits = logits_of(samples, training=False)
        # The exporters make normalisation one product and one sum of known numbers, so these are what can be compared.
        training = model != "keras-norm"
        # Dropout off, batch statistics on.
        for layer in network.layers:
            if isinstance(layer, layers.Dropout):
                layer.rate = 0.0
        statistics = {variable.path: variable.numpy() for variable in network.variables}
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(
                keras.losses.sparse_categorical_crossentropy(labels, logits_of(samples, training=training), from_logits=True)
            )
        slopes = tape.gradient(loss, [variable.value for variable in network.trainable_variables])
        for variable in network.variables:
            variable.assign(statistics[variable.path])
        state = {variable.path: variable.numpy() for variable in network.variables if "seed" not in variable.path}
        weights = dict(state)
        gradients = {variable.path: slope.numpy() for variable, slope in zip(network.trainable_variables, slopes)}
        for layer in network.layers:
            if isinstance(layer, layers.BatchNormalization):
                gamma, beta, mean, variance = (weights.pop(variable.path) for variable in layer.variables)
                by_gamma, by_beta = (gradients.pop(variable.path) for variable in layer.trainable_variables)
                root = np.sqrt(variance + layer.epsilon)
                weights[f"{layer.name}/scale"] = gamma / root
                weights[f"{layer.name}/shift"] = beta - mean * gamma / root
                gradients[f"{layer.name}/scale"] = by_gamma * root + mean * by_beta
                gradients[f"{layer.name}/shift"] = by_beta
        save_file(
            {
                "samples": samples,
                "targets": np.eye(CLASSES, dtype=np.float32)[labels],
                "logits": logits.numpy(),
                "loss": np.asarray(loss.numpy(), np.float32),
                **{f"weights/{key}": np.ascontiguousarray(value) for key, value in weights.items()},
                **{f"gradients/{key}": np.ascontiguousarray(value) for key, value in gradients.items()},
            },
            folder / f"{model}.safetensors",
        )
        keras.utils.set_random_seed(5)
        exported = make()
        for variable, value in zip(exported.variables, network.variables):
            variable.assign(value.numpy())
        exported(samples)
        head = [key for key in state if key.split("/")[-2] == "out"]

        def own(path):
            exported.export(path, format="onnx", verbose=False)

        def through_tf2onnx(path):
            import tf2onnx

            signature = [tf.TensorSpec((None, *network.input_shape[1:]), tf.float32, name="input")]
            function = tf.function(lambda x: exported(x, training=False), input_signature=signature)
            tf2onnx.convert.from_function(function, input_signature=signature, opset=15, output_path=str(path))

        for exporter, write in {"keras-export": own, "tf2onnx": through_tf2onnx}.items():
            failed = None
            try:
                write(folder / f"{model}.{exporter}.onnx")
            except Exception as error:
                failed = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:200]}"
            record(folder, model, exporter, head, state, failed)


def scikit_learn_models(folder: Path) -> None:
    import torch
    from skl2onnx import to_onnx
    from skl2onnx.helpers.onnx_helper import select_model_inputs_outputs
    from sklearn.neural_network import MLPClassifier

    generator = np.random.default_rng(9)
    x = generator.normal(size=(200, 10)).astype(np.float32)
    y = generator.integers(0, CLASSES, 200)
    for activation, act in {"relu": torch.relu, "tanh": torch.tanh, "logistic": torch.sigmoid}.items():
        network = MLPClassifier((16, 12), activation=activation, max_iter=5, random_state=1)
        import warnings

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            network.fit(x, y)
        matrices = [torch.tensor(m.astype(np.float32)).double().requires_grad_() for m in network.coefs_]
        biases = [torch.tensor(b.astype(np.float32)).double().requires_grad_() for b in network.intercepts_]
        samples = x[:BATCH]
        targets = np.arange(BATCH) % CLASSES
        hidden = torch.tensor(samples).double()
        for index, (matrix, bias) in enumerate(zip(matrices, biases)):
            hidden = hidden @ matrix + bias
            if index < len(matrices) - 1:
                hidden = act(hidden)
        loss = torch.nn.functional.cross_entropy(hidden, torch.tensor(targets))
        loss.backward()
        model = f"sklearn-{activation}"
        named = {f"coefs_.{i}": m for i, m in enumerate(matrices)} | {f"intercepts_.{i}": b for i, b in enumerate(biases)}
        state = {key: value.detach().float().numpy() for key, value in named.items()}
        save_file(
            {
                "samples": samples,
                "targets": np.eye(CLASSES, dtype=np.float32)[targets],
                "logits": hidden.detach().float().numpy(),
                "loss": loss.detach().float().numpy(),
                **{f"weights/{key}": value for key, value in state.items()},
                **{f"gradients/{key}": value.grad.float().numpy() for key, value in named.items()},
            },
            folder / f"{model}.safetensors",
        )
        written = to_onnx(network, x[:1], options={"zipmap": False})
        (folder / f"{model}.skl2onnx.onnx").write_bytes(written.SerializeToString())
        record(folder, model, "skl2onnx", ["coefs_.2", "intercepts_.2"], state)
        scores = select_model_inputs_outputs(written, "probabilities")
        (folder / f"{model}.skl2onnx-probabilities.onnx").write_bytes(scores.SerializeToString())
        record(folder, model, "skl2onnx-probabilities", ["coefs_.2", "intercepts_.2"], state)


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    scikit_learn_models(target)
    keras_models(target)
