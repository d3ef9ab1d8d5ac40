"""How much a concept matters: the effect matrix, its search, its statistics."""

from diffex.effects.beam import (
    BeamRanking,
    beam_as_meant,
    beam_as_released,
    leditspp_evaluations,
    released_evaluations,
)
from diffex.effects.hierarchy import HierarchicalCalls, hierarchical_calls

__all__ = [
    "BeamRanking",
    "HierarchicalCalls",
    "beam_as_meant",
    "beam_as_released",
    "hierarchical_calls",
    "leditspp_evaluations",
    "released_evaluations",
]
