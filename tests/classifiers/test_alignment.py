import numpy as np
import pytest

from diffex.base.errors import ClassifierError
from diffex.classifiers import Classifier, align_labels, check_images
from diffex.classifiers.card import make_card
from diffex.images.images import images_from_arrays


def test_labels_take_the_order_of_the_card(classifier, make_images):
    images = make_images(("drug", "DMSO"), (0, 1, 1))
    aligned = align_labels(images, classifier.card)
    assert aligned.class_names == ("DMSO", "drug")
    assert aligned.labels.tolist() == [1, 0, 0]
    assert aligned.class_counts() == {"DMSO": 2, "drug": 1}
    assert images.labels.tolist() == [0, 1, 1]


def test_images_that_fit(classifier, make_images):
    check_images(classifier, make_images())
    check_images(classifier, make_images(("drug",), (0, 0)))
    assert align_labels(make_images(("drug",), (0, 0)), classifier.card).labels.tolist() == [1, 1]
    unlabelled = images_from_arrays(np.zeros((2, 1, 40, 40), dtype=np.float32))
    assert classifier.matches(unlabelled)
    assert align_labels(unlabelled, classifier.card) is unlabelled


def test_images_that_do_not_fit(classifier, make_images):
    assert not classifier.matches(make_images(channels=3))
    with pytest.raises(ClassifierError, match="3 channels"):
        check_images(classifier, make_images(channels=3))
    with pytest.raises(ClassifierError, match=r"does not know \(sick\)"):
        check_images(classifier, make_images(("DMSO", "sick")))
    with pytest.raises(ClassifierError, match="sick"):
        align_labels(make_images(("DMSO", "sick")), classifier.card)


def test_swapped_channels_are_noticed(make_net, make_images):
    fields = {
        "class_names": ["DMSO", "drug"],
        "size": (16, 16),
        "channels": 2,
        "channel_names": ["dna", "er"],
    }
    clf = Classifier(make_net(2), make_card(fields), differentiable=True)
    check_images(clf, make_images(channels=2, channel_names=["dna", "er"]))
    check_images(clf, make_images(channels=2))
    with pytest.raises(ClassifierError, match="order er, dna"):
        check_images(clf, make_images(channels=2, channel_names=["er", "dna"]))
