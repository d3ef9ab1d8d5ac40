"""How concepts are changed: inversion once, edits many times."""

from diffex.editors.editor import Editor, Inversion, edits_together
from diffex.editors.latent import LatentEditor
from diffex.editors.simulator import SimulatorEditor

__all__ = ["Editor", "Inversion", "LatentEditor", "SimulatorEditor", "edits_together"]
