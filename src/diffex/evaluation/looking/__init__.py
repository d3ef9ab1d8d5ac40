"""The rows of looking, L3 to L5: how soon the app answers, what a report weighs and how long it takes."""

from diffex.evaluation.bench import SHIPPED, Task
from diffex.evaluation.looking.apps import measure_crowd, measure_edits
from diffex.evaluation.looking.reports import measure_reports

LOOKING: tuple[Task, ...] = (
    Task("L3", "one edit in the app", (SHIPPED,), measure_edits),
    Task("L4", "ten pages that move sliders for a minute", (SHIPPED,), measure_crowd),
    Task("L5", "reports of a default run and of one with 20,000 cells", (SHIPPED,), measure_reports),
)
"""In the order they run."""
