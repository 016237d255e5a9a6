"""Say, as JSON, what members NVIDIA's bindings have. Run in a process of its own:

python probe.py tensorrt_lean_bindings [folder]

Only classes and docstrings are looked at: making a Runtime crashes on a machine without a GPU.
"""

import importlib
import inspect
import json
import re
import sys

_SIGNATURE = re.compile(r"^(?:\d+\. )?(\w+)\((.*)\) -> ")


def parameters(line: str) -> list[list] | None:
    """``f(self: X, name: str, index: int = 0) -> Y`` gives ``[["name", None], ["index", "0"]]``."""
    found = _SIGNATURE.match(line)
    if not found:
        return None
    result = []
    for part in split(found[2])[1:]:
        name, _, rest = part.partition(":")
        _, has_default, default = rest.partition(" = ")
        result.append([name.strip(), default if has_default else None])
    return result


def split(text: str) -> list[str]:
    """At commas outside brackets."""
    parts, depth, current = [], 0, ""
    for char in text:
        depth += (char in "[(<{") - (char in "])>}")
        if char == "," and depth == 0:
            parts.append(current)
            current = ""
        else:
            current += char
    return [part.strip() for part in [*parts, current] if part.strip()]


def overloads(member: object, name: str) -> list:
    lines = [line for line in (member.__doc__ or "").splitlines() if f"{name}(self" in line]
    return [found for line in lines if (found := parameters(line)) is not None]


def describe(cls: type) -> dict:
    members = {}
    for name in dir(cls):
        static = inspect.getattr_static(cls, name)
        if name.startswith("_"):
            continue
        if isinstance(static, property):
            members[name] = {"kind": "property", "read": static.fget is not None, "write": static.fset is not None}
        elif callable(getattr(cls, name)):
            members[name] = {"kind": "method", "overloads": overloads(getattr(cls, name), name)}
    values = getattr(cls, "__members__", None)
    return {"members": members, "enum": {k: int(v) for k, v in values.items()} if values else None}


def main(module_name: str, folder: str = "") -> None:
    if folder:
        sys.path.insert(0, folder)
    module = importlib.import_module(module_name)
    classes = {name: describe(value) for name, value in vars(module).items() if inspect.isclass(value)}
    constants = [n for n, v in vars(module).items() if not n.startswith("_") and not inspect.ismodule(v)]
    json.dump({"version": module.__version__, "classes": classes, "names": sorted(constants)}, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
