"""Tasks of ewoks, run alone: where it is missing the tests are skipped, with the hint how to get it."""

from __future__ import annotations

from typing import Any

import pytest

for _name in ("ewokscore", "ewoks"):
    pytest.importorskip(_name, reason="needs ewoks: pip install 'pyfai-gridcal[ewoks]'")

# Other people's packages are not always ahead of the deprecations of each other.
QUIET = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def run(task: Any, **inputs: Any) -> dict[str, Any]:
    """Outputs of a task."""
    done = task(inputs=inputs)
    done.execute()
    return dict(done.get_output_values())
