"""What is known of a file's form is the same whether it was looked at in one go or piece by piece."""

from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.ingest.survey import digest_of, look_at_piece, pieces_of, survey, surveyed
from tests.ingest.test_records import HEADER, NEAR_MANIFESTS

ENOUGH = 10**6
LINE = b"A1,,,HP,Elite\n"


def in_pieces(path, limit=ENOUGH, most_lines=ENOUGH, between=lambda: None):
    """What pieces of 60 bytes show together."""

    def opened():
        return path.open("rb")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipeline.ingest.survey.PART_BYTES", 60)
        pieces = pieces_of(path.stat().st_size)
        digest = digest_of(opened)
        between()
        looked = [look_at_piece(path, opened, piece, pieces) for piece in range(pieces)]
    return surveyed(looked, digest, limit, most_lines)


def are_cut(path):
    """Whether a file is cut, where lines begin, into pieces that show what one pass does."""
    whole, found = survey(path, ENOUGH), in_pieces(path)
    if found is None:
        return False
    assert replace(found, cuts=()) == whole
    content = path.read_bytes()
    for cut in found.cuts:
        before = content[: cut.at].decode("latin-1" if whole.encoding == "cp1252" else whole.encoding, "replace")
        assert before.endswith("\n")
        assert before.count("\n") == cut.lines
    return bool(found.cuts)


@given(NEAR_MANIFESTS)
@example(HEADER + b"\n" + LINE * 30 + b"\xe4,,,HP,M\n")
@example(HEADER + b"\n" + LINE * 30 + b"\xc3\xa4,,,HP,M\n" + LINE * 9 + b"\xe4\n")
@example(b'"A1,,,HP,M"\n' * 30)
@example(b'"A1,,,HP,M"\n' * 30 + LINE)
@example(b'"A1"\n' * 60 + b'"A1,,,HP,M"\n')
@example(LINE * 30 + b"\x00\n")
@example(LINE * 9 + b"x" * 500 + b"\n" + LINE * 9)
@example(LINE.replace(b"\n", b"\r") * 40)
def test_pieces_show_what_one_pass_does(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("any") / "a.csv"
    path.write_bytes(content)
    are_cut(path)


@given(st.lists(st.sampled_from([LINE, "ä,ਊ,ऊ\n".encode(), b"\n"]), min_size=12, max_size=60))
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16-le", "utf-16-be", "utf-16"])
def test_every_encoding_is_cut_where_lines_begin(tmp_path_factory, encoding, lines):
    path = tmp_path_factory.mktemp("any") / "a.csv"
    path.write_bytes(b"".join([HEADER, b"\n", *lines]).decode().encode(encoding))
    assert are_cut(path) or survey(path, ENOUGH).mixed  # of letters that hold the byte of a line feed


@pytest.mark.parametrize("change", [lambda path: path.write_bytes(LINE * 31), lambda path: path.unlink()])
def test_pieces_of_a_file_that_changed_meanwhile_are_not_put_together(tmp_path, change):
    path = tmp_path / "a.csv"
    path.write_bytes(LINE * 30)
    assert in_pieces(path) is not None
    assert in_pieces(path, between=lambda: change(path)) is None


def test_what_has_no_line_near_a_cut_is_looked_through_in_one_go(tmp_path, monkeypatch):
    path = tmp_path / "a.csv"
    path.write_bytes(LINE * 9 + b"x" * 500 + b"\n" + LINE * 9)
    assert in_pieces(path) is not None
    monkeypatch.setattr("pipeline.ingest.survey.BLOCK_BYTES", 100)
    assert in_pieces(path) is None


@pytest.mark.parametrize(("limit", "lines", "is_refused"), [(420, 30, False), (419, 30, True), (420, 29, True)])
def test_what_is_too_large_together_is_not_read(tmp_path, limit, lines, is_refused):
    path = tmp_path / "a.csv"
    path.write_bytes(LINE * 30)
    assert in_pieces(path, limit, lines).too_large is is_refused
    assert survey(path, limit, None, lines).too_large is is_refused
