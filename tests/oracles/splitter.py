"""A manifest split line by line, as one would explain it; the oracle of ingest. Takes what an encoding gives."""

BLANKS = " \t\u00a0"
NAMES = {
    "serial_number": ["device serial number", "serial number", "device serial"],
    "windows_product_id": ["windows product id", "product key id", "pkid", "windows product key id"],
    "hardware_hash": ["hardware hash", "hardwarehash", "device hardware data", "4k hh"],
    "manufacturer": ["manufacturer name", "manufacturer", "oem manufacturer name"],
    "model": ["device model", "model", "model name"],
    "group_tag": ["group tag", "order id", "grouptag"],
    "assigned_user": ["assigned user", "upn", "user principal name"],
    "tenant": ["tenant id", "customer id", "customer tenant id"],
}
LIMIT = 1 << 20


def fields_of(line, delimiter):
    """Fields of a line, None where a quotation mark has no pair."""
    if line.count('"') % 2:
        return None
    blanks = BLANKS.replace(delimiter, "")
    fields, at = [], 0
    while True:
        start = at
        while start < len(line) and line[start] in blanks:
            start += 1
        if start < len(line) and line[start] == '"':
            value, at = "", start + 1
            while True:
                if at >= len(line):
                    return None
                if line[at] == '"' and line[at + 1 : at + 2] == '"':
                    value, at = value + '"', at + 2
                elif line[at] == '"':
                    at += 1
                    break
                else:
                    value, at = value + line[at], at + 1
            end = line.find(delimiter, at)
            rest = line[at:] if end < 0 else line[at:end]
            value += rest.rstrip(BLANKS)
        else:
            end = line.find(delimiter, at)
            value = line[at:] if end < 0 else line[at:end]
        fields.append(value)
        if end < 0:
            return fields
        at = end + 1


def header_of(line):
    line = line.removeprefix("\ufeff")
    for delimiter in ",;\t":
        cells = fields_of(line, delimiter) or []
        while cells and not cells[-1].strip(BLANKS):
            cells.pop()
        columns = [
            next((name for name, aliases in NAMES.items() if cell.strip(BLANKS).lower() in aliases), None)
            for cell in cells
        ]
        known = [column for column in columns if column]
        named = set(known)
        device = {"hardware_hash"} & named or {"windows_product_id"} & named
        if len(known) == len(named) and (device or {"serial_number", "manufacturer", "model"} <= named):
            return delimiter, columns
    return None


def decode_line(raw):
    try:
        return raw.decode("utf-8"), True
    except UnicodeDecodeError:
        return raw.decode("utf-8", "backslashreplace"), False


def split(text):  # noqa: C901, PLR0912 - told in one piece
    """Records of UTF-8 bytes: (line, fault, cells) in order, and whether a header was found."""
    newline = b"\n" if b"\n" in text or b"\r" not in text else b"\r"
    lines = text.split(newline)
    if lines[-1] == b"":
        lines.pop()
    physical = []
    for number, raw in enumerate(lines, start=1):
        line, is_text = decode_line(raw)
        size = len(raw)
        if newline == b"\n":
            line, size = line.removesuffix("\r"), len(raw.removesuffix(b"\r"))
        fault = "RECORD_TOO_LARGE" if size > LIMIT else None if is_text and "\0" not in line else "RECORD_NOT_TEXT"
        physical.append((number, line, fault))
    header, records, started = None, [], False
    first = next((entry for entry in physical if entry[1].strip(BLANKS + ",;\t")), None)
    if first is None:
        return [], False
    header = None if first[2] else header_of(first[1])
    if header and any(line.strip(BLANKS + header[0]) for number, line, _ in physical if number < first[0]):
        header = None
    delimiter = header[0] if header else max(",;\t", key=first[1].count)
    for number, line, fault in physical:
        if header and number == first[0]:
            started = True
            continue
        if not line.strip(BLANKS + delimiter):
            continue
        if not header:
            records.append((number, fault, None))
            continue
        again = header_of(line) if started and not fault and len(line.encode()) < 3_000 else None
        if again:
            header, delimiter = again, again[0]
            records.append((number, "RECORD_REPEATED_HEADER", None))
            continue
        fields = None if fault else fields_of(line, delimiter)
        if fields is not None:
            while len(fields) > len(header[1]) and not fields[-1].strip(BLANKS):
                fields.pop()
        if fields is None or len(fields) != len(header[1]):
            records.append((number, fault or "RECORD_FIELD_COUNT", None))
            continue
        cells = {name: value.strip(BLANKS) or None for name, value in zip(header[1], fields, strict=True) if name}
        records.append((number, None, cells))
    return records, header is not None
