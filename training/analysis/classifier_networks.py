"""The networks that attribute classifiers may have."""

from collections.abc import Sequence
from typing import Literal, get_args

from torch import nn

from training.analysis import face_network
from training.analysis.features import WIDTH, Backbone
from vae.attribute_classifier import CONVNET_SIZE, AttributeClassifier, convnet_classifier

Network = Literal["efficientnet-lite0", "convnet", "face-resnet"]
NETWORKS: Sequence[Network] = get_args(Network)

NORM_MOMENTUM = 0.1  # ImageNet's running statistics have to adapt to those of faces
# Pixels a side of the input.
SIZES: dict[Network, int] = {
    "efficientnet-lite0": 128,
    "convnet": CONVNET_SIZE,
    "face-resnet": face_network.SIZE,
}


def build(labels: Sequence[str], network: str = "efficientnet-lite0") -> AttributeClassifier:
    """A classifier before its training.

    Args:
        labels: to predict.
        network: ``efficientnet-lite0``, with ImageNet weights; ``convnet``, with new weights; or
            ``face-resnet``, with those of face recognition, whose lower levels are not trained.

    Raises:
        ValueError: if the network is another one.
    """
    if network == "convnet":
        return convnet_classifier(labels)
    if network == "face-resnet":
        faces = face_network.FaceNetwork()
        return AttributeClassifier(labels, network, faces, face_network.SIZE, face_network.WIDTH)
    if network != "efficientnet-lite0":
        raise ValueError(f"network is {network!r}; choose from {NETWORKS}")
    backbone = Backbone()
    for layer in backbone.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = NORM_MOMENTUM
    return AttributeClassifier(labels, network, backbone, SIZES["efficientnet-lite0"], WIDTH)
