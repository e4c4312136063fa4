"""Words of ``plan=auto`` where nothing is planned are refused in one line."""

import pytest

from dmf_cli.cli import train, tune
from dmf_cli.errors import UsageError
from tests.raised import raises


@pytest.mark.parametrize("option", [["--cfg", "job"], ["--help"], ["--info"]])
def test_options_that_show_say_that_dmf_plan_shows_the_plan(option):
    with raises(UsageError, key="plan", hint="dmf plan shows"):
        train.run(["plan=auto", "budget=30m", *option])


@pytest.mark.parametrize("word", ["budget=30m", "memory=4G"])
def test_limits_belong_to_plan_auto(word):
    with raises(UsageError, key=word.partition("=")[0], hint="add plan=auto"):
        train.run([word])


@pytest.mark.parametrize("word", ["plan=auto", "budget=30m", "memory=4G"])
def test_a_search_is_not_planned(word):
    with raises(UsageError, key=word.partition("=")[0], hint="dmf plan shows"):
        tune.run([word])
