"""TensorRT 8's arithmetic: every profile had its own copy of every tensor, and bindings were numbered through.

With T tensors and K profiles there are T x K bindings. Tensor ``t`` in profile ``k`` is binding ``k * T + t``. Its name
is the tensor's in profile 0 and ``"name [profile k]"`` in the others.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class Bindings:
    """The bindings of an engine: the names of its T tensors, in order, and the number K of its profiles."""

    tensors: tuple[str, ...]
    profiles: int

    def __len__(self) -> int:
        return len(self.tensors) * self.profiles

    def __contains__(self, binding: int) -> bool:
        return 0 <= binding < len(self)

    def of_profile(self, profile: int) -> range:
        """The bindings of one profile."""
        return range(profile * len(self.tensors), (profile + 1) * len(self.tensors))

    def tensor(self, binding: int) -> str:
        """The name of a binding's tensor, without a profile."""
        return self.tensors[binding % len(self.tensors)]

    def profile(self, binding: int) -> int:
        """The profile that a binding belongs to."""
        return binding // len(self.tensors)

    def name(self, binding: int) -> str:
        """TensorRT 8's name: ``"x"`` in profile 0, ``"x [profile 1]"`` in profile 1."""
        profile = self.profile(binding)
        return self.tensor(binding) + (f" [profile {profile}]" if profile else "")

    @cached_property
    def _by_name(self) -> dict[str, int]:
        return {self.name(binding): binding for binding in reversed(range(len(self)))}

    def index(self, name: str) -> int:
        """The inverse of ``name``; -1 for a name that there is not."""
        return self._by_name.get(name, -1)

    def resolve(self, binding: int | str) -> int:
        """A binding given by number or by name, as a number; -1 if there is no such name."""
        return self.index(binding) if isinstance(binding, str) else operator.index(binding)

    def tensor_in(self, profile: int, binding: int | str) -> str:
        """The name of the tensor of a binding of ``profile``; of another one: a name that no tensor has.

        TensorRT 8's kindness to old code: a binding of profile 0 stands for its twin in ``profile``.
        """
        index = self.resolve(binding)
        twin = profile * len(self.tensors) + index if 0 <= index < len(self.tensors) else index
        return self.tensor(twin) if twin in self and self.profile(twin) == profile else f"binding {index}"
