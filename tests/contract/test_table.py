"""The list of rules, the tests and the page in docs/ say the same."""

from tools import contract_table


def test_every_testable_rule_has_a_test_and_no_other_has():
    rules, tests = contract_table.rules(), contract_table.tests()
    assert sorted(rules) == list(range(1, 90))
    testable = {number for number, row in rules.items() if row["mark"] in ("testable", "build")}
    assert testable == set(tests), testable ^ set(tests)
    assert {row["mark"] for row in rules.values()} == {"testable", "build", "no effect", "undefined"}


def test_what_was_run_are_rules_that_have_tests():
    tests = contract_table.tests()
    for lane, run in contract_table.runs().items():
        assert lane in contract_table.LANES and set(run["passed"]) <= set(tests)


def test_the_page_is_up_to_date():
    written = contract_table.TABLE.read_text(encoding="utf-8")
    assert written == contract_table.page(), "run: python -m tools.contract_table"
