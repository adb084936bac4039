"""`python -m bench.structure` finds in a small tree what was put there, and counts complexity as ruff does."""
from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bench.structure import sizes, tree
from bench.structure.summary import summary, text

ROOT = Path(__file__).resolve().parents[1]
LONG = "def long():\n" + "    print()\n" * 60
BRANCHED = "def branched(n):\n" + "    if n: print()\n" * 15
TREE = {
    "stages/__init__.py": "",
    "stages/models.py": "import os\n",
    "stages/worker/__init__.py": "",
    "stages/worker/run.py": "from stages.models import Rollout\nfrom stages.gates import reads\nimport stages.gates.stops\n",
    "stages/worker/begin.py": "def begin():\n    from ..worker import run\n    from . import run\n    run()\n",
    "stages/gates/__init__.py": "from stages.gates.reads import closed\n",
    "stages/gates/reads.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from stages.worker.begin import begin\n",
    "stages/gates/stops.py": "import stages.gates.reads\n",
    "stages/migrations/0001_initial.py": "from stages import worker\nimport stages.worker.run\n",
    "locks/sql.py": '"""Statements.\n\nTwo of them."""\n\nONE = 1  # and\n# no more\nTWO = """\n2"""\n',
    "locks/longer.py": LONG + "\n\n" + BRANCHED,
    "locks/longest.py": "x = 1\n" * 301,
    "templates/page.html": "<p>\n" + "x" * 140 + "\n" + "x" * 141 + "\n",
    "locks/templates/locks/own.html": "x" * 141,
}


@pytest.fixture
def small(tmp_path: Path) -> Path:
    for path, content in TREE.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(content)
    return tmp_path


def test_a_room_is_a_folder_of_an_app_or_a_file_at_its_top(small):
    apps = summary(small)["apps"]
    assert set(apps) == {"stages", "locks"}
    assert set(apps["stages"]["rooms"]) == {"stages/models.py", "stages/worker", "stages/gates"}
    assert apps["stages"]["files_at_top_count"] == 1 and apps["locks"]["files_at_top_count"] == 3


def test_an_arrow_between_two_rooms_counts_once_and_names_both(small):
    found = summary(small)
    rooms = found["apps"]["stages"]["rooms"]
    assert rooms["stages/worker"]["imports"] == ["stages/gates", "stages/models.py"]
    assert rooms["stages/gates"]["imports"] == ["stages/worker"]
    assert found["apps"]["stages"]["arrows_inside"] == found["arrows"]["between_rooms"] == 3


def test_imports_in_functions_and_for_types_are_told_apart(small):
    found = summary(small)
    # stages.models, gates.reads and gates.stops by run; reads by gates itself and by stops.
    assert found["imports"] == {"at import": 5, "in a function": 2, "for types only": 1}
    assert found["arrows"]["of_them_late"] == 1, "gates -> worker"


def test_a_circle_is_found_and_named_whole(small):
    circles = summary(small)["circles"]
    assert circles["rooms"]["by_all_imports"] == [["stages/gates", "stages/worker"]]
    assert circles["files"]["by_all_imports"] == [
        ["stages/gates/reads.py", "stages/gates/stops.py", "stages/worker/begin.py", "stages/worker/run.py"]]
    assert circles["files"]["by_imports_of_loading"] == circles["rooms"]["by_imports_of_loading"] == []


def test_files_functions_and_template_lines_over_the_limits_are_found(small):
    found = summary(small)
    assert found["files_too_long"] == {"300": [{"path": "locks/longest.py", "lines": 301}], "350": []}
    assert found["functions_too_long"] == [
        {"path": "locks/longer.py", "line": 1, "name": "long", "lines": 61, "complexity": 1}]
    assert [(one["name"], one["complexity"]) for one in found["functions_too_complex"]] == [("branched", 16)]
    assert found["template_lines_too_wide"]["files"] == {"locks/templates/locks/own.html": 1, "templates/page.html": 1}


def test_code_is_no_docstring_no_comment_and_no_blank_line(small):
    sql = next(file for file in tree.sources(small) if file.path == "locks/sql.py")
    assert (sizes.total_lines(sql), sizes.code_lines(sql)) == (8, 3)


def test_complexity_is_what_ruff_counts(tmp_path):
    odd = tmp_path / "locks" / "odd.py"
    odd.parent.mkdir()
    odd.write_text(ODD)
    done = subprocess.run(
        [Path(sys.executable).with_name("ruff"), "check", "--isolated", "--no-cache", "--target-version=py311", "--select=C901",
         "--config=lint.mccabe.max-complexity=0", "--output-format=json", odd, *(ROOT / app for app in tree.APPS)],
        capture_output=True, text=True, check=False)
    ours = {(str(base / one.path), one.line): one.complexity
            for base in (tmp_path, ROOT) for file in tree.sources(base) for one in sizes.functions(file)}
    theirs = {}
    for one in json.loads(done.stdout):
        name, count = re.match(r"`(.+)` is too complex \((\d+) > 0\)", one["message"]).groups()
        if "/migrations/" not in one["filename"]:
            theirs[one["filename"], one["location"]["row"]] = int(count)
    assert len(theirs) > 1000 and theirs == ours


def test_the_command_prints_the_same_figures_as_text_and_as_json(small):
    def run(*arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run([sys.executable, "-m", "bench.structure", *arguments], cwd=ROOT, capture_output=True, text=True,
                              check=False)

    assert json.loads(run("--tree", str(small), "--json").stdout) == summary(small)
    assert run("--tree", str(small)).stdout.strip() == text(summary(small))
    assert "2: stages/gates stages/worker" in text(summary(small))
    nothing = run("--tree", str(small / "templates"))
    assert nothing.returncode == 2 and "has none of" in nothing.stderr


ODD = '''
async def odd(thing):
    async with thing:
        try:
            while thing:
                pass
            else:
                pass
        except* ValueError:
            pass
        except* KeyError:
            [x for x in thing if x and thing or 1]
        else:
            async for one in thing:
                if one:
                    pass
                elif thing:
                    pass
                else:
                    pass
        finally:
            if thing:
                pass
    match thing:
        case 1:
            pass
        case {"a": (2 | 3)} as held:
            pass
        case (4 | _) as all_else:
            def inner(): return lambda: 1 if thing else 2
    match thing:
        case 1 | 2:
            pass
        case _ if thing:
            pass
    class Local:
        if thing:
            pass
        async def method(self):
            if self:
                pass
    return odd
'''
