"""What may be changed: concepts, and the sources that propose them."""

from diffex.concepts.concept import Concept
from diffex.concepts.evidence import Evidence
from diffex.concepts.pool import image_cosines, merge_duplicates, propose_concepts
from diffex.concepts.sources import SOURCES

__all__ = ["SOURCES", "Concept", "Evidence", "image_cosines", "merge_duplicates", "propose_concepts"]
