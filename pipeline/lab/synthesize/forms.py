"""The forms that manifests come in: encodings, delimiters, line ends, compressions."""

import gzip
from collections.abc import Callable

import pyarrow as pa


def encoded(path: str, header: tuple[str, ...], rows: list[tuple[str, ...] | bytes], number: int) -> tuple[str, bytes]:
    """A file in one of the forms that manifests come in; every third is what the collector script writes."""
    delimiter, encoding, ending, suffix = _FORMS[number % len(_FORMS)]
    if any(isinstance(row, bytes) for row in rows):
        delimiter, encoding, ending, suffix = ",", "cp1252", "\n", ".csv"
    lines = [delimiter.join(header).encode(encoding)]
    lines += [row if isinstance(row, bytes) else _line(row, delimiter).encode(encoding, "replace") for row in rows]
    mark = {"utf-8": b"\xef\xbb\xbf", "utf-16-le": b"\xff\xfe"}.get(encoding, b"")
    content = mark + b"".join(line + ending.encode(encoding) for line in lines)
    return path + suffix, _COMPRESSIONS[suffix](content)


def _line(row: tuple[str, ...], delimiter: str) -> str:
    quoted = ('"' + cell.replace('"', '""') + '"' for cell in row)
    return delimiter.join(
        in_quotes if delimiter in cell or '"' in cell else cell for cell, in_quotes in zip(row, quoted, strict=True)
    )


_FORMS = (
    (",", "cp1252", "\r\n", ".csv"),
    (",", "utf-16-le", "\r\n", ".csv"),
    (",", "cp1252", "\n", ".csv.gz"),
    (";", "utf-8", "\r\n", ".csv"),
    (",", "utf-16-le", "\r\n", ".CSV"),
    (",", "cp1252", "\n", ".csv.zst"),
    ("\t", "utf-8", "\r", ".csv"),
)


def _zstd(content: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(content)
    return bytes(sink.getvalue())


_COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    ".csv": lambda content: content,
    ".CSV": lambda content: content,
    ".csv.gz": lambda content: gzip.compress(content, mtime=0),
    ".csv.zst": _zstd,
}
