"""`python -m bench.mutation [--again] [MODULE …]`: tries every mutant of the modules and says which no test noticed."""
from __future__ import annotations

import argparse
import collections
import json
import os
import sys
import time
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from bench import place
from bench.mutation import mutants
from bench.mutation.fast import Forks
from bench.mutation.trying import ROOT, Copy, warm_up

HERE = Path(__file__).resolve().parent
FOLDER = ROOT / "var" / "mutation"
# How long one mutant may take in a process of its own, and all of a module's together. s.
ALONE_S, SESSION_S = 120.0, 14_400.0
# A small test that asks for a database, so that there is one.
DATABASE_TEST = "tests/test_beginnings.py::test_a_beginning_is_read_from_the_index"
POSTGRES = place.postgres_url()


@dataclass
class Score:
    """Of one module. killed: by a test. argued: in survivors.toml. left: nobody noticed, and nobody says why."""

    killed: int = 0
    argued: int = 0
    left: list[mutants.Mutant] = field(default_factory=list)
    keys: set = field(default_factory=set)

    def __str__(self) -> str:
        count = self.killed + self.argued + len(self.left)
        return f"{count} mutants, {self.killed} killed ({100 * self.killed / max(1, count):.1f} %), " \
               f"{self.argued} argued, {len(self.left)} left"  # fmt: skip


def main(arguments: list[str]) -> int:
    """Returns the exit code: 1 when a survivor is not argued, or an argued one is no mutant any more or is killed."""
    parser = argparse.ArgumentParser(prog="python -m bench.mutation", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="MODULE")
    parser.add_argument("--again", action="store_true", help="only the mutants that survived the last run")
    asked = parser.parse_args(arguments)
    modules = {one["name"]: one for one in tomllib.loads((HERE / "modules.toml").read_text())["module"]}
    if unknown := set(asked.names) - set(modules):
        parser.error(f"modules.toml has no {', '.join(sorted(unknown))}")
    argued = {(one["module"], one["at"], one["was"], one["becomes"])
              for one in tomllib.loads((HERE / "survivors.toml").read_text()).get("survivor", [])}  # fmt: skip
    last = FOLDER.with_suffix(".json")
    survived = json.loads(last.read_text()) if last.exists() else {}
    copy, scores = Copy(FOLDER), {}
    sys.modules["bench"].__path__[:] = [str(copy.tree / "bench")]
    try:
        for name in asked.names or modules:
            known = {tuple(key) for key in survived[name]} if asked.again and name in survived else None
            scores[name] = _try(copy, modules[name], argued, known)
            print(f"{name}: {scores[name]}", flush=True)
            survived[name] = sorted(scores[name].keys)
            last.write_text(json.dumps(survived))
    finally:
        copy.close(POSTGRES)
    return _verdict(scores, argued, asked.again)


def _try(copy: Copy, module: dict, argued: set, known: set | None) -> Score:
    """Every mutant of one module; known: only these keys."""
    name, score, began = module["name"], Score(), time.monotonic()
    tests = [one.replace(".", "/") + ".py" for one in module["tests"]]
    databases = ["" if kind == "sqlite" else POSTGRES for kind in module.get("databases", ["sqlite"])]
    if POSTGRES in databases and not place.postgres_answers():
        raise SystemExit(f"{name}: half of it runs on PostgreSQL alone, which does not answer at TEST_POSTGRES_URL")
    for database in databases:
        _prepare(copy, tests, database)
    path = copy.path(name)
    found = [one for one in mutants.of(name, path, frozenset(module.get("only", ()))) if known is None or one.key in known]
    score.killed = len(found)
    for mutant in _unnoticed(copy, found, path.read_text(), tests, databases):
        score.killed -= 1
        score.keys.add(mutant.key)
        if mutant.key in argued:
            score.argued += 1
        else:
            score.left.append(mutant)
            print(f"  {mutant.operator} survives in {name}, {mutant.at}\n    - {mutant.was}\n    + {mutant.becomes}", flush=True)
    print(f"{name}: {time.monotonic() - began:.0f} s", flush=True)
    return score


def _unnoticed(copy: Copy, found: list[mutants.Mutant], source: str, tests: list[str], databases: list[str]) -> list:
    """The mutants that no test notices on any of the databases."""
    for database in databases:
        told, left = copy.data / "told", {"survived": [], "unknown": []}
        told.write_text("")

        def report(mutant: mutants.Mutant, word: str, told=told, all=found) -> None:
            with told.open("a") as out:
                out.write(f"{all.index(mutant)} {word}\n")

        if found and copy.run(tests, database, SESSION_S, (Forks(found, source, report),)):
            raise SystemExit(f"{found[0].module}: its tests fail unbroken; see {copy.log}")
        for line in told.read_text().splitlines():
            number, word = line.split()
            if word != "killed":
                left[word].append(found[int(number)])
        for mutant in left["unknown"]:
            with copy.changed(mutant.module, mutant.code):
                if not copy.run(tests, database, ALONE_S):
                    left["survived"].append(mutant)
        copy.tidy()
        found = left["survived"]
    return found


_prepared: set[str] = set()


def _prepare(copy: Copy, tests: list[str], database: str) -> None:
    """Make the database, and import here what tests import beside the project; once for each database."""
    if database in _prepared:
        return
    _prepared.add(database)
    names = copy.data / "names"
    os.environ["MUTATION_NAMES"] = str(names)
    code = copy.run([*tests, DATABASE_TEST], database, SESSION_S)
    del os.environ["MUTATION_NAMES"]
    if code:
        raise SystemExit(f"{' '.join(tests)}: they fail unbroken ({code}); see {copy.log}")
    warm_up(names.read_text().split())


def _verdict(scores: dict[str, Score], argued: set, again: bool) -> int:
    total = collections.Counter()
    for score in scores.values():
        total.update(killed=score.killed, argued=score.argued, left=len(score.left))
    found = {key for score in scores.values() for key in score.keys}
    stale = [key for key in argued if key[0] in scores and key not in found] if not again else []
    for key in sorted(stale):
        print(f"survivors.toml argues what is killed or is no mutant any more: {' | '.join(key)}")
    count = sum(total.values())
    print(f"All: {count} mutants, {total['killed']} killed, {total['argued']} argued, {total['left']} left")
    return 1 if total["left"] or stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
