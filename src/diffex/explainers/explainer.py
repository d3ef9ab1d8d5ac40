"""Methods with the usual verbs: fit, explain, save, load."""

import tempfile
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Generic, Self, TypeVar, final

from diffex.base.devices import resolve_device
from diffex.base.errors import InputError
from diffex.classifiers import Classifier, align_labels
from diffex.explainers.attributes import explain_attributes
from diffex.explainers.config import AttributeConfig
from diffex.explainers.rules.config import RuleConfig
from diffex.explainers.rules.explain import explain_rules
from diffex.generators.config import GeneratorConfig
from diffex.generators.making import FitRequest, fit_model
from diffex.generators.model import Model, open_model
from diffex.images import Images
from diffex.runs import Explanation

Config = TypeVar("Config", AttributeConfig, RuleConfig)


class Explainer(ABC, Generic[Config]):
    """What methods share: a model, fitted or opened.

    Parameters
    ----------
    target : str
        The class explained.
    folder : str or Path, optional
        Where the fitted model is kept and resumed; default a temporary folder.
    generator : GeneratorConfig, optional
        Network, losses, steps.
    config : AttributeConfig or RuleConfig, optional
        Sizes and thresholds of the method; its target is replaced by `target`.
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
        config: Config | None = None,
        device: str = "auto",
    ) -> None:
        self.target, self.folder, self.generator, self.device = target, folder, generator, device
        self.config: Config | None = config
        self.model_: Model | None = None

    def fit(self, images: Images, classifier: Classifier | None = None) -> "Self":
        """Fit a generator around a classifier (a black box of our own where none is given).

        Parameters
        ----------
        images : Images
            Labelled, unless a classifier is given.
        classifier : Classifier, optional
            The thing explained.

        Returns
        -------
        Explainer
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
            name = type(self).__name__
            raise InputError(f"{name} is not fitted yet: call fit, or from_pretrained, first.")
        return self._explain(align_labels(images, self.model_.classifier.card), self.model_)

    @abstractmethod
    def _explain(self, images: Images, model: Model) -> Explanation:
        """Explain with the method's own configuration."""

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
        config: Config | None = None,
        device: str = "auto",
    ) -> Self:
        """Open a model folder.

        Parameters
        ----------
        folder : str or Path
            From `save_pretrained` or ``diffex fit``.
        target : str
            The class explained.
        classifier : Classifier, optional
            Where it cannot be opened by its address.
        config : AttributeConfig or RuleConfig, optional
            Sizes and thresholds.
        device : {"auto", "cpu", "cuda", "mps"}
            Where to compute.

        Returns
        -------
        Explainer
            Ready to explain.
        """
        explainer = cls(target, folder=folder, config=config, device=device)
        explainer.model_ = open_model(Path(folder), resolve_device(device), classifier)
        return explainer


@final
class AttributeExplainer(Explainer[AttributeConfig]):
    """Explain a classifier by ranked, tested attributes; see `Explainer` and `AttributeConfig`."""

    def _explain(self, images: Images, model: Model) -> Explanation:
        config = self.config or AttributeConfig(target=self.target)
        return explain_attributes(images, model, config.model_copy(update={"target": self.target}))


@final
class RuleExplainer(Explainer[RuleConfig]):
    """Explain a classifier by a short formula per class; see `Explainer` and `RuleConfig`."""

    def _explain(self, images: Images, model: Model) -> Explanation:
        config = self.config or RuleConfig(target=self.target)
        return explain_rules(images, model, config.model_copy(update={"target": self.target}))
