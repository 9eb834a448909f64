"""The base of all tasks: gives each process its runtime, opened after the fork."""

import os

from celery import Task

from worker.runtime import Runtime, open_runtime


class ToileTask(Task):
    """A task with a runtime."""

    abstract = True
    ignore_result = True
    _opened: tuple[int, Runtime] | None = None

    @property
    def runtime(self) -> Runtime:
        """This process' runtime. One is opened in each child: connections do not survive a fork."""
        if ToileTask._opened is None or ToileTask._opened[0] != os.getpid():
            ToileTask._opened = (os.getpid(), open_runtime(self.app.toile_settings))
        return ToileTask._opened[1]
