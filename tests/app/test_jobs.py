"""The longer job, in this process."""

import copy
import queue

import pytest

from diffex.app.jobs import Jobs

SECONDS = 60


@pytest.fixture
def broken(studio):
    """A studio whose target is no class of the classifier: a job in it meets an error that nobody foresaw."""
    made = copy.copy(studio)
    made.target = 99
    return made


def test_any_error_ends_the_job_as_failed(broken, caplog):
    news = queue.SimpleQueue()
    jobs = Jobs(broken, news.put)
    for _ in range(2):
        jobs.start("run-0")
        told = news.get(timeout=SECONDS)
        jobs._thread.join(SECONDS)
        assert told["job"] == "failed" and told["name"] == broken.cell("run-0").name
        assert "error of diffex" in told["why"] and told["why"].count(".") == 1
    assert news.empty()
    assert "IndexError" in caplog.text and "Traceback" in caplog.text
