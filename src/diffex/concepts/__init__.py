"""What may be changed: concepts and trees of phrases, and the sources that propose them."""

from diffex.concepts.concept import Concept, stacked
from diffex.concepts.evidence import Evidence
from diffex.concepts.measurable import Measurable, column_of
from diffex.concepts.node import Node
from diffex.concepts.pool import image_cosines, merge_duplicates, propose_concepts
from diffex.concepts.sources import SOURCES
from diffex.concepts.tree import ConceptTree
from diffex.concepts.tree_files import read_tree, write_tree

__all__ = [
    "SOURCES",
    "Concept",
    "ConceptTree",
    "Evidence",
    "Measurable",
    "Node",
    "column_of",
    "image_cosines",
    "merge_duplicates",
    "propose_concepts",
    "read_tree",
    "stacked",
    "write_tree",
]
