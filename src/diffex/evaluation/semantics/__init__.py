"""The rows of the semantic method."""
