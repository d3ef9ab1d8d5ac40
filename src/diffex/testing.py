"""Contracts that a third party's classifier, editor or explainer can be checked against."""

from diffex.classifiers.contract import check_classifier
from diffex.editors.contract import check_editor
from diffex.explainers.contract import check_explainer

__all__ = ["check_classifier", "check_editor", "check_explainer"]
