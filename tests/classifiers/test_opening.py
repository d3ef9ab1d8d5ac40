import io
import json
import pickle
import textwrap
import zipfile

import pytest
import torch
from torch.export import Dim

from diffex.base.errors import ClassifierError
from diffex.classifiers import Classifier, check_classifier, export_classifier, open_classifier, write_card
from diffex.classifiers.adapters.side_card import side_card_path
from diffex.classifiers.chunks import split_into_chunks

X = torch.rand(5, 1, 16, 16, generator=torch.Generator().manual_seed(3))


def same(one, other):
    torch.testing.assert_close(one.logits(X, (0, 1)), other.logits(X, (0, 1)), rtol=1e-3, atol=1e-3)


def save_program(module, path, batch=None, **more):
    sizes = ({0: Dim.DYNAMIC},) if batch is None else None
    program = torch.export.export(module, (torch.zeros(batch or 2, 1, 16, 16),), dynamic_shapes=sizes)
    torch.export.save(program, path, **more)


def rewritten(path, out, change):
    """Copy an archive with some records changed."""
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(out, "w") as target:
        for name in source.namelist():
            target.writestr(name, change(name, source.read(name)))
    write_card(open_classifier(str(path)).card, side_card_path(out))
    return str(out)


@pytest.fixture
def exported(classifier, tmp_path):
    path = tmp_path / "net.pt2"
    export_classifier(classifier, path)
    return path


def test_export_round_trip(classifier, exported, make_images):
    opened = open_classifier(str(exported), make_images())
    assert opened.card == classifier.card
    assert opened.address == str(exported)
    same(opened, classifier)
    check_classifier(opened)
    assert [one.shape[-1] for one in opened.features(X, (0, 1))] == [8, 4, 2]
    assert open_classifier(str(exported)).state_hash() == opened.state_hash()


def test_card_inside_the_archive(classifier, tmp_path):
    path = tmp_path / "net.pt2"
    save_program(classifier.module, path, extra_files={"card.json": classifier.card.model_dump_json()})
    same(open_classifier(str(path)), classifier)


@pytest.mark.parametrize("batch", [1, 4])
def test_fixed_batch_size(classifier, tmp_path, batch):
    path = tmp_path / "net.pt2"
    save_program(classifier.module, path, batch)
    write_card(classifier.card, side_card_path(path))
    opened = open_classifier(str(path))
    same(opened, classifier)
    check_classifier(opened)
    for one, other in zip(opened.features(X, (0, 1)), classifier.features(X, (0, 1)), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-3)


def test_missing_card_says_how_to_write_one(exported):
    side_card_path(exported).unlink()
    with pytest.raises(ClassifierError, match=r"net\.card\.json beside it: write there.*class_names"):
        open_classifier(str(exported))


def test_program_in_training_mode_is_refused(make_net, classifier, tmp_path):
    path = tmp_path / "net.pt2"
    save_program(make_net().train(), path)
    write_card(classifier.card, side_card_path(path))
    with pytest.raises(ClassifierError, match="evaluation mode"):
        open_classifier(str(path))


def test_wrong_card_is_refused(classifier, exported):
    write_card(classifier.card.model_copy(update={"class_names": ("a", "b", "c")}), side_card_path(exported))
    with pytest.raises(ClassifierError, match="as many class_names"):
        open_classifier(str(exported))


class Bomb:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")


def test_sample_inputs_are_never_unpickled(classifier, exported, tmp_path):
    mark = tmp_path / "exploded"

    def change(name, data):
        if "sample_inputs" not in name:
            return data
        buffer = io.BytesIO()
        torch.save(Bomb(str(mark)), buffer)
        return buffer.getvalue()

    same(open_classifier(rewritten(exported, tmp_path / "bomb.pt2", change)), classifier)
    assert not mark.exists()


def model_change(function):
    def change(name, data):
        if not name.endswith("models/model.json"):
            return data
        model = json.loads(data)
        function(model)
        return json.dumps(model).encode()

    return change


def set_guard(model):
    model["guards_code"] = ["exec('raise SystemExit')"]


def set_target(model):
    model["graph_module"]["graph"]["nodes"][0]["target"] = "torch.hub.load"


def set_operator(model):
    model["graph_module"]["graph"]["nodes"][0]["target"] = "_operator.call"


def set_name(model):
    model["graph_module"]["module_call_graph"][0]["signature"]["forward_arg_names"] = ["x=exit()"]


def set_size(model):
    for value in model["graph_module"]["graph"]["tensor_values"].values():
        value["sizes"] = value["sizes"][:1] and [{"as_expr": {"expr_str": "exec(1)", "hint": None}}]


