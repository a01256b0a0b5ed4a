from speedwell.measure.environment import FIXED, thread_environment, worker_environment


def test_a_worker_is_offline_quiet_and_repeatable(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setenv("MINE", "kept")
    environment = worker_environment(["/a", "/b"], {"OMP_NUM_THREADS": "2"})
    assert environment["HF_HUB_OFFLINE"] == "1"
    assert environment["PYTHONHASHSEED"] == "0"
    assert environment["MINE"] == "kept"
    assert environment["OMP_NUM_THREADS"] == "2"
    assert environment["PYTHONPATH"] == "/a:/b"


def test_what_the_caller_gives_wins():
    name = next(iter(FIXED))
    assert worker_environment([], {name: "other"})[name] == "other"


def test_threads_bound_the_pools_made_at_import():
    assert thread_environment(2)["OMP_NUM_THREADS"] == "2"
    assert set(thread_environment(3).values()) == {"3"}
