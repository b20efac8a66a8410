"""What is prepared of a run, and renewed once it is committed."""

import json

from pipeline.runs.workspace import PENDING, Workspace


def sealed(home):
    place = Workspace(home / "runs" / ".staging" / "night", 1)
    place.publication.mkdir(parents=True)
    (place.publication / PENDING).write_text('{"seconds": 1}')
    return place


def test_a_manifest_is_renewed_and_nothing_is_left_beside_it(tmp_path):
    place = sealed(tmp_path)
    (place.publication / PENDING).chmod(0o600)
    place.renew({"seconds": 2})
    (pending,) = place.publication.iterdir()
    assert json.loads(pending.read_text()) == {"seconds": 2}
    assert pending.stat().st_mode & 0o777 == 0o600


def test_where_it_cannot_be_renewed_what_was_sealed_is_shown(tmp_path):
    place = sealed(tmp_path)
    (place.folder / PENDING).mkdir()
    place.renew({"seconds": 2})
    (pending,) = place.publication.iterdir()
    assert json.loads(pending.read_text()) == {"seconds": 1}
