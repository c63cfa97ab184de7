"""Writes Keras models as .keras and .h5 files, with inputs and what Keras computes: python keras_models.py FOLDER.

python keras_models.py --run REQUESTS takes a JSON list of {make, lines, folder, input}: for each it makes that model anew,
runs the lines of Python in that folder with the model as `model`, and prints what `model` then computes, a line each.
"""

import os
import sys

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import json

import keras
import numpy as np
from keras import layers as L


def block(x, filters, stride):
    y = L.Conv2D(filters, 3, strides=stride, padding="same", use_bias=False)(x)
    y = L.BatchNormalization()(y)
    y = L.ReLU()(y)
    y = L.Conv2D(filters, 3, padding="same", use_bias=False)(y)
    y = L.BatchNormalization()(y)
    if stride != 1 or x.shape[-1] != filters:
        x = L.Conv2D(filters, 1, strides=stride, padding="same")(x)
    return L.Activation("relu")(L.Add()([x, y]))


def mlp():
    return keras.Sequential([L.Input((7,)), L.Dense(9, activation="tanh"), L.Dropout(0.5), L.Dense(8, activation="gelu", use_bias=False), L.LayerNormalization(), L.Dense(4, activation="softmax")])


def lenet():
    return keras.Sequential([L.Input((14, 14, 1)), L.Rescaling(1 / 255, offset=-0.5), L.Conv2D(4, 5, padding="same", activation="tanh"), L.AveragePooling2D(2), L.Conv2D(6, 3, activation="tanh"), L.AveragePooling2D(2, padding="same"), L.Flatten(), L.Dense(10, activation="relu"), L.Dense(3)])


def resnet():
    x = i = L.Input((9, 12, 3))
    x = block(x, 4, 1)
    x = block(x, 6, 2)
    x = L.GlobalAveragePooling2D()(x)
    return keras.Model(i, L.Dense(5)(x))


def mobile():
    """Depthwise convolutions, squeeze and excitation, padding by hand, nested models, a layer that is used twice."""
    i = L.Input((11, 10, 3))
    x = L.ZeroPadding2D(((0, 1), (1, 0)))(i)
    x = L.Conv2D(8, 3, strides=2, activation="swish")(x)
    x = L.DepthwiseConv2D(3, depth_multiplier=2, padding="same")(x)
    x = L.BatchNormalization(scale=False)(x)
    x = L.ReLU(6.0)(x)
    gate = L.GlobalAveragePooling2D(keepdims=True)(x)
    gate = L.Conv2D(16, 1, activation="hard_sigmoid")(gate)
    x = L.Multiply()([x, gate])
    x = L.SeparableConv2D(6, 3, dilation_rate=2, padding="same")(x)
    shared = L.Conv2D(6, 3, padding="same", groups=2, name="twice")
    x = L.Average()([shared(x), shared(L.LeakyReLU(negative_slope=0.1)(x))])
    inner = keras.Sequential([L.Input(x.shape[1:]), L.PReLU(shared_axes=[1, 2]), L.Conv2D(5, 1), L.BatchNormalization(), L.ELU(0.7)], name="inner")
    x = L.Concatenate()([inner(x), x])
    deep_in = L.Input(x.shape[1:])
    deep = keras.Model(deep_in, L.Maximum()([L.Conv2D(4, 1, name="twice")(deep_in), L.Conv2D(4, 1)(deep_in)]), name="deep")
    x = deep(x)
    x = L.MaxPooling2D(2, strides=1, padding="same")(x)
    x = L.Flatten()(x)
    x = L.Dense(12, activation="selu")(x)
    return keras.Model(i, [L.Dense(3, activation="softmax", name="classes")(x), L.Dense(1, activation="sigmoid", name="score")(x)])


