"""Measure everything, or some parts by name.

python -m benchmarks [PART ...] [--quick] [--out FOLDER] [--write-docs]
python -m benchmarks --from FOLDER --write-docs
python -m benchmarks --list
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.cost_figure import draw_cost
from benchmarks.machine import described, environment, num_cores
from benchmarks.part import Part, Setting
from benchmarks.result import PartResult
from benchmarks.table import SUMMARY_MARKERS, markdown, part_text, summary, with_table

ROOT = Path(__file__).parents[1]
PAGE, FIGURE = ROOT / "docs" / "results-speed.md", ROOT / "docs" / "images" / "cost.png"


def main() -> int:
    options = _options()
    from benchmarks.catalog import PARTS

    if options.list:
        for part in PARTS:
            print(f"{part.name:<26}{part.title}: {', '.join(each.name for each in part.variants)}")
        return 0
    if options.results is not None:
        content = _earlier(options.results / "results.json")
        results = [PartResult.from_json(each) for each in content["parts"]]
        facts, is_quick = content["environment"], content["is_quick"]
    else:
        chosen = _chosen(PARTS, options.parts)
        _check_device(options.device)
        facts = environment(device=options.device, threads=options.threads)
        results, is_quick = _run(chosen, options, facts), options.quick
    if options.out is not None:
        _write(options.out, results, facts, is_quick=is_quick)
    if options.write_docs:
        _write_docs(results, facts, is_quick=is_quick)
    return _failures(results)


def _run(
    chosen: Sequence[Part], options: argparse.Namespace, facts: Mapping[str, object]
) -> list[PartResult]:
    from benchmarks.parts.products import rates_of
    from benchmarks.runner import run_part

    print(described(facts))
    began = time.perf_counter()
    results: list[PartResult] = []
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as folder:
        setting = Setting(
            folder=Path(folder), device=options.device, threads=options.threads, quick=options.quick
        )
        rates: dict[str, float] = {}
        for part in chosen:
            result = run_part(part, setting, rates=rates, tell=_tell)
            rates |= rates_of(result)
            results.append(result)
            _tell("")
            print(part_text(result), flush=True)
    print(f"\n{len(results)} parts in {time.perf_counter() - began:.0f} s")
    return results


def _write(
    folder: Path, results: Sequence[PartResult], facts: Mapping[str, object], *, is_quick: bool
) -> None:
    from cavmae_sync.atomic import write_text

    folder.mkdir(parents=True, exist_ok=True)
    content: dict[str, Any] = {
        "environment": dict(facts),
        "is_quick": is_quick,
        "parts": [result.to_json() for result in results],
    }
    write_text(folder / "results.json", json.dumps(content, indent=2, ensure_ascii=False) + "\n")
    write_text(folder / "table.md", markdown(results, facts, is_quick=is_quick) + "\n")
    write_text(folder / "summary.md", summary(results, facts, is_quick=is_quick) + "\n")
    is_drawn = draw_cost(results, folder / "cost.png")
    print(f"written: {folder / 'results.json'}, table.md, summary.md{', cost.png' if is_drawn else ''}")


def _write_docs(results: Sequence[PartResult], facts: Mapping[str, object], *, is_quick: bool) -> None:
    from cavmae_sync.atomic import write_text

    if is_quick:
        raise SystemExit("a quick run measures nothing: its figures are not written into the documentation")
    table = markdown(results, facts, is_quick=False)
    if draw_cost(results, FIGURE):
        table += f"\n\n![Time, storage and memory against the number of clips](images/{FIGURE.name})"
    short = summary(results, facts, is_quick=False)
    try:
        written = with_table(PAGE.read_text(encoding="utf-8"), short, markers=SUMMARY_MARKERS)
        write_text(PAGE, with_table(written, table))
    except ValueError as error:
        raise SystemExit(f"{PAGE}: {error}") from error
    print(f"written: {PAGE}")


def _earlier(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise SystemExit(f"{path} does not exist. Give --from the folder that an earlier run had as --out.")
    return json.loads(path.read_text(encoding="utf-8"))


def _check_device(name: str) -> None:
    from cavmae_sync.compute import choose_device
    from cavmae_sync.errors import ConfigError

    try:
        choose_device(name)
    except ConfigError as error:
        raise SystemExit(str(error)) from error


def _failures(results: Sequence[PartResult]) -> int:
    failed = [(result.name, name, error) for result in results for name, error in result.errors.items()]
    for part, name, error in failed:
        print(f"\n{part}, {name} failed:\n{error}", file=sys.stderr)
    return 1 if failed else 0


def _chosen(parts: Sequence[Part], names: Sequence[str]) -> list[Part]:
    """Parts of those names, or whose name begins so."""
    unknown = [name for name in names if not any(part.name.startswith(name) for part in parts)]
    if unknown:
        known = ", ".join(part.name for part in parts)
        raise SystemExit(f"there is no part {', '.join(unknown)}. There are: {known}")
    return [part for part in parts if not names or any(part.name.startswith(name) for name in names)]


def _tell(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
    elif text:
        print(text, file=sys.stderr, flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help="names, or how names begin; all by default")
    parser.add_argument("--quick", action="store_true", help="see that everything works; measures nothing")
    parser.add_argument("--list", action="store_true", help="names of the parts and of their variants")
    parser.add_argument("--out", type=Path, help="folder for results.json, table.md, summary.md and cost.png")
    parser.add_argument(
        "--from", dest="results", type=Path, help="take an earlier run's --out, measure nothing"
    )
    parser.add_argument("--write-docs", action="store_true", help="put the tables into docs/results-speed.md")
    parser.add_argument("--device", default="cpu", help="where models compute: cpu, cuda, mps")
    parser.add_argument("--threads", type=int, default=num_cores(), help="threads of processes that compute")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
