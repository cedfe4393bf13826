"""`make bench`: measures the sections of sections.py in interleaved rounds, each written into RESULTS.md when done.

    make bench                                     everything, at one go; half an hour of a machine left alone
    make bench BENCH="--list"                      what there is to be measured
    make bench BENCH="--only 'bare get' TCP"       these, into build/bench/RESULTS.md (or --out)
    make bench BENCH="--quick"                     whether all of it runs: a round of a second each, figures are noise

The claim is CPU microseconds a request as a ratio within one run: rates on a shared two-core machine are noise.
"""

import argparse
import os
import sys
import time
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from loadtest import machine, results
from loadtest.comparison import CONNECTIONS
from loadtest.peers import ROOT, compiled_planes, install_peers
from loadtest.sections import NAMES, SECTIONS, Section

TRIED: Final = ROOT / "build" / "bench" / "RESULTS.md"
QUICK: Final = 1  # round, and second a run
HEAD: Final = """# Results

Written by `make bench`: medians (min–max) of interleaved rounds; ratios are medians of those within a round. A section
is written when it is done, so each says when that was and how busy the machine was before. What there is, and how each
is measured: `loadtest/sections.py`.

{machine}
- proxy on core 0 with one worker, load (wrk, {connections} connections) and upstream (nginx) on core 1, but where it
  says otherwise
- meshway: with its hot path compiled; interpreted: as a checkout runs where nothing was compiled
- floor: a relay of bytes on the same loop (loadtest/floor.py), no HTTP: no proxy on it can cost less
- bare: nobody writes an access log (Meshway with `--access-log off`); full: everybody does. Nobody verifies a JWT
- parity with nginx on bare is out of reach for CPython: the floor alone is most of what nginx costs
"""


def run(section: Section, rounds: int, seconds: int, out: Path) -> bool:
    """Whether it could be measured; what went wrong instead is written in its place."""
    print(
        f"{section.name}: {section.what}; about {section.takes_s(rounds, seconds):.0f} s", file=sys.stderr, flush=True
    )
    load, began = os.getloadavg()[0], time.monotonic()
    try:
        text = section.measure(rounds, seconds)
    except Exception:  # the sections behind it are measured all the same
        traceback.print_exc()
        text = f"**Not measured:** {traceback.format_exc(limit=0).strip()}"
    took_s = time.monotonic() - began
    said = (
        f"{section.what[0].upper()}{section.what[1:]}. {rounds} rounds of {seconds} s, "
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, load {load:.1f} before, {took_s:.0f} s."
    )
    results.write_section(section.name, f"{said}\n\n{text}", NAMES, out)
    print(f"{text}\n", flush=True)
    return not text.startswith("**Not measured:")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=NAMES, help="these sections")
    parser.add_argument("--list", action="store_true", help="says what there is, and measures nothing")
    parser.add_argument("--quick", action="store_true", help="one round of a second each, to see that it runs")
    parser.add_argument("--rounds", type=int, help="in place of each section's own")
    parser.add_argument("--seconds", type=int, help="of a run, in place of each section's own")
    parser.add_argument("--out", type=Path, help="the page that is written")
    options = parser.parse_args(arguments)
    chosen = [section for section in SECTIONS if not options.only or section.name in options.only]
    rounds, seconds = (QUICK, QUICK) if options.quick else (options.rounds, options.seconds)
    if options.list:
        for section in chosen:
            print(f"{section.name:<32} {section.takes_s(rounds, seconds):>4.0f} s  {section.what}")
    expected_s = sum(section.takes_s(rounds, seconds) for section in chosen)
    print(f"{len(chosen)} sections, about {expected_s / 60:.0f} minutes", file=sys.stderr, flush=True)
    if options.list:
        return
    out = options.out or (TRIED if options.only or options.quick else results.RESULTS)
    install_peers()
    compiled_planes()
    results.write_head(HEAD.format(machine=machine.described(), connections=CONNECTIONS), out)
    began = time.monotonic()
    failed = [each.name for each in chosen if not run(each, rounds or each.rounds, seconds or each.seconds, out)]
    print(f"{(time.monotonic() - began) / 60:.0f} minutes; written to {out}", file=sys.stderr)
    if failed:
        sys.exit(f"error: not measured: {', '.join(failed)}")


if __name__ == "__main__":
    main()
