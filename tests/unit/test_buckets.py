import random

import pytest

from trt_helpers.decoding.buckets import SMALLEST_ROW, Bucket, bucket_for, make_buckets, sorted_batches

BUCKETS = make_buckets(longest=512, tokens=256)


def test_buckets_follow_each_other_and_end_at_the_models_limit():
    assert [(b.shortest, b.longest) for b in BUCKETS] == [(3, 16), (17, 32), (33, 64), (65, 128), (129, 512)]
    assert [(b.shortest, b.longest) for b in make_buckets(64, 256)] == [(3, 16), (17, 32), (33, 64)]
    assert [(b.shortest, b.longest) for b in make_buckets(10, 256)] == [(3, 10)]


def test_a_bucket_takes_the_largest_batch_of_its_shortest_sentences():
    assert [b.rows for b in BUCKETS] == [256 // SMALLEST_ROW, 256 // 17, 256 // 33, 256 // 65, 1]
    assert all(b.masks >= max(b.rows, 512) for b in BUCKETS), "a sentence may be all masks"


def test_profile_has_the_shapes_of_all_four_inputs():
    profile = Bucket(shortest=17, longest=32, rows=10, masks=40).profile()
    assert profile["input_ids"] == ((1, 17), (5, 32), (10, 32))
    assert profile["attention_mask"] == profile["token_type_ids"] == profile["input_ids"]
    assert profile["mask_positions"] == ((1, 2), (5, 2), (40, 2))


@pytest.mark.parametrize(("length", "index"), [(3, 0), (16, 0), (17, 1), (512, 4)])
def test_bucket_for(length, index):
    assert bucket_for(BUCKETS, length) == index


def some_lengths(count: int) -> list[int]:
    chosen = random.Random(1)
    return [min(512, max(3, int(chosen.expovariate(1 / 30)))) for _ in range(count)]


def test_every_sentence_comes_once_and_the_longest_first():
    lengths = some_lengths(500)
    batches = [rows.tolist() for _, rows in sorted_batches(lengths, [1] * 500, BUCKETS, tokens=256)]
    flat = [i for rows in batches for i in rows]
    assert sorted(flat) == list(range(500))
    assert [lengths[i] for i in flat] == sorted(lengths, reverse=True)


def test_every_batch_fits_its_bucket_and_the_number_of_tokens():
    lengths = some_lengths(500)
    for index, rows in sorted_batches(lengths, [1] * 500, BUCKETS, tokens=256):
        longest, bucket = max(lengths[i] for i in rows), BUCKETS[index]
        assert bucket.shortest <= longest <= bucket.longest and len(rows) <= bucket.rows
        assert len(rows) == 1 or len(rows) * longest <= 256


def test_little_of_a_batch_is_padding():
    lengths = some_lengths(2000)
    batches = list(sorted_batches(lengths, [1] * 2000, make_buckets(512, 2048), tokens=2048))
    computed = sum(len(rows) * max(lengths[i] for i in rows) for _, rows in batches)
    assert computed < 1.1 * sum(lengths)


def test_many_masks_make_more_batches():
    buckets = [Bucket(3, 64, rows=8, masks=64)]
    masks = [60, 1, 1, 1, 1, 64, 5, 60]
    batches = [rows.tolist() for _, rows in sorted_batches([64] * 8, masks, buckets, tokens=10_000)]
    assert batches == [[0, 1, 2, 3, 4], [5], [6], [7]]


def test_nothing_makes_no_batch():
    assert list(sorted_batches([], [], BUCKETS, tokens=256)) == []
