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
