"""What must be known of a whole file before its first line can be read: from one pass over it, or piece by piece."""

import hashlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from pipeline.ingest.encoding import CHUNK, UNREADABLE, chunks, compression
from pipeline.ingest.lines import BLOCK_BYTES, NEWLINE
from pipeline.ingest.observation import UNITS, Observation, Observed, encoding_of, with_whole_head
from pipeline.ingest.states import State, state_of_open

PART_BYTES = 62 << 20
"""Bytes of the parts of a large file that are read apart: four blocks, without a remainder that costs like a third."""

_SMALL_REST = 4
"""What is left behind the last part stays with it, where it is less than this fraction of one."""


@dataclass(frozen=True, slots=True)
class Cut:
    """A line end at which a file may be cut.

    Attributes:
        at: bytes before it.
        lines: lines before it.
    """

    at: int
    lines: int


@dataclass(frozen=True, slots=True)
class Survey:
    """What must be known of a whole file before its first line can be read.

    Attributes:
        encoding: `utf-8`, `utf-8-sig`, `utf-16-le`, `utf-16-be` or `cp1252`; None where it holds nothing.
        ansi: whether an ANSI reader would see the same text.
        newline: what ends a line.
        readable: whether it could be read to its end.
        sha256: hex digest of the file as delivered; None where it cannot be read.
        state: that of the file before it was read.
        cuts: where the parts of a large file end, but the last.
        mixed: lines of it may be in another encoding.
        wrapped: each of its lines is one quoted cell that holds a line.
        too_large: it has more text than is read.
        what: what it is, where it is known to be something that is not read.
    """

    encoding: str | None
    ansi: bool
    newline: bytes
    readable: bool
    sha256: str | None
    state: State
    cuts: tuple[Cut, ...] = ()
    mixed: bool = False
    wrapped: bool = False
    too_large: bool = False
    what: str | None = None


@dataclass(frozen=True, slots=True)
class Piece:
    """What was seen of a large file by looking at a piece of it, or by its digest.

    Attributes:
        state: that of the file.
        observed: what the piece shows; None of a digest.
        sha256: hex digest of the file; None of a piece.
    """

    state: State
    observed: Observed | None = None
    sha256: str | None = None


def survey(
    path: Path, limit: int, opened: Callable[[], BinaryIO] | None = None, most_lines: int = sys.maxsize
) -> Survey:
    """Read a file through once. Never raises for what the file is at fault for.

    Args:
        path: the file.
        opened: opens it; None for a file that the user named.
        most_lines: most lines; of a file with more of them nothing is read either.
        limit: most bytes of text; of a file with more of them, once decompressed, nothing is read.
    """
    observation, digest = Observation(), hashlib.sha256()
    state = State(0, 0, 0, 0)
    readable = complete = False
    try:
        with opened() if opened else path.open("rb") as file:
            # Of the file that is open, not of what its name may have come to stand for since.
            state = state_of_open(file)
            source = _Digested(file, digest)
            readable = _observe(chunks(source, path), observation, limit, most_lines)
            if not observation.exceeds(limit, most_lines):
                source.finish()
                complete = True
    except OSError:
        readable = complete = False
    observed = observation.observed()
    if observation.exceeds(limit, most_lines):
        return unread(state, too_large=True)
    return replace(_concluded([observed], state), readable=readable, sha256=digest.hexdigest() if complete else None)


def unread(state: State, *, too_large: bool = False) -> Survey:
    """The survey of a file that is not looked into."""
    return Survey(None, ansi=True, newline=NEWLINE, readable=False, sha256=None, state=state, too_large=too_large)


def known_survey(state: State, sha256: str) -> Survey:
    """What is known of a file that is not read again, since it is what it was."""
    return Survey(None, ansi=True, newline=NEWLINE, readable=True, sha256=sha256, state=state)


def can_be_cut(path: Path) -> bool:
    """Whether a file's lines lie in it as they are, so that it can be read in parts."""
    return compression(path) is None


