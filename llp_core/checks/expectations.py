"""The adapter to Great Expectations: rules and tables in, findings out."""

import functools
import logging
import math
import threading
import warnings
from collections.abc import Iterable, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

from llp_core.checks.findings import OFFENDERS, Finding, Findings
from llp_core.checks.frames import Table
from llp_core.checks.rules import ROWS, Rule

if TYPE_CHECKING:
    from great_expectations.core import ExpectationSuiteValidationResult, ExpectationValidationResult

_ONE_AT_A_TIME = threading.Lock()
"""Great Expectations keeps its current project in a global; stages may run side by side in threads."""


def run_checks(tables: Iterable[Table], rules: Sequence[Rule]) -> Findings:
    """Holds the rules of each table against it.

    Raises:
        RuntimeError: an expectation could not be evaluated, which is an error in the rules or the tables.
    """
    checks: list[Finding] = []
    results = []
    with _ONE_AT_A_TIME:
        for table in tables:
            own = [rule for rule in rules if rule.table == table.name]
            result = _validate(table, own)
            checks += [_finding(table, rule, each) for rule, each in zip(own, _in_order(own, result), strict=True)]
            results.append(result)
    return Findings(tuple(checks), tuple(results))


@functools.cache
def import_great_expectations() -> ModuleType:
    """Great Expectations, imported on the first call (3 s), without its notes and the warnings of its imports."""
    logging.getLogger("great_expectations").setLevel(logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import great_expectations
    return great_expectations


def _validate(table: Table, rules: Sequence[Rule]) -> "ExpectationSuiteValidationResult":
    """Runs a table's rules in a context of its own, in memory, that reports nothing to anyone."""
    gx = import_great_expectations()
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        InMemoryStoreBackendDefaults,
        ProgressBarsConfig,
    )

    config = DataContextConfig(
        store_backend_defaults=InMemoryStoreBackendDefaults(),
        analytics_enabled=False,
        progress_bars=ProgressBarsConfig(globally=False),
    )
    context = gx.get_context(mode="ephemeral", project_config=config)
    asset = context.data_sources.add_pandas("memory").add_dataframe_asset(table.name)
    request = asset.add_batch_definition_whole_dataframe("all").build_batch_request({"dataframe": table.rows})
    suite = gx.ExpectationSuite(name=table.name, expectations=[_expectation(gx, rule) for rule in rules])
    # A validator of the request reads and hashes the rows once; a batch that validates itself does so twice.
    validator = context.get_validator(batch_request=request, expectation_suite=suite)
    result_format = {"result_format": "SUMMARY", "partial_unexpected_count": OFFENDERS}
    result: ExpectationSuiteValidationResult = validator.validate(result_format=result_format)
    return result


def _expectation(gx: ModuleType, rule: Rule) -> Any:
    column = {} if rule.column == ROWS else {"column": rule.column}
    kind = getattr(gx.expectations, f"Expect{rule.kind}")
    return kind(**column, **rule.settings, description=f"{rule.check}: {rule.expected}", meta={"check": rule.check})


def _in_order(rules: Sequence[Rule], result: "ExpectationSuiteValidationResult") -> "list[ExpectationValidationResult]":
    """The results in the order of the rules; Great Expectations sorts them by column."""
    configs = [(each.expectation_config, each) for each in result.results]
    by_check = {config.meta["check"]: each for config, each in configs if config is not None}
    return [by_check[rule.check] for rule in rules]


def _finding(table: Table, rule: Rule, each: "ExpectationValidationResult") -> Finding:
    result = each.result
    if not result:
        raise RuntimeError(f"{rule.check} of {rule.table} could not be checked: {each.exception_info}")
    rows = len(table.rows)
    unexpected = result.get("unexpected_count", int(not each.success))
    observed = result.get("observed_value")
    if rule.settings.get("mostly", 1.0) < 1.0:
        observed = 1 - unexpected / max(rows, 1)
    if not isinstance(observed, int | None):
        observed = float(observed) if math.isfinite(observed) else None
    positions = [] if each.success else result.get("partial_unexpected_index_list") or []
    return Finding(
        check=rule.check,
        table=rule.table,
        column=rule.column,
        passed=bool(each.success),
        unexpected=unexpected,
        rows=rows,
        offenders=tuple(table.describe(table.rows.iloc[position]) for position in positions),
        observed=observed,
        expected=rule.expected,
        remedy=rule.remedy,
    )
