"""Files of which each line was put into one quoted cell, as a spreadsheet does that was given a single column."""

import re

from pipeline.ingest.lines import RECORD_LIMIT

_ENDS = b"\r\n"
_WRAPPED = re.compile(rb'(?:[ \t]*"(?:[^"\r\n]|"")*+"[ \t]*(?=[\r\n])|[ \t\r\n])*+')
_LINE = re.compile(rb'^[ \t]*"((?:[^"\r\n]|"")*+)"[ \t]*(?=\r*$)', re.MULTILINE)
_DELIMITER = re.compile(rb"[,;\t]")


class Wrapping:
    """Whether all lines of a text, seen chunk by chunk, are one quoted cell each, and some hold several fields."""

    def __init__(self) -> None:
        self.possible = True
        self._holds_fields = self._ended = False
        self._rest = b""

    @property
    def holds(self) -> bool:
        """Whether they all were, to the end."""
        return self._ended and self.possible and self._holds_fields

    def add(self, text: bytes) -> None:
        """Look at more of it."""
        if not self.possible:
            return
        text = self._rest + text
        start = text.removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n")[:1]
        end = max(text.rfind(end) for end in (b"\n", b"\r")) + 1
        whole, self._rest = text[:end], text[end:]
        matched = _WRAPPED.match(whole.removeprefix(b"\xef\xbb\xbf"))
        is_whole = bool(matched) and matched.end() == len(whole.removeprefix(b"\xef\xbb\xbf")) if matched else False
        self.possible = start in {b'"', b""} and is_whole and len(self._rest) <= RECORD_LIMIT
        self._holds_fields = self._holds_fields or bool(_DELIMITER.search(whole))

    def close(self) -> None:
        """No more follows."""
        if self.possible and self._rest:
            self.add(b"\n")
        self._ended = True


def unwrapped(lines: bytes) -> bytes:
    """What the cells of whole lines hold."""
    return _LINE.sub(lambda found: found[1].replace(b'""', b'"'), lines)
