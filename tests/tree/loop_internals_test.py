#!/usr/bin/env python3
"""H16: a program may run with another libuv 1.x than it was built with (a Node addon does), so nobody looks into
uv_loop_t, or relies on its size."""

import re

import tree

# The members of uv_loop_t and of its platform's part, in libuv 1.44 to 1.50, but for `data`.
MEMBERS = ("active_handles", "handle_queue", "active_reqs", "internal_fields", "stop_flag", "flags", "backend_fd",
           "pending_queue", "watcher_queue", "watchers", "nwatchers", "nfds", "wq", "wq_mutex", "wq_async",
           "cloexec_lock", "closing_handles", "process_handles", "prepare_handles", "check_handles", "idle_handles",
           "async_handles", "async_unused", "async_io_watcher", "async_wfd", "timer_heap", "timer_counter", "time",
           "signal_pipefd", "signal_io_watcher", "child_watcher", "emfile_fd", "inotify_read_watcher",
           "inotify_watchers", "inotify_fd")
LOOK = re.compile(r"\b(?:loop(?:_|\(\))?|ownLoop(?:_)?)\s*(?:->|\.)\s*(" + "|".join(MEMBERS) + r")\b(?!\s*\()")
NAMED = re.compile(r"(?:->|\.)\s*(watcher_queue|watchers|nwatchers|wq_async|timer_heap|stop_flag|closing_handles|"
                   r"pending_queue|active_reqs|inotify_fd|signal_pipefd|async_io_watcher|internal_fields)\b")
SIZE = re.compile(r"\bsizeof\s*\(?\s*(?:struct\s+)?uv_loop_[st]\b|\buv_loop_[st]\s*\{")
# Where a loop of our own is made: with the size of the headers, which libuv keeps for all of 1.x.
OWN = re.compile(r"make_unique<uv_loop_t>")
OWNERS = {"reactor/libuv/uv_reactor.cpp"}


def problems_of(path):
    for number, line in enumerate(tree.text(path).splitlines(), 1):
        code = line.split("//", 1)[0]
        for found in LOOK.findall(code) + NAMED.findall(code):
            yield f"{path}:{number}: {found} is libuv's own"
        if SIZE.search(code) or (OWN.search(code) and path not in OWNERS):
            yield f"{path}:{number}: the size of uv_loop_t is libuv's own (uv_loop_size())"


# What it is for must be found.
for sample in ("loop->watcher_queue", "loop_->backend_fd", "context.loop->time", "new char[sizeof(uv_loop_t)]"):
    assert LOOK.search(sample) or NAMED.search(sample) or SIZE.search(sample), sample
assert not LOOK.search("loop->data") and not LOOK.search("loop->time()")

paths = tree.files("reactor", ".hpp", ".cpp", ".h", ".c") + tree.files("protocols", ".hpp", ".cpp")
tree.finish([problem for path in paths for problem in problems_of(path)])
