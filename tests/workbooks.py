"""Writes workbooks part by part, so that a test can have in them what no program would write."""

import zipfile
from xml.sax.saxutils import escape, quoteattr

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_LINKED = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_TYPES = (
    f'<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels" '
    'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="xml" ContentType="application/xml"/></Types>'
)
_STYLES = f'<styleSheet xmlns="{_MAIN}"><cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="14"/></cellXfs></styleSheet>'


def text(value):
    return f'<c t="inlineStr"><is><t xml:space="preserve">{escape(value)}</t></is></c>'


def number(value):
    return f"<c><v>{value}</v></c>"


def day(value):
    return f'<c s="1"><v>{value}</v></c>'


def error(value):
    return f'<c t="e"><v>{value}</v></c>'


def truth(value):
    return f'<c t="b"><v>{int(value)}</v></c>'


def formula(value):
    return f'<c t="str"><f>A1&amp;B1</f><v>{escape(value)}</v></c>'


def placed(number, column, cell):
    """A cell that says where it stands, as programs write them; others follow what is before them."""
    return cell.replace("<c", f'<c r="{chr(ord("A") + column)}{number}"', 1)


def row(number, *cells):
    return f'<row r="{number}">{"".join(cell if cell.startswith("<") else text(cell) for cell in cells)}</row>'


def write_workbook(path, sheets, *, hidden=()):
    """Write a workbook of sheets by name, each the XML of its rows."""

    def state(name):
        return "hidden" if name in hidden else "visible"

    names = "".join(
        f'<sheet name={quoteattr(name)} sheetId="{at}" state="{state(name)}" r:id="r{at}"/>'
        for at, name in enumerate(sheets, 1)
    )
    links = "".join(
        f'<Relationship Id="r{at}" Type="{_LINKED}/worksheet" Target="worksheets/sheet{at}.xml"/>'
        for at in range(1, len(sheets) + 1)
    )
    links += f'<Relationship Id="s" Type="{_LINKED}/styles" Target="styles.xml"/>'
    root = f'<Relationship Id="r" Type="{_LINKED}/officeDocument" Target="xl/workbook.xml"/>'
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("[Content_Types].xml", _TYPES)
        packed.writestr("_rels/.rels", f'<Relationships xmlns="{_PACKAGE}/relationships">{root}</Relationships>')
        packed.writestr(
            "xl/workbook.xml", f'<workbook xmlns="{_MAIN}" xmlns:r="{_LINKED}"><sheets>{names}</sheets></workbook>'
        )
        packed.writestr(
            "xl/_rels/workbook.xml.rels", f'<Relationships xmlns="{_PACKAGE}/relationships">{links}</Relationships>'
        )
        packed.writestr("xl/styles.xml", _STYLES)
        for at, rows in enumerate(sheets.values(), 1):
            packed.writestr(
                f"xl/worksheets/sheet{at}.xml",
                f'<worksheet xmlns="{_MAIN}"><sheetData>{rows}</sheetData></worksheet>',
            )


_NAMES = [
    ["Device Serial Number", "Windows Product ID", "Hardware Hash", "Manufacturer name", "Device model"],
    ["Serial Number", "Make", "Model", "Group Tag", "Room"],
    ["PKID", "Serial"],
    ["PKID"],
]
_HASH = "T0" + "Ab1+" * 20
_TEXTS = [
    "",
    "",
    "A1",
    "5CG1234ABC",
    " x\u00a0",
    "a,b",
    "a;b",
    "a\tb",
    'a"b',
    '"',
    "two\nlines",
    "3303123456789",
    _HASH,
]
_NUMBERS = ["3303123456789", "12", "1.5", "0", "1E+15", "999999999999999", "123456789012345680", "-4", "2.0"]


def a_cell(source):
    """A kind and a value."""
    kind = source.choices(["text", "number", "formula", "error", "truth", "date"], [12, 3, 1, 1, 1, 1])[0]
    values = {
        "text": _TEXTS,
        "number": _NUMBERS,
        "formula": ["5CD1", "HP"],
        "error": ["#N/A", "#REF!"],
        "truth": [True, False],
        "date": ["2023-03-15"],
    }
    return kind, source.choice(values[kind])


def a_workbook(source, most_rows):
    """Sheets by name, each with its cells by number of the row: almost right, or not at all."""
    sheets = {}
    for name in source.sample(["Devices", "Notes", "2", "a&b"], source.choice([1, 1, 2, 3])):
        names, rows, number = source.choice(_NAMES), {}, 0
        shift = [("text", "")] * source.choice([0, 0, 0, 1, 2])
        for _ in range(source.randrange(most_rows + 1)):
            number += source.choice([1, 1, 1, 1, 2, 5])
            kind = source.random()
            if kind < 0.25 or (not rows and kind < 0.8):
                rows[number] = [*shift, *(("text", name) for name in names[: source.choice([5, 5, 5, 2])])]
            else:
                width = source.choice([1, 2, 3, len(names), len(names), len(names), len(names) + 1])
                rows[number] = [*shift, *(a_cell(source) for _ in range(width))]
        sheets[name] = rows
    return sheets


def _written(kind, value):
    if kind == "text" and value == "":
        return ""
    makers = {"text": text, "number": number, "formula": formula, "error": error, "truth": truth}
    return day(45_000) if kind == "date" else makers[kind](value)


def write_sheets(path, sheets):
    """Write sheets as `a_workbook` gives them; empty cells are left out."""
    parts = {}
    for name, rows in sheets.items():
        parts[name] = "".join(
            row(at, *(placed(at, place, one) for place, cell in enumerate(cells) if (one := _written(*cell))))
            for at, cells in rows.items()
        )
    write_workbook(path, parts)
