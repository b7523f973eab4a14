"""Small made results and evidence, of the shape that the demo writes."""
from typing import Any

import pytest
from demo_results import made_evidence, made_results


@pytest.fixture
def results() -> dict[str, Any]:
    return made_results()


@pytest.fixture
def evidence() -> dict[str, Any]:
    return made_evidence()
