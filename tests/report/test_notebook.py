import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

import diffex

HOSTILE = "</style></div><script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{ 7*7 }}"


def addresses(page):
    return [
        value for _, name, value in page.attributes if name in {"src", "href", "srcset", "action", "data"}
    ]


def test_a_notebook_shows_answer_ranks_and_pictures(explanation, parse):
    page = parse(explanation._repr_html_())
    for words in (*explanation.summary["answer"], "nucleus grows by 31 %", "+2.10", "95 % intervals over 16"):
        assert words.replace(" %", "\N{NO-BREAK SPACE}%")[:40] in page.text.replace(
            " %", "\N{NO-BREAK SPACE}%"
        )
    assert page.tags.count("img") == 3
    assert page.tags.count("table") == 1
    assert page.tags.count("tr") == 1 + 6  # the best only
    assert "6 of 16 rows" in page.text
    assert "Scale bar 10 µm" in page.text
    alt = next(value for tag, name, value in page.attributes if (tag, name) == ("img", "alt"))
    assert "edits along nuclear stain" in alt


def test_what_a_notebook_shows_is_static(explanation, parse):
    html = explanation._repr_html_()
    page = parse(html)
    assert not {"script", "link", "iframe", "html", "body", "form"} & set(page.tags)
    assert all(value.startswith("data:image/png;base64,") for value in addresses(page))
    assert not re.search(r"@import|url\(|https?:", html)
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]
    ids = [value for _, name, value in page.attributes if name == "id"]
    assert not ids  # shown twice on one page, ids would clash


def test_pictures_stay_small(explanation, parse):
    address = next(value for value in addresses(parse(explanation._repr_html_())))
    picture = Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2])))
    assert picture.height == 128


def test_its_style_stays_with_it(explanation, parse):
    rules = re.sub(r"/\*.*?\*/", "", parse(explanation._repr_html_()).style).split("}")
    selectors = [one for rule in rules for one in rule.partition("{")[0].split(",") if one.strip()]
    assert len(selectors) > 20
    assert all(one.strip().startswith(".diffex-shown") for one in selectors)


def test_hostile_names_stay_text(explanation, changed, parse):
    head = explanation.summary
    cells = explanation.cells.rename(columns={"logit_positive": f"logit_{HOSTILE}"})
    page = parse(
        changed(
            summary={
                "target": HOSTILE,
                "method": HOSTILE,
                "class_names": ["negative", HOSTILE],
                "answer": [HOSTILE] * 3,
                "warnings": [HOSTILE],
                "images": {**head["images"], "channel_names": [HOSTILE, "b"]},
                "gates": [{**gate, "words": HOSTILE, "passed": False} for gate in head["gates"]],
            },
            effects=explanation.effects.assign(name=HOSTILE, words=HOSTILE, edit=HOSTILE),
            examples={**explanation.examples, "ids": np.array([f"{HOSTILE}{i}" for i in range(4)])},
            cells=cells,
        )._repr_html_()
    )
    assert "script" not in page.tags
    assert page.tags.count("img") == 3
    assert page.tags.count("style") == 1
    assert page.text.count("<script>alert(1)</script>") > 15
    assert "{{ 7*7 }}" in page.text
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]


def test_failed_gates_come_first(explanation, changed, parse):
    gates = [{**gate, "passed": False} for gate in explanation.summary["gates"]]
    page = parse(changed(summary={"gates": gates})._repr_html_())
    assert page.text.index("4 of 4 gates failed") < page.text.index("The classifier calls a cell")


def test_nothing_significant_and_no_pictures_are_said_and_left_out(explanation, changed, parse):
    none = {
        name: array[:0] for name, array in explanation.examples.items() if name in {"ids", "original", "null"}
    }
    none["edits"] = explanation.examples["edits"][:0, :, :0]
    page = parse(
        changed(
            effects=explanation.effects.assign(significant=False), examples={**explanation.examples, **none}
        )._repr_html_()
    )
    assert "No attribute has an effect that chance" in page.text
    assert not {"table", "img"} & set(page.tags)


def test_pictures_are_of_the_first_row_that_has_some(explanation, changed, parse):
    shown = {**explanation.examples, "concepts": explanation.examples["concepts"][::-1].copy()}
    page = parse(changed(examples=shown)._repr_html_())
    assert "along nuclear stain" in next(value for _, name, value in page.attributes if name == "alt")


@pytest.mark.parametrize("method", ["semantics", "rules"])
def test_other_methods_speak_their_words(explanation, changed, parse, method):
    effects = explanation.effects.assign(edit="done") if method == "semantics" else explanation.effects
    page = parse(changed(summary={"method": method}, effects=effects)._repr_html_())
    assert ("more of it" in page.text) == (method == "semantics")
    assert ("✓ done" in re.sub(r"\s+", " ", page.text)) == (method == "semantics")


def test_the_formula_is_typeset(explanation, changed, parse):
    rule = {
        "class_name": "positive", "tree": ["mul", 2.0, "area<b>"], "formula": "2*area", "nodes": 3,
        "factors": [], "stability": {}, "front": [],
    }  # fmt: skip
    tested = {"agreement": [0.9, 0.8, 1.0], "accuracy_ratio": None, "r2": [[0.9, 0.8, 1.0]], "images": 30,
              "unit": "images"}  # fmt: skip
    edits = {"correlation": [0.9, 0.8, 1.0], "slope": [1.0, 0.9, 1.1]}
    rules = {"rules": [rule], "fidelity": tested, "interventions": edits, "codes_r2": {}, "sparsity": []}
    page = parse(changed(summary={"method": "rules"}, rules=rules)._repr_html_())
    assert "math" in page.tags
    assert "area<b>" in page.text
    assert "3 nodes, 0 factors" in page.text


def test_the_face_names_what_results_ask_of_it():
    assert {"explanation_html", "responses_html"} <= set(dir(diffex))
