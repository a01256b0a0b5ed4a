import pytest

from speedwell import engines, sources, tasks
from speedwell.core import Engine, Hardware, Source, Task
from speedwell.core.protocols import Availability


@pytest.mark.parametrize("name", engines.REGISTRY.names())
def test_every_engine_keeps_the_protocol(name: str) -> None:
    engine = engines.REGISTRY.get(name)
    assert isinstance(engine, Engine)
    assert engine.name == name
    available = engine.availability(Hardware.here())
    assert available.ok or available.why_not


@pytest.mark.parametrize("name", sources.REGISTRY.names())
def test_every_source_keeps_the_protocol(name: str) -> None:
    assert isinstance(sources.REGISTRY.get(name), Source)


@pytest.mark.parametrize("name", tasks.REGISTRY.names())
def test_every_task_keeps_the_protocol(name: str) -> None:
    assert isinstance(tasks.REGISTRY.get(name), Task)


def test_unavailable_is_the_default_of_nothing() -> None:
    assert Availability(True).why_not == ""
    with pytest.raises(TypeError):
        Availability()  # type: ignore[call-arg]
