"""How each command of the benchmarks is run: its arguments, its end by a signal, and what it exits with."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable, Sequence

from benchmarks.machine import BenchmarkRefused, Cores, divide_cores


def run(
    parser: argparse.ArgumentParser,
    arguments: Sequence[str] | None,
    measure: Callable[[argparse.Namespace, Cores], None],
) -> int:
    """Parse the arguments and measure, with this process on the cores of the load generator.

    Returns 1, with the sentence on stderr, when nothing could be measured or what was found is refused; 130 when it was
    stopped. SIGTERM ends it as Ctrl-C does, so that what was started is stopped.
    """
    given = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        cores = divide_cores()
        os.sched_setaffinity(0, cores.rest)
        measure(given, cores)
    except BenchmarkRefused as refusal:
        print(refusal, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130
    return 0
