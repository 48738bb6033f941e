"""The command line: JSON shapes, light imports, and what it says of broken input."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from studio.cli.main import _parser, main
from studio.cli.parser import readable
from studio.errors import ExperimentError
from studio.store.runs import read_run
from tests import tiny
from tests.studio.data.broken_files import write_file

HEAVY = ("torch", "mujoco", "pydantic", "PySide6", "numpy", "h5py", "yaml")


def answered(capfd: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    capfd.readouterr()
    status = main([str(a) for a in arguments])
    out, err = capfd.readouterr()
    assert "Traceback" not in out + err
    return status, out, err


def refused(capfd: pytest.CaptureFixture[str], *arguments: str | Path) -> dict[str, str]:
    """Ask twice, for people and for programs: exit 2, one sentence, the JSON shape of an error."""
    status, out, err = answered(capfd, *arguments)
    assert status == 2 and out == ""
    (line,) = err.strip().splitlines()
    status, out, err = answered(capfd, *arguments, "--json")
    assert status == 2
    error: dict[str, str] = json.loads(out.splitlines()[-1])
    assert set(error) == {"error", "field", "remedy"} and all(error.values()), error
    assert line.startswith("transfer-studio: ")
    assert error["error"] in line and error["remedy"] in line
    return error


# -- imports -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["--help", "import"])
def test_help_and_import_load_nothing_heavy(what: str) -> None:
    statement = "import studio" if what == "import" else "from studio.cli.main import main; main(['--help'])"
    text = f"import sys\ntry:\n    {statement}\nexcept SystemExit as end:\n    assert end.code == 0\n"
    text += f"print([m for m in {HEAVY} if m in sys.modules], file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr.strip() == "[]"


def test_listing_imports_neither_torch_nor_mujoco_nor_qt() -> None:
    text = "import sys\nfrom studio.cli.main import KINDS, main\n"
    text += "assert not any(main(['list', kind]) for kind in KINDS if kind != 'panels')\n"  # panels are of Qt
    text += "print([m for m in ('torch', 'mujoco', 'PySide6') if m in sys.modules], file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr.strip() == "[]"


def test_python_m_studio_is_the_same_program() -> None:
    done = tiny.call("--version")
    assert (done.returncode, done.stdout.split()[0]) == (0, "transfer-studio")


def test_wrong_usage_exits_2(capfd: pytest.CaptureFixture[str]) -> None:
    for arguments in (["run"], ["list", "nothing"], ["nothing"], ["adapt", "somewhere", "--context", "a,b"]):
        refused(capfd, *arguments)
    assert "usage" not in capfd.readouterr().err


@pytest.mark.parametrize("given", [["-0.1,3"], ["-0.1", "3"], ["-0.1,", "3"], ["-0.1 , 3"], ["-1e-1", "3"]])
def test_lists_of_numbers_have_spaces_or_commas(given: list[str]) -> None:
    options = _parser().parse_args(readable(["adapt", "somewhere", "--context", *given, "--repeats", "2"]))
    assert options.context == [-0.1, 3] and options.repeats == 2


def test_shots_are_given_as_a_context_is() -> None:
    for given in (["0,1,5"], ["0", "1", "5"], ["0,", "1, 5"]):
        assert _parser().parse_args(readable(["adapt", "somewhere", "--shots", *given])).shots == [0, 1, 5]


@pytest.mark.parametrize(
    ("option", "text"),
    [
        ("--context", "-0.1;0.3"),
        ("--context", "0.1; 0.2"),
        ("--context", "0.1,,0.2"),
        ("--context", "0.1,"),
        ("--context", "-a,b"),
        ("--shots", "0;1"),
        ("--shots", "0,,1"),
        ("--shots", "0,1.5"),
        ("--shots", ""),
    ],
)
def test_what_is_no_list_of_numbers_is_told_how_to_write_one(option: str, text: str) -> None:
    named = "whole numbers" if option == "--shots" else "numbers"
    with pytest.raises(ExperimentError) as caught:
        _parser().parse_args(readable(["adapt", "somewhere", option, text]))
    assert (caught.value.field, caught.value.message) == (option, f"'{text}' is no list of {named}.")
    assert caught.value.remedy.startswith(f"Give {named} with spaces or commas between them")


# -- results -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["strategies", "policies", "tasks", "embodiments", "formats"])
def test_list_gives_the_shape(kind: str, capfd: pytest.CaptureFixture[str]) -> None:
    status, out, _ = answered(capfd, "list", kind, "--json")
    (rows,) = json.loads(out).values()
    assert status == 0 and rows and [*json.loads(out)] == [kind]
    for row in rows:
        assert {"id", "title", "summary", "reference", "parameters"} <= set(row)
        assert all(isinstance(row[key], str) and row[key] for key in ("id", "title", "summary", "reference"))
    _, text, _ = answered(capfd, "list", kind)
    assert all(row["id"] in text and row["title"] in text for row in rows)


def test_listed_parameters_are_a_json_schema(capfd: pytest.CaptureFixture[str]) -> None:
    rows = {row["id"]: row for row in json.loads(answered(capfd, "list", "strategies", "--json")[1])["strategies"]}
    rank = rows["lora"]["parameters"]["properties"]["rank"]
    assert (rank["type"], rank["minimum"], rank["default"], rank["title"]) == ("integer", 1, 16, "Rank")


def test_tasks_tell_what_a_domain_may_choose(capfd: pytest.CaptureFixture[str]) -> None:
    rows = {row["id"]: row for row in json.loads(answered(capfd, "list", "tasks", "--json")[1])["tasks"]}
    assert (rows["bit_flip"]["controls"], rows["bit_flip"]["observations"]) == (["discrete"], ["goal"])
    assert rows["ant_direction"]["context"] == ["cosine", "sine"] and rows["reach"]["context"] == []


@pytest.mark.parametrize("form", [[], ["--json"]], ids=["text", "json"])
def test_list_reports_a_broken_plugin_and_lists_the_others(
    form: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.py").write_text("x = 1\n1 / 0\n")
    monkeypatch.setenv("TRANSFER_STUDIO_PLUGINS", str(tmp_path))
    status, out, err = answered(capfd, "list", "strategies", *form)
    assert status == 0 and "from_scratch" in out and "lora" in out
    assert f"Plugin 'bad' (plugins) failed at {tmp_path / 'bad.py'}, line 2: ZeroDivisionError" in err


def test_run_compare_inspect_and_export_give_their_shapes(
    tmp_path: Path, runs: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    plan = tiny.write(tiny.experiment("feature_extraction"), tmp_path)
    status, out, _ = answered(
        capfd, "run", plan, "--out", runs, "--seed", "3", "--set", "evaluation.episodes=1", "--json"
    )
    run = json.loads(out.splitlines()[-1])
    assert status == 0 and set(run) == {"run", "state", "evaluations"} and run["state"] == "finished"
    assert read_run(Path(run["run"])).seed == 3
    assert {row["domain"]: row["episodes"] for row in run["evaluations"]} == {"target": 1, "source": 1}
    status, out, _ = answered(capfd, "compare", run["run"], "--json")
    (row,) = json.loads(out)["rows"]
    shape = {"strategy", "episodes", "seeds", "success", "low", "high", "source_success", "trainable_parameters"}
    assert status == 0 and shape | {"seconds", "peak_memory_mb"} <= set(row)
    status, out, _ = answered(capfd, "inspect", run["run"], "--json")
    assert (status, json.loads(out)["kind"], json.loads(out)["strategy"]) == (0, "run", "feature_extraction")
    status, out, _ = answered(capfd, "export", run["run"], "--to", tmp_path / "out", "--json")
    assert (status, json.loads(out)) == (0, {"exported": str(tmp_path / "out")})
    assert refused(capfd, "export", run["run"], "--to", tmp_path / "out")["field"] == str(tmp_path / "out")
    assert refused(capfd, "resume", run["run"])["error"].startswith("The run is finished")


@pytest.mark.parametrize(
    ("state", "why"),
    [
        ("interrupted", "it was interrupted before its final score. Finish it with: transfer-studio resume"),
        ("failed", "it failed. The disk is full. Free space."),
    ],
)
def test_comparing_an_unfinished_run_says_why_there_is_no_table(
    state: str, why: str, finished: dict[str, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(finished["lora"], folder, ignore=shutil.ignore_patterns("checkpoints"))
    status = json.loads((folder / "run.json").read_text())
    status |= {"state": state, "error": {"message": "The disk is full.", "field": "", "remedy": "Free space."}}
    (folder / "run.json").write_text(json.dumps(status))
    code, out, err = answered(capfd, "compare", folder)
    assert code == 1 and out == ""
    (line,) = err.splitlines()
    assert line.startswith(f"run is left out: {why}")


def test_inspect_knows_what_a_run_is_made_of(finished: dict[str, Path], capfd: pytest.CaptureFixture[str]) -> None:
    run = finished["lora"]
    kinds = {
        run / "adapter": "adapter",
        run / "policy": "policy",
        run / "checkpoints" / "adapt-00000010": "checkpoint",
        run / "experiment.yaml": "experiment",
    }
    for path, kind in kinds.items():
        status, out, _ = answered(capfd, "inspect", path, "--json")
        assert (status, json.loads(out)["kind"]) == (0, kind)
    old = json.loads(answered(capfd, "inspect", run / "checkpoints" / "adapt-00000003", "--json")[1])
    assert (old["kind"], old["step"], old["resumable"]) == ("checkpoint", 3, False)
    about = json.loads(answered(capfd, "inspect", run, "--json")[1])
    assert about["measure"] == "success" and about["policy"] == "token_transformer"
    assert about["target"]["task"] == "reach" and about["target"]["randomized"][0] == "friction"
    adapter = json.loads(answered(capfd, "inspect", run / "adapter", "--json")[1])
    assert len(adapter["base_sha256"]) == 64 and adapter["r"] == 16


# -- broken input --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "field"),
    [
        (None, "plan.yaml"),
        ("name: [", "plan.yaml"),
        ("just words", "plan.yaml"),
        ("name: x\nbugdet: {}", "bugdet"),
        ("name: x\nbudget: {iterations: -5}", "budget.iterations"),
        ("name: x\ntarget: {randomization: [{field: mass, low: 2, high: 1}]}", "target.randomization.0.high"),
        ("name: x\nstrategy: {id: nothing}", "strategy.id"),
        ("name: x\nstrategy: {id: lora, params: {rank: 0}}", "strategy.params.rank"),
        ("name: x\nstrategy: {id: lora, params: {rnk: 4}}", "strategy.params.rnk"),
        ("name: x\npolicy: {id: token_transformer, params: {width: 3}}", "policy.params.width"),
        ("name: x\ntarget: {embodiment: toaster}", "target.embodiment"),
        ("name: x\ntarget: {task: sing}", "target.task"),
        ("name: x\ntarget: {camera: behind}", "target.camera"),
        ("name: x\ntarget: {embodiment: gone.xml}", "target.embodiment"),
        ("name: x\ntarget: {embodiment: BROKEN.xml}", "target.embodiment"),
        ("name: x\ntarget: {dataset: gone.hdf5}", "target.dataset"),
        ("name: x\nsource: {image_size: 32}", "target.image_size"),
    ],
)
def test_a_wrong_experiment(
    text: str | None,
    field: str,
    tmp_path: Path,
    runs: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "BROKEN.xml").write_text("<mujoco><worldbody><geom type='none'/></worldbody></mujoco>")
    if text is not None:
        (tmp_path / "plan.yaml").write_text(text)
    assert refused(capfd, "run", "plan.yaml", "--out", runs)["field"] == field
    assert not any(runs.iterdir())


def test_cuda_asked_for_and_absent(tmp_path: Path, runs: Path, capfd: pytest.CaptureFixture[str]) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    plan = tiny.write(tiny.experiment(), tmp_path)
    assert refused(capfd, "run", plan, "--out", runs, "--device", "cuda")["field"] == "device"
    assert not any(runs.iterdir())


def _demo(file: h5py.File, width: int = 3, size: int = 32, frames: int = 4) -> None:
    for i in range(2):
        demo = file.create_group(f"data/demo_{i}")
        demo["actions"] = np.zeros((frames, width), np.float32)
        demo["obs/robot0_joint_pos"] = np.zeros((frames, 6), np.float32)
        demo["obs/robot0_eef_pos"] = np.zeros((frames, 3), np.float32)
        demo["obs/agentview_image"] = np.zeros((frames, size, size, 3), np.uint8)


def _spoiled(file: h5py.File) -> None:
    _demo(file)
    file["data/demo_1/actions"][1, 2] = np.nan


@pytest.mark.parametrize(
    ("fill", "said"),
    [
        (None, "does not exist"),
        ("words", "not HDF5"),
        (lambda file: file.create_group("other"), "no /data group"),
        (lambda file: file.create_group("data"), "holds no episodes"),
        (lambda file: _demo(file, frames=0), "holds no frames"),
        (_spoiled, "demo_1: 'actions' holds NaN or infinity"),
        (lambda file: _demo(file, width=7), "7 components"),
        (lambda file: _demo(file, size=48), "48 px"),
        (lambda file: file.create_group("data/demo_0"), "demo_0: 'actions' is missing"),
    ],
)
@pytest.mark.parametrize("side", ["target", "source"])
def test_a_broken_dataset(
    side: str, fill: str | Callable[[h5py.File], Any] | None, said: str, tmp_path: Path, runs: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    path = tmp_path / "demos.hdf5"
    if isinstance(fill, str):
        path.write_text(fill)
    elif fill is not None:
        with h5py.File(path, "w") as file:
            fill(file)
    plan = tiny.experiment(**{f"{side}.dataset": str(path), "source.embodiment": "ur5_6dof", f"{side}.episodes": 2})
    error = refused(capfd, "run", tiny.write(plan, tmp_path), "--out", runs)
    assert said in error["error"]
    assert error["field"] == f"{side}.dataset"
    assert not any(runs.iterdir())


def test_too_few_episodes_and_a_file_of_no_known_format(
    tmp_path: Path, runs: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "demos.hdf5"
    with h5py.File(path, "w") as file:
        _demo(file)
    plan = tiny.experiment(**{"target.dataset": str(path), "target.episodes": 9})
    assert (
        "2 episodes; the experiment needs 9"
        in refused(capfd, "run", tiny.write(plan, tmp_path), "--out", runs)["error"]
    )
    (tmp_path / "demos.zip").write_bytes(b"PK")
    plan = tiny.experiment(**{"target.dataset": str(tmp_path / "demos.zip")})
    assert "no dataset format" in refused(capfd, "run", tiny.write(plan, tmp_path), "--out", runs)["error"]
    assert not any(runs.iterdir())


def test_inspect_of_a_dataset_lists_problems_and_notes(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = write_file(tmp_path / "demos.hdf5", "gray", final_state=True)
    with h5py.File(path, "r+") as file:
        del file["data/demo_1/obs/object"]
    assert main(["inspect", str(path)]) == 0
    said = capfd.readouterr().out
    assert "problems:\n  demo_1 lacks 'object', which other episodes have." in said
    assert "notes:\n  The images 'agentview_image' are gray" in said and "have one frame more than there are" in said
    assert "control_hz: 10.0" in said and "splits:\n  train: 2" in said


def test_inspect_of_broken_things(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.hdf5").write_text("words")
    (tmp_path / "b.xml").write_text("<mujoco>")
    (tmp_path / "c.txt").write_text("words")
    (tmp_path / "d").mkdir()
    for name in ("a.hdf5", "b.xml", "c.txt", "d", "gone"):
        assert refused(capfd, "inspect", tmp_path / name)["field"] == str(tmp_path / name)


@pytest.mark.parametrize("command", ["resume", "compare", "export"])
def test_a_folder_that_is_no_run(command: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    more = ["--to", str(tmp_path / "out")] if command == "export" else []
    assert refused(capfd, command, tmp_path, *more)["field"] == str(tmp_path)
    assert not any(tmp_path.iterdir())


# -- places that cannot be written ---------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["below a file", "/proc/nowhere"])
def test_an_output_folder_that_cannot_be_written(where: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("mine")
    out = tmp_path / "file" / "runs" if where == "below a file" else Path(where)
    if not out.is_absolute() or (where.startswith("/proc") and not Path("/proc/self").exists()):
        pytest.skip("this system has no /proc")
    error = refused(capfd, "run", tiny.write(tiny.experiment(), tmp_path), "--out", out)
    assert "cannot be written" in error["error"] and "--out" in error["remedy"]
    assert (tmp_path / "file").read_text() == "mine"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "tiny.yaml"]


def test_an_output_folder_that_is_a_file(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "runs").write_text("mine")
    error = refused(capfd, "run", tiny.write(tiny.experiment(), tmp_path), "--out", tmp_path / "runs")
    assert "--out" in error["remedy"]
    assert (tmp_path / "runs").read_text() == "mine"


def test_a_cache_that_cannot_be_written(
    tmp_path: Path, runs: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("mine")
    monkeypatch.setenv("TRANSFER_STUDIO_CACHE", str(tmp_path / "file" / "cache"))
    error = refused(capfd, "run", tiny.write(tiny.experiment(), tmp_path), "--out", runs)
    assert "TRANSFER_STUDIO_CACHE" in error["remedy"]
    assert not any(runs.iterdir())


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """Mount a file system of so many KiB in memory."""
    mounted: list[Path] = []

    def mount(kib: int) -> Path:
        folder = tmp_path / f"disk{len(mounted)}"
        folder.mkdir()
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={kib}k", "tmpfs", str(folder)], capture_output=True, check=False
        )
        if done.returncode:
            pytest.skip("file systems may not be mounted here")
        mounted.append(folder)
        return folder

    if os.name != "posix" or not Path("/bin/mount").exists():
        pytest.skip("file systems cannot be mounted here")
    yield mount
    for folder in mounted:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def _leftovers(folder: Path) -> list[Path]:
    return [p for p in folder.rglob("*") if p.name.endswith(".tmp")]


def test_a_read_only_output_folder(
    tmp_path: Path, small_disk: Callable[[int], Path], capfd: pytest.CaptureFixture[str]
) -> None:
    disk = small_disk(1024)
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    error = refused(capfd, "run", tiny.write(tiny.experiment(), tmp_path), "--out", disk)
    assert "cannot be written" in error["error"]


def test_a_full_disk_before_the_run(
    tmp_path: Path, small_disk: Callable[[int], Path], capfd: pytest.CaptureFixture[str]
) -> None:
    disk = small_disk(64)
    (disk / "mine").write_bytes(bytes(60 * 1024))
    error = refused(capfd, "run", tiny.write(tiny.experiment(), tmp_path), "--out", disk)
    assert "cannot be written" in error["error"]
    assert [p.name for p in disk.iterdir()] == ["mine"] and (disk / "mine").stat().st_size == 60 * 1024


def test_a_disk_that_fills_up_during_the_run(
    finished: dict[str, Path], tmp_path: Path, small_disk: Callable[[int], Path]
) -> None:
    disk = small_disk(1600)
    plan = tiny.write(tiny.experiment(**{"budget.checkpoint_every": 1, "budget.iterations": 50}), tmp_path)
    done = tiny.call("run", plan, "--out", disk)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr and "Segmentation" not in done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("transfer-studio: ")]
    assert "disk" in line.lower() and "resume" in line
    folder = tiny.only_run(disk)
    assert not _leftovers(folder)
    saved = sorted((folder / "checkpoints").iterdir())
    assert saved and all((p / "policy" / "config.json").exists() for p in saved)
    # with room again it goes on where it was
    subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
    again = tiny.call("resume", folder)
    assert again.returncode == 0, again.stderr
    assert f"Resumed adapt at step {len(saved)}." in again.stderr
    assert read_run(folder).state == "finished"


def test_a_cache_on_a_full_disk(tmp_path: Path, runs: Path, small_disk: Callable[[int], Path]) -> None:
    disk = small_disk(40)
    (disk / "mine").write_text("keep")
    done = tiny.call("run", tiny.write(tiny.experiment(), tmp_path), "--out", runs, TRANSFER_STUDIO_CACHE=str(disk))
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("transfer-studio: ")]
    assert "disk is full" in line and "TRANSFER_STUDIO_CACHE" in line
    assert not _leftovers(disk) and (disk / "mine").read_text() == "keep"
    assert not list((disk / "datasets").iterdir())
    assert read_run(tiny.only_run(runs)).state == "failed"
