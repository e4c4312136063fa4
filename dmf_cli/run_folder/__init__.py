"""The folder of a run: its files, where it is, and what makes two runs the same."""