def pieces_of(size: int) -> int:
    """Into how many pieces a file of so many bytes is cut."""
    return max(1, (size + PART_BYTES - PART_BYTES // _SMALL_REST) // PART_BYTES)


def look_at_piece(path: Path, opened: Callable[[], BinaryIO], piece: int, pieces: int) -> Piece | None:
    """Look at one of the pieces that a file can be cut into, each of which ends with a line.

    None where none ends near by, or the file cannot be read.
    """
    try:
        with opened() as file:
            state = state_of_open(file)
            encoding = encoding_of(file)
            begin = _line_from(file, piece * PART_BYTES, encoding) if piece else 0
            end = _line_from(file, (piece + 1) * PART_BYTES, encoding) if piece + 1 < pieces else state.size
            if begin is None or end is None:
                return None
            observation = Observation(encoding if piece else None)
            file.seek(begin)
            for chunk in with_whole_head(chunks(file, path, end - begin)):
                observation.add(chunk)
            return Piece(state, observation.observed())
    except UNREADABLE:
        return None


def digest_of(opened: Callable[[], BinaryIO]) -> Piece | None:
    """The digest of a file; None where it cannot be read."""
    digest = hashlib.sha256()
    try:
        with opened() as file:
            state = state_of_open(file)
            while chunk := file.read(CHUNK):
                digest.update(chunk)
    except OSError:
        return None
    return Piece(state, sha256=digest.hexdigest())


def surveyed(pieces: list[Piece | None], digest: Piece | None, limit: int, most_lines: int) -> Survey | None:
    """What all pieces of a file show together, as `survey` would say it; None where it has to be asked.

    Args:
        pieces: all, in order.
        digest: of the whole file.
        limit: as there.
        most_lines: likewise.
    """
    seen = [piece for piece in (*pieces, digest) if piece]
    if len(seen) <= len(pieces) or len({piece.state for piece in seen}) > 1:
        return None  # it changed between two looks, or one of them saw nothing
    state, own = seen[-1].state, [piece.observed for piece in seen if piece.observed and piece.observed.size]
    if not own or sum(piece.size for piece in own) != state.size:
        return None
    lines = sum(piece.lines for piece in own)
    if state.size > limit or (lines or sum(piece.returns for piece in own)) > most_lines:
        return unread(state, too_large=True)
    return replace(_concluded(own, state), sha256=seen[-1].sha256)


def _concluded(pieces: list[Observed], state: State) -> Survey:
    """What all of a file shows that was observed piece by piece."""
    encoding, is_valid = pieces[0].encoding, all(piece.valid for piece in pieces)
    if encoding == "utf-8" and not is_valid and not any(piece.multi_byte for piece in pieces):
        encoding = "cp1252"
    has_lf, has_cr = (any(getattr(piece, name) for piece in pieces) for name in ("lines", "returns"))
    newline = b"\r" if has_cr and not has_lf else NEWLINE
    mixed = any(piece.mixed for piece in pieces)
    return Survey(
        encoding=encoding,
        ansi=encoding in {None, "cp1252"} or (encoding == "utf-8" and all(piece.ascii for piece in pieces)),
        newline=newline,
        readable=True,
        sha256=None,
        state=state,
        cuts=() if mixed else tuple(_cuts(pieces)),
        mixed=mixed and newline == NEWLINE,
        wrapped=all(piece.may_be_wrapped for piece in pieces) and any(piece.holds_fields for piece in pieces),
    )


def _cuts(pieces: list[Observed]) -> Iterator[Cut]:
    """Where each piece ends but the last."""
    at = lines = 0
    for piece in pieces[:-1]:
        at, lines = at + piece.size, lines + piece.lines
        yield Cut(at, lines)


def _line_from(file: BinaryIO, at: int, encoding: str) -> int | None:
    """Where the first line begins that does so behind a place; None where none does in a block."""
    width = UNITS[encoding].itemsize if encoding in UNITS else 1
    end_of_line = NEWLINE.decode().encode(encoding) if encoding in UNITS else NEWLINE
    at = at // width * width
    file.seek(at)
    text = file.read(BLOCK_BYTES)
    found = text.find(end_of_line)
    while found >= 0 and found % width:
        found = text.find(end_of_line, found + 1)
    return at + found + width if found >= 0 else None


def _observe(chunks: Iterator[bytes], observation: Observation, limit: int, most_lines: int) -> bool:
    """Look at chunks up to a limit; whether all could be read."""
    try:
        for chunk in with_whole_head(chunks):
            observation.add(chunk)
            if observation.exceeds(limit, most_lines):
                return False
    except UNREADABLE:
        return False
    return True


class _Digested:
    """A file whose bytes are digested as they are read."""

    def __init__(self, file: BinaryIO, digest: "hashlib._Hash") -> None:
        self._file, self._digest = file, digest
        self.closed = False

    def read(self, size: int = -1) -> bytes:
        chunk = self._file.read(size)
        self._digest.update(chunk)
        return chunk

    def finish(self) -> None:
        """Digest what was not asked for."""
        while self.read(CHUNK):
            pass

    def close(self) -> None:
        """Leave the file open."""