def decoder():
    return keras.Sequential([L.Input((6,)), L.Dense(3 * 4 * 5), L.Reshape((3, 4, 5)), L.Conv2DTranspose(6, 3, strides=2, padding="same"), L.PReLU(), L.Conv2DTranspose(4, 4, strides=2, padding="same", activation="softplus"), L.Conv2DTranspose(3, 2, strides=3), L.UpSampling2D(2, interpolation="bilinear"), L.Cropping2D(((1, 2), (3, 0))), L.UpSampling2D((1, 2)), L.Permute((3, 1, 2)), L.Conv2DTranspose(2, 3), L.Softmax()])


def series():
    i = L.Input((20, 3))
    x = L.Normalization(mean=[0.1, 0.2, 0.3], variance=[1.0, 4.0, 0.25])(i)
    x = L.Conv1D(6, 3, padding="causal", dilation_rate=2, activation="relu")(x)
    x = L.LayerNormalization(epsilon=1e-5)(x)
    x = L.MaxPooling1D(2)(x)
    x = L.SeparableConv1D(5, 3, activation="elu")(x)
    x = L.UpSampling1D(2)(x)
    x = L.Subtract()([x, L.Dense(5, activation="softsign")(x)])
    x = L.BatchNormalization(center=False)(L.ZeroPadding1D(1)(x))
    return keras.Model(i, L.Dense(2, activation="mish")(L.GlobalMaxPooling1D()(x)))


def normalised():
    layer = L.Normalization()
    layer.adapt(np.random.default_rng(0).normal(3, 2, (50, 4)))
    return keras.Sequential([L.Input((4,)), layer, L.Dense(6, activation="silu"), L.BatchNormalization(), L.Dense(2)])


def arithmetic():
    i = L.Input((6, 5, 2))
    x = L.Conv2D(4, 3, activation="relu")(i)
    return keras.Model(i, L.Dense(3)(L.Flatten()(2.0 - x * 0.5 + x / 4)))


def grouped():
    """Group normalisation in all its forms, and a normalisation adapted to the data in front."""
    front = L.Normalization()
    front.adapt(np.random.default_rng(0).normal(3, 2, (20, 8, 8, 3)))
    i = L.Input((8, 8, 3))
    x = L.Conv2D(8, 3, padding="same", use_bias=False)(front(i))
    x = L.GroupNormalization(2)(x)
    x = L.Activation("silu")(x)
    x = L.SeparableConv2D(6, 3, strides=2, padding="same", depth_multiplier=2)(x)
    x = L.GroupNormalization(-1, scale=False)(x)
    x = L.Add()([L.PReLU(shared_axes=[1, 2])(x), L.DepthwiseConv2D(3, padding="same", use_bias=False)(x)])
    x = L.GroupNormalization(1, center=False, epsilon=1e-5)(x)
    return keras.Model(i, L.Dense(3)(L.GlobalMaxPooling2D()(x)))


def volume():
    x = i = L.Input((6, 7, 8, 2))
    x = L.Conv3D(4, 3, activation="relu")(L.ZeroPadding3D(1)(x))
    x = L.MaxPooling3D(2)(x)
    x = L.SpatialDropout3D(0.2)(L.BatchNormalization()(x))
    x = L.AveragePooling3D(2, strides=1, padding="same")(L.Cropping3D(((0, 1), (1, 0), (0, 0)))(x))
    return keras.Model(i, L.Dense(3)(L.Concatenate()([L.GlobalAveragePooling3D()(x), L.GlobalMaxPooling3D()(x)])))


def recurrent():
    return keras.Sequential([L.Input((6, 3)), L.LSTM(5, return_sequences=True, dropout=0.1), L.LSTM(4, return_sequences=True, go_backwards=True, use_bias=False), L.SimpleRNN(4, activation="relu", return_sequences=True), L.LSTM(3, activation="softsign", unroll=True), L.Dense(2)])


def gated():
    """GRUs of both kinds, one of which is used twice."""
    i = L.Input((5, 4))
    x = L.GRU(4, return_sequences=True, activation="softplus", recurrent_dropout=0.1)(i)
    twice = L.GRU(4, reset_after=False, return_sequences=True)
    y = twice(L.Add()([x, twice(i)]))
    z = L.GRU(3, go_backwards=True, use_bias=False)(x)
    return keras.Model(i, L.Dense(3)(L.Concatenate()([L.GRU(3, reset_after=False, go_backwards=True)(y), z])))


