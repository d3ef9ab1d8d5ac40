"""Lists of facts around the answer: banners, gates, provenance, cost, and whom to cite."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

from diffex.report.numbers import compact, duration, number, percent, short

_SHOWN_IDS = 400
METHODS = {"attributes": "Attributes", "rules": "Rules", "semantics": "Semantics"}
_PAPERS = {
    "attributes": (
        "Bourou A., Mahanta S. K., Boyer T., Mezger V., Genovesio A. DiffEx: Explaining a Classifier with "
        "Diffusion Models to Identify Microscopic Cellular Variations. 2025.",
        "2502.09663",
    ),
    "rules": (
        "Soelistyo C. J., Lowe A. R. Discovering interpretable models of scientific image data with deep "
        "learning. CVPR Workshops, 2024.",
        "2402.03115",
    ),
    "semantics": (
        "Kazimi T., Allada R., Yanardag P. Explaining in Diffusion: Explaining a Classifier Through "
        "Hierarchical Semantics with Text-to-Image Diffusion Models. CVPR, 2025.",
        "2412.18604",
    ),
}
_COUNTED = {
    "concepts": "concepts proposed",
    "controls": "random mixtures edited beside them, not tested",
    "merged": "kept after merging",
    "selection": "images for selection",
    "estimation": "images for estimation",
    "on_all_images": "edited into all images",
    "edits_done": "edits done",
    "edits_failed": "edits failed",
    "edits_leaks": "edits leaked",
    "edits_unchecked": "edits that nobody can check",
}
_ONLY_IF_ANY = {"controls", "groups", "selection"}
Facts = tuple[tuple[str, str], ...]


@final
@dataclass(frozen=True)
class Banner:
    """A warning that nobody can miss."""

    loud: bool
    title: str
    lines: tuple[str, ...]


@final
@dataclass(frozen=True)
class GateRow:
    """One gate, ready to show."""

    words: str
    value: str
    threshold: str
    passed: bool


@final
@dataclass(frozen=True)
class Paper:
    """A paper to cite, and its arXiv number."""

    text: str
    arxiv: str


def banners(summary: Mapping[str, Any]) -> tuple[Banner, ...]:
    """Say what a reader must know before the numbers.

    Parameters
    ----------
    summary : mapping
        Head of the run.

    Returns
    -------
    tuple of Banner
        Failed gates first; none where all is well.
    """
    failed = tuple(gate["words"] for gate in summary["gates"] if not gate["passed"])
    found = []
    if failed or summary["model"]["forced"]:
        title = f"{len(failed)} of {len(summary['gates'])} gates failed: do not rely on this explanation."
        forced = ("It was forced: the generator is not good enough to speak for this classifier.",)
        found.append(Banner(True, title, failed + (forced if summary["model"]["forced"] else ())))
    if summary["labels_are_predictions"]:
        line = "The images had no labels. Classes are what the classifier itself says, and so are the splits."
        found.append(Banner(True, "Labels are the classifier's own predictions.", (line,)))
    if summary["warnings"]:
        found.append(Banner(False, "Mind this:", tuple(summary["warnings"])))
    return tuple(found)


def gate_rows(summary: Mapping[str, Any]) -> tuple[GateRow, ...]:
    """Lay out the gates.

    Parameters
    ----------
    summary : mapping
        Head of the run.

    Returns
    -------
    tuple of GateRow
        In their order.
    """
    return tuple(
        GateRow(
            words=gate["words"],
            value=number(gate["value"], 3),
            threshold=f"{'at least' if gate['at_least'] else 'at most'} {short(gate['threshold'])}",
            passed=gate["passed"],
        )
        for gate in summary["gates"]
    )


def interval_words(summary: Mapping[str, Any]) -> str:
    """Say over what the intervals are.

    Parameters
    ----------
    summary : mapping
        Head of the run.

    Returns
    -------
    str
        Over groups, over images, or over images within these wells.
    """
    groups = summary["counts"].get("groups") or 0
    if summary["unit"] == "unknown":  # the head of the run is lost
        return "95 % intervals"
    if summary["unit"] == "groups":
        return f"95 % intervals over {groups} groups"
    within = ", within these wells" if groups or "within" in summary["unit"] else ""
    return f"95 % intervals over images{within}"


def coverage_words(summary: Mapping[str, Any]) -> str:
    """Say which few attributes together flip how many images.

    Parameters
    ----------
    summary : mapping
        Head of the run.

    Returns
    -------
    str
        One sentence; empty where no attribute flips any, or the run does not tell.
    """
    found = summary.get("coverage") or {"images": 0, "attributes": []}
    flipping = [one for one in found["attributes"] if one["flipped"]]
    if not flipping:
        return ""
    first, *more = flipping
    parts = [f"{first['name']} flips {first['flipped']}"]
    parts += [f"{one['flipped']} together with {one['name']}" for one in more]
    return f"Of {found['images']} images not yet “{summary['target']}”, at strength 1, {', '.join(parts)}."


def provenance(summary: Mapping[str, Any]) -> Facts:
    """List what the numbers come from.

    Parameters
    ----------
    summary : mapping
        Head of the run.

    Returns
    -------
    tuple of (str, str)
        Name and value.
    """
    images, counts = summary["images"], summary["counts"]
    low, high = images["value_range"]
    height, width = images["size"]
    pixel = images["pixel_size_um"]
    return (
        ("Classifier", _with_hash(summary["classifier"])),
        ("Balanced accuracy", _accuracy(summary)),
        ("Generator", _with_hash(summary["model"])),
        ("Images", images["source"]),
        (
            "Pixels",
            f"{height} by {width}, {images['dtype']}, {short(low)} to {short(high)}, "
            f"{'pixel size unknown' if pixel is None else f'{short(pixel)} µm per pixel'}",
        ),
        ("Channels", ", ".join(images["channel_names"])),
        ("Classes", ", ".join(f"{name} ({count})" for name, count in counts.get("by_class", {}).items())),
        ("Counts", _counts(counts)),
        ("Seed", str(summary["seed"])),
        (
            "Search",
            ", ".join(f"{k.replace('_', ' ')} {_setting(v)}" for k, v in summary.get("search", {}).items()),
        ),
        ("Versions", ", ".join(f"{name} {version}" for name, version in summary["versions"].items())),
        ("Made", summary["created"]),
    )


def splits(summary: Mapping[str, Any]) -> tuple[tuple[str, int, tuple[str, ...], int], ...]:
    """List which images were used for what.

    Parameters
    ----------
    summary : mapping
        Head of the run.

    Returns
    -------
    tuple of (str, int, tuple of str, int)
        Name, count, the first ids, and how many are left out; empty splits are passed over.
    """
    return tuple(
        (name, len(ids), tuple(ids[:_SHOWN_IDS]), max(0, len(ids) - _SHOWN_IDS))
        for name, ids in summary["splits"].items()
        if ids
    )


def cost_facts(cost: Mapping[str, Any]) -> Facts:
    """List what the answer cost.

    Parameters
    ----------
    cost : mapping
        ``cost.json``.

    Returns
    -------
    tuple of (str, str)
        Name and value; what is not known is left out.
    """
    nfe = cost.get("nfe", {})
    parts = ", ".join(f"{purpose} {count:,}" for purpose, count in nfe.items())
    stages = ", ".join(f"{stage} {duration(seconds)}" for stage, seconds in cost.get("seconds", {}).items())
    found = (
        ("Search", _search(cost.get("search", {}))),
        ("Network evaluations (NFE)", f"{cost['nfe_total']:,} ({parts})" if "nfe_total" in cost else ""),
        ("Classifier calls", f"{cost['classifier_calls']:,}" if "classifier_calls" in cost else ""),
        ("Time", f"{duration(cost['seconds_total'])} ({stages})" if "seconds_total" in cost else ""),
        ("CPU time", duration(cost["cpu_seconds"]) if "cpu_seconds" in cost else ""),
        ("Peak memory", f"{compact(cost['peak_memory_mb'])} MB" if "peak_memory_mb" in cost else ""),
    )
    return tuple((name, value) for name, value in found if value)


def _search(search: Mapping[str, Any]) -> str:
    compared = search.get("agreement")
    if compared is None:
        return str(search.get("method", ""))
    return (
        f"{search['method']}: {compared['dropped']} of {compared['rows']} rows were dropped early and count "
        f"as tested; on {compared['images']} further images, {compared['top_kept']} of the best "
        f"{compared['top']} concepts had been kept, and {compared['overtaking']} dropped ones beat them"
    )


def paper(method: str) -> Paper | None:
    """Find the paper behind a method.

    Parameters
    ----------
    method : str
        ``"attributes"``, ``"rules"`` or ``"semantics"``.

    Returns
    -------
    Paper or None
        None for a method of somebody else.
    """
    return Paper(*_PAPERS[method]) if method in _PAPERS else None


def _with_hash(part: Mapping[str, Any]) -> str:
    return f"{part['address']} (state hash {part['state_hash']})"


def _accuracy(summary: Mapping[str, Any]) -> str:
    accuracy = summary["classifier"]["balanced_accuracy"]
    if accuracy is None:
        return "not measured: no labels" if summary["labels_are_predictions"] else "not measured"
    return (
        f"{percent(accuracy['value'])} ({percent(accuracy['low'])} to {percent(accuracy['high'])}) "
        f"on {number(accuracy['images'], 0)} images"
    )


def _counts(counts: Mapping[str, Any]) -> str:
    kept = {
        key: value
        for key, value in counts.items()
        if not isinstance(value, dict) and (value or key not in _ONLY_IF_ANY)
    }
    return ", ".join(f"{value} {_COUNTED.get(key, key)}" for key, value in kept.items())


def _setting(value: Any) -> str:
    return compact(value) if isinstance(value, float) else str(value)
