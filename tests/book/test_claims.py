"""The ledger of claims: a verdict and an anchor in every row, each of the allowed kind, and nothing twice."""

import re

import pytest

pytestmark = pytest.mark.apart

pytest.importorskip("myst_parser")
import claims
import reading

GOOD = {
    "id": "square", "chapter": "patches", "source": "article", "claim": "Tokens grow with the area.", "verdict": "holds",
    "scope": "The bare cut.", "anchor": "notebooks/patches#play",
}  # fmt: skip
OPEN = GOOD | {
    "id": "long",
    "chapter": "video",
    "claim": "Films are long.",
    "verdict": "not tested",
    "anchor": "notebooks/video",
}


def test_the_books_ledger_has_no_fault():
    ledger = claims.claims()
    assert {claim.chapter for claim in ledger} == set(claims.CHAPTERS)
    assert {claim.verdict for claim in ledger} == set(claims.VERDICTS)
    assert {claim.source for claim in ledger} == set(claims.SOURCES)


def test_the_chapters_are_those_of_the_book():
    stand = re.findall(r"file: notebooks/(\w+)$", (reading.ROOT / "_toc.yml").read_text(encoding="utf-8"), re.MULTILINE)
    assert stand == list(claims.CHAPTERS[: len(stand)])


def test_a_chapter_that_stands_has_tested_most_of_its_claims():
    stand = [name.removeprefix("notebooks/") for name in reading.names() if re.fullmatch(r"notebooks/\w+", name)]
    for chapter in stand:
        tested = [claim.tested for claim in claims.claims() if claim.chapter == chapter]
        assert sum(tested) >= 0.8 * len(tested) > 0, chapter


def test_good_rows_have_no_fault():
    assert claims.faults(GOOD) == claims.faults(OPEN, [GOOD]) == []


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({name: value for name, value in GOOD.items() if name != "verdict"}, r"missing \['verdict'\]"),
        ({name: value for name, value in GOOD.items() if name != "anchor"}, r"missing \['anchor'\]"),
        (GOOD | {"note": "x"}, r"unknown \['note'\]"),
        (GOOD | {"scope": " "}, "scope say nothing"),
        (GOOD | {"claim": 3}, "claim say nothing"),
        (GOOD | {"verdict": "true"}, "verdict is 'true'; it is one of holds, holds when, not here, not tested"),
        (GOOD | {"chapter": "patch"}, "chapter is 'patch'"),
        (GOOD | {"source": "me"}, "source is 'me'"),
        (GOOD | {"anchor": "notebooks/patches"}, "no heading"),
        (GOOD | {"anchor": "notebooks/patches#plays"}, "no heading"),
        (GOOD | {"anchor": "notebooks/rvq#cut"}, "no heading"),
        (GOOD | {"anchor": "notebooks/cache#cut"}, "no page 'notebooks/cache'"),
        (OPEN | {"anchor": "notebooks/patches#play"}, "its anchor is the chapter's page, notebooks/video"),
        (OPEN | {"anchor": "notebooks/patches"}, "its anchor is the chapter's page, notebooks/video"),
    ],
)
def test_each_fault_is_found_and_alone(row, says):
    (only,) = claims.faults(row)
    assert re.search(says, only) and "claim '" in only


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"claim": "Another."}, "this id is there twice"),
        ({"id": "other", "claim": "Tokens  grow with the AREA"}, "this claim is there twice"),
    ],
)
def test_a_claim_that_is_there_twice_is_found(change, says):
    (only,) = claims.faults(GOOD | change, [OPEN, GOOD])
    assert says in only


def test_a_heading_that_a_page_has_twice_is_no_anchor(tmp_path, monkeypatch):
    (tmp_path / "page.md").write_text("# A page\n\n## Same\n\n## Same\n\n## An image's tokens\n")
    monkeypatch.setattr(reading, "ROOT", tmp_path)
    assert claims.headings.__wrapped__("page") == {"a-page", "an-image-s-tokens"}


def test_a_ledger_with_faults_is_refused_with_all_of_them(tmp_path, monkeypatch, capsys):
    row = lambda fields: "[[claim]]\n" + "".join(f'{name} = "{value}"\n' for name, value in fields.items())
    (tmp_path / "claims.toml").write_text(row(GOOD) + row(GOOD | {"verdict": "yes"}) + row(OPEN | {"scope": ""}))
    monkeypatch.setattr(claims, "LEDGER", tmp_path / "claims.toml")
    with pytest.raises(SystemExit) as failed:
        claims.main()
    assert str(failed.value).count("\n") == 3  # verdict, id twice, claim twice, scope
    (tmp_path / "claims.toml").write_text(row(GOOD) + row(OPEN))
    assert [claim.tested for claim in claims.claims()] == [True, False]
    claims.main()
    assert "2 claims: 1 holds, 0 holds when, 0 not here, 1 not tested" in capsys.readouterr().out