def directions():
    return keras.Sequential([L.Input((6, 3)), L.Bidirectional(L.LSTM(4, return_sequences=True)), L.TimeDistributed(L.Dense(5, activation="tanh")), L.Bidirectional(L.GRU(4), backward_layer=L.GRU(4, go_backwards=True, name="back")), L.Dense(2)])


def merged():
    """All ways to merge two directions, in a model inside the model and outside of it."""
    i = L.Input((6, 3))
    x = L.Bidirectional(L.SimpleRNN(4, return_sequences=True), merge_mode="ave")(i)
    inner = keras.Sequential([L.Input((6, 4)), L.Bidirectional(L.GRU(4, return_sequences=True), merge_mode="sum"), L.LSTM(3)], name="inner")
    return keras.Model(i, [L.Dense(2)(inner(x)), L.Bidirectional(L.LSTM(3), merge_mode="mul")(x)])


def attending():
    """A transformer's block over a series, and attention to another one with all that the layer can do."""
    i = L.Input((6, 5))
    x = L.Dense(8)(i)
    x = L.LayerNormalization()(x + L.MultiHeadAttention(2, 4, dropout=0.1)(x, x, use_causal_mask=True))
    y = L.Conv1D(7, 2)(i)
    x = L.Add()([x, L.MultiHeadAttention(3, 4, value_dim=5)(x, y)])
    x = L.MultiHeadAttention(2, 3, use_bias=False, output_shape=6, name="look")(x, value=y, key=L.Dense(4)(y))
    return keras.Model(i, L.Dense(3)(L.GlobalAveragePooling1D()(x)))


def looking():
    """Attention without matrices, and products of sequences and vectors."""
    i = L.Input((6, 5))
    x, y = L.LSTM(4, return_sequences=True)(i), L.Conv1D(4, 3)(i)
    x = L.Concatenate()([L.Attention(use_scale=True)([x, y]), L.Attention()([x, L.Dense(3)(y), y], use_causal_mask=True), L.AdditiveAttention()([x, y]), L.AdditiveAttention(use_scale=False)([x, y])])
    x = L.RMSNormalization()(x)
    z = L.Concatenate()([L.Flatten()(L.Dot((2, 2))([y, L.Dense(4)(x)])), L.Flatten()(L.Dot(1, normalize=True)([L.Cropping1D(1)(x), y]))])
    a, b = L.Dense(4)(z), L.UnitNormalization()(L.Dense(4, activation="tanh")(z))
    z = L.LSTM(3)(L.RepeatVector(3)(L.Concatenate()([a, L.Dot(1)([a, b]), L.Dot(-1, normalize=True)([a, b]), L.Identity()(b)])))
    return keras.Model(i, L.Dense(2)(z))


def swelling():
    i = L.Input((2, 3, 2, 2))
    x = L.Conv3DTranspose(4, 3, strides=2, padding="same", activation="relu")(i)
    return keras.Model(i, L.Dense(3)(L.GlobalMaxPooling3D()(L.UpSampling3D((1, 2, 2))(x))))


def watching():
    """A small network at each picture of a film, and single layers at each position."""
    i = L.Input((4, 6, 6, 2))
    eye = keras.Sequential([L.Input((6, 6, 2)), L.Conv2D(4, 3, activation="relu", name="edges"), L.BatchNormalization(), L.GlobalAveragePooling2D()], name="eye")
    x = L.TimeDistributed(eye, name="each")(i)
    y = L.TimeDistributed(L.MaxPooling2D(2))(L.TimeDistributed(L.Conv2D(3, 2, padding="same"), name="filters")(i))
    y = L.TimeDistributed(L.Flatten())(y)
    return keras.Model(i, L.Dense(3)(L.LSTM(4)(L.Concatenate()([x, y]))))


