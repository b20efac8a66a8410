"""Draws what a night costs by its rows, as a picture for the README."""

from pipeline.report.charts import round_ticks

_WIDTH, _HEIGHT, _LEFT, _TOP, _BOTTOM, _GAP = 360, 220, 48, 36, 40, 40

_NAMED = 8
"""Of which fraction of the most rows a number is written below its place; smaller ones would stand in each other."""

_STYLE = """
text { font: 12px system-ui, sans-serif; fill: #24292f } .title { font-weight: 600 }
.grid { stroke: #d0d7de; stroke-width: .5 } .a { stroke: #0969da; fill: #0969da } .b { stroke: #bc4c00; fill: #bc4c00 }
polyline { fill: none !important; stroke-width: 2 } .b polyline, polyline.b { stroke-dasharray: 5 3 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .grid { stroke: #30363d }
  .a { stroke: #58a6ff; fill: #58a6ff } .b { stroke: #f0883e; fill: #f0883e }
}
"""


def draw(costs):
    """An SVG of two panels; `costs` are `tests.benchmarks.metering.Cost` by rows."""
    seconds = {"wall, 2 workers": [cost.seconds for cost in costs.values()], "main process, CPU": _of(costs, "own_cpu")}
    memory = {"main process": _of(costs, "own_memory"), "a worker": _of(costs, "worker_memory")}
    rows = list(costs)
    width = 2 * (_LEFT + _WIDTH) + _GAP
    panels = _panel(0, "seconds by rows", rows, seconds) + _panel(_LEFT + _WIDTH + _GAP, "MB by rows", rows, memory)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {_TOP + _HEIGHT + _BOTTOM}" role="img" '
        f'aria-label="Seconds and memory of a night by its rows"><style>{_STYLE}</style>{panels}</svg>\n'
    )


def _of(costs, name):
    return [getattr(cost, name) for cost in costs.values()]


def _panel(left, title, rows, lines):
    ticks = round_ticks(max(map(max, lines.values())))

    def across(number):
        return left + _LEFT + number / rows[-1] * (_WIDTH - 24)

    def up(value):
        return _TOP + _HEIGHT - value / ticks[-1] * _HEIGHT

    drawn = [f'<text class="title" x="{left + _LEFT}" y="16">{title}</text>']
    for tick in ticks:
        y = up(tick)
        drawn.append(f'<line class="grid" x1="{left + _LEFT}" x2="{left + _LEFT + _WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>')
        drawn.append(f'<text x="{left + _LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{tick:,.0f}</text>')
    named = [number for number in rows if number == rows[-1] or rows[-1] / number < _NAMED]
    for number in (0, *named):
        name = f"{number / 1e6:g} M" if number else "0"
        drawn.append(f'<text x="{across(number):.1f}" y="{_TOP + _HEIGHT + 18}" text-anchor="middle">{name}</text>')
    for at, (name, values) in enumerate(lines.items()):
        kind, points = "ab"[at], [(across(number), up(value)) for number, value in zip(rows, values, strict=True)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        drawn.append(f'<polyline class="{kind}" points="{path}"/>')
        drawn += [f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="3"/>' for x, y in points]
        # The line is named where it begins, above the others.
        drawn.append(
            f'<g class="{kind}" stroke="none"><circle cx="{left + _LEFT + 8}" cy="{_TOP + 10 + 18 * at}" r="4"/></g>'
        )
        drawn.append(f'<text x="{left + _LEFT + 18}" y="{_TOP + 14 + 18 * at}">{name}</text>')
    return "".join(drawn)
