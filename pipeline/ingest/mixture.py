"""Files of lines in two encodings: 8-bit text appended to UTF-16, or the reverse. They are told apart line by line."""

from collections.abc import Iterator
from typing import NamedTuple

from pipeline.ingest.lines import NEWLINE

_NUL = b"\0"
_WIDE_NEWLINE = {"utf-16-le": b"\n\0", "utf-16-be": b"\0\n"}
_MOST_ODD, _LEAST_EVEN = 0.1, 0.5
_SHORTEST = 8
"""Bytes of the shortest line that its NULs show to be UTF-16; a shorter one only holds a NUL."""


class _Line(NamedTuple):
    """One line: its encoding, its bytes without the line end, and where the next begins."""

    encoding: str
    raw: bytes
    end: int
    is_ended: bool


def may_be_mixed(chunk: bytes, encoding: str) -> bool:
    """Whether some bytes hold what another encoding's lines have, and this one's hardly ever."""
    wide = _WIDE_NEWLINE.get(encoding)
    if wide is None:
        return _NUL in chunk
    cut = chunk.endswith(NEWLINE) if encoding == "utf-16-le" else chunk.startswith(NEWLINE)
    return chunk.count(NEWLINE) != chunk.count(wide) + cut or chunk[-1:] == NEWLINE != wide[-1:]


def ends_otherwise(end: bytes, encoding: str | None) -> bool:
    """Whether the last two bytes of a file are none that its encoding's letters have."""
    return (encoding == "utf-16-le" and end[-1:] != _NUL) or (encoding == "utf-16-be" and end[:1] != _NUL)


def told_apart(chunks: Iterator[bytes], encoding: str, other_lines: list[int]) -> Iterator[bytes]:
    """The text of a file as UTF-8, whatever each line is in.

    Args:
        chunks: its bytes, without a byte order mark at the beginning.
        encoding: what it begins with.
        other_lines: takes the numbers of lines in another one.
    """
    pending, number = b"", 0
    for chunk in chunks:
        pending += chunk
        at, texts = 0, []
        while (line := _next_line(pending, at, encoding, is_whole=False)) is not None:
            number += 1
            if _is_other(line, encoding):
                other_lines.append(number)
            texts.append(_as_utf8(line, encoding) + NEWLINE)
            at = line.end
        pending = pending[at:]
        yield b"".join(texts)
    at = 0
    while at < len(pending) and (line := _next_line(pending, at, encoding, is_whole=True)) is not None:
        number += 1
        if _is_other(line, encoding):
            other_lines.append(number)
        yield _as_utf8(line, encoding) + NEWLINE * line.is_ended
        at = line.end


def _next_line(text: bytes, at: int, encoding: str, *, is_whole: bool) -> _Line | None:
    """The line that begins at a place; None where it does not end in the text, and more may follow."""
    narrow = text.find(NEWLINE, at)
    is_ended = narrow >= 0
    if not is_whole and (not is_ended or narrow + 1 == len(text)):
        return None
    narrow = narrow if is_ended else len(text)
    raw = text[at:narrow]
    wide = _wide_encoding(raw, text[narrow + 1 : narrow + 2] if is_ended else None, encoding)
    if wide is None:
        return _Line("8-bit", raw, min(narrow + 1, len(text)), is_ended)
    end = text.find(_WIDE_NEWLINE[wide], at)
    while end >= 0 and (end - at) % 2:
        end = text.find(_WIDE_NEWLINE[wide], end + 1)
    if end < 0:
        return _Line(wide, text[at:], len(text), is_ended=False) if is_whole else None
    return _Line(wide, text[at:end], end + 2, is_ended=True)


def _wide_encoding(raw: bytes, behind: bytes | None, encoding: str) -> str | None:
    """Which UTF-16 a line is in; None for 8-bit text, of which NULs spoil no line but their own.

    Args:
        raw: the line up to its line feed.
        behind: the byte behind that, empty at the end of the file; None where it has none.
        encoding: that of the file.
    """
    if encoding in _WIDE_NEWLINE:
        is_wide = _NUL in raw or (encoding == "utf-16-le" and behind == _NUL)
        return encoding if is_wide else None
    if len(raw) < _SHORTEST:
        return None
    even, odd, half = raw[0::2].count(0), raw[1::2].count(0), len(raw) // 2
    if odd > half * _LEAST_EVEN and even <= half * _MOST_ODD:
        return "utf-16-le" if not behind or (behind == _NUL and not len(raw) % 2) else None
    ends = behind is None or (raw.endswith(_NUL) and len(raw) % 2)
    return "utf-16-be" if ends and even > half * _LEAST_EVEN and odd <= half * _MOST_ODD else None


def _is_other(line: _Line, encoding: str) -> bool:
    is_wide = line.encoding != "8-bit"
    return bool(line.raw.strip(b"\r\n\0 \t")) and is_wide != (encoding in _WIDE_NEWLINE)


def _as_utf8(line: _Line, encoding: str) -> bytes:
    if line.encoding != "8-bit":
        whole = len(line.raw) // 2 * 2
        text = line.raw[:whole].decode(line.encoding, "surrogatepass").removeprefix("\ufeff")
        return text.encode("utf-8", "surrogatepass") + b"\xff" * (whole < len(line.raw))
    if encoding == "cp1252":
        return _from_cp1252(line.raw)
    try:
        line.raw.decode()
    except UnicodeDecodeError:
        return line.raw if encoding.startswith("utf-8") else _from_cp1252(line.raw)
    return line.raw


def _from_cp1252(raw: bytes) -> bytes:
    return "".join(bytes([byte]).decode("cp1252", "ignore") or chr(byte) for byte in raw).encode()
