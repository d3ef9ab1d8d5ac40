"""Contracts that a third party's classifier, editor or explainer can be checked against."""

from diffex.classifiers.contract import check_classifier

__all__ = ["check_classifier"]
