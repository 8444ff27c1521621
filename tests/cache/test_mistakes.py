"""Wrong reuse as it has happened: each mistake answers with another's picture, and neither our key nor our store does."""

import numpy as np
import pytest
from cache_mistakes import MISTAKES, CarelessStore, ours

from mmtokedu.cache import TokenCache, cache_key


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)
def test_a_mistake_gives_the_picture_of_another(mistake):
    right = mistake.answer(mistake.second)
    careless = CarelessStore()
    for request in (mistake.first, mistake.second):
        answer = careless.get_or_compute(mistake.key(request), lambda request=request: mistake.answer(request))
    assert not np.array_equal(answer, right), "the mistake shows"
    np.testing.assert_array_equal(answer, mistake.answer(mistake.first))  # told with confidence

    cache = TokenCache(None, max_bytes=10**6, ttl=None)
    for request in (mistake.first, mistake.second, mistake.second):
        answer = cache.get_or_compute(ours(request), lambda request=request: mistake.answer(request))
    np.testing.assert_array_equal(answer, right)
    assert cache.stats().computed == 2 and cache.stats().hits == 1


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)
def test_the_store_takes_no_such_key(mistake):
    """But for a whole digest, which is the digest of too little."""
    key = mistake.key(mistake.first)
    if isinstance(key, str) and len(key) == 64:
        assert key != ours(mistake.first)
        return
    cache = TokenCache(None, max_bytes=10**6, ttl=None)
    with pytest.raises((ValueError, TypeError), match="expected the (64 hexadecimal digits|text) that cache_key gives"):
        cache.get(key)


@pytest.mark.parametrize("where", [None, "kept"])
def test_a_view_of_a_buffer_that_is_used_again(where, tmp_path):
    buffer, careless = np.zeros(4), CarelessStore()
    cache = TokenCache(where and tmp_path / where, max_bytes=10**6, ttl=None)

    def decoded(number):
        buffer[:] = number
        return buffer

    for number in (1, 2, 3):
        key = cache_key(b"%d" % number, {})
        careless.get_or_compute(key, lambda number=number: decoded(number))
        cache.get_or_compute(key, lambda number=number: decoded(number))
    first = cache_key(b"1", {})
    assert careless[first].tolist() == [3.0] * 4  # every image becomes the last
    assert cache.get(first).tolist() == [1.0] * 4
