"""Keys of ``dmf tune`` that are no keys of a config, with their defaults; imports nothing."""

OWN = {"trials": "20", "workers": "1", "pruner": "median", "weights": "true", "ratio": "30", "study": ""}