def structured():
    """Inputs and outputs in dictionaries and lists, of the model and of models inside it."""
    wide, narrow = L.Input((4,), name="wide"), L.Input((3,), name="narrow")
    keyed = keras.Model({"wide": wide, "narrow": narrow}, {"y": L.Dense(2)(wide), "x": L.Dense(5)(narrow)}, name="keyed")
    a, b = L.Input((4,), name="four"), L.Input((3,), name="also")
    listed = keras.Model([a, b], [L.Dense(2)(a), [L.Dense(3)(b)]], name="listed")
    i = L.Input((5,), name="samples")
    four, three = L.Dense(4, activation="tanh")(i), L.Dense(3, activation="tanh")(i)
    named = keyed({"wide": four, "narrow": three})
    first, [second] = listed({"also": three, "four": four})
    again, [last] = listed([L.Dense(4)(named["x"]), second])
    return keras.Model({"samples": i}, {"z": L.Add()([named["y"], again]), "b": [named["x"], first], "a": last})


def activated():
    """Activations that are layers, with weights of their own, and ReLU with all that it can do."""
    i = L.Input((6, 5, 2))
    x = L.Conv2D(4, 3, activation=L.LeakyReLU(0.1), padding="same")(i)
    x = L.Conv2D(4, 3, activation=L.PReLU(name="slopes"), padding="same")(x)
    x = L.SeparableConv2D(4, 2, activation=L.PReLU(shared_axes=[1, 2]))(x)
    x = L.TimeDistributed(L.Dense(4, activation=L.PReLU()))(L.Reshape((20, 4))(x))
    y = [rectify(x) for rectify in (L.ReLU(0.9, 0.1), L.ReLU(0.5, 0.2, 0.1), L.ReLU(negative_slope=0.1, threshold=0.2), L.ReLU(threshold=0.1))]
    x = L.Dense(5, activation=L.ReLU(0.8, 0.2))(L.Concatenate()(y))
    return keras.Model(i, L.Dense(3, activation=L.PReLU())(L.Flatten()(x)))


def functions():
    """Activations by name, and as functions in the middle of a model."""
    i = L.Input((4, 3))
    names = ["relu", "relu6", "sigmoid", "sparse_sigmoid", "hard_sigmoid", "log_sigmoid", "silu", "hard_silu", "gelu", "mish", "tanh", "hard_tanh", "tanh_shrink", "hard_shrink", "soft_shrink", "softplus", "sparse_plus", "squareplus", "softsign", "exponential", "elu", "selu", "celu", "softmax", "log_softmax", "leaky_relu"]
    wide = L.Dense(8, kernel_initializer="ones")(i)
    x = [L.Activation(name)(wide) for name in names] + [getattr(keras.activations, name)(wide) for name in names if name not in ("hard_silu", "mish")]
    f = keras.ops
    x += [f.hard_silu(wide), f.leaky_relu(wide, 0.3), f.elu(wide, 0.7), f.celu(wide, 0.6), f.gelu(wide, approximate=True), f.soft_shrink(wide, 0.2), f.hard_shrink(wide, 0.1), f.softmax(wide, axis=1), f.log_softmax(wide, axis=1)]
    x += [keras.activations.relu(wide, 0.1, 0.5, 0.2), keras.activations.relu(wide, threshold=-0.2), keras.activations.squareplus(wide, 2)]
    return keras.Model(i, [L.Concatenate()(x), L.Dense(2)(f.relu(L.Flatten()(wide)))])


