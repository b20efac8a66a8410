import pytest

from tests.spark.cluster import cluster_in


@pytest.fixture(scope="session")
def cluster(tmp_path_factory):
    with cluster_in(tmp_path_factory.mktemp("cluster")) as made:
        yield made
