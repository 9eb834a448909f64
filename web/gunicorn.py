"""How gunicorn serves Toile: one process, many threads, for most of them wait for jobs."""

from shared.settings import load_settings

_settings = load_settings()

bind = f"{_settings.host}:{_settings.port}"
worker_class = "gthread"
workers = 1
threads = _settings.web_threads
# A long poll keeps its thread; only a process whose threads are all stuck is stopped.
timeout = 120
graceful_timeout = 10
keepalive = 30
# The control socket would lie in the home folder of whoever starts it, shared by all stacks.
control_socket_disable = True
loglevel = _settings.log_level
