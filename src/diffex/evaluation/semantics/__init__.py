"""The rows of the semantic method, S1 to S7."""

from diffex.evaluation.bench import SHIPPED, Task
from diffex.evaluation.semantics.coverage import measure_coverage
from diffex.evaluation.semantics.planted import measure_edits, measure_planted
from diffex.evaluation.semantics.real import measure_real_phrases
from diffex.evaluation.semantics.scenes import measure_scenes
from diffex.evaluation.semantics.searches import measure_cancelling, measure_evaluations
from diffex.evaluation.sets import BCCD, FASHION

SEMANTICS: tuple[Task, ...] = (
    Task("S1", "planted semantics found by phrases", (SHIPPED,), measure_planted),
    Task("S2", "planted semantics of scenes", (SHIPPED,), measure_scenes),
    Task("S3", "cancelling children", (SHIPPED,), measure_cancelling),
    Task("S4", "edits do what they say", (SHIPPED,), measure_edits),
    Task("S5", "evaluations of searches", (SHIPPED,), measure_evaluations),
    Task("S6", "planted factors named, beside a GAN peer", (SHIPPED,), measure_coverage),
    Task("S7", "phrases of bccd_cells", (BCCD,), measure_real_phrases(BCCD)),
    Task("S7", "phrases of fashion_mnist_small", (FASHION,), measure_real_phrases(FASHION)),
)
"""In the order they run."""