def operations():
    """Functions of keras.ops amid a model: arithmetic with constants, parts and shapes of tensors, averages."""
    f = keras.ops
    i = L.Input((6, 5, 3))
    x = keras.applications.resnet50.preprocess_input(i)
    x = L.Conv2D(4, 3, padding="same", activation="tanh")(i[..., ::-1] * 0.2 + x / 100)
    x = x * np.array([1.0, 2.0, 3.0, 4.0], "float32") + np.arange(30, dtype="float32").reshape(6, 5, 1) / 30
    x = f.square(-x) + (x**2 + 0.5) ** 0.7 + f.sqrt(f.abs(x) + 0.1) + f.log(x * x + 1) + 2.0 ** (x * 0.1)
    x = f.clip(f.minimum(f.maximum(x, 0.2), 5.0), 0.1, 4.5)
    parts = [x[:, 0], x[:, -1], x[:, 4:1:-1, 2], x[:, ::2, 1:-1, -1], f.mean(x, axis=(1, 2), keepdims=True), f.max(x, axis=-1), f.sum(x, axis=[1]), f.min(x, axis=1)]
    parts += [x[:, None, 1:4, ..., 0], f.transpose(x, (0, 3, 1, 2))[:, 1], f.squeeze(x[:, 2:3], axis=1), f.stack([x[:, 1], x[:, 2]], axis=2), f.cast(x[..., 1:2, :], "float32")]
    gate = L.Dense(4, activation="sigmoid")(f.mean(x, axis=(1, 2)))
    parts += [x * f.expand_dims(f.expand_dims(gate, 1), -2), x[:, :, 0] * gate[:, None]]
    x = L.Concatenate()([f.reshape(part, (-1, int(np.prod(part.shape[1:])))) for part in parts])
    return keras.Model(i, [x, L.Dense(3)(x)])


def counted():
    """Pictures of bytes."""
    i = L.Input((6, 5, 3), dtype="uint8")
    x = L.Concatenate()([L.Rescaling(1 / 127.5, -1)(i), L.Rescaling(0.01)(i[..., :1])])
    return keras.Model(i, L.Dense(3)(L.GlobalMaxPooling2D()(L.Conv2D(4, 3, activation="relu")(x))))


def spread():
    """Normalisations along other axes than the last, and statistics of all there is or of some axes."""
    draws = np.random.default_rng(0).normal(3, 2, (30, 6, 5, 4))
    fronts = [L.Normalization(axis=None), L.Normalization(axis=1), L.Normalization(axis=(1, 3))]
    for front in fronts:
        front.adapt(draws)
    fronts += [L.Normalization(axis=None, mean=1.5, variance=4.0), L.Normalization(axis=2, mean=[0.1, 0.2, 0.3, 0.4, 0.5], variance=[1.0, 2.0, 3.0, 4.0, 5.0])]
    i = L.Input((6, 5, 4))
    x = L.Concatenate()([front(i) for front in fronts])
    x = L.LayerNormalization(axis=[1, 2, 3])(L.Conv2D(4, 3, padding="same")(x))
    x = L.Add()([L.LayerNormalization(axis=1)(x), L.LayerNormalization(axis=[1, 3], center=False)(x), L.LayerNormalization(axis=[2, 3], scale=False)(x)])
    x = L.Concatenate()([L.UnitNormalization(axis=1)(x), L.UnitNormalization(axis=[1, 2])(x), x])
    return keras.Model(i, L.Dense(3)(L.Flatten()(x)))


def resized():
    i = L.Input((9, 8, 3))
    x = L.Concatenate()([L.Resizing(6, 7)(i), L.Resizing(6, 7, interpolation="nearest")(i), L.CenterCrop(6, 7)(i)])
    y = L.Resizing(11, 13)(x)
    z = L.Conv2DTranspose(4, 3, strides=2, padding="same", output_padding=1)(L.CenterCrop(5, 4)(L.Resizing(20, 9, interpolation="nearest")(y)))
    z = L.Concatenate()([L.Conv2DTranspose(3, (4, 5), strides=3, output_padding=(1, 2))(z), L.Conv2DTranspose(3, (4, 5), strides=3, output_padding=(1, 2))(z)])
    w = L.Conv2DTranspose(3, 3, dilation_rate=2, padding="same")(L.Conv2DTranspose(3, (2, 3), dilation_rate=(1, 2))(x))
    return keras.Model(i, L.Dense(3)(L.Concatenate()([L.Flatten()(y), L.Flatten()(z), L.Flatten()(w)])))


def surveying():
    """Attention over all positions of a picture."""
    i = L.Input((4, 3, 6))
    x = L.Add()([i, L.MultiHeadAttention(2, 4)(i, i)])
    y = L.Conv2D(5, 2)(x)
    x = L.MultiHeadAttention(3, 2, attention_axes=(1, 2), output_shape=7)(x, y, key=L.Dense(4)(y))
    return keras.Model(i, L.Dense(3)(L.GlobalMaxPooling2D()(x)))


