"""Tests as a user who is not root."""

import os
import pickle
import traceback
from collections.abc import Callable
from typing import Any


def as_nobody(act: Callable[[], Any]) -> Any:
    """What ``act`` returns in a process that is not root."""
    receiving, sending = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setresgid(65534, 65534, 65534)
            os.setresuid(65534, 65534, 65534)
            answer = pickle.dumps((True, act()))
        except BaseException:
            answer = pickle.dumps((False, traceback.format_exc()))
        with os.fdopen(sending, "wb") as pipe:
            pipe.write(answer)
        os._exit(0)
    os.close(sending)
    with os.fdopen(receiving, "rb") as pipe:
        fine, answer = pickle.loads(pipe.read())
    os.waitpid(child, 0)
    assert fine, answer
    return answer
