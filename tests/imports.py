"""What a Python source imports and uses, as dotted names and lines, found without running it."""

import ast
from collections.abc import Iterator
from typing import NamedTuple


class Use(NamedTuple):
    name: str
    line: int

    @property
    def top(self) -> str:
        return self.name.partition(".")[0]


def imported(path: str, source: str) -> list[Use]:
    """All imports, also those inside functions; ``from a import b`` is ``a.b``.

    ``path`` is that of the source from the top of the repository, for relative imports.
    """
    return [Use(name, line) for name, _, line in _bindings(path, source)]


def used(path: str, source: str) -> list[Use]:
    """Names and attribute chains, with the imported names in them spelt out."""
    known = {local: name for name, local, _ in _bindings(path, source)}
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute | ast.Name) and (parts := _chain(node)):
            full = [known.get(parts[0], parts[0]), *parts[1:]]
            found.append(Use(".".join(full), node.lineno))
    return found


def _bindings(path: str, source: str) -> Iterator[tuple[str, str, int]]:
    """Of every import: the dotted name, the name it binds, the line."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, alias.asname or alias.name.partition(".")[0], node.lineno
                if not alias.asname and "." in alias.name:  # binds the top alone
                    yield alias.name.partition(".")[0], alias.name.partition(".")[0], node.lineno
        elif isinstance(node, ast.ImportFrom):
            module = [node.module] if node.module else []
            if node.level:
                folders = path.split("/")[:-1]
                module = folders[: len(folders) - node.level + 1] + module
            for alias in node.names:
                yield ".".join([*module, alias.name]), alias.asname or alias.name, node.lineno


def _chain(node: ast.expr) -> list[str]:
    """``a.b.c`` as its parts; empty where it does not begin with a name."""
    if isinstance(node, ast.Name):
        return [node.id]
    if isinstance(node, ast.Attribute) and (head := _chain(node.value)):
        return [*head, node.attr]
    return []
