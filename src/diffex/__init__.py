"""Explain an image classifier: change images along one concept at a time and measure what it does."""

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from diffex import testing as testing
    from diffex.base.errors import DiffexError as DiffexError
    from diffex.classifiers import Classifier as Classifier
    from diffex.classifiers import ClassifierCard as ClassifierCard
    from diffex.classifiers import open_classifier as open_classifier
    from diffex.concepts import ConceptTree as ConceptTree
    from diffex.concepts import read_tree as read_tree
    from diffex.explainers.attributes import explain_attributes as explain_attributes
    from diffex.explainers.config import AttributeConfig as AttributeConfig
    from diffex.explainers.doctor import examine as examine
    from diffex.explainers.edit import edit_images as edit_images
    from diffex.explainers.explainer import AttributeExplainer as AttributeExplainer
    from diffex.explainers.explainer import RuleExplainer as RuleExplainer
    from diffex.explainers.responders.config import ResponderConfig as ResponderConfig
    from diffex.explainers.responders.respond import responders as responders
    from diffex.explainers.rules.config import RuleConfig as RuleConfig
    from diffex.explainers.rules.explain import explain_rules as explain_rules
    from diffex.explainers.scores.config import ScoreConfig as ScoreConfig
    from diffex.explainers.scores.score import score as score
    from diffex.explainers.semantics.config import SemanticConfig as SemanticConfig
    from diffex.explainers.semantics.explain import explain_semantics as explain_semantics
    from diffex.explainers.semantics.explainer import SemanticExplainer as SemanticExplainer
    from diffex.generators.config import GeneratorConfig as GeneratorConfig
    from diffex.generators.making import FitRequest as FitRequest
    from diffex.generators.making import fit_model as fit_model
    from diffex.generators.model import Model as Model
    from diffex.generators.model import open_model as open_model
    from diffex.generators.text.model import open_text_model as open_text_model
    from diffex.images import Images as Images
    from diffex.images import PlantedCells as PlantedCells
    from diffex.images import images_from_arrays as images_from_arrays
    from diffex.images import open_images as open_images
    from diffex.measurements import measure as measure
    from diffex.report.notebook import explanation_html as explanation_html
    from diffex.report.notebook import responses_html as responses_html
    from diffex.report.rendering import render_report

    report = render_report
    from diffex.runs import Explanation as Explanation
    from diffex.runs import read_run as read_run

    __version__: str

# Name -> where it is; loaded when first asked for, since torch alone takes seconds to import.
_FACE = {
    "AttributeConfig": "diffex.explainers.config",
    "AttributeExplainer": "diffex.explainers.explainer",
    "Classifier": "diffex.classifiers",
    "ClassifierCard": "diffex.classifiers",
    "ConceptTree": "diffex.concepts",
    "DiffexError": "diffex.base.errors",
    "Explanation": "diffex.runs",
    "FitRequest": "diffex.generators.making",
    "GeneratorConfig": "diffex.generators.config",
    "Images": "diffex.images",
    "Model": "diffex.generators.model",
    "PlantedCells": "diffex.images",
    "ResponderConfig": "diffex.explainers.responders.config",
    "RuleConfig": "diffex.explainers.rules.config",
    "RuleExplainer": "diffex.explainers.explainer",
    "ScoreConfig": "diffex.explainers.scores.config",
    "SemanticConfig": "diffex.explainers.semantics.config",
    "SemanticExplainer": "diffex.explainers.semantics.explainer",
    "edit_images": "diffex.explainers.edit",
    "examine": "diffex.explainers.doctor",
    "explain_attributes": "diffex.explainers.attributes",
    "explain_rules": "diffex.explainers.rules.explain",
    "explain_semantics": "diffex.explainers.semantics.explain",
    "explanation_html": "diffex.report.notebook",
    "fit_model": "diffex.generators.making",
    "images_from_arrays": "diffex.images",
    "measure": "diffex.measurements",
    "open_classifier": "diffex.classifiers",
    "open_images": "diffex.images",
    "open_model": "diffex.generators.model",
    "open_text_model": "diffex.generators.text.model",
    "read_run": "diffex.runs",
    "read_tree": "diffex.concepts",
    "report": "diffex.report:render_report",
    "responders": "diffex.explainers.responders.respond",
    "responses_html": "diffex.report.notebook",
    "score": "diffex.explainers.scores.score",
    "testing": "diffex.testing:",
}


class _Face(ModuleType):
    """The package itself: importing the room `diffex.report` must not hide the function of that name."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name != "report" or not isinstance(value, ModuleType):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Face


def __getattr__(name: str) -> Any:
    """Load a public name when it is first asked for."""
    if name == "__version__":
        from importlib.metadata import version

        return version("diffex")
    if name not in _FACE:
        raise AttributeError(f"module 'diffex' has no attribute {name!r}")
    address, colon, attribute = _FACE[name].partition(":")
    module = importlib.import_module(address)
    value = getattr(module, attribute or name) if attribute or not colon else module
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names, loaded or not."""
    return sorted([*_FACE, "__version__"])
