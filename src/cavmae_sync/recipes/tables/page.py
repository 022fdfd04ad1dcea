"""A stored table as a part of a page: what was claimed, what was measured, and how to get a row again."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from matplotlib.figure import Figure

from cavmae_sync.config import override_words
from cavmae_sync.figures.tables import Series, table_figure
from cavmae_sync.recipes.tables.claims import CLAIMS, Claim
from cavmae_sync.recipes.tables.judgement import (
    TOO_FEW,
    UNTESTED,
    Controls,
    JudgedClaim,
    JudgedComparison,
    Measured,
    judge,
)
from cavmae_sync.recipes.tables.own_tables import OWN_TABLES
from cavmae_sync.recipes.tables.stage_cells import PERCENTILE_HEADING, STATE_HEADINGS
from cavmae_sync.recipes.tables.table_result import ReproduceConfig
from cavmae_sync.recipes.tables.text import markdown_row, percent_text

#: Columns that are shown of what was measured; all are in the JSON file.
_SHOWN: Final = (
    "stage R@1",
    "A>V R@1",
    PERCENTILE_HEADING,
    "WHAT R@1",
    "WHEN R@1",
    "moment",
    "cosine mAP",
    "cosine mAP, swapped sound",
    "masking mAP",
    "masking mAP, swapped sound",
    "attention mAP",
    "attention mAP, swapped sound",
    "stage probe mAP",
    *STATE_HEADINGS,
)


def measured_of(stored: Mapping[str, Any]) -> Measured:
    """Fractions by row, heading and seed of a stored table."""
    return {
        row["name"]: {
            heading: {int(seed): value for seed, value in cell.get("by_seed", {}).items()}
            for heading, cell in row["measured"].items()
        }
        for row in stored["rows"]
    }


def controls_of(stored: Mapping[str, Any]) -> Controls:
    """Rows of untrained models by the trained rows of a stored table."""
    return {row["name"]: row["control"] for row in stored["rows"] if row["control"] is not None}


def judged_claims(stored: Mapping[str, Any], *, page: Sequence[Mapping[str, Any]] = ()) -> list[JudgedClaim]:
    """Claims about a stored table, judged.

    What was not measured is left out where it is our own question, and where the same table stands on the
    page with other settings, too, and answers it.

    Args:
        stored: Contents of TABLE.json.
        page: All tables of the page.
    """
    elsewhere = [each for each in page if each["table"] == stored["table"] and each is not stored]
    found: list[JudgedClaim] = []
    for claim in CLAIMS.get(stored["table"], ()):
        judged = _judged(claim, stored)
        is_answered = any(_judged(claim, other).verdict != UNTESTED for other in elsewhere)
        if judged.verdict != UNTESTED or not (stored["table"] in OWN_TABLES or is_answered):
            found.append(judged)
    return found


def _judged(claim: Claim, stored: Mapping[str, Any]) -> JudgedClaim:
    return judge(claim, measured_of(stored), controls_of(stored))


def section_title(stored: Mapping[str, Any]) -> str:
    """Title of a stored table, with what tells it from others of its name."""
    return stored["title"] + _settings_told(stored["config"])


def _settings_told(config: Mapping[str, Any]) -> str:
    """Settings that are not the usual ones, in brackets."""
    has_own_length = config["budget"] == "epochs" and config["num_epochs"] != ReproduceConfig().num_epochs
    told = [
        *([] if config["variant"] == "bind" else [f"`{config['variant']}`"]),
        *([] if config.get("pack") is None else ["real pictures and sounds"]),
        *(["known objects"] if config.get("test_objects") == "known" else []),
        *(["equal cost"] if config["budget"] == "compute" else []),
        *([f"{config['num_epochs']} epochs"] if has_own_length else []),
        *([] if config["precision"] == "auto" else [config["precision"]]),
    ]
    return f" ({', '.join(told)})" if told else ""


def claims_overview(stored: Sequence[Mapping[str, Any]]) -> str:
    """All claims of a page and their verdicts, in Markdown."""
    lines = [markdown_row(["Claim", "Verdict", "Where"]), markdown_row(["---", "---", "---"])]
    for table in stored:
        where = table["title"].partition(":")[0] + _settings_told(table["config"])
        lines += [
            markdown_row([each.claim.text, _short_verdict(each), where])
            for each in judged_claims(table, page=stored)
        ]
    return "\n".join(lines)


def _short_verdict(judged: JudgedClaim) -> str:
    has_few = judged.verdict == "not confirmed here" and any(
        each.finding == TOO_FEW for each in judged.comparisons
    )
    return judged.verdict.removesuffix(" here") + (", too few seeds" if has_few else "")


def table_section(
    stored: Mapping[str, Any], *, page: Sequence[Mapping[str, Any]] = (), figure: str | None = None
) -> str:
    """Section of a page in Markdown, from the JSON that `reproduce` writes.

    Args:
        stored: Contents of TABLE.json.
        page: All tables of the page.
        figure: Path of its figure, or None.
    """
    measured, judged = measured_of(stored), judged_claims(stored, page=page)
    title = section_title(stored)
    parts = [f"## {title}", _about(stored)]
    if judged:
        parts.append(_claims(judged, is_paper=stored["table"] not in OWN_TABLES))
    parts.append(_cells(stored, measured))
    if figure is not None:
        parts.append(
            f"![{title}: the values of single seeds, their means, and untrained models in grey]({figure})"
        )
    parts.append(_command(stored))
    return "\n\n".join(parts) + "\n"


def section_figure(stored: Mapping[str, Any]) -> Figure:
    """Figure of the columns that a section shows and its claims name: bars, dots for seeds, grey controls."""
    measured, controls = measured_of(stored), controls_of(stored)
    rows = [row for row in measured if row not in controls.values()]
    asked = [each for claim in CLAIMS.get(stored["table"], ()) for each in claim.comparisons]
    named = [name for each in asked for name in (each.heading, each.other_heading) if name is not None]
    wanted = dict.fromkeys([*named, *_SHOWN[:5]])
    headings = [heading for heading in wanted if any(measured[row].get(heading) for row in measured)]

    def values(row: str | None, heading: str) -> tuple[float, ...]:
        return tuple(measured.get(row or "", {}).get(heading, {}).values())

    return table_figure(
        [
            Series(
                name=heading,
                values=[values(row, heading) for row in rows],
                untrained=[values(controls.get(row), heading) for row in rows],
            )
            for heading in headings
        ],
        rows=rows,
        title=section_title(stored).replace("`", ""),
    )


def count_verdicts(stored: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Number of claims by verdict, over several tables."""
    verdicts = [each.verdict for table in stored for each in judged_claims(table, page=stored)]
    return {verdict: verdicts.count(verdict) for verdict in sorted(set(verdicts))}


