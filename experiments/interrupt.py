"""Interrupts a run at random moments, as a user would, and has it go on after each.

    preprocess synth celeba-tfr --out synth --counts 160,40
    preprocess celeba-tfr --resolution 256 --counts 160,40 --input synth --out data/celebahq256
    python experiments/interrupt.py configs/celebahq256.toml --number 20 --seconds 600 --set optim.batch_size=1 --set optim.accumulate=1

Each time the program is to end within five seconds, or to say at once what it finishes first; the time in which the disk takes the
checkpoint does not count. Prints a line for each interruption (the moment in seconds since the program's start, the signal, the
seconds until its end and those of saving, its exit code, its last line) and fails if one of them took longer or the run could not go
on.
"""

import argparse
import json
import pathlib
import random
import signal
import subprocess
import sys
import time

STOPPED = 75
SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config")
    parser.add_argument("--program", default="target/release/train")
    parser.add_argument("--out", default="experiments/runs/interrupt")
    parser.add_argument("--number", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=600, help="moments are spread evenly over so much time of running")
    parser.add_argument("--limit", type=float, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--set", action="append", default=[])
    arguments = parser.parse_args()
    chance = random.Random(arguments.seed)
    moments = sorted(chance.uniform(0, arguments.seconds) for _ in range(arguments.number))
    longest, before = 0.0, 0.0
    for index, moment in enumerate(moments):
        # The time of running is that of all programs together.
        taken, code, said = interrupt(arguments, moment - before, SIGNALS[index % len(SIGNALS)])
        before = moment
        saving = min(taken, saving_seconds(arguments)) if code == STOPPED else 0.0
        print(
            f"{moment:7.1f} s  {SIGNALS[index % len(SIGNALS)].name:8} {taken:6.2f} s, saving {saving:6.2f} s  exit code {code:4}  "
            f"{said[-1] if said else ''}",
            flush=True,
        )
        if taken - saving > arguments.limit and not any(line.startswith("stopping after this step") for line in said):
            sys.exit(f"it took {taken:.1f} s:\n" + "\n".join(said))
        longest = max(longest, taken - saving)
        if code not in [STOPPED, *(-number for number in SIGNALS)]:
            sys.exit(f"exit code {code}:\n" + "\n".join(said))
    print(f"{len(moments)} interruptions, the longest until its end {longest:.2f} s beside saving")


def interrupt(arguments, seconds, number):
    """Begins or goes on, and sends a signal after so many seconds: the time until its end, its exit code, its last lines."""
    out = pathlib.Path(arguments.out)
    command = [arguments.program]
    if (out / "checkpoints" / "last.safetensors").exists():
        command += ["--resume", str(out)]
    else:
        command += ["--config", arguments.config, "--out", str(out), "--force"]
        command += [part for setting in arguments.set for part in ("--set", setting)]
    with open(out.with_suffix(".log"), "w+", encoding="utf-8") as log:
        program = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log)
        time.sleep(seconds)
        begin = time.monotonic()
        program.send_signal(number)
        code = program.wait()
        taken = time.monotonic() - begin
        log.seek(0)
        return taken, code, log.read().splitlines()


def saving_seconds(arguments):
    """How long the program that was stopped waited for its checkpoints."""
    return json.loads((pathlib.Path(arguments.out) / "summary.json").read_text(encoding="utf-8"))["saving_seconds"]


if __name__ == "__main__":
    main()
