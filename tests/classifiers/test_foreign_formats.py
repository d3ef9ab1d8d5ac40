import json
import subprocess
import sys
import textwrap
import warnings

import pytest
import torch

from diffex.base.errors import ClassifierError, MissingPartError
from diffex.classifiers import check_classifier, export_classifier, open_classifier, write_card
from diffex.classifiers.adapters.huggingface import card_from_processor
from diffex.classifiers.adapters.side_card import side_card_path
from diffex.classifiers.adapters.timm_model import card_from_settings


def save_onnx(classifier, path, dynamic):
    pytest.importorskip("onnxscript")
    pytest.importorskip("onnxruntime")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecations
        torch.onnx.export(
            classifier.module,
            (torch.zeros(2, 1, 16, 16),),
            path,
            dynamo=True,
            verbose=False,
            dynamic_shapes=({0: torch.export.Dim.DYNAMIC},) if dynamic else None,
        )
    write_card(classifier.card, side_card_path(path))


@pytest.mark.parametrize("dynamic", [True, False])
def test_onnx_is_a_black_box_with_the_same_logits(classifier, tmp_path, dynamic):
    path = tmp_path / "net.onnx"
    save_onnx(classifier, path, dynamic)
    opened = open_classifier(str(path))
    x = torch.rand(5, 1, 16, 16)
    torch.testing.assert_close(opened.logits(x, (0, 1)), classifier.logits(x, (0, 1)), rtol=1e-3, atol=1e-3)
    assert not opened.differentiable
    check_classifier(opened)


def test_onnx_errors(classifier, tmp_path, monkeypatch):
    path = tmp_path / "net.onnx"
    with pytest.raises(ClassifierError, match="missing"):
        open_classifier(str(path))
    path.write_bytes(b"not onnx")
    with pytest.raises(ClassifierError, match="has no card"):
        open_classifier(str(path))
    write_card(classifier.card, side_card_path(path))
    pytest.importorskip("onnxruntime")
    with pytest.raises(ClassifierError, match="cannot be read"):
        open_classifier(str(path))
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingPartError, match="pip install onnxruntime"):
        open_classifier(str(path))


@pytest.fixture
def vit_folder(tmp_path):
    transformers = pytest.importorskip("transformers")
    config = transformers.ViTConfig(
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        image_size=32,
        patch_size=8,
        num_channels=3,
        id2label={0: "cat", 1: "dog", 2: "newt"},
        label2id={"cat": 0, "dog": 1, "newt": 2},
        initializer_range=0.5,
    )
    torch.manual_seed(0)
    folder = tmp_path / "vit"
    transformers.ViTForImageClassification(config).save_pretrained(folder)
    settings = {
        "image_processor_type": "ViTImageProcessor",
        "do_normalize": True,
        "do_rescale": True,
        "image_mean": [0.4, 0.5, 0.6],
        "image_std": [0.2, 0.2, 0.2],
        "rescale_factor": 0.00392156862745098,
        "resample": 3,
        "size": {"height": 32, "width": 32},
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))
    return folder


def test_huggingface_folder(vit_folder):
    opened = open_classifier(f"hf:{vit_folder}")
    card = opened.card
    assert card.class_names == ("cat", "dog", "newt")
    assert (card.size, card.channels, card.value_range) == ((32, 32), 3, (0.0, 1.0))
    assert (card.mean, card.std, card.interpolation) == ((0.4, 0.5, 0.6), (0.2, 0.2, 0.2), "bicubic")
    check_classifier(opened)
    assert len(opened.features(torch.rand(2, 3, 32, 32), (0, 1))) == 1
    export_classifier(opened, vit_folder / "vit.pt2")
    check_classifier(open_classifier(str(vit_folder / "vit.pt2")))


def test_huggingface_errors(vit_folder, tmp_path, monkeypatch):
    (vit_folder / "preprocessor_config.json").unlink()
    with pytest.raises(ClassifierError, match=r"no preprocessor_config\.json"):
        open_classifier(f"hf:{vit_folder}")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ClassifierError, match="cannot be opened"):
        open_classifier(f"hf:{tmp_path / 'empty'}")
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingPartError, match="pip install transformers"):
        open_classifier(f"hf:{vit_folder}")


class Config:
    def __init__(self, **settings):
        self.id2label = {1: "b", 0: "a"}
        self.settings = settings

    def to_dict(self):
        return self.settings


def test_processor_settings_become_a_card():
    fields = {"do_rescale": False, "do_normalize": False, "size": {"shortest_edge": 40}}
    card = card_from_processor(fields, Config(num_channels=1))
    assert (card.class_names, card.size, card.value_range) == (("a", "b"), (40, 40), (0.0, 255.0))
    assert (card.mean, card.std) == ((0.0,), (1.0,))
    cropped = {"size": 64, "do_center_crop": True, "crop_size": {"height": 48, "width": 50}}
    assert card_from_processor(cropped, Config()).size == (48, 50)
    assert card_from_processor({}, Config(image_size=28)).size == (28, 28)
    with pytest.raises(ClassifierError, match="got no size"):
        card_from_processor({}, Config())


def test_timm_settings_become_a_card():
    settings = {
        "input_size": (3, 64, 48),
        "mean": (0.1, 0.2, 0.3),
        "std": (1, 1, 1),
        "interpolation": "bicubic",
    }
    card = card_from_settings(settings | {"license": "mit"}, 2)
    assert (card.size, card.channels, card.class_names) == ((64, 48), 3, ("class 0", "class 1"))
    assert (card.interpolation, card.licence) == ("bicubic", "mit")
    assert card_from_settings(settings | {"label_names": ["x", "y"]}, 2).class_names == ("x", "y")


def test_timm_that_is_absent_or_broken(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(MissingPartError, match="pip install timm"):
        open_classifier("timm:resnet18")
    monkeypatch.delitem(sys.modules, "timm")
    (tmp_path / "timm.py").write_text("raise RuntimeError('operator torchvision::nms does not exist')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(MissingPartError, match="same index"):
        open_classifier("timm:resnet18")


TIMM = """
    import sys
    from pathlib import Path
    import torch
    if not torch.cuda.is_available():  # torchvision has no CPU build in the index: declare what it lacks
        library = torch.library.Library("torchvision", "DEF")
        library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    import json, timm
    from safetensors.torch import save_file
    from diffex.classifiers import check_classifier, open_classifier
    folder = Path(sys.argv[1])
    net = timm.create_model("test_resnet", pretrained=False, num_classes=2)
    save_file(net.state_dict(), folder / "model.safetensors")
    cfg = {**net.pretrained_cfg, "num_classes": 2, "label_names": ["no", "yes"]}
    settings = {"architecture": "test_resnet", "num_classes": 2, "pretrained_cfg": cfg}
    (folder / "config.json").write_text(json.dumps(settings))
    classifier = open_classifier(f"timm:local-dir:{folder}")
    assert classifier.card.class_names == ("no", "yes"), classifier.card
    assert len(classifier.features(torch.rand(2, 3, 160, 160), (0, 1))) >= 3
    check_classifier(classifier)
"""


@pytest.mark.may_skip
def test_timm_in_a_process_of_its_own(tmp_path):
    from importlib.util import find_spec

    if find_spec("timm") is None or find_spec("torchvision") is None:
        pytest.skip("timm or torchvision is not installed")
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(TIMM), str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
