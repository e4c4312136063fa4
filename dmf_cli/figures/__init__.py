"""Figures as image files: of a run, of a dataset, of predictions."""
