"""Trees of phrases: forms, checks, files."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffex.base.errors import InputError
from diffex.concepts import ConceptTree, Node, read_tree, write_tree

OWN = {
    "nodes": [
        {"id": "nucleus"},
        {"id": "nucleus/size"},
        {"id": "nucleus/size/large", "phrase": "large nucleus", "measurement": "area"},
        {"id": "nucleus/size/small", "phrase": "small nucleus", "measurement": "area", "rises": False},
    ]
}
FLAT = {"domain": "faces", "categories": {"Hair": ["blond hair", "curly hair"], "Eyes": ["blue eyes"]}}
NESTED = {"categories": {"Accessories": {"hat": ["beret", "top hat"], "glasses": []}}}


def refuse(value, match):
    with pytest.raises(InputError, match=match) as caught:
        ConceptTree.from_dict(value)
    assert "\n" not in str(caught.value)


def test_own_form_says_little_and_means_much():
    tree = ConceptTree.from_dict(OWN)
    small = tree.node("nucleus/size/small")
    assert (small.name, small.parent, small.rises) == ("small nucleus", "nucleus/size", False)
    assert tree.node("nucleus/size").name == "size"
    assert [node.id for node in tree.ancestors(small.id)] == ["nucleus/size", "nucleus"]
    assert [node.id for node in tree.children()] == ["nucleus"]
    assert tree.depth == 3 and len(tree.phrases()) == len(tree.leaves()) == 2


def test_published_forms():
    flat, nested = ConceptTree.from_dict(FLAT), ConceptTree.from_dict(NESTED)
    assert [node.phrase for node in flat.nodes] == [None, "blond hair", "curly hair", None, "blue eyes"]
    assert [node.id for node in nested.children("accessories/hat")] == [
        "accessories/hat/beret",
        "accessories/hat/top-hat",
    ]
    assert nested.node("accessories").phrase is None and nested.node("accessories/hat").phrase == "hat"
    assert (flat.depth, nested.depth) == (2, 3)


def test_names_of_one_slug_keep_apart_and_other_scripts_work():
    tree = ConceptTree.from_dict({"categories": {"衣": ["T-shirt", "T shirt", "帽子", "靴"]}})
    assert len({node.id for node in tree.nodes}) == 5
    assert [node.phrase for node in tree.phrases()] == ["T-shirt", "T shirt", "帽子", "靴"]


@pytest.mark.parametrize(
    ("value", "match"),
    [
        (None, "neither nodes nor categories"),
        ([], "neither nodes nor categories"),
        ({"nodes": []}, "is empty"),
        ({"nodes": [{"id": "size"}]}, "is empty"),
        ({"categories": {}}, "is empty"),
        ({"categories": {"Hair": []}}, "is empty"),
        ({"categories": ["Hair"]}, "got list, expected a mapping"),
        ({"categories": {"Hair": "blond"}}, "got str, expected a list"),
        ({"categories": {"Hair": [1]}}, "name got 1, expected text"),
        ({"categories": {True: ["a"]}}, "name got True, expected text"),
        ({"categories": {"Hair": {"long": [["deep"]]}}}, r"name got \['deep'\]"),
        ({"categories": {"Hair": ["Blond", "blond"]}}, "'blond' twice below one parent"),
        ({"categories": {"Hair": ["a" * 121]}}, "121 characters, expected 1 to 120"),
        ({"categories": {"Hair": ["a\x00b"]}}, "printable characters only"),
        ({"categories": {"Hair": ["abc\u202edef"]}}, "printable characters only"),
        ({"categories": {"Hair": [" "]}}, "expected 1 to 120"),
        ({"nodes": [{"id": "a", "phrase": "a"}, {"id": "a", "phrase": "b"}]}, "node 'a' 2 times"),
        ({"nodes": [{"id": "a/b", "phrase": "b"}]}, "parent of 'a/b' got 'a', expected the id of a node"),
        ({"nodes": [{"id": "../etc/passwd", "phrase": "b"}]}, "expected lower case letters"),
        ({"nodes": [{"id": "A", "phrase": "b"}]}, "expected lower case letters"),
        ({"nodes": ["a"]}, "node 1, itself"),
        ({"nodes": [{"phrase": "a"}]}, "node 1, id: field required"),
        ({"nodes": [{"id": "a", "phrase": "a", "colour": 1}]}, "node 1, colour"),
        ({"nodes": [{"id": "a", "phrase": "a", "rises": "yes"}]}, "node 1, rises"),
        ({"nodes": [{"id": str(i), "phrase": "a"} for i in range(10_001)]}, "10001 nodes"),
        ({"categories": {"a": {str(i): [str(j) for j in range(110)] for i in range(100)}}}, "over 10000"),
    ],
)
def test_one_sentence_for_each_fault(value, match):
    refuse(value, match)


def test_cycles_are_named():
    nodes = [
        {"id": "a", "parent": "b", "phrase": "a"},
        {"id": "b", "parent": "a"},
        {"id": "c", "phrase": "c"},
    ]
    refuse({"nodes": nodes}, "parents of a, b form a cycle")
    refuse({"nodes": [{"id": "a", "parent": "a", "phrase": "a"}]}, "parents of a form a cycle")


def test_unknown_node_is_named():
    with pytest.raises(InputError, match="no node 'x'"):
        ConceptTree.from_dict(FLAT).children("hair") and ConceptTree.from_dict(FLAT).ancestors("x")


def test_deeper_than_the_stack():
    nodes = [Node(f"n{i}", "n", f"n{i - 1}" if i else None, phrase="n") for i in range(3000)]
    assert ConceptTree(tuple(reversed(nodes))).depth == 3000


@st.composite
def trees(draw):
    count = draw(st.integers(1, 12))
    nodes = []
    for i in range(count):
        parent = draw(st.sampled_from([None, *(node.id for node in nodes)]))
        word = draw(st.text(st.characters(codec="utf-8"), min_size=1, max_size=20))
        text = word if word.isprintable() and word.strip() else "plain"
        phrase = text if i == 0 or draw(st.booleans()) else None
        measurement = draw(st.sampled_from([None, "area_um2", "eccentricity"]))
        nodes.append(Node(f"n{i}", text, parent, phrase, measurement, draw(st.booleans())))
    return draw(st.permutations(nodes))


@given(nodes=trees(), suffix=st.sampled_from([".json", ".yaml", ".yml"]))
def test_any_order_makes_the_tree_and_files_give_it_back(nodes, suffix, tmp_path_factory):
    tree = ConceptTree(tuple(nodes))
    assert set(tree.nodes) == set(nodes)
    place = {node.id: i for i, node in enumerate(tree.nodes)}
    assert all(node.parent is None or place[node.parent] < place[node.id] for node in tree.nodes)
    path = tmp_path_factory.getbasetemp() / f"tree{suffix}"
    write_tree(path, tree)
    assert read_tree(path) == tree == ConceptTree.from_dict(json.loads(json.dumps(tree.as_dict())))


@pytest.mark.parametrize(
    ("name", "text", "match"),
    [
        ("tree.json", "{", "is not JSON"),
        ("tree.json", "[" * 100_000, "is not JSON|neither"),
        ("tree.yaml", "a: [", "is not YAML"),
        ("tree.yaml", "!!python/object/apply:os.system ['echo']", "is not YAML"),
        ("tree.yaml", "&a [*a]", "neither nodes nor categories"),
        ("tree.yaml", "", "neither nodes nor categories"),
        ("tree.json", " " * 5_000_001, "over 5 MB"),
        ("tree.json", json.dumps({"nodes": []}), "tree.json: Concept tree is empty"),
    ],
)
def test_files_that_hold_no_tree(tmp_path, name, text, match):
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=match):
        read_tree(tmp_path / name)


def test_files_that_cannot_be_read(tmp_path):
    (tmp_path / "latin.json").write_bytes(b'{"a": "\xe9"}')
    with pytest.raises(InputError, match="not UTF-8"):
        read_tree(tmp_path / "latin.json")
    with pytest.raises(InputError, match="cannot be read"):
        read_tree(tmp_path / "absent.yaml")
    with pytest.raises(InputError, match="cannot be read"):
        read_tree(tmp_path)
