import pytest

from benchmarks.agreement import same_top, share_with_same_first, share_with_same_top

ANSWER = [(11, 0.5), (12, 0.2), (13, 0.1), (14, 0.05), (15, 0.04)]
TOLERANCE = 1e-3


def changed(places: dict) -> list:
    return [places.get(i, pair) for i, pair in enumerate(ANSWER)]


@pytest.mark.parametrize(
    "found",
    [
        ANSWER,
        changed({0: (11, 0.5005)}),  # rounding
        changed({4: (99, 0.0395)}),  # another word, as likely as the last
        changed({3: (15, 0.0405), 4: (14, 0.0402)}),
    ],
)
def test_rounding_is_agreement(found):
    expected = ANSWER if found[3][0] == 14 else changed({3: (14, 0.0404), 4: (15, 0.0401)})
    assert same_top(found, expected, TOLERANCE)
    assert same_top(expected, found, TOLERANCE)


@pytest.mark.parametrize(
    "found",
    [
        changed({0: (99, 0.5)}),  # another word in the first place
        changed({0: (11, 0.45)}),  # another probability
        changed({0: (12, 0.5), 1: (11, 0.2)}),  # two words have changed places
        changed({4: (99, 0.02)}),  # another word, less likely than the last
        ANSWER[:4],
        ANSWER[::-1],
        [],
    ],
)
def test_anything_else_is_not(found):
    assert not same_top(found, ANSWER, TOLERANCE)
    assert not same_top(ANSWER, found, TOLERANCE)


def test_shares():
    other = changed({0: (99, 0.5)})
    assert share_with_same_top([ANSWER, other], [ANSWER, ANSWER], TOLERANCE) == 0.5
    assert share_with_same_first([ANSWER, other, changed({1: (99, 0.2)})], [ANSWER] * 3) == pytest.approx(2 / 3)
