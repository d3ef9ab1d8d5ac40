"""Addresses of classifiers, opened."""

from pathlib import Path

from diffex.base.errors import ClassifierError
from diffex.classifiers.adapters.clip import open_clip
from diffex.classifiers.adapters.exported import open_exported
from diffex.classifiers.adapters.huggingface import open_huggingface
from diffex.classifiers.adapters.onnx_file import open_onnx
from diffex.classifiers.adapters.python_callable import open_python
from diffex.classifiers.adapters.timm_model import open_timm
from diffex.classifiers.alignment import check_images
from diffex.classifiers.classifier import Classifier
from diffex.images.images import Images

_FORMS = (
    "a diffex classifier folder, FILE.pt2, FILE.onnx, timm:NAME, hf:ORG/NAME, hf:FOLDER, "
    "clip:ORG/NAME?labels=A,B or py:MODULE:CALLABLE"
)
_PICKLED = (".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".bin", ".joblib", ".jit")


def open_classifier(address: str, images: Images | None = None) -> Classifier:
    """Open a classifier from disk, a hub or Python code.

    Parameters
    ----------
    address : str
        A diffex classifier folder, ``FILE.pt2`` (torch.export), ``FILE.onnx``, ``timm:NAME``,
        ``hf:ORG/NAME``, ``hf:FOLDER``, ``clip:ORG/NAME?labels=A,B`` or ``py:MODULE:CALLABLE``. Nothing is
        ever unpickled.
    images : Images, optional
        What is to be explained: checked against the card, the source of the card for ``py:`` addresses
        without one, and of the labels for ``clip:`` addresses without any.

    Returns
    -------
    Classifier
        Tried with two images.

    Raises
    ------
    ClassifierError
        If the address is unknown, or network, card and images do not fit.
    MissingPartError
        If an optional library is not installed.
    """
    classifier = _open(address, images)
    if images is not None:
        check_images(classifier, images)
    return classifier


def _open(address: str, images: Images | None) -> Classifier:
    scheme, colon, rest = address.partition(":")
    if colon and scheme in ("timm", "hf", "py", "clip"):
        return _open_scheme(scheme, rest, address, images)
    path = Path(address)
    suffix = path.suffix.lower()
    if suffix in _PICKLED:
        raise ClassifierError(
            f"--classifier got {address}, a pickled file, which can run any code and is never opened: "
            "export the module with torch.export.save(torch.export.export(...), 'net.pt2'), or use "
            "py:MODULE:CALLABLE."
        )
    if suffix == ".pt2":
        return open_exported(path, address)
    if suffix == ".onnx":
        return open_onnx(path, address)
    return _open_folder(path, address)


def _open_scheme(scheme: str, rest: str, address: str, images: Images | None) -> Classifier:
    if scheme == "timm":
        return open_timm(rest, address)
    if scheme == "hf":
        return open_huggingface(rest, address)
    if scheme == "py":
        return open_python(rest, address, images)
    return open_clip(rest, () if images is None else images.class_names)


def _open_folder(path: Path, address: str) -> Classifier:
    if not (path / "config.json").is_file() or not (path / "model.safetensors").is_file():
        raise ClassifierError(f"--classifier got {address!r}, expected {_FORMS}: correct the address.")
    from diffex.classifiers.blackbox import load_black_box

    return load_black_box(path)
