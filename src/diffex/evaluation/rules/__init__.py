"""The rows of the rule method."""

from diffex.evaluation.bench import SHIPPED, Task
from diffex.evaluation.rules.attacks import YARDSTICKS, measure_attacks, measure_moves
from diffex.evaluation.rules.disentangling import SPRITES, measure_disentangling
from diffex.evaluation.rules.edits import measure_edits
from diffex.evaluation.rules.measured import measure_accuracy
from diffex.evaluation.rules.nuclei import measure_law
from diffex.evaluation.rules.race import measure_race
from diffex.evaluation.rules.recovery import measure_recovery
from diffex.evaluation.rules.subjects import PLANTED
from diffex.evaluation.sets import FKHR, JURKAT, NUCLEI

RULES: tuple[Task, ...] = (
    *(
        Task("R1", f"rules over measurements, {name}", needs, measure_accuracy(name), also)
        for name, needs, also in (
            (NUCLEI, (NUCLEI,), ("R2", "R3", "R9")),
            (FKHR, (FKHR,), ("R3", "R9")),
            *((name, (SHIPPED,), ("R3", "R9")) for name in PLANTED),
            (JURKAT, (JURKAT,), ("R9",)),
        )
    ),
    Task("R3", "edits of planted cells", (SHIPPED,), measure_edits),
    Task("R4", "planted formulas", (), measure_recovery),
    Task("R5", "the law of metaphase", (), measure_law),
    Task("R6", "race with gplearn", (), measure_race),
    Task("R7", "factors of sprites", (SPRITES,), measure_disentangling),
    *(Task("R8", f"attacks, {name}", (SHIPPED,), measure_attacks(name)) for name in PLANTED),
    *(Task("R8", f"attacks, {name}", (name,), measure_attacks(name)) for name in (NUCLEI, FKHR, JURKAT)),
    *(Task("R8", f"flips of factors, {name}", (name,), measure_moves(name)) for name in YARDSTICKS),
)
"""In the order they run."""
