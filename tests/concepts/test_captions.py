"""Captions from a column, and captions that measurements bear out."""

import numpy as np
import pandas as pd
import pytest

from diffex.base.errors import InputError
from diffex.concepts import ConceptTree, Node
from diffex.concepts.captions import measured_captions, read_captions
from diffex.images import PlantedCells, images_from_arrays
from diffex.measurements import quantities


def test_a_column_is_read_between_commas():
    table = pd.DataFrame({"said": ["Large nucleus, bright cell", None, " , dim "]})
    images = images_from_arrays(np.zeros((3, 1, 32, 32), np.float32), table=table)
    assert read_captions(images, "said") == [("large nucleus", "bright cell"), (), ("dim",)]
    with pytest.raises(InputError, match="'sad', the table has said"):
        read_captions(images, "sad")


def test_phrases_are_said_of_images_whose_measurement_is_clearly_on_their_side():
    images = PlantedCells().images(40, seed=2)
    area = next(c for c in ("area_um2", "area_px") if c in _columns(images))
    tree = ConceptTree(
        (
            Node("size", "size"),
            Node("size/large", "large", "size", "large nucleus", area),
            Node("size/small", "small", "size", "small nucleus", area, rises=False),
            Node("size/odd", "odd", "size", "odd nucleus"),
        )
    )
    said = measured_captions(images, tree)
    truth = images.table["factor_nucleus_area"].to_numpy()
    large = np.array(["large nucleus" in phrases for phrases in said])
    small = np.array(["small nucleus" in phrases for phrases in said])
    assert not (large & small).any()
    assert truth[large].mean() > 0.7
    assert truth[small].mean() < -0.7
    assert {phrase for phrases in said for phrase in phrases} == {"large nucleus", "small nucleus"}


def _columns(images):
    return [quantity.name for quantity in quantities(images.channel_names, images.pixel_size_um)]
