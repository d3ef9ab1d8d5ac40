"""Adversarial attacks on a classifier and on what stands in for it, at equal budgets."""
