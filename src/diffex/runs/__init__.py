"""What is kept: the explanation and its run folder, written whole or not at all, checked when read."""

from diffex.runs.explanation import Explanation
from diffex.runs.folder import read_run, write_run
from diffex.runs.salvage import Salvaged, salvage_run
from diffex.runs.summary import SCHEMA

__all__ = ["SCHEMA", "Explanation", "Salvaged", "read_run", "salvage_run", "write_run"]