def _about(stored: Mapping[str, Any]) -> str:
    config = stored["config"]
    budget = (
        f"{config['num_epochs']} epochs each"
        if config["budget"] == "epochs"
        else "as many steps as cost no more operations and no more processor time than `sync_base`"
    )
    pack = "" if config.get("pack") is None else f" of the pack `{config['pack']}`"
    known = " with the same objects" if config.get("test_objects") == "known" else ""
    return (
        f"Variant `{config['variant']}`{pack}, {config['num_train_clips']} clips to learn from and "
        f"{config['num_test_clips']} to measure with{known}, {budget}, {config['precision']}."
        + (f" {stored['note']}" if stored["note"] else "")
    )


def _claims(judged: Sequence[JudgedClaim], *, is_paper: bool) -> str:
    asked = "The paper says" if is_paper else "Asked"
    lines = [
        markdown_row([asked, "Verdict", "Measured: better minus worse, points"]),
        markdown_row(["---", "---", "---"]),
    ]
    for each in judged:
        found = "; ".join(_difference(comparison, each.claim) for comparison in each.comparisons)
        source = f" ({each.claim.source})" if is_paper else ""
        lines.append(markdown_row([each.claim.text + source, f"**{each.verdict}**", found]))
    return "\n".join(lines)


def _difference(judged: JudgedComparison, claim: Claim) -> str:
    comparison, difference = judged.comparison, judged.difference
    name = comparison.heading
    if comparison.other_heading is not None:
        name = f"{comparison.heading} - {comparison.other_heading}"
    elif len(claim.comparisons) > 1:
        name = f"{comparison.heading}, {comparison.better} - {comparison.worse}"
    if comparison.is_gain:
        name = f"gain of {name}"
    if difference is None:
        return f"{name}: {judged.finding}"
    seeds = f"{100 * difference.low:+.1f} to {100 * difference.high:+.1f}, {difference.num_seeds} seeds"
    if difference.num_seeds == 1:
        seeds = "one seed"
    return f"{name}: {100 * difference.mean:+.1f} ({seeds}), {judged.finding}"


def _cells(stored: Mapping[str, Any], measured: Measured) -> str:
    headings = [heading for heading in _SHOWN if any(measured[row].get(heading) for row in measured)]
    lines = [
        markdown_row(["", *headings, "steps", "operations, 10^12", "processor seconds"]),
        markdown_row(["---", *("---:" for _ in range(len(headings) + 3))]),
    ]
    for row in stored["rows"]:
        values = [measured[row["name"]].get(heading, {}) for heading in headings]
        lines.append(
            markdown_row(
                [
                    row["name"],
                    *(percent_text(list(value.values())) if value else "·" for value in values),
                    *_cost(row["cost"]),
                ]
            )
        )
    seeds = sorted({seed for row in measured.values() for cell in row.values() for seed in cell})
    of_seeds = ", ".join(map(str, seeds))
    note = f"Percent, mean ± half of the 95 % interval over seeds {of_seeds}; · = not measured."
    fewer = {heading: max(len(measured[row].get(heading, {})) for row in measured) for heading in headings}
    rows = {row: max(map(len, cells.values()), default=0) for row, cells in measured.items()}
    for what, counts in (("Columns", fewer), ("Rows", rows)):
        if told := [f"{name} ({count})" for name, count in counts.items() if count < len(seeds)]:
            note += f" {what} of fewer seeds: {', '.join(told)}."
    return "\n".join(lines) + f"\n\n{note}"


def _cost(cost: Mapping[str, Any] | None) -> list[str]:
    if cost is None:
        return ["·"] * 3
    seconds = list(cost["processor_seconds"].values())
    mean = f"{sum(seconds) / len(seconds):.0f}" if seconds else "·"
    return [f"{cost['num_steps']:,}", f"{cost['operations'] / 1e12:.1f}", mean]


def _command(stored: Mapping[str, Any]) -> str:
    words = override_words(ReproduceConfig(), ReproduceConfig.model_validate(stored["config"]))
    row = next(row["name"] for row in stored["rows"] if row["cost"] is not None)
    command = ["cavmae-sync", "reproduce", stored["table"], f'--row "{row}"', "--seeds 0", *words]
    return f"One row from scratch:\n\n```sh\n{' '.join(command)}\n```"
