"""Tiny real networks and images for the tests of this room."""

import numpy as np
import pytest
import torch
from torch import nn

from diffex.classifiers import Classifier
from diffex.images.images import images_from_arrays


class TinyNet(nn.Module):
    """Four convolutions at three sizes, with batch norm and dropout."""

    def __init__(self, channels, classes):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels, 4, 3, stride=2, padding=1),
            nn.BatchNorm2d(4),
            nn.ReLU(inplace=True),
            nn.Conv2d(4, 6, 3, stride=2, padding=1),
            nn.Conv2d(6, 6, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(6, 8, 3, stride=2, padding=1),
            nn.ReLU(),
        )
        self.head = nn.Sequential(nn.Dropout(0.5), nn.Linear(8, classes))

    def forward(self, x):
        return self.head(self.layers(x).mean((2, 3)))


@pytest.fixture
def make_net():
    """Make the same net each time, in training mode, with statistics unlike a fresh module's."""

    def make(channels=1, classes=2):
        with torch.random.fork_rng():
            torch.manual_seed(0)
            net = TinyNet(channels, classes)
            with torch.no_grad():
                for part in net.modules():
                    if isinstance(part, nn.Conv2d | nn.Linear):
                        part.weight.mul_(3)
                for _ in range(20):
                    net(torch.randn(8, channels, 16, 16))
        return net

    return make


@pytest.fixture
def classifier(make_net):
    return Classifier.wrap(make_net(), class_names=["DMSO", "drug"], size=16)


@pytest.fixture
def make_images():
    def make(class_names=("DMSO", "drug"), labels=(0, 1, 1), channels=1, **more):
        pixels = np.random.default_rng(0).random((len(labels), channels, 16, 16), dtype=np.float32)
        return images_from_arrays(pixels, labels=np.array(labels), class_names=class_names, **more)

    return make
