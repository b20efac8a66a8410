"""Where folders lie, and how a URI may be written."""

from pathlib import Path

import pytest

from pipeline.errors import UsageError
from pipeline.storage.locations import lies_in, require_plain


@pytest.mark.parametrize(
    "uri",
    [
        "s3://bucket",
        "s3://bucket/a folder/b&c=d@e",
        "S3A://bucket/x",
        "abfss://container@account.dfs.core.windows.net/x",
        "az://container/x",
    ],
)
def test_a_uri_names_a_folder(uri):
    require_plain(uri)


@pytest.mark.parametrize(
    ("uri", "told"),
    [
        ("s3://bucket/box#SECRET", "s3://bucket/box: is followed by '#'"),
        ("az://box/in?sig=SECRET", "az://box/in: is followed by '?'"),
        ("s3://bucket/i%6E", "s3://bucket/i: is followed by '%'"),
        ("s3://KEY:SECRET@bucket/x", "s3://: is followed by a user"),
        ("abfss://KEY:SECRET@account.dfs.core.windows.net/x", "abfss://: is followed by a user"),
        ("s3://bucket/a/../b", "an empty part, or one that means another folder"),
        ("s3://bucket//b", "an empty part, or one that means another folder"),
    ],
)
def test_what_else_it_holds_is_refused_and_not_told(uri, told):
    with pytest.raises(UsageError) as caught:
        require_plain(uri)
    assert told in str(caught.value)
    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize(
    ("location", "other", "lies"),
    [
        ("s3://b/in/x", "s3://b/in", True),
        ("s3://b/in2", "s3://b/in", False),
        ("s3a://b/in/", "S3://b/in", True),
        ("abfss://c@account.dfs.core.windows.net/in/x", "az://c/in", True),
        ("azure://c/in", "abfs://d@account.dfs.core.windows.net/in", False),
        ("s3://b/in", Path("/b/in"), False),
    ],
)
def test_a_folder_of_a_store_lies_in_another_however_it_is_written(location, other, lies):
    assert lies_in(location, other) == lies
