"""A plugin of pytest that keeps one case, the last, of each test and name.

`make test-fast` uses it, for most mistakes break every case of a test. So do the tests on the other
backends, which compile each loss for each shape: one case is enough to notice a backend that differs.
"""

import pytest


def _kind(item: pytest.Item) -> tuple[str, str]:
    """The test, and what it looks at: a loss or a strategy, the loss of a vector of the peers, or nothing."""
    params = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
    vector = params.get("vector", {})
    name = params.get("name") or params.get("method") or vector.get("loss") or vector.get("id")
    return item.nodeid.partition("[")[0], str(name)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    kept = list({_kind(item): item for item in items}.values())
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept
