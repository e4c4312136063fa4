"""CSV tables of runs."""

import csv


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))
