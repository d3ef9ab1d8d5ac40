"""Any number of cells, scored along the attributes of a run: the face is `diffex.score`."""
