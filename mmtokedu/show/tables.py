"""Tables: numbers to the right, units in the heads, the rows that matter marked."""

import html
import numbers

from mmtokedu.show.markup import output
from mmtokedu.show.numbers import Approx


def table(header, rows, *, caption, mark=(), digits=2, folded=None):
    """Show a table: numbers to the right, units in the heads, the rows that matter marked.

    `header` names the columns, with units. A row is as many cells, the first of which is its name: text, a whole number
    (shown with commas), a float (shown with `digits` decimals), a number of `show.approx`, or None ("not measured
    yet"). A row that is one string is the title of the rows after it. `mark` are the numbers of the rows to mark,
    titles not counted, or one number.
    `caption` says what to see; it is also what a reader hears first. `folded` is the line under which a long table
    waits to be opened; without it the table is open.

    Raises ValueError for an empty caption or folded line, a row of another length, and a marked row that is not there.

    >>> table(["side (px)", "tokens"], [["224", 256], ["448", 1024]], mark=1, caption="Tokens grow with the area.")
    [table: Tokens grow with the area.]
    """
    if not isinstance(caption, str) or not caption.strip():
        raise ValueError("caption is empty; say in one sentence what the table shows")
    if folded is not None and (not isinstance(folded, str) or not folded.strip()):
        raise ValueError("folded is empty; say in a few words what waits under the line, or leave it out")
    header, rows, mark = list(header), list(rows), {mark} if isinstance(mark, int) else set(mark)
    body = [row for row in rows if not isinstance(row, str)]
    for row in body:
        if len(row) != len(header):
            raise ValueError(f"table() got {len(header)} columns and the row {row!r} of {len(row)} cells")
    if missing := sorted(mark - set(range(len(body)))):
        raise ValueError(f"table() got {len(body)} rows, numbered from 0, and should mark {missing}")
    shown = table_html(header, rows, caption.strip(), mark, digits)
    if folded:
        summary = html.escape(folded.strip(), quote=False)
        shown = f'<details class="mm-fold"><summary>{summary}</summary>{shown}</details>'
    return output("table", shown, caption.strip())


def table_html(header, rows, caption, mark, digits):
    """A real table: heads for columns and rows, a body for each group, numbers to the right. See `show.table`."""
    body = [row for row in rows if not isinstance(row, str)]
    right = [any(_is_number(row[i]) for row in body) for i in range(len(header))]

    def cell(i, value, tag="td", scope=""):
        text, kind = str(value), ""
        if value is None:
            text, kind = "not measured yet", ' class="mm-none"'
        elif _is_number(value) and not isinstance(value, Approx):
            text = f"{value:,.{digits}f}" if isinstance(value, float) else f"{value:,}"
        side = "right" if right[i] else "left"
        side += ";white-space:nowrap" if isinstance(value, Approx) else ""
        return f'<{tag}{scope}{kind} style="text-align:{side}">{html.escape(text, quote=False)}</{tag}>'

    head = "".join(cell(i, name, "th", ' scope="col"') for i, name in enumerate(header))
    bodies, number = [""], 0
    for row in rows:
        if isinstance(row, str):
            title = html.escape(row, quote=False)
            span = f'colspan="{len(header)}" scope="rowgroup" style="text-align:left"'
            bodies.append(f'<tr><th class="mm-group" {span}>{title}</th></tr>')
            continue
        cells = cell(0, row[0], "th", ' scope="row"') + "".join(cell(i, x) for i, x in enumerate(row) if i)
        bodies[-1] += f'<tr class="mm-mark">{cells}</tr>' if number in mark else f"<tr>{cells}</tr>"
        number += 1
    groups = "".join(f"<tbody>{rows}</tbody>" for rows in bodies if rows)
    return (
        f'<div class="mm-table" role="region" tabindex="0" aria-label="{html.escape(caption)}"><table class="table">'
        f"<caption>{html.escape(caption, quote=False)}</caption><thead><tr>{head}</tr></thead>{groups}</table></div>"
    )


def _is_number(value):
    return isinstance(value, (numbers.Real, Approx)) and not isinstance(value, bool)