def leading():
    """Channels as the first axis, with everything that looks at axes."""
    cf = {"data_format": "channels_first"}
    i = L.Input((3, 12, 11))
    x = L.Conv2D(8, 3, strides=2, padding="same", activation="relu", **cf)(L.ZeroPadding2D(((0, 1), (1, 0)), **cf)(i))
    x = L.BatchNormalization(axis=1)(x)
    x = L.PReLU(shared_axes=[2, 3])(x)
    x = L.Conv2D(8, 3, groups=2, activation=L.PReLU(), **cf)(L.UpSampling2D(2, **cf)(x))
    x = L.DepthwiseConv2D(3, depth_multiplier=2, padding="same", activation="softmax", **cf)(x)
    x = L.GroupNormalization(4, axis=1)(x)
    x = L.MaxPooling2D(2, **cf)(L.SeparableConv2D(6, 3, **cf)(x))
    x = L.SpatialDropout2D(0.2, **cf)(L.AveragePooling2D(2, strides=1, padding="same", **cf)(x))
    y = L.Conv2DTranspose(6, 2, strides=2, **cf)(x)
    y = L.CenterCrop(4, 4, **cf)(L.Resizing(5, 5, **cf)(L.Cropping2D(1, **cf)(y)))
    g = [L.GlobalAveragePooling2D(**cf)(x), L.Flatten()(L.GlobalMaxPooling2D(keepdims=True, **cf)(x)), L.Flatten(**cf)(y), L.Flatten()(y)]
    s = L.Conv1D(4, 3, **cf)(L.Reshape((6, 16))(y))
    s = L.BatchNormalization(axis=-2)(L.MaxPooling1D(2, **cf)(s))
    return keras.Model(i, L.Dense(3)(L.Concatenate()(g + [L.GlobalMaxPooling1D(**cf)(s)])))


def padded():
    """Masking, and what looks at it."""
    i = L.Input((6, 3))
    x = L.Masking(0.5)(i)
    y = L.Dropout(0.1)(L.Dense(4, activation="tanh")(x))
    y = L.Add()([y, L.Bidirectional(L.LSTM(4, return_sequences=True), merge_mode="sum")(x)])
    z = [L.Bidirectional(L.GRU(3))(y), L.GRU(3, reset_after=False)(L.LSTM(4, return_sequences=True)(y)), L.SimpleRNN(3, return_sequences=True, zero_output_for_mask=True)(y)]
    z[2] = L.GlobalAveragePooling1D()(z[2])
    z += [L.LSTM(3, go_backwards=True)(y), L.Flatten()(L.Conv1D(2, 2)(y)), L.GlobalAveragePooling1D()(y), L.Flatten()(L.GRU(2, return_sequences=True)(y))]
    inner = keras.Sequential([L.Input((6, 4)), L.TimeDistributed(L.Dense(3)), L.LSTM(2)], name="inner")
    return keras.Model(i, L.Dense(3)(L.Concatenate()(z + [inner(y)])))


def reading():
    """Tokens, those of 0 left out, in a model that was built without Input, so that it declares numbers."""
    model = keras.Sequential([L.Embedding(11, 4, mask_zero=True), L.LSTM(5, return_sequences=True), L.Bidirectional(L.GRU(3)), L.Dense(3)])
    model.build((None, 6))
    return model


def phrases():
    """Two embeddings of the same tokens, one of which leaves some out, and positions beside."""
    i = L.Input((6,), dtype="int32")
    words = L.Embedding(11, 4, mask_zero=True)(i)
    positions = keras.ops.convert_to_tensor(np.arange(24, dtype="float32").reshape(1, 6, 4) / 24)
    x = L.Conv1D(5, 2, activation="relu")(L.Embedding(13, 3)(i))
    y = L.Dense(4, activation="tanh")(words)
    return keras.Model(i, L.Dense(3)(L.Concatenate()([L.GlobalMaxPooling1D()(x), L.GlobalAveragePooling1D()(y), L.GlobalAveragePooling1D()(L.Add()([words, positions]))])))


