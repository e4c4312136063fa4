"""A folder as Kaggle hands it out, as a dataset of your own: images/ID.jpg, masks/ID.png, train.csv.

dmf data check plugins=kaggle.py dataset=kaggle dataset.dir=input
dmf data show plugins=kaggle.py dataset=kaggle dataset.dir=input
dmf train plugins=kaggle.py dataset=kaggle dataset.dir=input loss=dice+bce run_dir=outputs/kaggle
dmf eval outputs/kaggle plugins=kaggle.py split=all dataset.table=holdout.csv

A CSV file with columns image, mask, patient and class needs no Python: dataset=table dataset.table=cases.csv.
"""

import csv
from collections.abc import Iterator
from pathlib import Path

import dmf_cli
from dmf_cli.datasets import Case


@dmf_cli.dataset
def kaggle(*, dir: str = "input", table: str = "train.csv", channels: int = 3) -> Iterator[Case]:
    """Lesions of a Kaggle competition.

    Args:
        dir: the folder into which the archive was unpacked.
        table: CSV file in it, with the columns id, patient and diagnosis.
        channels: photographs have 3.

    Source: your own images.
    """
    root = Path(dir)
    with (root / table).open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            name = row["id"]
            image, mask = root / "images" / f"{name}.jpg", root / "masks" / f"{name}.png"
            yield Case(name, image, mask, patient=row["patient"], stratum=row["diagnosis"])
