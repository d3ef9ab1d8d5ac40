"""How much a concept matters: the effect matrix, its search, its statistics."""

from diffex.effects.beam import (
    BeamRanking,
    beam_as_meant,
    beam_as_released,
    leditspp_evaluations,
    released_evaluations,
)
from diffex.effects.hierarchy import HierarchicalCalls, hierarchical_calls
from diffex.effects.joint import Interactions, JointSet, best_joint_set, interactions
from diffex.effects.tree_race import RANK_ALONE, RaceSettings, TreeRace, race_tree

__all__ = [
    "RANK_ALONE",
    "BeamRanking",
    "HierarchicalCalls",
    "Interactions",
    "JointSet",
    "RaceSettings",
    "TreeRace",
    "beam_as_meant",
    "beam_as_released",
    "best_joint_set",
    "hierarchical_calls",
    "interactions",
    "leditspp_evaluations",
    "race_tree",
    "released_evaluations",
]
