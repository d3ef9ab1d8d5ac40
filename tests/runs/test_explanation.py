import numpy as np


def test_prints_the_ranked_table(make):
    lines = repr(make()).splitlines()
    assert lines[0] == ("Explanation(method='attributes', target='yes': 2 images, 3 concepts, 1 significant)")
    assert lines[2].split() == ["rank", "name", "sign", "effect", "[95", "%", "interval]", "q", "flips"]
    assert lines[3].split() == [
        "1",
        "nucleus",
        "size",
        "+",
        "+0.90",
        "[+0.90,",
        "+0.90]",
        "0.900",
        "90%",
        "*",
    ]
    assert lines[4].split()[:4] == ["2", "nuclear", "stain", "-"]


def test_prints_hostile_and_long_names_on_one_line(make):
    text = repr(make("two\nlines\x1b[31m", "x" * 200, "c"))
    assert "\x1b" not in text
    assert "two?lines?[31m" in text
    assert max(map(len, text.splitlines())) < 110


def test_prints_the_best_rows_only(make):
    text = repr(make(*(f"name {i}" for i in range(30))))
    assert "name 19" in text and "name 20" not in text
    assert "... 10 more rows in .effects" in text


def test_prints_without_flip_rates(make):
    whole = make()
    whole = make(effects=whole.effects.assign(flip_rate=np.nan))
    assert "nan" not in repr(whole)


def test_saves(make, tmp_path):
    folder = make().save(str(tmp_path / "run"))
    assert (folder / "explanation.json").is_file()
