"""The attribute method with the usual verbs: fit, explain, save, load."""

import tempfile
from pathlib import Path
from typing import final

from diffex.base.devices import resolve_device
from diffex.base.errors import InputError
from diffex.classifiers import Classifier, align_labels
from diffex.explainers.attributes import explain_attributes
from diffex.explainers.config import AttributeConfig
from diffex.generators.config import GeneratorConfig
from diffex.generators.making import FitRequest, fit_model
from diffex.generators.model import Model, open_model
from diffex.images import Images
from diffex.runs import Explanation


@final
class AttributeExplainer:
    """Explain a classifier by ranked, tested attributes.

    Parameters
    ----------
    target : str
        The class explained.
    folder : str or Path, optional
        Where the fitted model is kept and resumed; default a temporary folder.
    generator : GeneratorConfig, optional
        Network, losses, steps.
    config : AttributeConfig, optional
        Sizes and thresholds; its target is replaced by `target`.
    device : {"auto", "cpu", "cuda", "mps"}
        Where to compute.

    Attributes
    ----------
    model_ : Model
        After `fit` or `from_pretrained`.
    """

    def __init__(
        self,
        target: str,
        *,
        folder: str | Path | None = None,
        generator: GeneratorConfig | None = None,
        config: AttributeConfig | None = None,
        device: str = "auto",
    ) -> None:
        self.target, self.folder, self.generator, self.config, self.device = (
            target, folder, generator, config, device,
        )  # fmt: skip
        self.model_: Model | None = None

    def fit(self, images: Images, classifier: Classifier | None = None) -> "AttributeExplainer":
        """Fit a generator around a classifier (a black box of our own where none is given).

        Parameters
        ----------
        images : Images
            Labelled, unless a classifier is given.
        classifier : Classifier, optional
            The thing explained.

        Returns
        -------
        AttributeExplainer
            This one.
        """
        folder = Path(self.folder) if self.folder is not None else Path(tempfile.mkdtemp(prefix="diffex-"))
        request = FitRequest(images, self.generator or GeneratorConfig(), classifier)
        self.model_ = fit_model(request, folder, resolve_device(self.device))
        return self

    def explain(self, images: Images) -> Explanation:
        """Explain on images, best not those it was fitted on.

        Parameters
        ----------
        images : Images
            Of the form of the fitting images.

        Returns
        -------
        Explanation
            Ranked effects, pictures, measurements.

        Raises
        ------
        InputError
            If nothing was fitted or loaded yet.
        """
        if self.model_ is None:
            raise InputError("AttributeExplainer is not fitted yet: call fit, or from_pretrained, first.")
        config = self.config or AttributeConfig(target=self.target)
        config = config.model_copy(update={"target": self.target})
        return explain_attributes(align_labels(images, self.model_.classifier.card), self.model_, config)

    def save_pretrained(self, folder: str | Path) -> Path:
        """Copy the fitted model to a folder.

        Parameters
        ----------
        folder : str or Path
            New or empty.

        Returns
        -------
        Path
            The folder.

        Raises
        ------
        InputError
            If nothing was fitted, or the folder is not empty.
        """
        import shutil

        target = Path(folder)
        if self.model_ is None or (target.exists() and any(target.iterdir())):
            raise InputError(f"save_pretrained needs a fitted explainer and an empty folder, got {target}.")
        shutil.copytree(self.model_.address, target, dirs_exist_ok=True)
        return target

    @classmethod
    def from_pretrained(
        cls,
        folder: str | Path,
        target: str,
        *,
        classifier: Classifier | None = None,
        config: AttributeConfig | None = None,
        device: str = "auto",
    ) -> "AttributeExplainer":
        """Open a model folder.

        Parameters
        ----------
        folder : str or Path
            From `save_pretrained` or ``diffex fit``.
        target : str
            The class explained.
        classifier : Classifier, optional
            Where it cannot be opened by its address.
        config : AttributeConfig, optional
            Sizes and thresholds.
        device : {"auto", "cpu", "cuda", "mps"}
            Where to compute.

        Returns
        -------
        AttributeExplainer
            Ready to explain.
        """
        explainer = cls(target, folder=folder, config=config, device=device)
        explainer.model_ = open_model(Path(folder), resolve_device(device), classifier)
        return explainer
