"""The examples in contrib/ and docs/audit.md work without changes."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from here import PROJECT

from dedupe.audit import read_audit
from dedupe.report.forms import Form

CONTRIB = PROJECT / "contrib"
FILES = sorted(path for path in CONTRIB.rglob("*") if path.is_file())


def test_settings_in_examples_are_valid(tmp_path: Path) -> None:
    """Every dedupe.toml can be read; that of docs/audit.md has every kind of report."""
    (shown,) = re.findall(r"```toml\n(.*?)```", (PROJECT / "docs/audit.md").read_text(), re.DOTALL)
    cron = list(yaml.safe_load_all((CONTRIB / "kubernetes/cronjob.yaml").read_text()))
    for text in (shown, cron[0]["data"]["dedupe.toml"], (CONTRIB / "dedupe.toml").read_text()):
        (tmp_path / "dedupe.toml").write_text(text)
        orders = read_audit(tmp_path / "dedupe.toml")
        assert orders.check.has_limits
        assert orders.keep == "90d"
    (tmp_path / "dedupe.toml").write_text(shown)
    assert set(read_audit(tmp_path / "dedupe.toml").reports) == set(Form)


def test_commands_in_examples_exist() -> None:
    """Commands and options are those of docs/commands/, which is made from the help."""
    page = "".join(path.read_text() for path in sorted((PROJECT / "docs/commands").glob("*.md")))
    sections = dict(re.findall(r"^# dedupe (\S+)\n(.*?)(?=^# |\Z)", page, re.DOTALL | re.MULTILINE))
    found = 0
    for path in FILES:
        text = re.sub(r'[",\[\]]', " ", path.read_text())
        for name, words in re.findall(
            r"(?:^|[/ ])dedupe +([a-z-]+)((?: .*)?)$", text, re.MULTILINE
        ):
            if name not in sections:
                assert path.suffix not in (".service", ".cron"), (path, name)
                continue
            found += 1
            for option in re.findall(r" (--[a-z-]+)", words):
                assert option in sections[name], (path, name, option)
    assert found >= 7


def test_cronjob_mounts_the_store_read_only() -> None:
    """No second job starts while one is running."""
    _, job = yaml.safe_load_all((CONTRIB / "kubernetes/cronjob.yaml").read_text())
    assert (job["kind"], job["spec"]["concurrencyPolicy"]) == ("CronJob", "Forbid")
    pod = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    mounts = {each["name"]: each.get("readOnly", False) for each in container["volumeMounts"]}
    assert mounts == {"settings": True, "store": True, "state": False, "temporary": False}
    assert set(mounts) == {each["name"] for each in pod["volumes"]}
    assert container["securityContext"]["capabilities"] == {
        "drop": ["ALL"],
        "add": ["DAC_READ_SEARCH"],
    }


@pytest.mark.parametrize("name", ["github-actions.yml", "gitlab-ci.yml"])
def test_pipelines_fail_with_the_check(name: str) -> None:
    """The pipelines are valid YAML, scan, and end with the exit code of the check."""
    document = yaml.safe_load((CONTRIB / "ci" / name).read_text())
    if name == "gitlab-ci.yml":
        script = document["image-check"]["script"]
        assert script[-1] == "exit ${code:-0}"
    else:
        script = [step.get("run", "") for step in document["jobs"]["check"]["steps"]]
    assert any(line.startswith("dedupe scan") for line in script)
    assert any(line.startswith("dedupe check") for line in script)


def test_cron_line_is_valid_and_quiet() -> None:
    """The line has five fields of time, a user, and a command that prints nothing."""
    (line,) = [
        line
        for line in (CONTRIB / "dedupe.cron").read_text().splitlines()
        if not line.startswith("#")
    ]
    fields = line.split(maxsplit=6)
    assert all(re.fullmatch(r"[\d*/,-]+", field) for field in fields[:5])
    assert fields[5] == "root"
    assert "dedupe audit --quiet" in fields[6]


@pytest.mark.tools
def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    """Systemd has no complaint about the units, and rates the service as safe."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not here")
    for path in (CONTRIB / "systemd").glob("dedupe-audit.*"):
        # the units can be verified without an installed program
        text = path.read_text().replace("/usr/bin/dedupe", "/bin/true")
        (tmp_path / path.name).write_text(text)
    units = [str(path) for path in sorted(tmp_path.iterdir())]
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units],
        capture_output=True,
        text=True,
        check=False,
    )
    said = [line for line in done.stderr.splitlines() if "dedupe-audit" in line]
    assert (done.returncode, said) == (0, [])
    # exposure in tenths; systemd calls up to 15 safe
    judged = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=15", units[0]],
        capture_output=True,
        text=True,
        check=False,
    )
    assert judged.returncode == 0, judged.stdout + judged.stderr
