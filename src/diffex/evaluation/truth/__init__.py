"""The rows of suite truth: is an explanation true, against every kind of peer."""

from diffex.evaluation.bench import SHIPPED, Task
from diffex.evaluation.sets import BCCD, FKHR, NUCLEI
from diffex.evaluation.truth.calibration import measure_calibration
from diffex.evaluation.truth.coverage import measure_coverage
from diffex.evaluation.truth.effects import measure_active, measure_effects
from diffex.evaluation.truth.flips import measure_flips
from diffex.evaluation.truth.places import measure_places
from diffex.evaluation.truth.purity import measure_purity
from diffex.evaluation.truth.real_places import measure_real_places
from diffex.evaluation.truth.shortcuts import measure_shortcuts

TRUTH: tuple[Task, ...] = (
    Task("K1", "recovery of true effects", (SHIPPED,), measure_effects),
    Task("K2", "active factors and signs", (SHIPPED,), measure_active),
    Task("K3", "null calibration", (SHIPPED,), measure_calibration),
    Task("K4", "shortcut detection", (SHIPPED,), measure_shortcuts),
    Task("K5", "localisation on planted cells", (SHIPPED,), measure_places),
    Task("K6", "localisation on bbbc013_fkhr", (FKHR,), measure_real_places(FKHR)),
    Task("K6", "localisation on bccd_cells", (BCCD,), measure_real_places(BCCD)),
    Task("K6", "localisation on bbbc039_nuclei", (NUCLEI,), measure_real_places(NUCLEI)),
    Task("K7", "purity of directions", (SHIPPED,), measure_purity),
    Task("K8", "counterfactuals", (SHIPPED,), measure_flips),
    Task("K9", "coverage of intervals", (SHIPPED,), measure_coverage),
)
"""In the order they run."""
