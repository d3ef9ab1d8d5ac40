"""How much a concept matters: the effect matrix, its search, its statistics."""
