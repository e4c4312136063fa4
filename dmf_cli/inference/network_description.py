"""A network from the description in its ``.keras`` file, of which every part is known to be harmless.

Keras imports and calls what a description names, and its safe mode has been passed by more than once. Here
nothing is given to it but layers that only compute, with the initial values and penalties of their weights,
operations of ``keras.ops``, and classes that somebody has made known in this process.
"""

import sys
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dmf_cli import bounded
from dmf_cli.inference.network_weights import CONFIG

_LAYERS = """
Activation ActivityRegularization AdaptiveAveragePooling2D AdaptiveMaxPooling2D Add AdditiveAttention
AlphaDropout Attention Average AveragePooling1D AveragePooling2D AveragePooling3D BatchNormalization
CenterCrop Concatenate Conv1D Conv1DTranspose Conv2D Conv2DTranspose Conv3D Conv3DTranspose Cropping1D
Cropping2D Cropping3D Dense DepthwiseConv1D DepthwiseConv2D Dot Dropout ELU EinsumDense Embedding
Flatten GaussianDropout GaussianNoise GlobalAveragePooling1D GlobalAveragePooling2D
GlobalAveragePooling3D GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D GroupNormalization
GroupQueryAttention Identity InputLayer LayerNormalization LayerScale LeakyReLU MaxPooling1D
MaxPooling2D MaxPooling3D Maximum Minimum MultiHeadAttention Multiply Normalization PReLU Permute
RMSNormalization RandomBrightness RandomContrast RandomFlip RandomRotation RandomTranslation RandomZoom
ReLU RepeatVector Rescaling Reshape Resizing SeparableConv1D SeparableConv2D Softmax SpatialDropout1D
SpatialDropout2D SpatialDropout3D StochasticDepth Subtract UnitNormalization UpSampling1D UpSampling2D
UpSampling3D ZeroPadding1D ZeroPadding2D ZeroPadding3D
"""
_BESIDE = """
Functional Sequential DTypePolicy FloatDTypePolicy Constant GlorotNormal GlorotUniform HeNormal
HeUniform IdentityInitializer LecunNormal LecunUniform Ones Orthogonal OrthogonalInitializer
RandomNormal RandomUniform TruncatedNormal VarianceScaling Zeros L1 L1L2 L2 OrthogonalRegularizer
MaxNorm MinMaxNorm NonNeg UnitNorm
"""
LAYERS, BESIDE = frozenset(_LAYERS.split()), frozenset(_BESIDE.split())
HUB = frozenset({"MiTBackbone", "SegFormerBackbone", "ResNetBackbone", "DeepLabV3Backbone"})
VALUES = frozenset({"__keras_tensor__", "__tensor__", "__numpy__", "__ellipsis__", "__slice__"})


def read(path: Path) -> dict[str, Any]:
    """The description in ``path``, of a file that :func:`dmf_cli.inference.network_weights.shapes` has read.

    Raises:
        ValueError: there is none.
    """
    with bounded.opened(path) as file, zipfile.ZipFile(file) as archive:
        if CONFIG not in archive.namelist():
            raise ValueError(f"it has no {CONFIG}")
        described = bounded.parse_json(archive.read(CONFIG))
    if not isinstance(described, dict):
        raise ValueError(f"its {CONFIG} describes no network")
    for one in _mappings(described):
        one.pop("compile_config", None)  # how it was trained, which may name anything
    return described


def unknown(described: Mapping[str, Any], known: Mapping[str, type]) -> list[str]:
    """The classes in ``described`` that Keras must not be given.

    Args:
        described: of :func:`read`.
        known: classes of plugins that may be run, by their names.
    """
    found: dict[str, None] = {}
    for one in _mappings(described):
        # Whatever reads one of these keys takes the rest for a class or a function.
        if {"class_name", "registered_name"} & set(one) and not _is_known(one, known):
            found[str(one.get("class_name"))[:80]] = None
    return list(found)


def _mappings(described: Any) -> Iterator[dict[str, Any]]:
    """All mappings in it, however deep they are."""
    waiting = [described]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            yield one
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one


def _is_known(one: Mapping[str, Any], known: Mapping[str, type]) -> bool:
    name, module = one.get("class_name"), one.get("module")
    registered = one.get("registered_name") or name
    if not isinstance(name, str) or not isinstance(registered, str):
        return False
    if name in VALUES:
        return registered == name
    if _of(module, "keras_hub"):
        return name in HUB and registered.endswith(name)
    if module is None or _of(module, "keras"):
        return registered == name and (name in LAYERS or name in BESIDE or _is_operation(module, name))
    return _is_registered(name, registered, known)


def _of(module: Any, package: str) -> bool:
    return isinstance(module, str) and (module == package or module.startswith(f"{package}."))


def _is_operation(module: Any, name: str) -> bool:
    """Whether it is one of ``keras.ops`` in a network that was written with functions."""
    import keras

    if not _of(module, "keras.src.ops"):
        return False
    one = getattr(sys.modules.get(module), name, None)
    return isinstance(one, type) and issubclass(one, keras.Operation) and not issubclass(one, keras.Layer)


def _is_registered(name: str, registered: str, known: Mapping[str, type]) -> bool:
    """Whether it is a layer of a plugin that may be run, or of the program that uses this package."""
    import keras

    one = {**keras.saving.get_custom_objects(), **known}.get(registered)
    return isinstance(one, type) and issubclass(one, keras.Layer) and one.__name__ == name
