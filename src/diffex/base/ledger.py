"""What an answer cost: network evaluations by purpose, seconds, memory."""

import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, final

from diffex.base.memory import peak_memory_mb


@final
class CostLedger:
    """Count network evaluations (NFE) and time, by purpose.

    One evaluation is one image through the generator's network once; a backward pass counts as 2.
    """

    def __init__(self) -> None:
        self.nfe: Counter[str] = Counter()
        self.classifier_calls = 0
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.cpu: defaultdict[str, float] = defaultdict(float)
        self._start = time.monotonic()
        self._start_cpu = time.process_time()

    def count(self, purpose: str, images: int, *, backward: bool = False) -> None:
        """Add evaluations.

        Parameters
        ----------
        purpose : str
            For example ``"matrix"``, ``"null"``, ``"calibration"``, ``"gradients"``, ``"gates"``.
        images : int
            Images times steps rendered.
        backward : bool, default False
            Whether a backward pass followed (3 instead of 1).
        """
        self.nfe[purpose] += images * (3 if backward else 1)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Add the wall time and the CPU time of a block to a stage.

        Parameters
        ----------
        stage : str
            Name of the stage.
        """
        start, start_cpu = time.monotonic(), time.process_time()
        try:
            yield
        finally:
            self.seconds[stage] += time.monotonic() - start
            self.cpu[stage] += time.process_time() - start_cpu

    def summary(self) -> dict[str, Any]:
        """Give the whole account.

        Returns
        -------
        dict
            ``nfe`` by purpose, ``nfe_total``, ``classifier_calls``, ``seconds`` by stage,
            ``seconds_total``, ``cpu_seconds_by_stage``, ``cpu_seconds``, ``peak_memory_mb``.
        """
        return {
            "nfe": dict(self.nfe),
            "nfe_total": sum(self.nfe.values()),
            "classifier_calls": self.classifier_calls,
            "seconds": {k: round(v, 2) for k, v in self.seconds.items()},
            "seconds_total": round(time.monotonic() - self._start, 2),
            "cpu_seconds_by_stage": {k: round(v, 2) for k, v in self.cpu.items()},
            "cpu_seconds": round(time.process_time() - self._start_cpu, 2),
            "peak_memory_mb": round(peak_memory_mb(), 1),
        }
