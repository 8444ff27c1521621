"""The repository's address is set in `_config.yml` alone; every badge, bootstrap cell and link follows it."""

import pytest

pytestmark = pytest.mark.apart

nbformat = pytest.importorskip("nbformat")
import links


def test_every_link_follows_the_config():
    assert links.problems(links.address()) == []


def test_another_address_is_noticed_everywhere():
    found = "\n".join(links.problems("https://github.com/someone/else"))
    for path in links.notebooks():
        assert path.relative_to(links.ROOT).as_posix() in found
    assert "README.md" in found


def test_a_notebook_without_bootstrap_or_title_is_named():
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x = 1")])
    with pytest.raises(ValueError, match="first code cell must be the bootstrap"):
        links._with_links(notebook, "https://github.com/a/b", "n.ipynb")
    notebook.cells[0].source = "# Colab bootstrap"
    with pytest.raises(ValueError, match="the title"):
        links._with_links(notebook, "https://github.com/a/b", "n.ipynb")


def test_the_bootstrap_installs_nothing_where_the_library_imports(monkeypatch):
    import subprocess

    monkeypatch.setattr(subprocess, "check_call", lambda *a: pytest.fail("it installed something"))
    exec(links.BOOTSTRAP.format(url="https://github.com/a/b"), {})


def test_the_bootstrap_installs_without_dependencies_elsewhere(monkeypatch, tmp_path):
    import importlib.util
    import subprocess

    calls = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(subprocess, "check_call", calls.append)
    exec(links.BOOTSTRAP.format(url="https://github.com/a/b"), {})
    assert calls[0][-2:] == ["--no-deps", "git+https://github.com/a/b@main"]
