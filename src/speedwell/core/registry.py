"""Names to implementations: an explicit tuple of built-ins, then plug-ins by entry point.

This is the only place that loads code by name. A plug-in's distribution declares, for example,
``[project.entry-points."speedwell.engines"] mine = "my_pkg:MyEngine"``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, TypeVar

from .errors import DuplicateNameError, SpeedwellError, UnknownNameError

__all__ = ["Registry"]

T = TypeVar("T")
_ONE = {"engines": "engine", "passes": "pass", "tasks": "task", "sources": "source"}


class Registry(Generic[T]):
    """``group`` is the entry-point group ("speedwell.engines"); ``builtins`` maps names to what makes an item.

    Plug-ins are found at first use and loaded only when asked for by name.
    """

    def __init__(self, group: str, builtins: Iterable[tuple[str, Callable[[], T]]]) -> None:
        self.group = group
        self._factories: dict[str, Callable[[], T]] = dict(builtins)
        self._plugins: dict[str, EntryPoint] | None = None

    def _found(self) -> dict[str, EntryPoint]:
        if self._plugins is None:
            plugins: dict[str, EntryPoint] = {}
            for point in entry_points(group=self.group):
                if point.name in self._factories or point.name in plugins:
                    raise DuplicateNameError(
                        f"{self.group}: the name {point.name!r} of {point.value} is taken already",
                        "Uninstall one of the two, or rename the entry point.",
                    )
                plugins[point.name] = point
            self._plugins = plugins
        return self._plugins

    def names(self) -> tuple[str, ...]:
        """Built-ins in order, then plug-ins by name."""
        return (*self._factories, *sorted(self._found()))

    def get(self, name: str) -> T:
        """The item ``name``. Raises ``UnknownNameError`` with the names there are."""
        if name in self._factories:
            return self._factories[name]()
        point = self._found().get(name)
        if point is None:
            kind = self.group.rpartition(".")[2]
            raise UnknownNameError(
                f"no {_ONE.get(kind, kind.removesuffix('s'))} named {name!r}", f"There are: {', '.join(self.names())}"
            )
        try:
            made: T = point.load()()
        except Exception as error:
            raise SpeedwellError(f"the plug-in {name!r} ({point.value}) fails to load: {error}") from error
        return made

    def __iter__(self) -> Iterator[T]:
        return (self.get(n) for n in self.names())
