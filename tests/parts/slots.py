"""The attributes of a class with slots, interpreted or compiled (tools/compiled.py)."""

from inspect import isdatadescriptor


def slots_of(one: type) -> set[str]:
    return {name for name, value in vars(one).items() if isdatadescriptor(value) and not name.startswith("__")}
