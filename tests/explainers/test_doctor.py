import numpy as np
import pytest
import torch

from diffex.base.errors import ClassifierError, InputError
from diffex.classifiers import Classifier
from diffex.explainers.contact_sheet import contact_sheet
from diffex.explainers.doctor import examine
from diffex.images import images_from_arrays

SIZE = 32


def cells(count=240, background=0.0, brightness=40.0, seed=0):
    """Discs whose brightness, and background where asked for, differ between two classes."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    y, x = np.mgrid[:SIZE, :SIZE] - SIZE / 2
    inside = np.hypot(x, y)[None] < rng.uniform(7, 10, count)[:, None, None]
    pixels = rng.normal(30, 4, (count, SIZE, SIZE)) + inside * (100 + brightness * labels[:, None, None])
    return (pixels + background * labels[:, None, None])[:, None].clip(0, 255).astype(np.float32), labels


def images_of(pixels, labels=None, class_names=("DMSO", "drug"), **more):
    return images_from_arrays(
        pixels,
        value_range=(0, 255),
        labels=labels,
        class_names=class_names if labels is not None else (),
        **more,
    )


def wells(labels, each=12):
    return np.array([f"{'ab'[label]}{i // 2 % each}" for i, label in enumerate(labels)])


def brightness_classifier(scale=1.0, class_names=("DMSO", "drug")):
    """A classifier that looks at the mean of the centre."""
    net = torch.nn.Linear(1, 2)
    with torch.no_grad():
        net.weight.copy_(torch.tensor([[-scale], [scale]]))
        net.bias.copy_(torch.tensor([150.0 * scale, -150.0 * scale]))

    class Centre(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.net = net

        def forward(self, x):
            return self.net(x[:, :, 12:20, 12:20].mean((1, 2, 3))[:, None])

    return Classifier.wrap(
        Centre(), class_names=class_names, size=SIZE, channels=1, value_range=(0, 255), mean=0, std=1
    )


def sentences(checkup, severity="warn"):
    return [problem.sentence for problem in checkup.problems if problem.severity == severity]


def said(checkup, text):
    return any(text in sentence for sentence in sentences(checkup))


def test_a_healthy_set_has_no_problem():
    pixels, labels = cells()
    checkup = examine(images_of(pixels, labels, groups=wells(labels)), brightness_classifier(0.1))
    assert checkup.problems == ()
    assert checkup.healthy
    assert (checkup.counts, checkup.groups, checkup.looked_at) == ({"DMSO": 120, "drug": 120}, 24, 240)
    assert checkup.agreement.balanced_accuracy[0] > 0.95
    assert checkup.differences["over"].unique().tolist() == ["groups"]
    bright = checkup.differences.set_index("words").loc["mean ch0 in the object"]
    assert bright.difference > 3 and bright.low > 0


def test_a_difference_in_the_background_is_suspected():
    pixels, labels = cells(background=10)
    checkup = examine(images_of(pixels, labels))
    assert said(checkup, "which a classifier can use as a shortcut")
    assert said(checkup, "No groups are given")


@pytest.mark.parametrize(
    ("count", "severity", "text"),
    [(20, "stop", "a fit needs at least 40"), (60, "warn", "fewer than 200")],
)
def test_few_images(count, severity, text):
    checkup = examine(images_of(*cells(count)))
    assert any(text in sentence for sentence in sentences(checkup, severity))
    assert checkup.healthy == (severity == "warn")
    if severity == "stop":
        with pytest.raises(InputError, match=text):
            checkup.require_healthy()


def test_classes_unbalanced_and_from_one_group():
    pixels, labels = cells()
    keep = np.r_[np.flatnonzero(labels == 0), np.flatnonzero(labels == 1)[:15]]
    groups = np.where(labels == 1, "b1", wells(labels))[keep]
    checkup = examine(images_of(pixels[keep], labels[keep], groups=groups))
    assert said(checkup, "Classes are unbalanced (DMSO 120, drug 15)")
    assert said(checkup, "Class drug has 15 images")
    assert said(checkup, "All images of class drug come from one group (b1)")


def test_few_groups():
    pixels, labels = cells()
    checkup = examine(images_of(pixels, labels, groups=wells(labels, each=2)))
    assert said(checkup, "There are 4 groups, fewer than 6")


def test_saturated_blank_and_dim_pixels():
    pixels, labels = cells()
    bright = np.where(pixels > 100, 255, pixels).astype(np.float32)
    assert said(examine(images_of(bright, labels)), "Channel ch0 is saturated at 255")
    bright[7] = 3
    assert said(examine(images_of(bright, labels)), "Channel ch0 is blank in 1 of 240")
    assert said(examine(images_of(pixels / 100, labels)), "of the range 0 to 255")


def test_duplicates_between_groups_and_classes():
    pixels, labels = cells()
    pixels[5] = pixels[2]  # another class, another well
    checkup = examine(images_of(pixels, labels, groups=wells(labels)))
    assert said(checkup, "1 images occur in two groups with the same pixels")
    assert said(checkup, "1 images occur in two classes with the same pixels")


def test_without_labels_classes_are_the_predictions():
    pixels, _ = cells()
    checkup = examine(images_of(pixels), brightness_classifier(0.1))
    assert checkup.labels_are_predictions
    assert checkup.agreement.balanced_accuracy is None
    assert said(checkup, "classes are the classifier's own predictions")
    assert len(checkup.differences)


def test_without_labels_and_classifier_there_is_nothing_to_explain():
    checkup = examine(images_of(cells()[0]))
    assert sentences(checkup, "stop")[0].startswith("The images have no labels and there is no classifier")
    assert (len(checkup.differences), checkup.rows) == (0, ())


def test_one_class_is_enough_with_a_classifier_only():
    pixels, labels = cells()
    one = images_of(pixels[labels == 1], np.zeros(120, dtype=np.int64), ("drug",))
    assert "There is one class only (drug)" in sentences(examine(one), "stop")[0]
    assert examine(one, brightness_classifier(0.1)).healthy


def test_classifiers_that_know_nothing_or_saturate():
    pixels, labels = cells()
    images = images_of(pixels, labels)
    assert said(
        examine(images_of(pixels, labels[::-1].copy()), brightness_classifier(0.1)), "hardly above chance"
    )
    assert said(examine(images, brightness_classifier(10)), "logits are saturated")
    assert said(examine(images_of(pixels / 4, labels), brightness_classifier(0.1)), "says DMSO to all of 240")


def test_labels_follow_the_order_of_the_card():
    pixels, labels = cells()
    turned = images_of(pixels, 1 - labels, ("drug", "DMSO"))
    checkup = examine(turned, brightness_classifier(0.1))
    assert checkup.agreement.balanced_accuracy[0] > 0.95
    assert checkup.rows == ("DMSO", "drug")


def test_a_classifier_that_does_not_fit_is_refused():
    pixels, labels = cells(60)
    with pytest.raises(ClassifierError, match="does not know"):
        examine(images_of(pixels, labels, ("DMSO", "other")), brightness_classifier())


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_contact_sheet_shows_a_row_per_class(channels):
    pixels = torch.rand(30, channels, 28, 28, generator=torch.Generator().manual_seed(0))
    sheet = contact_sheet(pixels, np.arange(30) % 3, columns=4)
    assert (sheet.shape, sheet.dtype) == ((3 * 30 + 2, 4 * 30 + 2, 3), np.uint8)
    assert contact_sheet(pixels, None, columns=7, rows=2).shape[0] == 2 * 30 + 2
