"""Is it true: benchmark suites that measure what the product promises."""

from diffex.evaluation.rows import Row
from diffex.evaluation.suite import run_suite

__all__ = ["Row", "run_suite"]
