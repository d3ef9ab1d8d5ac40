"""The offline describer: what the ontologies say, and that the pixels agree."""

import numpy as np
import pytest

from diffex.base.errors import InputError
from diffex.concepts import ConceptTree, Measurable, column_of
from diffex.concepts.describers import OfflineDescriber, with_measurements
from diffex.concepts.describers.ontology import read_ontology
from diffex.images import PlantedCells, images_from_arrays, open_images
from diffex.measurements import measure, quantities

PLANTED = {  # factor: phrases that mean more and less of it
    "nucleus_area": ("large nucleus", "small nucleus"),
    "nucleus_eccentricity": ("elongated nucleus", "round nucleus"),
    "nucleus_intensity": ("bright nucleus", "dim nucleus"),
    "chromatin_granularity": ("grainy chromatin", "smooth chromatin"),
    "cell_area": ("large cell", "small cell"),
    "puncta_number": ("many puncta", "few puncta"),
    "puncta_intensity": ("bright puncta", "faint puncta"),
    "puncta_radius": ("peripheral puncta", "perinuclear puncta"),
    "cytoplasm_intensity": ("bright cytoplasm", "dim cytoplasm"),
    "background_gradient": ("uneven background", "even background"),
    "debris": ("bright debris", "no debris"),
}


@pytest.fixture(scope="module")
def planted_tree():
    return OfflineDescriber().describe(PlantedCells().images(80, seed=3))


def test_planted_words_are_there_with_the_right_sense(planted_tree):
    cells, count = PlantedCells(), 32
    factors, seeds = cells.sample_factors(count, seed=5), range(count)
    by_phrase = {node.phrase: node for node in planted_tree.phrases()}

    def measured(table):
        names = ("nucleus", "cytoplasm", "organelle")
        return measure(cells.render(table, list(seeds)), names, None, cells.pixel_size_um)

    spread = measured(factors).std()
    for factor, (more, less) in PLANTED.items():
        up, down = (
            measured(cells.do(factors, factor, delta=1.0)),
            measured(cells.do(factors, factor, delta=-1.0)),
        )
        column = by_phrase[more].measurement
        effect = float((up[column] - down[column]).mean() / spread[column])
        assert effect > 0.4, (factor, column, effect)
        assert by_phrase[more].rises and not by_phrase[less].rises
        assert by_phrase[less].measurement == column


def test_what_nothing_measures_is_kept_on_demand(planted_tree):
    cells = PlantedCells().images(80, seed=3)
    describer = OfflineDescriber(unmeasured=True)
    phrases = {node.phrase: node for node in describer.describe(cells).phrases()}
    measured = {node.phrase for node in planted_tree.phrases()}
    assert phrases["two nuclei"].measurement is None
    assert set(phrases) - measured == {"two nuclei", "single nucleus"}
    assert "bright background" in describer.transcript[0]["left_out"]


@pytest.mark.parametrize("name", ["microscopy", "general"])
@pytest.mark.parametrize(
    "channels", [["DNA", "actin", "mito", "FKHR"], ["red", "green", "blue"], ["grey"], ["c1", "C1"]]
)
def test_every_measurement_of_an_ontology_exists(name, channels):
    known = quantities(channels, 0.5)
    for pair in read_ontology(name).pairs(channels):
        assert pair.measurement is None or column_of(pair.measurement, known), pair
        assert "{" not in pair.more + pair.less + "".join(pair.under)


def test_channels_come_in_as_words():
    rng = np.random.default_rng(0)
    pixels = rng.uniform(0, 1, (12, 2, 32, 32)).astype(np.float32) * rng.uniform(0.2, 1, (12, 2, 1, 1))
    images = images_from_arrays(pixels.astype(np.float32), channel_names=["FKHR", "DNA"], value_range=(0, 1))
    tree = OfflineDescriber().describe(images)
    assert tree.node("channels/fkhr/brightness/bright-fkhr").measurement == "image_mean_fkhr"
    assert "dim nucleus" in {node.phrase for node in tree.phrases()}


def test_photographs_and_the_domain_choose_the_ontology():
    rng = np.random.default_rng(0)
    pixels = (rng.uniform(0, 1, (12, 3, 32, 32)) * rng.uniform(0.2, 1, (12, 3, 1, 1))).astype(np.float32)
    images = images_from_arrays(pixels, channel_names=["red", "green", "blue"], value_range=(0, 1))
    general = {node.phrase for node in OfflineDescriber().describe(images).phrases()}
    cells = {node.phrase for node in OfflineDescriber().describe(images, "Blood-cells").phrases()}
    assert {"red tint", "bright picture"} <= general and "red tint" not in cells
    assert "bright cell" in cells


def test_images_that_do_not_differ_are_refused():
    same = images_from_arrays(
        np.full((4, 1, 32, 32), 0.5, np.float32), channel_names=["grey"], value_range=(0, 1)
    )
    with pytest.raises(InputError, match="differ in nothing"):
        OfflineDescriber().describe(same)
    with pytest.raises(InputError, match="got 1, expected at least 2"):
        Measurable(same.subset([0]))


def test_length_units_may_differ_or_be_left_out():
    known = quantities(["a", "a_px"], None)
    assert column_of("major_axis_um", known) == column_of("major_axis", known) == "major_axis_px"
    assert column_of("no_such_thing", known) is None


def test_phrases_of_a_published_tree_get_the_measurement_that_the_ontology_knows():
    published = {
        "categories": {"Cell": {"edge": ["Ragged cell edge", "tentacles"], "size": ["large nucleus"]}}
    }
    tree = with_measurements(ConceptTree.from_dict(published), PlantedCells().images(1, seed=0).channel_names)
    said = {node.phrase: (node.measurement, node.rises) for node in tree.phrases()}
    assert said["Ragged cell edge"] == ("stained_solidity_cytoplasm", False)
    assert said["large nucleus"] == ("area", True)
    assert said["tentacles"] == (None, True)


def test_a_measurement_that_a_tree_names_is_kept():
    given = {
        "nodes": [{"id": "large", "phrase": "large nucleus", "measurement": "perimeter", "rises": False}]
    }
    tree = ConceptTree.from_dict(given)
    assert with_measurements(tree, ["nucleus"]) == tree


def test_real_photographs(data_set):
    tree = OfflineDescriber().describe(open_images(data_set("cifar_photos") / "test"))
    assert {"red tint", "bright picture", "large object"} <= {node.phrase for node in tree.phrases()}
