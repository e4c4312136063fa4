"""Sweeps: which jobs there are, which of them are done, and running the others, each in its own process.

The process that runs a sweep never imports Keras or a backend: it reads what the jobs write to disk.
"""
