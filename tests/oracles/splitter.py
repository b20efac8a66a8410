"""A manifest split line by line, as one would explain it; the oracle of ingest. Takes what an encoding gives."""

from decimal import Decimal

BLANKS = " \t\u00a0"
ENDS = "\r\n"
NAMES = {
    "serial_number": "deviceserialnumber serialnumber serial s/n deviceserial serialno servicetag",
    "windows_product_id": "windowsproductid productkeyid pkid windowsproductkeyid productid productkey",
    "hardware_hash": "hardwarehash devicehardwaredata 4khh 4khardwarehash hardwareidentifier hash",
    "manufacturer": "manufacturername manufacturer oemmanufacturername vendor make",
    "model": "devicemodel model modelname",
    "group_tag": "grouptag orderid",
    "assigned_user": "assigneduser upn userprincipalname",
    "tenant": "tenantid tenant customerid customertenantid",
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


def column_of(name):
    name = name.lower()
    for remark in ("required", "optional", "mandatory", "guid"):
        name = name.replace(f"({remark})", "")
    name = "".join(letter for letter in name if not letter.isspace() and letter not in "_-.*:")
    if name.startswith("detailstable0"):
        name = name.removeprefix("detailstable0").removesuffix("0")
    return next((column for column, names in NAMES.items() if name in names.split()), None)


def names_of(line, delimiter):
    """Cells of a header and what each means; "" stands for each empty one at the end, of which 100 count."""
    cells = fields_of(line.removeprefix("\ufeff"), delimiter) or []
    spare = 0
    while cells and not cells[-1].strip(BLANKS):
        cells.pop()
        spare += 1
    return cells, [column_of(cell) for cell in cells] + [""] * min(spare, 100)


def named_width(columns):
    return len([column for column in columns if column != ""])


def header_of(line):
    for delimiter in ",;\t":
        _, columns = names_of(line, delimiter)
        known = [column for column in columns if column]
        named = set(known)
        device = {"hardware_hash"} & named or {"windows_product_id"} & named
        if len(known) == len(named) and (device or {"serial_number", "manufacturer", "model"} <= named):
            return delimiter, columns
    return None


def repeated_header_of(line, delimiter):
    header = header_of(line)
    if header:
        return separated_by(header, delimiter) if named_width(header[1]) == 1 else header
    cells, columns = names_of(line, delimiter)
    named = sum(bool(column) for column in columns)
    if named and named * 2 >= sum(bool(cell.strip(BLANKS)) for cell in cells):
        first = [None if column and column in columns[:at] else column for at, column in enumerate(columns)]
        return delimiter, first
    return None


def separated_by(header, delimiter):
    """A header of one name, which does not show what separates fields."""
    return delimiter, header[1] if header[0] == delimiter else header[1][:1]


def is_remark(line):
    bare = line.removeprefix("\ufeff").removeprefix('"').lower()
    rest = bare.removeprefix("sep=")
    separates = bare.startswith("sep=") and rest[:1] in {",", ";", "\t"} and rest[:1]
    is_type = bare.startswith("#type") and not (bare[5:6].isalnum() or bare[5:6] == "_")
    return is_type or bool(separates and not rest[1:].removeprefix('"').strip(",;\t "))


def told_delimiter(line):
    bare = line.removeprefix("\ufeff").removeprefix('"').lower()
    return bare[4] if bare.startswith("sep=") and is_remark(line) else None


def may_be_row(line, delimiter, header_cells):
    fields = fields_of(line, delimiter)
    fields = line.split(delimiter) if fields is None else fields
    filled = sum(bool(field.strip(BLANKS)) for field in fields)
    if filled >= 3 and filled >= header_cells:
        return True
    digits = "".join(letter if letter in "0123456789" else " " for letter in line).split()
    if any(len(number) == 13 for number in digits):
        return True
    base64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    starts = [at for at in range(len(line)) if line.startswith("T0", at)]
    return any(len(line) - at >= 62 and all(letter in base64 for letter in line[at : at + 62]) for at in starts)


def decode_line(raw):
    try:
        return raw.decode("utf-8"), True
    except UnicodeDecodeError:
        return raw.decode("utf-8", "backslashreplace"), False


def lines_of(text):
    newline = b"\n" if b"\n" in text or b"\r" not in text else b"\r"
    lines = text.split(newline)
    if lines[-1] == b"":
        lines.pop()
    found = []
    for number, ended in enumerate(lines, start=1):
        raw = ended.rstrip(b"\r")
        line, is_text = decode_line(raw)
        is_sound = is_text and "\0" not in line
        fault = "RECORD_TOO_LARGE" if len(raw) > LIMIT else None if is_sound else "RECORD_NOT_TEXT"
        found.append((number, line, fault))
    return found


def find_header(physical):
    """Position of the header line, the header, and how the lines before it count; or None."""
    seen = 0
    for at, (_, line, fault) in enumerate(physical):
        if not line.strip(BLANKS + ",;\t"):
            continue
        header = None if fault else header_of(line)
        told = [told_delimiter(one[1]) for one in physical[:at] if told_delimiter(one[1])]
        if header and told and named_width(header[1]) == 1:
            header = separated_by(header, told[-1])
        before = [one for one in physical[:at] if header and one[1].strip(BLANKS + header[0])]
        records = [one for one in before if not is_remark(one[1])]
        if header and len(records) < 20:
            cells = sum(bool(cell.strip(BLANKS)) for cell in names_of(line, header_of(line)[0])[0])
            codes = {True: "FILE_HEADER_UNKNOWN", False: "RECORD_BEFORE_HEADER"}
            faults = {
                number: text_fault or codes[may_be_row(text, header[0], cells)] for number, text, text_fault in records
            }
            return at, header, faults
        seen += not is_remark(line)
        if seen == 20:
            return None
    return None


def ends_inside(line, delimiter, inside):
    """Whether a line ends inside a quoted value, and the pieces of values that it shares with its neighbours."""
    shared, piece, at, begins = [], "", 0, True
    opened_before = inside
    while at < len(line):
        letter = line[at]
        if inside:
            if letter == '"' and line[at + 1 : at + 2] == '"':
                piece, at = piece + '"', at + 1
            elif letter == '"':
                if opened_before:
                    shared.append(piece)
                inside = opened_before = begins = False
            else:
                piece += letter
        elif begins and letter == '"':
            inside, piece = True, ""
        elif letter == delimiter:
            begins = True
        elif letter not in BLANKS:
            begins = False
        at += 1
    return inside, shared + [piece] * inside


def joined(lines, at, header, is_header):
    """How many lines a record takes that begins with an open value; 1 where it is a line by itself."""
    delimiter, columns = header
    inside, shared = ends_inside(lines[at][1], delimiter, inside=False)
    if not inside or any(delimiter in piece for piece in shared):
        return 1
    for last in range(at + 1, len(lines)):
        _, line, fault = lines[last]
        own = fields_of(line, delimiter)
        if fault or is_header(line) or (own is not None and has_width(own, columns)):
            return 1
        inside, shared = ends_inside(line, delimiter, inside=True)
        if any(delimiter in piece for piece in shared):
            return 1
        if not inside:
            fields = fields_of("\n".join(text for _, text, _ in lines[at : last + 1]), delimiter)
            return last - at + 1 if fields is not None and has_width(fields, columns) else 1
    return 1


def has_width(fields, columns):
    return named_width(columns) <= len(fields) <= len(columns)


def fitted(fields, columns):
    """The fields, surplus empty ones dropped and missing ones added; None where there are too many or too few."""
    if fields is None:
        return None
    while len(fields) > len(columns) and not fields[-1].strip(BLANKS):
        fields.pop()
    missing = columns[len(fields) :]
    if fields and all(column in {"group_tag", "assigned_user", ""} for column in missing):
        fields += [""] * len(missing)
    return fields if len(fields) == len(columns) else None


def split(text):
    """Records of UTF-8 bytes: (line, fault, cells) in order, and whether a header was found."""
    physical = lines_of(text)
    first = next((entry for entry in physical if entry[1].strip(BLANKS + ",;\t")), None)
    if first is None:
        return [], False
    found = find_header(physical)
    if found is None:
        delimiter = max(",;\t", key=first[1].count)
        return [(number, fault, None) for number, line, fault in physical if line.strip(BLANKS + delimiter)], False
    at, header, faults = found
    records = [(number, fault, None) for number, fault in sorted(faults.items())]
    at += 1
    while at < len(physical):
        number, line, fault = physical[at]
        at += 1

        def again(line, delimiter=header[0]):
            return repeated_header_of(line, delimiter) if len(line.encode()) < 3_000 else None

        if not line.strip(BLANKS + header[0]):
            continue
        if not fault and again(line):
            header = again(line)
            records.append((number, "RECORD_REPEATED_HEADER", None))
            continue
        if fault:
            records.append((number, fault, None))
            continue
        size = joined(physical, at - 1, header, again)
        whole = "\n".join(text for _, text, _ in physical[at - 1 : at - 1 + size])
        at += size - 1
        fields = fitted(fields_of(whole, header[0]), header[1])
        if fields is None:
            records.append((number, "RECORD_FIELD_COUNT", None))
            continue
        values = zip(header[1], fields, strict=True)
        records.append((number, None, {name: value.strip(BLANKS + ENDS) or None for name, value in values if name}))
    return records, True


def holds_identity(text):
    """Whether a text holds a hardware hash, or 13 digits that are no part of more."""
    return may_be_row(text, "\t", 1_000_000)


def number_of(value):
    """A stored number as its digits, and whether they are those that were typed."""
    whole = Decimal(value) == Decimal(value).to_integral_value()
    text = f"{Decimal(value):f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return text, whole and abs(Decimal(value)) < 10**15


def cell_of(kind, value):
    """A cell's text, and for which columns of a tuple its kind is damage."""
    if kind in {"text", "formula", ""}:
        return value, set()
    if kind == "number":
        text, sure = number_of(value)
        return text, {"serial_number"} if sure else {"serial_number", "model"}
    text = {"error": value, "truth": "TRUE" if value else "FALSE", "date": value}[kind]
    return text, {"serial_number", "manufacturer", "model"}


def header_of_cells(texts):
    names = list(texts)
    while names and not names[-1].strip(BLANKS):
        names.pop()
    columns = [column_of(name) for name in names]
    known = {column for column in columns if column}
    is_device = known & {"hardware_hash", "windows_product_id"} or {"serial_number", "manufacturer", "model"} <= known
    return columns if is_device and len(known) == sum(column is not None for column in columns) else None


def names_again(texts):
    """The columns of a later row that is a header, or None."""
    columns = header_of_cells(texts)
    if columns:
        return columns
    columns = [column_of(text) for text in texts]
    filled, named = sum(bool(text.strip(BLANKS)) for text in texts), sum(column is not None for column in columns)
    if not named or named * 2 < filled:
        return None
    while texts and not texts[len(columns) - 1].strip(BLANKS):
        columns.pop()
    return [None if column in columns[:at] else column for at, column in enumerate(columns)]


def split_sheet(rows):
    """Records of a sheet: (row, fault, cells, damaged columns), and whether it has a header.

    Args:
        rows: by number from 1 its cells, each a kind and a value; what is not there is empty.
    """
    texts = {number: [cell_of(*cell) for cell in cells] for number, cells in sorted(rows.items())}
    filled = {number: cells for number, cells in texts.items() if any(text.strip(BLANKS) for text, _ in cells)}
    order = list(filled)
    first = [number for number in order[:20] if header_of_cells([text for text, _ in filled[number]])]
    if not first:
        return [(number, None, None, set()) for number in order], False
    at = order.index(first[0])
    columns = header_of_cells([text for text, _ in filled[first[0]]])
    width = sum(bool(text.strip(BLANKS)) for text, _ in filled[first[0]])
    records = []
    for number in order[:at]:
        cells = [text for text, _ in filled[number]]
        full = sum(bool(text.strip(BLANKS)) for text in cells)
        is_row = (full >= 3 and full >= width) or any(holds_identity(text) for text in cells)
        records.append((number, "FILE_HEADER_UNKNOWN" if is_row else "RECORD_BEFORE_HEADER", None, set()))
    for number in order[at + 1 :]:
        cells = [text for text, _ in filled[number]]
        again = names_again(cells) if sum(len(text.encode()) + 1 for text in cells) < 3_000 else None
        if again:
            columns = again
            records.append((number, "RECORD_REPEATED_HEADER", None, set()))
        elif any(text.strip(BLANKS) for text in cells[len(columns) :]):
            records.append((number, "RECORD_FIELD_COUNT", None, set()))
        else:
            pairs = list(zip(columns, filled[number], strict=False))
            values = {name: text.strip(BLANKS + ENDS) or None for name, (text, _) in pairs if name}
            values |= {name: None for name in columns[len(pairs) :] if name}
            records.append((number, None, values, {name for name, (_, damages) in pairs if name in damages}))
    return records, True


def split_workbook(sheets):
    """By sheet its records as `split_sheet` has them; None for one that is passed over."""
    split_sheets = {name: split_sheet(rows) for name, rows in sheets.items()}
    any_header = any(has_header for _, has_header in split_sheets.values())
    found = {}
    for name, (records, has_header) in split_sheets.items():
        cells = [cell_of(*cell)[0] for row in sheets[name].values() for cell in row]
        is_passed_over = any_header and not has_header and not any(map(holds_identity, cells))
        found[name] = None if is_passed_over else records
    return found
