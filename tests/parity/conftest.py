"""What the live parity tests share: both sides are asked, what they said is counted, and the counts are printed."""

import pytest
from peers import ask


@pytest.fixture
def compare(capsys):
    """Ask both sides about every input, a size or a length; print three counts under a name, fail on a disagreement."""

    def check(name, ours, theirs, inputs):
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

    return check
