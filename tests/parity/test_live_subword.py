"""The counts of the primer page on subword tokens, counted again with Mistral's own tokenizer."""

import pytest
from experiment_programs import experiment_named
from peers import needs

from mmtokedu.measured import results

pytestmark = pytest.mark.apart


@pytest.fixture(scope="module")
def experiment():
    with experiment_named("subword") as module:
        yield module


@pytest.fixture(scope="module")
def peer():
    """Mistral's Tekken as its package sets it up: a function from a text to its token ids."""

    def make():
        from mistral_common.tokens.tokenizers.tekken import Tekkenizer

        return Tekkenizer

    tokenizer_class = needs(make)
    with experiment_named("subword") as module:
        file = module.folder("mistral_common") / "data" / "tekken_240911.json"
    tokenizer = tokenizer_class.from_file(file)
    return lambda text: tokenizer.encode(text, bos=False, eos=False)


@pytest.mark.parametrize("name", ["sentences", "page", "licence", "invoice", "table"])
def test_a_text_that_ships_is_as_many_tokens(experiment, peer, name):
    stored = next(row for row in results("subword")["texts"] if row["name"] == name)
    assert len(peer(experiment.texts()[name][2])) == stored["tokens"]["tekken"]


def test_a_sentence_in_each_language_is_as_many_tokens(peer):
    for row in results("subword")["sentences"]:
        assert len(peer(row["text"])) == row["tokens"]["tekken"], row["language"]
