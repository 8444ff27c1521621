"""The library's own source on a page: what is quoted is what runs."""

import ast
import hashlib
import html
import importlib.util
import inspect
import textwrap
from pathlib import Path

from mmtokedu.show.markup import output


def source(function, *, docstring=False):
    """Show the source of a library function, highlighted: what the page quotes is what runs.

    `function` is the function itself, or "module:name", which reads the file without importing what the file imports.
    The decorator that sends torch tensors to a twin is left out, and so is the docstring unless asked for.

    Raises ValueError for a name that the module's file does not define at its top level.

    >>> source(source)
    [source: mmtokedu.show.quotes.source]
    >>> source("mmtokedu.show.charts:draw_grid")
    [source: mmtokedu.show.charts.draw_grid]
    """
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import PythonLexer

    if isinstance(function, str):
        name, code = function.replace(":", "."), _source_in_file(*function.split(":"))
    else:
        inner = inspect.unwrap(function)
        name, code = f"{inner.__module__}.{inner.__qualname__}", textwrap.dedent(inspect.getsource(inner))
    definition = ast.parse(code).body[0]
    lines = code.splitlines()
    if not docstring and ast.get_docstring(definition):
        first = definition.body[0]
        del lines[first.lineno - 1 : first.end_lineno]
    code = "\n".join(lines[definition.lineno - 1 :])  # the decorators stand before the line of the definition
    body = (
        f'<figure class="mm-source"><figcaption><code>{html.escape(name)}</code></figcaption><div class="highlight">'
        f'<pre tabindex="0">{highlight(code, PythonLexer(), HtmlFormatter(nowrap=True))}</pre></div></figure>'
    )
    return output("source", body, name, hashlib.sha256(code.encode()).hexdigest()[:12])


def _source_in_file(module, name):
    text = Path(importlib.util.find_spec(module).origin).read_text(encoding="utf-8")
    for node in ast.parse(text).body:
        if getattr(node, "name", None) == name:
            return "\n".join(text.splitlines()[node.lineno - 1 : node.end_lineno])
    raise ValueError(f"{module} defines no {name!r} at its top level")
