"""C9: fitting and explaining on an accelerator, where there is one."""

from collections.abc import Iterator

import torch

from diffex.evaluation.bench import Bench
from diffex.evaluation.cost.command import explained_apart, size_words
from diffex.evaluation.cost.fits import fit_rows
from diffex.evaluation.real_fits import real_model
from diffex.evaluation.rows import REPORTED, Measured
from diffex.evaluation.sets import FKHR


def measure_fit_there(bench: Bench) -> Iterator[Measured]:
    """Fit bbbc013_fkhr on CUDA.

    Parameters
    ----------
    bench : Bench
        Data, seed, size and device.

    Yields
    ------
    Measured
        Minutes and gates; on another device, that they were not measured.
    """
    if bench.device.type == "cuda":
        yield from fit_rows(
            [real_model(bench, FKHR)], "C9", "<= 10", torch.cuda.get_device_name(bench.device)
        )
    else:
        yield _absent("minutes of fit to passed gates", bench)


def measure_command_there(bench: Bench) -> Iterator[Measured]:
    """Run ``diffex attributes`` on CUDA, everything rendered.

    Parameters
    ----------
    bench : Bench
        Seed, size and device.

    Yields
    ------
    Measured
        Seconds; on another device, that they were not measured.
    """
    what = "attributes, exact: seconds after imports"
    if bench.device.type != "cuda":
        yield _absent(what, bench)
        return
    for done in explained_apart(bench, ("exact",)):
        where = torch.cuda.get_device_name(bench.device)
        yield Measured("C9", what, done.seconds, "<= 10", note=f"{where}; {size_words(bench)}; {done.note}")


def _absent(what: str, bench: Bench) -> Measured:
    note = f"not measured: it asks for CUDA, the run is on {bench.device.type}"
    return Measured("C9", what, float("nan"), REPORTED, note=note)
