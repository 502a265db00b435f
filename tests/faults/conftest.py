"""The campaign's account, told at the end as docs/reliability.md has it."""

import pytest
from campaign import ROWS, Campaign


@pytest.fixture(scope="session")
def campaign():
    return Campaign()


def pytest_terminal_summary(terminalreporter):
    if not ROWS:
        return
    terminalreporter.section("faults")
    terminalreporter.line("| fault | tries | losses | minutes | |")
    terminalreporter.line("|---|---|---|---|---|")
    for fault, tried, losses, minutes, remark in ROWS:
        terminalreporter.line(f"| {fault} | {tried} | {losses} | {minutes:.1f} | {remark} |")
