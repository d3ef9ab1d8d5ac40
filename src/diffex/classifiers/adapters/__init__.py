"""Ways to open a classifier: one file per form of address."""
