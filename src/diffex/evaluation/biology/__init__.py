"""The rows of biology: doses, responders, what is first, organelles, confounds, files, many cells."""

from diffex.evaluation.bench import SHIPPED, Task
from diffex.evaluation.biology.doses import measure_dose_attribute, measure_doses
from diffex.evaluation.biology.first import measure_first
from diffex.evaluation.biology.many import measure_many
from diffex.evaluation.biology.mixtures import measure_mixtures
from diffex.evaluation.biology.organelles import measure_organelles
from diffex.evaluation.biology.plates import measure_plates
from diffex.evaluation.biology_files import FILES
from diffex.evaluation.sets import FKHR

BIOLOGY: tuple[Task, ...] = (
    Task("B1", "wortmannin series of bbbc013_fkhr, the measured ratio", (FKHR,), measure_doses),
    Task(
        "B1",
        "wortmannin series, the top attribute of a model of the controls",
        (FKHR,),
        measure_dose_attribute,
    ),
    Task("B2", "mixtures of real control and treated cells", (FKHR,), measure_mixtures),
    Task("B3", "which factor answers first, on planted cells", (SHIPPED,), measure_first),
    Task("B4", "planted changes of organelles", (SHIPPED,), measure_organelles),
    Task("B5", "planted plate effects", (), measure_plates),
    FILES,
    Task("B7", "many cells of a Zarr store, scored", (SHIPPED,), measure_many),
)
"""In the order they run."""
