"""The examples of README.md, as they stand there."""
import pathlib
import re

pytest_plugins = ["pytester"]
README = pathlib.Path(__file__).parent.parent / "README.md"


def test_the_examples_of_the_readme_pass(pytester):
    example = re.findall(r"```python\n(.*?)```", README.read_text(), re.S)[0]
    pytester.makepyfile("import pytest\n\n" + example)
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(passed=3)
