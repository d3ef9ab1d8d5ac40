"""The rows of the attribute method, A2 to A7 and A10 to A13."""

from diffex.evaluation.attributes.ablation import measure_ablation
from diffex.evaluation.attributes.breadth import measure_breadth, measure_large
from diffex.evaluation.attributes.fkhr import measure_fit, measure_negative, measure_positive
from diffex.evaluation.attributes.nulls import measure_nulls_fkhr, measure_nulls_planted
from diffex.evaluation.attributes.planted import measure_recovery
from diffex.evaluation.attributes.realism import measure_realism
from diffex.evaluation.attributes.stability import measure_stability
from diffex.evaluation.bench import SHIPPED, Task
from diffex.evaluation.sets import BCCD, CIFAR, FKHR, JURKAT

ATTRIBUTES: tuple[Task, ...] = (
    Task("A2", "fit on bbbc013_fkhr", (FKHR,), measure_fit),
    Task("A3", "attributes of positive", (FKHR,), measure_positive),
    Task("A4", "attributes of negative", (FKHR,), measure_negative),
    Task("A5", "stability over seeds and images", (FKHR,), measure_stability),
    Task("A6", "nulls on planted cells", (SHIPPED,), measure_nulls_planted),
    Task("A6", "nulls on bbbc013_fkhr", (FKHR,), measure_nulls_fkhr),
    Task("A7", "recovery of planted effects", (SHIPPED,), measure_recovery),
    Task("A10", "jurkat_cellcycle", (JURKAT,), measure_breadth(JURKAT)),
    Task("A10", "bccd_cells", (BCCD,), measure_breadth(BCCD)),
    Task("A10", "cifar_photos, automobile and truck", (CIFAR,), measure_breadth("automobile-truck")),
    Task("A10", "cifar_photos, horse and deer", (CIFAR,), measure_breadth("horse-deer")),
    Task("A11", "losses, classifier-awareness and noise path", (FKHR,), measure_ablation),
    Task("A12", "planted cells at 128 px", (), measure_large),
    Task("A13", "realism on bbbc013_fkhr", (FKHR,), measure_realism),
)
"""In the order they run."""
