import pytest

from trt_helpers.legacy.indices import Bindings

THREE = Bindings(("ids", "mask", "logits"), 3)


def test_there_is_a_binding_for_every_tensor_in_every_profile():
    assert len(THREE) == 9
    assert [list(THREE.of_profile(k)) for k in range(3)] == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]


def test_names_carry_the_profile_from_the_second_on():
    assert [THREE.name(b) for b in range(9)] == [
        "ids",
        "mask",
        "logits",
        "ids [profile 1]",
        "mask [profile 1]",
        "logits [profile 1]",
        "ids [profile 2]",
        "mask [profile 2]",
        "logits [profile 2]",
    ]


@pytest.mark.parametrize("binding", range(9))
def test_name_and_index_are_inverse(binding):
    assert THREE.index(THREE.name(binding)) == binding
    assert (THREE.tensor(binding), THREE.profile(binding)) == (THREE.tensors[binding % 3], binding // 3)


@pytest.mark.parametrize(
    "name", ["", "nope", "ids [profile 0]", "ids [profile 3]", "ids[profile 1]", "ids [profile 01]"]
)
def test_a_name_that_there_is_not_is_minus_one(name):
    assert THREE.index(name) == -1


def test_profiles_have_decimal_numbers_of_any_length():
    assert Bindings(("x",), 12).name(11) == "x [profile 11]"


def test_a_tensor_that_is_called_like_a_twin_keeps_its_own_number():
    assert Bindings(("x", "x [profile 1]"), 2).index("x [profile 1]") == 1


@pytest.mark.parametrize(
    ("binding", "tensor"),
    [(0, "ids"), (2, "logits"), ("mask", "mask"), (3, "ids"), ("logits [profile 1]", "logits")]
    + [(7, "binding 7"), (-1, "binding -1"), (9, "binding 9"), ("nope", "binding -1")],
)
def test_a_binding_of_profile_0_stands_for_its_twin_and_one_of_another_for_none(binding, tensor):
    assert THREE.tensor_in(1, binding) == tensor


def test_membership():
    assert 0 in THREE and 8 in THREE and 9 not in THREE and -1 not in THREE
