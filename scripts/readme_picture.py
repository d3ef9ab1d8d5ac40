"""Draw the top attribute of a run as one picture: ``python scripts/readme_picture.py RUN OUT.png [ROWS]``."""

import sys
from pathlib import Path

import numpy as np
from PIL import Image

from diffex.report.colours import composite, find_contrast
from diffex.runs import read_run

_SCALE, _GAP = 2, 4


def draw(run: Path, out: Path, rows: int) -> None:
    """Columns are original, null edit, then the strengths; a row per cell."""
    explanation = read_run(run)
    shown = explanation.examples
    contrast = find_contrast(
        shown["original"], shown["null"], shown["edits"], explanation.summary["images"]["channel_names"],
        tuple(explanation.summary["images"]["value_range"]),
    )  # fmt: skip
    largest = explanation.effects["max_strength"].iloc[0]
    strengths = [k for k, s in enumerate(shown["strengths"]) if s <= largest]
    lines = []
    for cell in range(min(rows, len(shown["ids"]))):
        pictures = [shown["original"][cell], shown["null"][cell]]
        pictures += [shown["edits"][0, k, cell] for k in strengths]
        tiles = [composite(picture, contrast).repeat(_SCALE, 0).repeat(_SCALE, 1) for picture in pictures]
        lines.append(
            np.hstack([np.pad(t, ((0, _GAP), (0, _GAP), (0, 0)), constant_values=255) for t in tiles])
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.vstack(lines)).save(out, optimize=True)


if __name__ == "__main__":
    draw(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 4)
