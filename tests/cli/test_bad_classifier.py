"""What a classifier gets that does not fit: one sentence, exit code 2, nothing written."""

import json
import shutil

import numpy as np
import pytest

from diffex.classifiers import open_classifier
from diffex.explainers.reading import try_classifier
from diffex.images import open_images

BROKEN = """
import torch
class Net(torch.nn.Module):
    card = {"class_names": ["DMSO", "drug"], "size": [28, 28], "channels": 1}
    def __init__(self):
        super().__init__()
        self.bias = torch.nn.Parameter(torch.zeros(2))
    def forward(self, x):
        # Finite on the trial's grey and noise, not on real cells with their dark ground.
        return self.bias + x.mean((1, 2, 3))[:, None] + torch.log(x.mean((1, 2, 3)) + 0.4)[:, None]
net = Net
"""


@pytest.mark.parametrize("command", ["fit", "explain"])
class TestFits:
    def test_classifier_that_is_none(self, refused, line, make, command):
        for address in ("nowhere", "net.pth", "net.onnx", "py:nothing:here", "py:x"):
            sentence = refused(*line(command, make.cells(), "--classifier", address))
            assert address.split(":")[-1] in sentence

    def test_classifier_of_other_channels(self, refused, line, make, classifier_folder, command):
        for label in ("DMSO", "drug"):
            for i in range(20):
                rgb = np.random.default_rng(i).integers(0, 255, (28, 28, 3), dtype=np.uint8)
                make.save(f"colour/{label}/{i}.png", rgb)
        sentence = refused(*line(command, make.root / "colour", "--classifier", classifier_folder))
        assert "The images have 3 channels (red, green, blue), the classifier expects 1" in sentence

    def test_classifier_of_other_classes(self, refused, line, make, classifier_folder, command):
        folder = make.cells(classes=("DMSO", "wortmannin"))
        sentence = refused(*line(command, folder, "--classifier", classifier_folder))
        assert "classes that the classifier does not know (wortmannin), it has DMSO, drug" in sentence

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"class_names": ["a", "b", "c"]}, "expected (2, 3)"),
            ({"channels": 2, "mean": [0.5, 0.5], "std": [0.5, 0.5]}, "trial input of 2x2x28x28 and failed"),
            ({"size": [40, 40]}, "trial input of 2x1x40x40 and failed"),
            ({"value_range": [1, 0]}, "expected low < high"),
        ],
    )
    def test_classifier_whose_card_does_not_fit(self, refused, line, make, exported, command, change, said):
        exported(**change)
        assert said in refused(*line(command, make.cells(), "--classifier", make.root / "net.pt2"))

    def test_pixels_outside_the_range_of_the_card(self, refused, line, make, exported, command):
        exported(value_range=[0, 1])
        for label in ("DMSO", "drug"):
            for i in range(20):
                counts = np.random.default_rng(i).uniform(0, 4000, (28, 28)).astype(np.float32)
                make.save(f"counts/{label}/{i}.tif", counts)
        sentence = refused(*line(command, make.root / "counts", "--classifier", make.root / "net.pt2"))
        assert "The images hold float pixels from " in sentence
        assert "the classifier expects [0, 1]: rescale the images to its range" in sentence

    def test_classifier_of_another_schema(self, refused, line, make, classifier_folder, command):
        old = shutil.copytree(classifier_folder, make.root / "old")
        config = json.loads((old / "config.json").read_text())
        (old / "config.json").write_text(json.dumps(config | {"schema": 7}))
        sentence = refused(*line(command, make.cells(), "--classifier", old))
        assert "old is not a classifier folder of this diffex: fit it again" in sentence

    def test_classifier_with_logits_that_are_not_finite(self, refused, line, make, monkeypatch, command):
        (make.root / "broken.py").write_text(BROKEN)
        monkeypatch.chdir(make.root)
        sentence = refused(*line(command, make.cells(), "--classifier", "py:broken:net"))
        assert "NaN or Inf logits" in sentence


@pytest.mark.parametrize("card_range", [(0, 1), (-1, 1), (0, 255)])
@pytest.mark.parametrize(("dtype", "suffix"), [("uint8", ".png"), ("uint16", ".tif"), ("float32", ".tif")])
def test_pixels_of_a_known_range_are_rescaled_and_not_refused(make, exported, dtype, suffix, card_range):
    exported(value_range=card_range)
    images = open_images(make.cells(count=2, dtype=dtype, suffix=suffix))
    try_classifier(open_classifier(str(make.root / "net.pt2")), images)


class TestAttributes:
    @pytest.fixture
    def base(self, make, tmp_path):
        return ("attributes", make.cells(), "--out", tmp_path / "out")

    def test_logits_that_are_not_finite(self, refused, base, make, model_folder, monkeypatch):
        (make.root / "broken.py").write_text(BROKEN)
        monkeypatch.chdir(make.root)
        model = shutil.copytree(model_folder, make.root / "broken_model")
        record = json.loads((model / "model.json").read_text())
        broken = {"address": "py:broken:net", "own": False}
        broken["state_hash"] = open_classifier("py:broken:net").state_hash()
        record["classifier"] |= broken
        (model / "model.json").write_text(json.dumps(record))
        assert "NaN or Inf logits" in refused(*base, "--model", model, "--target", "drug")

    def test_another_classifier(self, refused, base, make, model_folder, exported):
        exported()
        sentence = refused(
            *base, "--model", model_folder, "--target", "drug", "--classifier", make.root / "net.pt2"
        )
        assert "is not the one the model" in sentence
