"""The rule method: factors of images, formulas over them, and what edits say of both."""