def test_guards_are_not_run(classifier, exported, tmp_path):
    same(open_classifier(rewritten(exported, tmp_path / "new.pt2", model_change(set_guard))), classifier)


@pytest.mark.parametrize("function", [set_target, set_operator, set_name, set_size])
def test_code_in_the_graph_is_refused(exported, tmp_path, function):
    with pytest.raises(ClassifierError, match="expected tensors and tensor operations only"):
        open_classifier(rewritten(exported, tmp_path / "new.pt2", model_change(function)))


def test_pickled_weights_are_refused(exported, tmp_path):
    def change(name, data):
        return data.replace(b'"use_pickle": false', b'"use_pickle": true') if "config" in name else data

    with pytest.raises(ClassifierError, match="pickled"):
        open_classifier(rewritten(exported, tmp_path / "new.pt2", change))


def test_damaged_and_missing_programs(exported, tmp_path):
    path = tmp_path / "bad.pt2"
    path.write_bytes(exported.read_bytes()[:500])
    with pytest.raises(ClassifierError, match="no exported program"):
        open_classifier(str(path))
    with pytest.raises(ClassifierError, match="missing"):
        open_classifier(str(tmp_path / "none.pt2"))


@pytest.mark.parametrize("name", ["net.pt", "net.pth", "net.ckpt", "net.pkl", "NET.PT"])
def test_pickled_files_are_refused_unread(tmp_path, name):
    mark = tmp_path / "exploded"
    (tmp_path / name).write_bytes(pickle.dumps(Bomb(str(mark))))
    with pytest.raises(ClassifierError, match=r"torch\.export"):
        open_classifier(str(tmp_path / name))
    assert not mark.exists()


@pytest.mark.parametrize("address", ["", "nowhere", "http:thing"])
def test_unknown_addresses_list_the_forms(address):
    with pytest.raises(ClassifierError, match=r"hf:ORG/NAME.*py:MODULE:CALLABLE"):
        open_classifier(address)


def test_export_refuses_what_it_cannot_write(classifier, tmp_path):
    with pytest.raises(ClassifierError, match=r"ends in \.pt2"):
        export_classifier(classifier, tmp_path / "net.pt")
    box = Classifier.wrap(lambda x: x.mean((2, 3)) * 9, class_names="ab", size=8, channels=2)
    with pytest.raises(ClassifierError, match="expected a module"):
        export_classifier(box, tmp_path / "net.pt2")


def test_chunks_pad_and_drop():
    chunks = split_into_chunks(X, 3)
    assert [len(chunk) for chunk in chunks] == [3, 3]
    assert torch.equal(torch.cat(chunks)[:5], X)
    assert torch.equal(chunks[1][2], X[4])
    assert split_into_chunks(X, 5)[0].shape == X.shape


PYTHON = """
from torch import nn
def plain():
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
def carded():
    return plain()
carded.card = {"class_names": ["x", "y"], "size": [20, 20], "channels": 1, "mean": 0.4}
def text():
    return "no network"
def judge(images):
    return images.mean((1, 2, 3))
number = 3

def torn():
    open("weights.pt")
"""


@pytest.fixture
def python_module(tmp_path, monkeypatch):
    (tmp_path / "users_nets_for_diffex.py").write_text(textwrap.dedent(PYTHON))
    monkeypatch.chdir(tmp_path)
    return "py:users_nets_for_diffex"


def test_python_callable(python_module, make_images):
    carded = open_classifier(f"{python_module}:carded")
    assert carded.card.class_names == ("x", "y")
    assert carded.card.mean == (0.4,)
    check_classifier(carded)
    plain = open_classifier(f"{python_module}:plain", make_images())
    assert plain.card.class_names == ("DMSO", "drug")
    assert plain.card.size == (16, 16)
    with pytest.raises(ClassifierError, match="does not know"):
        open_classifier(f"{python_module}:carded", make_images())


@pytest.mark.parametrize(
    ("rest", "words"),
    [
        (":plain", "has no card"),
        (":text", "returned a str"),
        (":judge", "cannot be called without arguments .*missing a required argument: 'images'"),
        (":number", "is a int"),
        (":torn", "failed when it was called .FileNotFoundError: .*weights.pt"),
        (":absent", "cannot be imported"),
        ("_absent:plain", "cannot be imported"),
        ("", "expected py:MODULE:CALLABLE"),
    ],
)
def test_python_errors(python_module, rest, words):
    with pytest.raises(ClassifierError, match=words):
        open_classifier(python_module + rest)
