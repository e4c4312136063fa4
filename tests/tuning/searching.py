"""A search on stub trials, and the states of its trials."""

from dmf_cli.cli import tune
from dmf_cli.tuning import study as studies


def search(plan, start):
    with studies.opened(plan) as study:
        return tune.search(plan, study, start=start), study


def states(study):
    return [trial.state.name for trial in study.trials]
