"""Which cells answer, at which dose, and what answers first: the attributes of a run on a dose series."""
