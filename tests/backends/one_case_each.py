"""A plugin of pytest that keeps one case, the last, of each test and name.

The other backends compile each loss for each shape, which takes most of the time; one case is enough to
notice a backend that differs.
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
