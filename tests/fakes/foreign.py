"""Decoders that misbehave as foreign ones do; they run in a child process."""

import ctypes
import os
import sys
import time
import warnings

import numpy as np

from capnet.data.readers.child import Answer
from capnet.errors import RecordError, UnitError

SECRET = "Jane Canary"


def echo(*arguments):
    """Give back what was given, and print a lot."""
    sys.stdout.write(SECRET * 1000)
    sys.stderr.write(SECRET)
    os.write(1, b"\x00" * 100)
    warnings.warn(SECRET, stacklevel=1)
    arrays = {
        "ramp": np.arange(12.0).reshape(3, 4)[:, ::2],
        "none": np.zeros((0, 3), dtype="<i2"),
        "flags": np.array([True, False]),
    }
    return Answer({"arguments": list(arguments), "process": os.getpid()}, arrays)


def crash():
    ctypes.string_at(0)


def leave():
    os._exit(3)


def hang():
    time.sleep(60.0)


def spin():
    while True:
        pass


def swell():
    return Answer({}, {"zeros": np.zeros(1 << 29)})


def much():
    return Answer({}, {"zeros": np.zeros(1 << 20)})


def words():
    return Answer({}, {"objects": np.array([SECRET], dtype=object)})


def stumble():
    raise ValueError(SECRET)


def refuse():
    msg = "byte 8 is 9."
    raise RecordError(msg)


def no_unit():
    msg = "the unit is missing."
    raise UnitError(msg)


def lack():
    import a_package_that_nobody_has  # noqa: F401


def write(path):
    with open(path, "wb") as file:  # noqa: PTH123
        file.write(b"x" * 10)
    return Answer({}, {})
