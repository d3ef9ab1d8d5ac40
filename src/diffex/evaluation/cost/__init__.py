"""The rows of cost, C1 to C7 and C9: evaluations, time and memory, against the published procedure."""

from diffex.evaluation.bench import SHIPPED, Task
from diffex.evaluation.cost.accelerated import measure_command_there, measure_fit_there
from diffex.evaluation.cost.against import measure_against
from diffex.evaluation.cost.cached import measure_cached
from diffex.evaluation.cost.command import measure_command
from diffex.evaluation.cost.fits import measure_fits
from diffex.evaluation.cost.growth import measure_growth
from diffex.evaluation.cost.memory import measure_memory
from diffex.evaluation.cost.scoring import measure_scoring
from diffex.evaluation.cost.share import measure_share
from diffex.evaluation.sets import FKHR

COST: tuple[Task, ...] = (
    Task("C1", "the published ranking from a cached matrix", (SHIPPED,), measure_cached),
    Task("C2", "searches against the published AttFind", (SHIPPED,), measure_against),
    Task("C3", "the command attributes, in a process of its own", (SHIPPED,), measure_command),
    Task("C4", "all evaluations over those of the matrix", (SHIPPED,), measure_share),
    Task("C5", "growth of cost", (SHIPPED,), measure_growth),
    Task("C5", "peak memory over the size of the set", (SHIPPED,), measure_memory),
    Task("C6", "numbers of single cells along many concepts", (SHIPPED,), measure_scoring),
    Task("C7", "fit on bbbc013_fkhr to passed gates", (FKHR,), measure_fits),
    Task("C9", "fit on an accelerator", (FKHR,), measure_fit_there),
    Task("C9", "attributes on an accelerator", (SHIPPED,), measure_command_there),
)
"""In the order they run; C8, text search, is S1 to S5 of the suite ``semantics``."""
