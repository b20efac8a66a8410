import uuid

import pytest

from tests.stores import servers
from tests.stores.partner_store import Store


@pytest.fixture(scope="module", params=["s3", "azure"])
def server(request):
    with getattr(servers, request.param)() as (uri, environment, port):
        yield uri, environment, port


@pytest.fixture
def store(server, world, monkeypatch):
    uri, environment, _ = server
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    made = Store(f"{uri}/{uuid.uuid4()}", world, environment)
    made.put_reference()
    return made
