"""System identification on a small arm: what can be shown is found, what cannot is said."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from studio.cli.main import main
from studio.errors import DataError, ExperimentError, StudioError
from studio.experiment import Domain, Experiment
from studio.registry import Registry
from studio.sim.domains import resolve
from studio.sim.scene import build
from studio.sysid import (
    FIELDS,
    Estimate,
    LstmIdentifier,
    Plant,
    Ranges,
    Training,
    Trajectories,
    chosen,
    explains,
    fit_with_sysid,
    identify,
    misfit,
    read_recordings,
    record,
    sensitivity,
    terms_around,
    with_noise,
    write_recordings,
)
from studio.sysid.estimate import is_shown
from studio.sysid.sensitivity import PRIOR, derivative

ARM = """<mujoco><compiler angle="radian"/><option timestep="0.005" integrator="implicitfast" gravity="0 0 0"/>
<default><joint axis="0 0 1" damping="{damping}" armature="0.05"/></default>
<worldbody><body name="upper" pos="0 0 1"><joint name="shoulder"/>
<geom type="capsule" fromto="0 0 0 .4 0 0" size=".04" mass="2" contype="0" conaffinity="0"/>
<body name="lower" pos=".4 0 0"><joint name="elbow"/>
<geom type="capsule" fromto="0 0 0 .3 0 0" size=".03" mass="1" contype="0" conaffinity="0"/>
<site name="tip" pos=".3 0 0"/></body></body><camera name="front" pos="0 0 3"/></worldbody>
<actuator>{actuators}</actuator></mujoco>"""
SERVOS = '<position name="a" joint="shoulder" kp="60" kv="4"/><position name="b" joint="elbow" kp="30" kv="1.5"/>'
SMALL = Training(draws=1024, calibration=256, epochs=60, batch=128, hidden=48)
SHOWN = ("mass", "damping", "armature", "actuator_gain", "actuator_delay")


@pytest.fixture(scope="module")
def registry() -> Registry:
    return Registry()


def domain(folder: Path, actuators: str = SERVOS, damping: float = 1.0) -> Domain:
    path = folder / f"arm-{len(actuators)}-{damping:g}.xml"
    path.write_text(ARM.format(actuators=actuators, damping=damping), encoding="utf-8")
    return Domain(embodiment=str(path), task="reach")


@pytest.fixture(scope="module")
def arm(tmp_path_factory: pytest.TempPathFactory) -> Domain:
    return domain(tmp_path_factory.mktemp("arm"))


@pytest.fixture(scope="module")
def plant(arm: Domain, registry: Registry) -> Plant:
    return Plant.of(resolve(arm, registry))


@pytest.fixture(scope="module")
def commanded(arm: Domain, registry: Registry) -> Trajectories:
    return record(resolve(arm, registry), None, 2, 0)


@pytest.fixture(scope="module")
def identifier(plant: Plant, commanded: Trajectories) -> LstmIdentifier:
    return LstmIdentifier.train(plant, commanded, Ranges.of(FIELDS, plant.model), 0, SMALL)


# -- what the recordings can show ------------------------------------------------------------------------------------


def test_a_later_command_moves_the_arm_less_far_along_its_way(plant: Plant, commanded: Trajectories) -> None:
    """Where a joint is moving, more delay puts it further back: its derivative points against its velocity."""
    ranges = Ranges.of(("actuator_delay", "mass"), plant.model)
    slope = derivative(plant, commanded, ranges, np.zeros(2))
    clean = plant.simulated(commanded, {"actuator_delay": 0.025})
    places = clean.qpos[:, 1:].size
    velocity = clean.qvel[:, 1:].ravel()
    correlation = np.corrcoef(slope[:places, 0], velocity)[0, 1]
    assert correlation < -0.8


def test_a_stiffer_servo_follows_closer(plant: Plant, commanded: Trajectories) -> None:
    soft, stiff = (plant.simulated(commanded, {"actuator_gain": gain}) for gain in (0.6, 1.8))
    errors = [np.abs(t.qpos[:, 1:] - t.commands).mean() for t in (soft, stiff)]
    assert errors[1] < 0.8 * errors[0]


def test_contact_friction_does_not_show_where_nothing_touches(plant: Plant, commanded: Trajectories) -> None:
    found = sensitivity(plant, commanded, Ranges.of(FIELDS, plant.model))
    assert found.alone[0] == pytest.approx(PRIOR**-0.5)  # as unknown as before
    assert found.reasons(Ranges.of(FIELDS, plant.model)) == {"friction": "the recordings do not change with it"}


def test_damping_does_not_show_in_a_model_that_has_none(tmp_path: Path, registry: Registry) -> None:
    undamped = domain(tmp_path, damping=0.0)
    plant = Plant.of(resolve(undamped, registry))
    ranges = Ranges.of(("damping", "mass"), plant.model)
    recordings = record(resolve(undamped, registry), None, 2, 0)
    assert [*sensitivity(plant, recordings, ranges).reasons(ranges)] == ["damping"]
    found = identify(resolve(undamped, registry), recordings, ("damping", "mass"), method="sysid")
    assert not found["damping"].identifiable and np.isnan(found["damping"].value)
    assert (found["damping"].low, found["damping"].high) == (0.4, 2.5)
    assert found["mass"].value == pytest.approx(1.0, rel=0.05)


def test_a_motors_gain_hides_behind_all_that_resists_it(registry: Registry) -> None:
    """Mass, damping, armature and gain times any factor move a body that nothing else holds just the same."""
    driven = Domain(embodiment="reacher", task="reacher")
    plant = Plant.of(resolve(driven, registry))
    recordings = record(resolve(driven, registry), None, 2, 0)
    together = ("mass", "damping", "armature", "actuator_gain")
    plain, scaled = (plant.simulated(recordings, dict.fromkeys(together, s)).qpos for s in (1.0, 1.4))
    np.testing.assert_allclose(plain, scaled, atol=1e-9)
    ranges = Ranges.of((*together, "actuator_delay"), plant.model)
    reasons = sensitivity(plant, recordings, ranges).reasons(ranges)
    assert set(reasons) == set(together)
    assert "is confounded with" in reasons["mass"] and "actuator_gain" in reasons["mass"]
    assert not sensitivity(plant, recordings, known := Ranges.of(together[1:3], plant.model)).reasons(known)
    found = identify(resolve(driven, registry), recordings, ranges.fields, method="sysid")
    assert {name for name, e in found.items() if not e.identifiable} == set(together)


# -- recovery --------------------------------------------------------------------------------------------------------

HIDDEN = {"mass": 1.6, "damping": 0.7, "armature": 1.4, "actuator_gain": 0.8, "actuator_delay": 0.0325}


def test_least_squares_finds_what_was_hidden(arm: Domain, registry: Registry, plant: Plant) -> None:
    recordings = record(resolve(arm, registry), HIDDEN, 2, 1)
    shares: list[float] = []
    found = identify(resolve(arm, registry), recordings, method="sysid", tick=shares.append)
    assert not found["friction"].identifiable
    for name, value in HIDDEN.items():
        assert found[name].identifiable
        assert found[name].value == pytest.approx(value, rel=0.1), name
        assert found[name].low < found[name].value < found[name].high
    before, after = misfit(plant, recordings, {}), misfit(plant, recordings, chosen(found))
    assert before > 5 and 0.9 < after < 1.1
    assert shares[-1] == 1.0


def test_the_lstm_finds_what_was_hidden(identifier: LstmIdentifier, arm: Domain, registry: Registry) -> None:
    found = identifier.estimate(record(resolve(arm, registry), HIDDEN, 2, 0))
    assert not found["friction"].identifiable and np.isnan(found["friction"].value)
    assert "do not change" in found["friction"].reason
    for name, value in HIDDEN.items():
        assert found[name].identifiable
        assert found[name].value == pytest.approx(value, rel=0.25), name


def test_intervals_hold_the_truth_as_often_as_they_say(
    identifier: LstmIdentifier, plant: Plant, commanded: Trajectories
) -> None:
    ranges = identifier.ranges
    truth = ranges.draw(200, seed=77, stream=5)
    qpos, qvel = plant.replay(commanded, ranges.named(truth))
    rng = np.random.default_rng(3)
    noise = commanded.noise
    unit, low, high = identifier.estimate_many(
        commanded, qpos + rng.normal(0, noise[0], qpos.shape), qvel + rng.normal(0, noise[1], qvel.shape)
    )
    real = ranges.to_unit(truth)
    held = ((real >= low) & (real <= high)).mean(0)
    assert np.all((held > 0.8) & (held < 0.98)), held
    said = is_shown(low, high).mean(0)
    assert said[0] == 0.0 and np.all(said[1:] > 0.8), said
    errors = np.median(np.abs(ranges.from_unit(unit) - truth) / truth, 0)
    assert np.all(errors[1:] < 0.1), errors


def test_least_squares_intervals_hold_the_truth(plant: Plant, commanded: Trajectories) -> None:
    ranges = Ranges.of(("mass", "actuator_gain"), plant.model)
    truth = ranges.draw(8, seed=5, stream=5)
    qpos, qvel = plant.replay(commanded, ranges.named(truth))
    held = []
    for i in range(len(truth)):
        seen = with_noise(commanded.with_measured(qpos[i], qvel[i]), commanded.noise, i)
        unit, low, high = fit_with_sysid(plant, seen, ranges)
        real = ranges.to_unit(truth[i])
        assert np.abs(unit - real).max() < 0.1
        held.append((real >= low) & (real <= high))
    assert 0.7 <= np.mean(held) <= 1.0


def test_saved_and_loaded_it_answers_the_same(
    identifier: LstmIdentifier, commanded: Trajectories, tmp_path: Path
) -> None:
    identifier.save(tmp_path / "it")
    assert {p.suffix for p in (tmp_path / "it").iterdir()} == {".json", ".safetensors"}
    again = LstmIdentifier.load(tmp_path / "it")
    one, other = identifier.estimate(commanded), again.estimate(commanded)
    assert [e.to_dict() for e in one.values()] == [e.to_dict() for e in other.values()]
    with pytest.raises(DataError, match="other commands"):
        again.estimate(replace(commanded, commands=commanded.commands + 0.01))
    (tmp_path / "it" / "identifier.safetensors").write_bytes(b"nothing")
    with pytest.raises(DataError, match="cannot be read"):
        LstmIdentifier.load(tmp_path / "it")


def test_identify_takes_the_trained_network_from_the_cache(
    arm: Domain, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = Training(draws=64, calibration=32, epochs=2, batch=32, hidden=8)
    recordings = record(resolve(arm, registry), None, 1, 4)
    first = identify(resolve(arm, registry), recordings, ("mass",), training=quick)

    def never(*_: object) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr(LstmIdentifier, "train", staticmethod(never))
    second = identify(resolve(arm, registry), recordings, ("mass",), training=quick)
    assert second["mass"].to_dict() == first["mass"].to_dict()
    with pytest.raises(AssertionError, match="trained again"):
        identify(resolve(arm, registry), recordings, ("damping",), training=quick)


# -- recordings ------------------------------------------------------------------------------------------------------


def test_recordings_come_from_their_seed_and_go_to_disk_whole(arm: Domain, registry: Registry, tmp_path: Path) -> None:
    one, other = (record(resolve(arm, registry), {"mass": 1.2}, 2, 3) for _ in range(2))
    np.testing.assert_array_equal(one.qpos, other.qpos)
    assert not np.array_equal(one.commands, record(resolve(arm, registry), None, 2, 4).commands)
    assert np.abs(one.qpos - record(resolve(arm, registry), {"mass": 1.2}, 2, 3, noise=None).qpos).std() > 1e-4
    write_recordings(one, tmp_path / "one.h5")
    read = read_recordings(tmp_path / "one.h5")
    np.testing.assert_array_equal(read.qvel, one.qvel)
    assert read.fingerprint() == one.fingerprint() and read.noise == one.noise


def test_velocities_may_be_left_out(arm: Domain, registry: Registry) -> None:
    measured = record(resolve(arm, registry), {"mass": 1.5}, 2, 3)
    blind = replace(measured, qvel=np.full((*measured.qvel.shape[:2], 1), np.nan))
    found = identify(resolve(arm, registry), blind, ("mass",), method="sysid")
    assert found["mass"].value == pytest.approx(1.5, rel=0.05)


def test_hidden_dynamics_are_recorded_but_never_simulated(arm: Domain, registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "robot.yaml").write_text("mass: 1.5\nactuator_gain: 0.7\n", encoding="utf-8")
    robot = arm.model_copy(update={"hidden_dynamics": tmp_path / "robot.yaml"})
    found = identify(
        resolve(robot, registry),
        record(resolve(robot, registry), None, 2, 3),
        ("mass", "actuator_gain"),
        method="sysid",
    )
    assert found["mass"].value == pytest.approx(1.5, rel=0.05)
    assert found["actuator_gain"].value == pytest.approx(0.7, rel=0.05)


def test_commands_that_rise_within_a_step_are_replayed_so(plant: Plant, commanded: Trajectories) -> None:
    at_once, rising = (plant.simulated(replace(commanded, ramp=ramp), {}).qpos for ramp in (1, 4))
    assert np.abs(at_once - rising).max() > 1e-3


def test_a_draw_does_not_depend_on_its_neighbors(plant: Plant, commanded: Trajectories) -> None:
    alone = plant.replay(commanded, {"mass": np.array([1.3])})[0]
    among = plant.replay(commanded, {"mass": np.array([0.7, 1.3, 1.0])})[0]
    np.testing.assert_array_equal(alone[0], among[1])
    np.testing.assert_array_equal(plant.simulated(commanded, {}).qpos, among[2])


BAD = {
    "too short": (
        lambda t: replace(t, commands=t.commands[:, :3], qpos=t.qpos[:, :4], qvel=t.qvel[:, :4]),
        "too short",
    ),
    "no recording": (lambda t: t.take(slice(0, 0)), "too short"),
    "NaN": (lambda t: replace(t, qpos=np.where(np.arange(t.qpos.shape[1])[:, None] == 5, np.nan, t.qpos)), "holds NaN"),
    "commands too wide": (lambda t: replace(t, commands=np.repeat(t.commands, 2, 2)), "'commands' is 4 wide"),
    "too few joints": (lambda t: replace(t, qpos=t.qpos[:, :, :1]), "'qpos' is 1 wide; the model has 2"),
    "one measurement short": (lambda t: replace(t, qpos=t.qpos[:, 1:]), "'qpos' is"),
    "no time": (lambda t: replace(t, dt=0.0), "shorter than the model's"),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_recordings_are_refused_in_one_sentence(
    kind: str, arm: Domain, registry: Registry, commanded: Trajectories
) -> None:
    spoil, words = BAD[kind]
    for method in ("lstm", "sysid"):
        with pytest.raises(DataError, match=words) as caught:
            identify(resolve(arm, registry), spoil(commanded), ("mass",), method=method)
        assert caught.value.remedy and caught.value.message.count(".") <= 3


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"fields": ("color",)}, "'color' cannot be identified"),
        ({"fields": ()}, "no parameter to identify"),
        ({"fields": ("mass", "mass")}, "more than once"),
        ({"method": "guess"}, "'guess' is not a method"),
    ],
)
def test_wrong_requests_are_refused(
    given: dict[str, object], words: str, arm: Domain, registry: Registry, commanded: Trajectories
) -> None:
    with pytest.raises(ExperimentError, match=words):
        identify(resolve(arm, registry), commanded, **{"fields": ("mass",), **given})


@pytest.mark.parametrize("values", [{"mass": -1.0}, {"mass": 0.0}, {"mass": float("nan")}, {"color": 1.0}])
def test_impossible_hidden_values_are_refused(values: dict[str, float], arm: Domain, registry: Registry) -> None:
    with pytest.raises(ExperimentError, match="is not possible"):
        record(resolve(arm, registry), values, 1, 0)


def test_a_file_that_says_too_little_is_refused(tmp_path: Path) -> None:
    import h5py

    with h5py.File(tmp_path / "log.h5", "w") as file:
        file["qpos"] = np.zeros((1, 20, 2))
    with pytest.raises(DataError, match="lacks commands, dt"):
        read_recordings(tmp_path / "log.h5")
    (tmp_path / "not.h5").write_text("hello")
    with pytest.raises(DataError, match="not HDF5"):
        read_recordings(tmp_path / "not.h5")
    with pytest.raises(DataError, match="does not exist"):
        read_recordings(tmp_path / "none.h5")


# -- what is made of it ----------------------------------------------------------------------------------------------


def test_terms_around_randomizes_identified_values_only(arm: Domain) -> None:
    given = arm.changed(
        randomization=[{"field": "mass", "low": 0.5, "high": 1.5}, {"field": "friction", "low": 0.5, "high": 1.5}]
    )
    found = {
        "mass": Estimate(1.6, 1.5, 1.7, True, 1.0),
        "friction": Estimate(float("nan"), 0.4, 2.0, False, 1.0, "it does not show"),
    }
    terms = {t.field: (t.low, t.high) for t in terms_around(given, found)}
    assert terms == {"friction": (0.5, 1.5), "mass": (1.5, 1.7)}


def test_what_a_fit_leaves_is_judged() -> None:
    assert explains(50.0, 1.0) and explains(2.0, 2.0) and explains(50.0, 10.0)
    assert not explains(50.0, 20.0) and not explains(8.0, 4.0)


def test_the_command_line_identifies_and_says_what_it_cannot(
    arm: Domain, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, kept, written = tmp_path / "e.yaml", tmp_path / "kept.h5", tmp_path / "out.yaml"
    raw = Experiment().model_dump(mode="json") | {"target": arm.model_dump(mode="json")}
    file.write_text(Experiment.from_dict(raw).to_yaml(), encoding="utf-8")
    ask = ["identify", str(file), "--method", "sysid", "--fields", "mass", "friction"]
    assert main([*ask, "--hidden", "mass=1.5", "--record", str(kept), "--write", str(written), "--json"]) == 0
    about = json.loads(capsys.readouterr().out)
    assert about["estimates"]["mass"]["value"] == pytest.approx(1.5, rel=0.05)
    assert about["estimates"]["friction"] == {
        "value": None, "low": 0.4, "high": 2.0, "identifiable": False, "nominal": 1.0,
        "reason": "the recordings do not change with it",
    }  # fmt: skip
    terms = Experiment.load(written).target.randomization
    assert [t.field for t in terms] == ["mass"] and terms[0].low < 1.5 < terms[0].high
    assert main([*ask, "--dataset", str(kept)]) == 0
    assert "friction        not identifiable: the recordings do not change with it" in capsys.readouterr().out
    assert main([*ask, "--dataset", str(tmp_path / "none.h5")]) == 2
    assert "does not exist" in capsys.readouterr().err
    assert main([*ask, "--hidden", "mass=heavy"]) == 2
    assert "field=number" in capsys.readouterr().err


def test_progress_may_end_the_work(arm: Domain, registry: Registry, commanded: Trajectories) -> None:
    class Enough(Exception):
        pass

    def tick(_: float) -> None:
        raise Enough

    for method in ("lstm", "sysid"):
        with pytest.raises(Enough):
            identify(resolve(arm, registry), commanded, ("mass", "armature"), method=method, tick=tick, seed=9)


def test_errors_are_ours(registry: Registry) -> None:
    with pytest.raises(StudioError):
        Plant.of(resolve(Domain(embodiment="nobody"), registry))
    scene = build(registry.get("embodiments", "ur5_6dof"))
    assert Plant(scene).coordinate_names()[0] == "shoulder_pan"
