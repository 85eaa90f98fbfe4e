"""The commands where the chart's admission policies act: on the API server that those are tested on, with its people."""

from collections.abc import Iterator

import pytest
from tests.admission.conftest import admission, team

from headgate_dev.cluster import Cluster

__all__ = ["admission", "team"]


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    with Cluster(node=False) as started:
        yield started
