"""The rows of cost, C1, C2, C4 and C5: evaluations and time, against the published procedure."""

from diffex.evaluation.bench import SHIPPED, Task
from diffex.evaluation.cost.against import measure_against
from diffex.evaluation.cost.cached import measure_cached
from diffex.evaluation.cost.growth import measure_growth, measure_share

COST: tuple[Task, ...] = (
    Task("C1", "the published ranking from a cached matrix", (SHIPPED,), measure_cached),
    Task("C2", "searches against the published AttFind", (SHIPPED,), measure_against),
    Task("C4", "all evaluations over those of the matrix", (SHIPPED,), measure_share),
    Task("C5", "growth of cost", (SHIPPED,), measure_growth),
)
"""In the order they run."""
