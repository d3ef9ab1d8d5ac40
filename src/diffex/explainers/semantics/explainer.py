"""The semantic method with the usual verbs: fit, explain, save, load."""

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self, final

from diffex.base.devices import resolve_device
from diffex.base.errors import FolderError, InputError
from diffex.base.files import read_json, write_json
from diffex.classifiers import Classifier, fit_black_box, load_black_box, open_classifier
from diffex.concepts import ConceptTree
from diffex.concepts.describers import Describer, OfflineDescriber
from diffex.explainers.semantics.config import SemanticConfig
from diffex.explainers.semantics.explain import explain_semantics
from diffex.generators.text.model import SHIPPED, TextModel, open_text_model
from diffex.images import Images
from diffex.measurements import OwnMeasurement
from diffex.runs import Explanation

_HEAD, _CLASSIFIER, _TEXT = "semantics.json", "classifier", "text"


@final
@dataclass(frozen=True, eq=False)
class SemanticModel:
    """What a semantic explanation stands on.

    Parameters
    ----------
    classifier : Classifier
        The thing explained.
    text : TextModel
        What edits phrases into images.
    tree : ConceptTree
        The phrases.
    editor : str
        Where the text model comes from.
    """

    classifier: Classifier
    text: TextModel
    tree: ConceptTree
    editor: str


@final
class SemanticExplainer:
    """Explain a classifier by phrases that are edited into images; see `SemanticConfig`.

    Parameters
    ----------
    target : str
        The class explained.
    editor : str, default "shipped"
        Text-to-image model: ``shipped`` (planted cells), a folder, or ``ORG/NAME``.
    tree : ConceptTree, optional
        The phrases; default what `describer` proposes for the fitting images.
    describer : Describer, optional
        Default the offline ontology.
    folder : str or Path, optional
        Where a black box is kept, if one is fitted; default a temporary folder.
    config : SemanticConfig, optional
        Sizes and thresholds; its target is replaced by `target`.
    own : sequence of OwnMeasurement
        Functions by whose names `tree` says what its phrases move, beside the catalogue's measurements.
    device : {"auto", "cpu", "cuda", "mps"}
        Where to compute.

    Attributes
    ----------
    model_ : SemanticModel
        After `fit` or `from_pretrained`.
    """

    def __init__(
        self,
        target: str,
        *,
        editor: str = "shipped",
        tree: ConceptTree | None = None,
        describer: Describer | None = None,
        folder: str | Path | None = None,
        config: SemanticConfig | None = None,
        own: Sequence[OwnMeasurement] = (),
        device: str = "auto",
    ) -> None:
        self.target, self.editor, self.tree, self.describer = target, editor, tree, describer
        self.folder, self.config, self.own, self.device = folder, config, tuple(own), device
        self.model_: SemanticModel | None = None

    def fit(self, images: Images, classifier: Classifier | None = None) -> Self:
        """Open the text model and let phrases be proposed for these images.

        Parameters
        ----------
        images : Images
            Labelled, unless a classifier is given.
        classifier : Classifier, optional
            The thing explained; default a black box of our own, fitted to the images.

        Returns
        -------
        SemanticExplainer
            This one.
        """
        device = resolve_device(self.device)
        if classifier is None:
            folder = Path(self.folder or tempfile.mkdtemp(prefix="diffex-"))
            classifier, _ = fit_black_box(images, folder / _CLASSIFIER, device=device)
        describer = self.describer or OfflineDescriber(view=self.config.view if self.config else "cell")
        tree = self.tree or describer.describe(images, None)
        self.model_ = SemanticModel(classifier, open_text_model(self.editor, device), tree, self.editor)
        return self

    def explain(self, images: Images) -> Explanation:
        """Explain on images, best not those the classifier was fitted on.

        Parameters
        ----------
        images : Images
            Of the text model's form.

        Returns
        -------
        Explanation
            Ranked phrases, pictures, measurements.

        Raises
        ------
        InputError
            If nothing was fitted or loaded yet.
        """
        model = self._fitted()
        config = (self.config or SemanticConfig(target=self.target)).model_copy(
            update={"target": self.target}
        )
        transcript = self.describer.transcript if self.describer is not None else ()
        return explain_semantics(
            images, model.classifier, model.text, model.tree, config,
            address=model.editor, transcript=transcript, own=self.own,
        )  # fmt: skip

    def save_pretrained(self, folder: str | Path) -> Path:
        """Keep phrases, text model and, where it is one of our own, the classifier.

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
        model, target = self._fitted(), Path(folder)
        if target.exists() and any(target.iterdir()):
            raise InputError(f"save_pretrained needs an empty folder, got {target}.")
        target.mkdir(parents=True, exist_ok=True)
        address = model.classifier.address
        if Path(address).is_dir():
            shutil.copytree(address, target / _CLASSIFIER)
        if model.editor != "shipped":
            model.text.save(target / _TEXT)
        kept = {"tree": model.tree.as_dict(), "classifier": address, "editor": model.editor}
        write_json(target / _HEAD, kept)
        return target

    @classmethod
    def from_pretrained(
        cls,
        folder: str | Path,
        target: str,
        *,
        classifier: Classifier | None = None,
        config: SemanticConfig | None = None,
        own: Sequence[OwnMeasurement] = (),
        device: str = "auto",
    ) -> Self:
        """Open what `save_pretrained` kept.

        Parameters
        ----------
        folder : str or Path
            From `save_pretrained`.
        target : str
            The class explained.
        classifier : Classifier, optional
            Where it cannot be opened by its address.
        config : SemanticConfig, optional
            Sizes and thresholds.
        own : sequence of OwnMeasurement
            As to the class; functions are not kept in the folder.
        device : {"auto", "cpu", "cuda", "mps"}
            Where to compute.

        Returns
        -------
        SemanticExplainer
            Ready to explain.

        Raises
        ------
        FolderError
            If the folder is no saved semantic explainer.
        """
        folder = Path(folder)
        if not (folder / _HEAD).is_file():
            raise FolderError(f"{folder} has no {_HEAD}: give a folder of SemanticExplainer.save_pretrained.")
        kept = read_json(folder / _HEAD)
        tree = ConceptTree.from_dict(kept["tree"])
        explainer = cls(target, editor=kept["editor"], tree=tree, config=config, own=own, device=device)
        text = folder / _TEXT if (folder / _TEXT).is_dir() else SHIPPED
        if classifier is None:
            place = folder / _CLASSIFIER
            classifier = load_black_box(place) if place.is_dir() else open_classifier(kept["classifier"])
        opened = open_text_model(str(text), resolve_device(device))
        explainer.model_ = SemanticModel(classifier, opened, tree, kept["editor"])
        return explainer

    def _fitted(self) -> SemanticModel:
        if self.model_ is None:
            raise InputError("SemanticExplainer is not fitted yet: call fit, or from_pretrained, first.")
        return self.model_
