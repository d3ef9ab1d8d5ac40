"""The thing explained: a network with its card, opened from anywhere, asked for logits only."""

from diffex.classifiers.alignment import align_labels, check_images
from diffex.classifiers.blackbox import load_black_box
from diffex.classifiers.calibration import balanced_accuracy_interval, fit_temperature
from diffex.classifiers.card import ClassifierCard, make_card, read_card, write_card
from diffex.classifiers.classifier import Classifier
from diffex.classifiers.contract import check_classifier
from diffex.classifiers.export import export_classifier
from diffex.classifiers.fitting import fit_black_box, fit_twin
from diffex.classifiers.margins import margin, margins, probabilities
from diffex.classifiers.opening import open_classifier

__all__ = [
    "Classifier",
    "ClassifierCard",
    "align_labels",
    "balanced_accuracy_interval",
    "check_classifier",
    "check_images",
    "export_classifier",
    "fit_black_box",
    "fit_temperature",
    "fit_twin",
    "load_black_box",
    "make_card",
    "margin",
    "margins",
    "open_classifier",
    "probabilities",
    "read_card",
    "write_card",
]
