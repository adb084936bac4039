"""The figures of one tree as plain data, and as text for people."""
from __future__ import annotations

from collections import Counter
from pathlib import Path

from bench.structure import arrows, sizes, tree
from bench.structure.arrows import Import, When
from bench.structure.tree import Source

FILE_LINES = (300, 350)
FUNCTION_LINES = 60
COMPLEXITY = 15
TEMPLATE_COLUMNS = 140
# The text names so many templates, the JSON all of them.
SHOWN = 10


def summary(root: Path) -> dict:
    """Everything that is counted, as JSON knows it. The keys are those of the text. Raises what tree.sources raises."""
    files = tree.sources(root)
    found = arrows.imports(files)
    return {
        "apps": {app: _app(app, files, found) for app in tree.APPS if any(file.app == app for file in files)},
        "imports": {when: sum(one.when is when for one in found) for when in When},
        "arrows": _arrows(files, found),
        "circles": _circles(files, found),
        **_limits(root, files),
    }


def _app(app: str, files: list[Source], found: list[Import]) -> dict:
    own = [file for file in files if file.app == app]
    room = {file.path: file.room for file in files}
    edges = arrows.graph(found, room.get)
    rooms = {}
    for name in sorted({file.room for file in own}):
        inside = [file for file in own if file.room == name]
        rooms[name] = {
            "files": len(inside), "code_lines": sum(map(sizes.code_lines, inside)),
            "imports": sorted(edges.get(name, ())),
        }
    tops = sorted(file.path for file in own if file.at_top)
    return {
        "files": len(own),
        "total_lines": sum(map(sizes.total_lines, own)),
        "code_lines": sum(map(sizes.code_lines, own)),
        "rooms_count": len(rooms),
        "files_at_top_count": len(tops),
        "folders_count": len({file.folder for file in own if not file.at_top}),
        "arrows_inside": sum(len([to for to in row["imports"] if to.startswith(f"{app}/")]) for row in rooms.values()),
        "rooms": rooms,
    }


def _arrows(files: list[Source], found: list[Import]) -> dict:
    room = {file.path: file.room for file in files}
    pairs = {(room[one.source], room[one.target]) for one in found} - {(name, name) for name in room.values()}
    apps = Counter((source.split("/")[0], target.split("/")[0]) for source, target in pairs)
    at_import = {(room[one.source], room[one.target]) for one in found if one.when is When.AT_IMPORT}
    return {
        "between_rooms": len(pairs),
        "of_them_late": len(pairs - at_import),
        "inside_an_app": sum(count for (source, target), count in apps.items() if source == target),
        "between_apps": {f"{source} -> {target}": count for (source, target), count in sorted(apps.items()) if source != target},
    }


def _circles(files: list[Source], found: list[Import]) -> dict:
    """Of files, rooms and folders: over all imports, and over those alone that run when a module is loaded."""
    names = {
        "files": lambda path: path,
        "rooms": {file.path: file.room for file in files}.get,
        "folders": {file.path: file.folder for file in files}.get,
    }
    early = [one for one in found if one.when is When.AT_IMPORT]
    return {
        kind: {"by_all_imports": arrows.circles(arrows.graph(found, name)),
               "by_imports_of_loading": arrows.circles(arrows.graph(early, name))}
        for kind, name in names.items()
    }


def _limits(root: Path, files: list[Source]) -> dict:
    long = sorted(((sizes.total_lines(file), file.path) for file in files), reverse=True)
    functions = [function for file in files for function in sizes.functions(file)]
    wide = Counter()
    for file in tree.templates(root):
        wide[str(file.relative_to(root))] = sum(
            len(line) > TEMPLATE_COLUMNS for line in file.read_text(encoding="utf-8").splitlines()
        )
    return {
        "files_too_long": {
            str(limit): [{"path": path, "lines": lines} for lines, path in long if lines > limit] for limit in FILE_LINES
        },
        "functions_too_long": [vars(one) for one in sorted(functions, key=lambda one: -one.lines)
                               if one.lines > FUNCTION_LINES],
        "functions_too_complex": [vars(one) for one in sorted(functions, key=lambda one: -one.complexity)
                                  if one.complexity > COMPLEXITY],
        "template_lines_too_wide": {"count": wide.total(), "files": {path: count for path, count in wide.most_common() if count}},
    }


def text(figures: dict) -> str:
    """The summary for people, a line for each thing."""
    return "\n".join([*_text_apps(figures), *_text_rooms(figures), *_text_circles(figures), *_text_limits(figures)])


def _text_apps(figures: dict) -> list[str]:
    columns = ("files", "total_lines", "code_lines", "rooms_count", "files_at_top_count", "arrows_inside")
    lines = [f"{'app':<10}{'files':>8}{'lines':>8}{'code':>8}{'rooms':>8}{'at top':>8}{'arrows':>8}"]
    lines += [f"{app:<10}" + "".join(f"{row[column]:>8,}" for column in columns) for app, row in figures["apps"].items()]
    sums = [sum(row[column] for row in figures["apps"].values()) for column in columns]
    lines.append(f"{'all':<10}" + "".join(f"{value:>8,}" for value in sums))
    found = figures["arrows"]
    lines += [
        "",
        "A room is a folder directly in an app, with all below it, or a file directly in it; files without code are left out.",
        f"Arrows between rooms: {found['between_rooms']} ({found['inside_an_app']} inside an app); "
        f"{found['of_them_late']} of them late: only by imports in functions or for types.",
        "Arrows between apps: " + (", ".join(f"{pair} {count}" for pair, count in found["between_apps"].items()) or "none") + ".",
        "Imports: " + ", ".join(f"{count} {when}" for when, count in figures["imports"].items()) + ".",
    ]
    return lines


def _text_rooms(figures: dict) -> list[str]:
    lines = ["", "Rooms: files, lines of code, and what they import"]
    for row in figures["apps"].values():
        for name, room in row["rooms"].items():
            lines.append(f"  {name:<34}{room['files']:>4}{room['code_lines']:>7,}  {' '.join(room['imports'])}".rstrip())
    return lines


def _text_circles(figures: dict) -> list[str]:
    lines = []
    for kind, found in figures["circles"].items():
        for when, members in found.items():
            lines += ["", f"Circles of {kind}, {when.replace('_', ' ')}: {len(members)}"]
            lines += [f"  {len(names)}: {' '.join(names)}" for names in members]
    return lines


def _text_limits(figures: dict) -> list[str]:
    lines = []
    for limit, found in figures["files_too_long"].items():
        lines += ["", f"Files over {limit} lines: {len(found)}", *(f"  {one['lines']:>5}  {one['path']}" for one in found)]
    for title, key, value in (
        (f"Functions over {FUNCTION_LINES} lines", "functions_too_long", "lines"),
        (f"Functions with a complexity over {COMPLEXITY} (C901)", "functions_too_complex", "complexity"),
    ):
        lines += ["", f"{title}: {len(figures[key])}"]
        lines += [f"  {one[value]:>5}  {one['path']}:{one['line']} {one['name']}" for one in figures[key]]
    wide = figures["template_lines_too_wide"]
    lines += ["", f"Template lines over {TEMPLATE_COLUMNS} characters: {wide['count']} in {len(wide['files'])} files"]
    lines += [f"  {count:>5}  {path}" for path, count in list(wide["files"].items())[:SHOWN]]
    rest = len(wide["files"]) - SHOWN
    return lines + ([f"         and {rest} files more, all of them in --json"] if rest > 0 else [])