models = {f.__name__: f for f in (mlp, lenet, resnet, mobile, decoder, series, normalised, arithmetic, grouped, volume, recurrent, gated, directions, merged, attending, looking, swelling, watching, structured, activated, functions, operations, counted, spread, resized, surveying, leading, padded, reading, phrases)}


def filming():
    return keras.Sequential([L.Input((5, 6, 6, 1)), L.ConvLSTM2D(4, 3, name="memory"), L.Flatten(), L.Dense(2)])


def masked():
    i = L.Input((5, 8))
    mask = L.Dense(5, activation="sigmoid")(i)
    return keras.Model(i, L.Dense(2)(L.MultiHeadAttention(2, 4, name="look")(i, i, attention_mask=mask)))


def doubled():
    return keras.Sequential([L.Input((4,)), L.Dense(2, dtype="float64", name="wide")])


def halved():
    return keras.Sequential([L.Input((4,)), L.Dense(2, dtype="bfloat16", name="narrow")])


def looking_up():
    numbers = [L.Input((4,), dtype="int32"), L.Reshape((2, 2))]
    return keras.Sequential([*numbers, L.Embedding(9, 3, name="words"), L.Flatten(), L.Dense(2)])


# Saved as .keras only, for what is said of them.
refused = {f.__name__: f for f in (filming, masked, doubled, halved, looking_up)}


def randomise(model, seed=0):
    """Biases, statistics and the like that differ from their start values."""
    draws = np.random.default_rng(seed)
    for variable in model.weights:
        if variable.dtype != "float32" or variable.path.split("/")[-1] in ("mean", "variance", "count"):
            continue
        value = draws.normal(0, 0.25, variable.shape)
        variable.assign(np.abs(value) + 0.5 if "variance" in variable.path or "gamma" in variable.path else value)


def write(folder):
    for name, make in models.items():
        keras.utils.clear_session()
        keras.utils.set_random_seed(1)
        model = make()
        randomise(model)
        x = np.random.default_rng(2).normal(0, 1, (3, *model.inputs[0].shape[1:])).astype("float32")
        if model.inputs[0].dtype == "uint8":
            x = np.abs(x * 60).astype("uint8")
        if name in ("reading", "phrases"):
            x = np.minimum(np.abs(x * 6).astype("int32"), 10)
            x[0, 4:] = x[1, 0] = x[1, 3] = 0
        if name == "padded":
            x[0, 4:] = x[1, :2] = x[2, 2] = 0.5
        outputs = keras.tree.flatten(model.predict(x, verbose=0))
        model.save(os.path.join(folder, f"{name}.keras"))
        model.save(os.path.join(folder, f"{name}.h5"))
        record = {
            "input": x.tolist(),
            "outputs": [output.tolist() for output in outputs],
            "weights": {variable.path: np.asarray(variable).tolist() for variable in model.weights},
        }
        with open(os.path.join(folder, f"{name}.json"), "w") as file:
            json.dump(record, file)


def write_refused(folder):
    for name, make in refused.items():
        make().save(os.path.join(folder, f"{name}.keras"))


def run(requests):
    for request in requests:
        keras.utils.clear_session()
        keras.utils.set_random_seed(3)
        scope = {"model": models[request["make"]]()}
        # A layer that is another's activation has its weights only after the first call.
        scope["model"].predict(np.asarray(request["input"], scope["model"].inputs[0].dtype), verbose=0)
        os.chdir(request["folder"])
        exec("\n".join(request["lines"]), scope)
        outputs = keras.tree.flatten(scope["model"].predict(np.asarray(request["input"], scope["model"].inputs[0].dtype), verbose=0))
        print("OUTPUTS " + json.dumps([output.tolist() for output in outputs]), flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "--run":
        run(json.load(open(sys.argv[2])))
    else:
        write(sys.argv[1])
        write_refused(sys.argv[1])
