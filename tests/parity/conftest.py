"""What the live parity tests share: both sides are asked, what they said is counted, and the counts are printed."""

import parity_counts
import pytest
from near_ties import regrets
from peers import ask


@pytest.fixture
def counted(request):
    """Hold three counts, under a kind and a name, to those that are kept for the chapters; of other topics nothing is."""
    _, how, topic = request.path.stem.split("_", 2)

    def hold(kind, name, agreed, refused, disagreed, why="", asked=how):
        if topic in parity_counts.TOPICS:
            row = parity_counts.row(kind, name, asked, agreed, refused, disagreed, why)
            parity_counts.held(request.config, topic, row)

    return hold


@pytest.fixture
def count_rows(counted):
    """Run checks of golden rows, (kind, name, check, row) each; keep the counts of each name, fail on a disagreement."""

    def count(checks):
        found = {}
        for kind, name, check, row in checks:
            counts = found.setdefault((kind, name), [0, 0])
            try:
                check(row)
                counts[0] += 1
            except AssertionError:
                counts[1] += 1
        for (kind, name), (agreed, disagreed) in sorted(found.items()):
            counted(kind, name, agreed, 0, disagreed)
        assert not any(disagreed for _, disagreed in found.values())

    return count


@pytest.fixture
def compare(capsys, counted):
    """Ask both sides about every input, a size or a length; print three counts under a name, fail on a disagreement.

    The name is "kind, of what": so the counts are kept.
    """

    def check(name, ours, theirs, inputs, **how):
        agreed, refused, disagreed = 0, 0, []
        for given in inputs:
            arguments = given if isinstance(given, tuple) else (given,)
            answer, said = ask(theirs, *arguments)
            try:
                mine = ours(*arguments)
            except ValueError as error:
                mine, said = None, f"ours: {error}; peer's: {said}"
            if mine != answer:
                disagreed.append((given, mine, answer, said))
            elif answer is None:
                refused += 1
            else:
                agreed += 1
        with capsys.disabled():
            print(f"\n  {name:42} {agreed:5} agreed {refused:5} both refused {len(disagreed):5} disagreed", end="")
        assert not disagreed, f"{name}: (input, ours, peer's, refusal) {disagreed[:4]}"
        assert agreed > len(inputs) // 2  # a peer that refuses everything proves nothing
        kind, _, of_what = name.partition(", ")
        counted(kind, of_what, agreed, refused, len(disagreed), **how)

    return check


@pytest.fixture
def tally(capsys):
    """Print three counts of codes under a name and return them: agreed, near ties, disagreed (theirs is not nearest).

    `searches` are (vectors, codebook, our codes, the peer's): of a stack of codebooks one for each stage.
    """

    def count(name, *searches):
        agreed = near = wrong = 0
        for vectors, codebook, ours, theirs in searches:
            differ = ours != theirs
            over = regrets(theirs[differ], vectors[differ], codebook)
            agreed += int((~differ).sum())
            near += int((over <= 4).sum())
            wrong += int((over > 4).sum())
        with capsys.disabled():
            print(f"\n  {name:64} {agreed:6} agreed {near:5} near ties {wrong:5} disagreed", end="")
        return agreed, near, wrong

    return count
