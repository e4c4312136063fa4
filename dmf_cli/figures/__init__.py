"""Figures: what each shows as plain data, and the pictures and interactive charts that are drawn of it.

description          panels, axes, lines and marks;   series  arithmetic on values;   palette  every colour
run_figures          a run over its epochs;           step_figures  over its steps
matplotlib_renderer  pictures, in the look of style;  bokeh_renderer  charts for a report
image_grid           images with outlines;            examples, gallery  of predictions, of a dataset
"""
