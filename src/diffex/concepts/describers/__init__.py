"""Who proposes phrases: an ontology, a model on a server, a model on this machine."""

from diffex.concepts.describers.describer import Describer
from diffex.concepts.describers.local_vision import LocalDescriber
from diffex.concepts.describers.offline import OfflineDescriber, with_measurements
from diffex.concepts.describers.openai_server import OpenAIDescriber
from diffex.concepts.describers.opening import open_describer

__all__ = [
    "Describer",
    "LocalDescriber",
    "OfflineDescriber",
    "OpenAIDescriber",
    "open_describer",
    "with_measurements",
]
