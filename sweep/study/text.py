"""A study's YAML text to plain data: YAML 1.2's scalars, and nothing a reader could misread."""

from __future__ import annotations

import json
import re
from collections.abc import Hashable
from typing import Any

import yaml

from sweep.study.errors import StudyError

#: YAML 1.2's core schema. YAML 1.1's would read 1e-6 as a string, the element No as false and 1:30 as 90.
_SCALARS = (
    ("tag:yaml.org,2002:null", r"~|null|Null|NULL|", "~nN\0"),
    ("tag:yaml.org,2002:bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("tag:yaml.org,2002:int", r"[-+]?[0-9]{1,400}", "-+0123456789"),
    (
        "tag:yaml.org,2002:float",
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+.0123456789",
    ),
)


def parse_yaml(text: str, name: str) -> Any:
    """Read one YAML document as plain data.

    Parameters
    ----------
    text
        The document. Scalars follow YAML 1.2's core schema, so ``1e-6`` is a number and ``no`` a word.
    name
        What the text is called in messages, usually its file's name.

    Returns
    -------
    Any
        Mappings with string keys, lists, strings, numbers, booleans and None.

    Raises
    ------
    StudyError
        If the text is not one YAML document, repeats a key, or uses tags or aliases. The message gives line
        and column.

    Examples
    --------
    >>> parse_yaml("{regularisation: 1e-6, element: No}", "study.yaml")
    {'regularisation': 1e-06, 'element': 'No'}
    """
    try:
        return yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = "" if mark is None else f", line {mark.line + 1}, column {mark.column + 1}"
        words = error.problem if isinstance(error, _Refused) else f"this is not valid YAML: {error.problem}"
        raise StudyError(f"{name}{where}: {words}") from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise StudyError(
            f"{name}, line {line}: character U+{error.character:04X} is not allowed in YAML; remove it"
        ) from error
    except RecursionError as error:
        raise StudyError(f"{name}: the YAML is nested too deeply; a study has four levels at most") from error


def with_text_in_place(text: str, key: str, value: str) -> str:
    r"""Put a text in the place of a key's value, so that a document needs no file beside it.

    Parameters
    ----------
    text
        A document that `parse_yaml` reads as a mapping.
    key
        A key of it whose value is a word.
    value
        Lines of plain text.

    Examples
    --------
    >>> print(with_text_in_place("study: x\npoints: p.csv  # mine\nseed: 1", "points", "degree\n6\n"))
    study: x
    points: |  # mine
        degree
        6
    seed: 1
    """
    root: Any = yaml.compose(text, Loader=_Loader)
    node = next(part for name, part in root.value if name.value == key)
    start, end = node.start_mark.index, node.end_mark.index
    line_end = text.find("\n", end) if "\n" in text[end:] else len(text)
    lines = "".join(f"    {line}\n" for line in value.splitlines())
    if not root.flow_style:
        return f"{text[:start]}|{text[end:line_end]}\n{lines}{text[line_end + 1 :]}"
    # a JSON string is a YAML one
    return text[:start] + json.dumps(value) + text[end:]


class _Refused(yaml.constructor.ConstructorError):
    """Valid YAML that a study may not use."""


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader with YAML 1.2's scalars, and without tags, aliases and repeated keys."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent):
            raise _refused(
                f"the alias *{event.anchor} is not accepted; write the value out", event.start_mark
            )
        if event.tag is not None:
            raise _refused(f"the tag {event.tag} is not accepted; remove it", event.start_mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.tag != "tag:yaml.org,2002:str":
                raise _refused("a key must be a word; quote it if a number is meant", key.start_mark)
            if key.value in seen:
                raise _refused(f"the key {key.value!r} stands here twice; keep one", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)

    def construct_number(self, node: yaml.ScalarNode) -> int | float:
        text = str(node.value)
        number = int if node.tag.endswith(":int") else float
        # YAML writes .inf and .nan where Python has inf and nan.
        return number(re.sub(r"\.(inf|nan)$", r"\1", text.lower()))


def _refused(words: str, mark: Any) -> _Refused:
    return _Refused(problem=words, problem_mark=mark)


for _tag, _pattern, _first in _SCALARS:
    # PyYAML looks an implicit scalar up by its first character, and an empty one by "".
    _characters = [character.strip("\0") for character in _first]
    _Loader.add_implicit_resolver(_tag, re.compile(f"^(?:{_pattern})$"), _characters)
for _tag in ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float"):
    _Loader.add_constructor(_tag, _Loader.construct_number)
