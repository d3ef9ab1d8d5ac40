"""The law behind a classifier: few factors, a sparse network, a short formula with units."""
