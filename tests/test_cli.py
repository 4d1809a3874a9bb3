"""The command ``styleengine`` as a real process."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from styleengine.command import cli
from styleengine.command.watching import Watch, time_left
from styleengine.protocol import Settings
from tests.helpers import command, environment, install_package, picture, run_cli
from tests.patience import DEADLINE, wait_until

pytestmark = pytest.mark.usefixtures("plain_precision")

QUICK = ("--features", "thin", "--size", "48", "--iterations", "4")


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    for name, seed in (("photo", 1), ("painting", 2), ("other", 3)):
        pixels = (picture(48, 64, seed).rgb * 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{name}.png")
    (folder / "text.png").write_text("not a picture")
    (folder / "empty.png").touch()
    return folder


def settings_options() -> dict[str, object]:
    """The defaults of the options of ``run``, by destination."""
    args = cli.parser().parse_args(["run", "p.png", "--style", "s.png"])
    return vars(args)


# --- the command line itself ----------------------------------------------------------------------


def test_every_setting_is_an_option_with_its_default():
    options = settings_options()
    for field in dataclasses.fields(Settings):
        assert options[field.name] == field.default
    changed = {
        "preset": "best", "strength": 10.0, "style_scale": 50.0, "smoothness": 0.0,
        "keep_colors": "luminance", "size": 99, "iterations": 7, "init": "noise", "seed": 3,
        "optimizer": "adam", "pooling": "average", "style_loss": "gram", "features": "draft",
        "postprocess": "sharpen", "device": "cpu", "shapes": 80.0, "faces": "paint",
        "wrap": "both", "brush_mm": 3.5,
    }  # fmt: skip
    assert set(changed) == {f.name for f in dataclasses.fields(Settings)}
    line = [x for k, v in changed.items() for x in (f"--{k.replace('_', '-')}", str(v))]
    args = vars(cli.parser().parse_args(["run", "p.png", "--style", "s.png", *line]))
    for name, value in changed.items():
        assert args[name] == value and type(args[name]) is type(value)


def test_help_names_every_option_with_its_meaning():
    done = run_cli("run", "--help")
    assert done.returncode == 0
    text = " ".join(done.stdout.split())
    for field in dataclasses.fields(Settings):
        assert f"--{field.name.replace('_', '-')}" in text
        assert " ".join(field.metadata["help"].split())[:40] in text
    assert run_cli("--help").returncode == 0
    assert run_cli("--version").stdout.startswith("styleengine 0.")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["paint"],
        ["run"],
        ["run", "photo.png"],
        ["run", "photo.png", "--style", "painting.png", "--preset", "quick"],
        ["run", "photo.png", "--style", "painting.png", "--size", "large"],
        ["run", "photo.png", "--style", "painting.png", "--depth", "12"],
        ["weights"],
    ],
    ids=" ".join,
)
def test_wrong_usage_shows_the_usage(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert caught.value.code == 2
    assert "usage: styleengine" in capsys.readouterr().err


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0 s"), (59.4, "59 s"), (200, "3 min 20 s")])
def test_time_left(seconds, text):
    assert time_left(seconds) == text


# --- run ------------------------------------------------------------------------------------------


def test_a_run_with_everything(env, files, tmp_path):
    done = run_cli(
        "run", files / "photo.png", "--style", files / "painting.png", "--style",
        files / "other.png", "--style-weight", 3, "--style-weight", "0.5", "-o", "out.tif",
        "--depth", 16, "--save-every", 2, "--trace", "trace.json", "--preset", "best",
        "--strength", 70, "--style-scale", 80, "--smoothness", 10, "--keep-colors", "luminance",
        "--size", 48, "--iterations", 5, "--init", "noise", "--seed", 7, "--optimizer", "adam",
        "--pooling", "average", "--style-loss", "gram", "--features", "thin", "--postprocess",
        "sharpen,contrast", "--device", "cpu",
        env=env, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    result = tifffile.imread(tmp_path / "out.tif")
    assert (result.shape, result.dtype) == ((48, 64, 3), np.uint16)
    assert len(np.unique(result)) > 300  # more than 8 bits could hold
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "out-00002.tif", "out-00004.tif", "out.tif", "trace.json",
    ]  # fmt: skip
    assert tifffile.imread(tmp_path / "out-00002.tif").shape == (36, 48, 3)
    trace = json.loads((tmp_path / "trace.json").read_text())
    assert trace["settings"]["seed"] == 7 and trace["settings"]["preset"] == "best"
    assert trace["features"] == "thin test network" and "CPU" in trace["device"]
    assert [s["stage"] for s in trace["steps"]] == ["prepare", "prepare", *["paint"] * 5, "finish"]
    times = [s["seconds"] for s in trace["steps"]]
    assert times == sorted(times) and times[0] >= 0
    assert all(isinstance(s["loss"], float) for s in trace["steps"][2:-1])
    assert "out.tif: 64 × 48 px" in done.stderr
    assert "Features: thin test network" in done.stderr and "Device: CPU" in done.stderr


@pytest.fixture
def here(env, files, tmp_path, monkeypatch):
    """For `cli.main` in this process, because each start of torch takes seconds.

    The working folder is an empty one; the thin networks are installed, as in ``env``.
    """
    monkeypatch.syspath_prepend(env["PYTHONPATH"].split(os.pathsep)[0])
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tiff"])
def test_output_formats(here, files, suffix, capfd):
    photo, painting = str(files / "photo.png"), str(files / "painting.png")
    assert cli.main(["run", photo, "--style", painting, "-o", f"out.{suffix}", *QUICK, "-q"]) == 0
    assert capfd.readouterr().err == ""
    with Image.open(here / f"out.{suffix}") as image:
        assert image.size == (64, 48)
        assert image.format == {"jpg": "JPEG", "tiff": "TIFF"}.get(suffix, suffix.upper())


def test_the_default_output_is_beside_the_photo_and_repeats_itself(here, files):
    photo = here / "my [b] :smile: photo.png"
    photo.write_bytes((files / "photo.png").read_bytes())
    for _ in range(2):
        assert cli.main(["run", photo.name, "--style", str(files / "painting.png"), *QUICK]) == 0
    stem = "my [b] :smile: photo-styled"
    assert (here / f"{stem}.png").read_bytes() == (here / f"{stem}-2.png").read_bytes()
    assert photo.read_bytes() == (files / "photo.png").read_bytes()


def test_names_of_files_are_printed_as_they_are(here, files, capfd):
    arguments = ["run", str(files / "photo.png"), "--style", str(files / "painting.png"), *QUICK]
    assert cli.main([*arguments, "-o", "my [b] :smile: [c.png"]) == 0
    assert "my [b] :smile: [c.png: 64 × 48 px" in capfd.readouterr().err


def test_a_weight_decides_the_blend(here, files):
    for name, rgb in (("red", (0.8, 0.1, 0.1)), ("blue", (0.1, 0.1, 0.8))):
        pixels = np.clip(picture(48, 48, 4).rgb * 0.2 + np.float32(rgb), 0, 1)
        Image.fromarray((pixels * 255).astype(np.uint8)).save(f"{name}.png")
    means = []
    for red, blue in ("91", "19"):
        styles = ["--style", "red.png", "--style", "blue.png"]
        shares = ["--style-weight", red, "--style-weight", blue]
        arguments = ["run", str(files / "photo.png"), *styles, *shares, "-o", "out.png", *QUICK]
        assert cli.main(arguments) == 0
        with Image.open("out.png") as image:
            means.append(np.asarray(image).mean((0, 1)))
    assert means[0][0] - means[0][2] > 50 and means[1][2] - means[1][0] > 50


def test_a_mask_tells_where_a_style_is_painted(here, files):
    for name, rgb in (("red", (0.8, 0.1, 0.1)), ("blue", (0.1, 0.1, 0.8))):
        pixels = np.clip(picture(48, 48, 4).rgb * 0.2 + np.float32(rgb), 0, 1)
        Image.fromarray((pixels * 255).astype(np.uint8)).save(f"{name}.png")
    mask = np.zeros((10, 20), np.uint8)
    mask[:, :10] = 255
    Image.fromarray(mask).save("left.png")
    styles = ["--style", "red.png", "--style", "blue.png"]
    masks = ["--style-mask", "left.png", "--style-mask", "-"]
    arguments = ["run", str(files / "photo.png"), *styles, *masks, "-o", "out.png", *QUICK]
    assert cli.main(arguments) == 0
    with Image.open("out.png") as image:
        rgb = np.asarray(image, np.float32)[..., :3]
    quarter = rgb.shape[1] // 4
    left, right = rgb[:, :quarter].mean((0, 1)), rgb[:, -quarter:].mean((0, 1))
    assert left[0] - left[2] > 50 and right[2] - right[0] > 50


BAD = {
    "no photo": (["gone.png", "--style", "painting.png"], "gone.png"),
    "no style": (["photo.png", "--style", "gone.png"], "gone.png"),
    "photo is text": (["text.png", "--style", "painting.png"], "text"),
    "style is empty": (["photo.png", "--style", "empty.png"], "empty"),
    "photo is a folder": ([".", "--style", "painting.png"], "folder"),
    "suffix": (["photo.png", "--style", "painting.png", "-o", "out.xyz"], "xyz"),
    "no such folder": (["photo.png", "--style", "painting.png", "-o", "no/out.png"], "no"),
    "weights": (["photo.png", "--style", "painting.png", "--style-weight", "1",
                 "--style-weight", "2"], "2 style weights"),
    "masks": (["photo.png", "--style", "painting.png", "--style-mask", "-",
               "--style-mask", "-"], "2 style masks"),
    "no mask": (["photo.png", "--style", "painting.png", "--style-mask", "gone.png"], "gone.png"),
    "weight of 0": (["photo.png", "--style", "painting.png", "--style-weight", "0"], "above zero"),
    "strength": (["photo.png", "--style", "painting.png", "--strength", "101"], "strength"),
    "not finite": (["photo.png", "--style", "painting.png", "--strength", "nan"], "strength"),
    "device": (["photo.png", "--style", "painting.png", "--device", "cuda:9"], "cuda:9"),
    "features": (["photo.png", "--style", "painting.png", "--features", "nice"], "nice"),
    "loss": (["photo.png", "--style", "painting.png", "--style-loss", "nice"], "nice"),
    "postprocess": (["photo.png", "--style", "painting.png", "--postprocess", "nice"], "nice"),
    "save every 0": (["photo.png", "--style", "painting.png", "--save-every", "0"], "save-every"),
    "weight file": (["photo.png", "--style", "painting.png", "--weights", "text.png"], "text.png"),
    "no weight file": (["photo.png", "--style", "painting.png", "--weights", "no.h5"], "no.h5"),
    "vgg19": (["photo.png", "--style", "painting.png", "--features", "vgg19"], "VGG19"),
    "two for classic": (["photo.png", "--style", "painting.png", "--style", "other.png",
                         "--preset", "classic"], "classic"),
    "brackets": (["photo.png", "--style", "[/red] [bold].png"], "[/red] [bold].png"),
    "trace": (["photo.png", "--style", "painting.png", "--trace", "no/t.json", "--features", "thin",
               "--iterations", "1", "-o", "{tmp}/out.png"], "t.json"),
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD)
def test_bad_input_gives_one_sentence_and_status_1(here, files, kind, monkeypatch, capfd):
    arguments, named = BAD[kind]
    arguments = [a.replace("{tmp}", str(here)) for a in arguments]
    before = set(files.iterdir())
    monkeypatch.chdir(files)
    assert cli.main(["run", *arguments]) == 1
    out, error = capfd.readouterr()
    error = error.strip()
    assert error.startswith("Error: ")
    assert named in error
    assert "Traceback" not in error and "Traceback" not in out
    assert len(error.splitlines()) <= 2  # the sentence, and the next step
    assert set(files.iterdir()) == before


def test_bad_input_to_the_real_process(env, files):
    done = run_cli("run", "gone.png", "--style", "painting.png", env=env, cwd=files)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("Error: ") and "gone.png" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_torch_that_cannot_be_loaded_is_named(files, tmp_path):
    (tmp_path / "torch.py").write_text("raise ImportError('libtorch_cpu.so: no such file')\n")
    done = run_cli(
        "run", "photo.png", "--style", "painting.png", "-o", tmp_path / "out.png",
        env=environment(tmp_path), cwd=files,
    )  # fmt: skip
    assert done.returncode == 1
    assert "libtorch_cpu.so" in done.stderr and "installer" in done.stderr
    assert "Traceback" not in done.stderr


def interruptible(env, files, tmp_path, features) -> tuple[subprocess.Popen[bytes], Path]:
    """A long run, and a file by which one can see when it paints, or when "slow" hangs in a step.

    Between two steps a first Ctrl-C would end it, and there is none to hang in.
    """
    hangs = tmp_path / "hangs"
    arguments = (
        "run", files / "photo.png", "--style", files / "painting.png", "-o", tmp_path / "out.png",
        "--features", features, "--size", "48", "--iterations", "100000",
        "--optimizer", "adam", "--save-every", "1",  # which never converges
    )  # fmt: skip
    process = subprocess.Popen(
        command(*arguments),
        env={**env, "TOY_HANGS": str(hangs)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    return process, hangs if features == "slow" else tmp_path / "out-00001.png"


@pytest.mark.skipif(sys.platform == "win32", reason="a process cannot be sent Ctrl-C there")
@pytest.mark.parametrize(("features", "times"), [("thin", 1), ("slow", 2)])
def test_ctrl_c_keeps_the_picture_and_a_second_one_ends_it_at_once(
    env, files, tmp_path, features, times
):
    process, sign = interruptible(env, files, tmp_path, features)
    try:
        wait_until(lambda: sign.exists() or process.poll() is not None, "it paints")
        process.send_signal(signal.SIGINT)
        if times == 2:  # it hangs in a step; signals of one kind sent at once would merge
            wait_until(lambda: interrupted(process.pid), "the first one was taken")
            process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=DEADLINE)
    finally:
        process.kill()
        process.wait()
        process.stderr.close()
    assert b"Traceback" not in error
    if times == 1:
        assert process.returncode == 0, error.decode()
        assert b"stopped early" in error
        with Image.open(tmp_path / "out.png") as image:
            assert image.size == (64, 48)
    else:
        assert process.returncode == 130
        assert not (tmp_path / "out.png").exists()


def interrupted(pid: int) -> bool:
    """Whether no SIGINT waits for the process, and it sleeps again (Linux; elsewhere: yes)."""
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        return True
    fields = dict(line.split(":\t", 1) for line in status.read_text().splitlines())
    waiting = int(fields["SigPnd"], 16) | int(fields["ShdPnd"], 16)
    return not waiting & (1 << (signal.SIGINT - 1)) and fields["State"].startswith("S")


# --- the other commands ---------------------------------------------------------------------------


def test_plugins_lists_what_can_be_chosen(here, capsys):
    assert cli.main(["plugins"]) == 0
    listed = capsys.readouterr().out
    for name in (
        "builtins",
        "toy",
        "covariance",
        "gram",
        "gram-moments",
        "draft",
        "thin",
        "sharpen",
        "silent",
    ):
        assert name in listed


def test_weights_status_says_what_is_in_use(env, tmp_path):
    done = run_cli("weights", "status", env=env)
    assert done.returncode == 0
    assert "built-in draft network" in done.stdout
    assert "styleengine weights fetch" in done.stdout
    named = run_cli(
        "weights", "status", env={**env, "STYLEENGINE_WEIGHTS": str(tmp_path / "gone.h5")}
    )
    assert named.returncode == 1
    assert "gone.h5" in named.stdout and "Problem: " in named.stdout


def test_weights_import_refuses_what_is_none(env, files):
    done = run_cli("weights", "import", files / "text.png", env=env)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: ") and "Traceback" not in done.stderr


def test_doctor_finds_a_working_engine_after_a_probe_of_its_own(env, tmp_path):
    home = tmp_path / "home"
    done = run_cli("doctor", env={**env, "STYLEENGINE_HOME": str(home)})
    assert done.returncode == 0, done.stdout + done.stderr
    assert "BAD" not in done.stdout
    for name in ("engine", "torch", "plug-ins", "weights", "painting"):
        assert f"ok   {name}: " in done.stdout
    assert "works" in done.stdout and str(home) in done.stdout
    (record,) = (home / "probes").iterdir()
    report = json.loads(record.read_text())
    assert report["precision"] in report["probe"]
    assert report["probe"]["float32"]["gradient_error"] == 0


def test_doctor_finds_what_is_wrong(tmp_path, monkeypatch, capsys):
    install_package(tmp_path, "wreck", "raise RuntimeError('wrecked')\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("STYLEENGINE_WEIGHTS", str(tmp_path / "gone"))
    assert cli.main(["doctor"]) == 1
    report = capsys.readouterr().out
    assert "BAD  plug-ins: wreck: RuntimeError: wrecked" in report
    assert "BAD  weights: " in report and "BAD  painting: " in report and "gone" in report
    assert "ok   torch: " in report


# --- nothing lost, nothing written over -----------------------------------------------------------


def test_no_picture_is_written_over_that_was_not_named(here, files):
    for name in ("photo.png", "photo.jpg"):
        with Image.open(files / "photo.png") as image:
            image.save(here / name)
    line = ["--style", str(files / "painting.png"), *QUICK, "-q"]
    (here / "photo-styled.png").write_bytes(b"mine")
    (here / "photo-styled-2.png").symlink_to("gone")  # a name that is taken, too
    for name in ("photo.png", "photo.jpg"):
        assert cli.main(["run", name, *line]) == 0
    assert (here / "photo-styled.png").read_bytes() == b"mine"
    assert (here / "photo-styled-2.png").is_symlink() and not (here / "gone").exists()
    first, second = ((here / f"photo-styled-{n}.png").read_bytes() for n in (3, 4))
    assert first != second
    (here / "out-00002.png").write_bytes(b"mine")
    assert cli.main(["run", "photo.png", *line, "-o", "out.png", "--save-every", "2"]) == 0
    assert (here / "out-00002.png").read_bytes() == b"mine"
    assert {"out.png", "out-00002-2.png", "out-00004.png"} <= {p.name for p in here.iterdir()}
    before = (here / "out.png").read_bytes()
    assert cli.main(["run", "photo.jpg", *line, "-o", "out.png"]) == 0  # this one was named
    assert (here / "out.png").read_bytes() != before


def test_no_file_is_written_over_that_is_read(here, files, capfd):
    for name in ("photo", "painting", "other"):
        (here / f"{name}.png").write_bytes((files / f"{name}.png").read_bytes())
    (here / "link.png").symlink_to("photo.png")
    (here / "out").mkdir()
    (here / "out" / "photo.png").write_bytes((files / "painting.png").read_bytes())
    before = {path: path.read_bytes() for path in here.rglob("*.png")}
    line = ["run", "photo.png", "--style", "out/photo.png", "--hold", "other.png", "-q"]
    for more in (
        *(["-o", name] for name in ("photo.png", "link.png", "other.png", "out")),
        ["-o", "out/", "--overwrite"],
        ["-o", "new.png", "--trace", "out/../photo.png"],
    ):
        assert cli.main([*line, *more]) == 1, more
        assert "would be written over" in capfd.readouterr().err
    assert cli.main([*line, "-o", "new.png", "--trace", "out/../new.png"]) == 1
    assert "both the picture and the --trace" in capfd.readouterr().err
    assert cli.main(["sheet", "photo.png", "--styles", "painting.png", "-o", "painting.png"]) == 1
    assert {path: path.read_bytes() for path in here.rglob("*.png")} == before
    assert cli.main(["run", "", "--style", "painting.png"]) == 1
    assert "no picture" in capfd.readouterr().err


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize("stderr", ["2>/dev/full", "2>&-", "2> >(true)"])
def test_the_picture_is_written_whatever_becomes_of_the_messages(env, files, tmp_path, stderr):
    line = command("run", files / "photo.png", "--style", files / "painting.png", *QUICK)
    done = subprocess.run(
        ["bash", "-c", f'sleep 0.1; exec "$@" -o {tmp_path}/out.png {stderr}', "-", *line],
        env={**env, "FORCE_COLOR": "1"}, capture_output=True, timeout=DEADLINE, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done
    with Image.open(tmp_path / "out.png") as image:
        assert image.size == (64, 48)


@pytest.mark.skipif(os.name == "nt", reason="needs a shell")
@pytest.mark.parametrize("line", ["plugins | true", "plugins | head -1", "--help | true"])
def test_a_closed_pipe_ends_the_command_quietly(env, line):
    words = " ".join(f"'{word}'" for word in command())
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {words} {line}"],
        env=env, capture_output=True, text=True, timeout=DEADLINE, check=False,
    )  # fmt: skip
    assert done.stderr == ""
    assert done.returncode in (0, cli.PIPE_CLOSED)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_standard_output_gets_a_sentence(env):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            command("plugins"), env=env, stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 1
    assert done.stderr.startswith("Error: “standard output” could not be written: the disk is full")
    assert "Traceback" not in done.stderr and "Exception" not in done.stderr


def refused_before_painting(here, capfd, monkeypatch, *arguments: str) -> str:
    monkeypatch.setattr(Watch, "paint", lambda *_, **__: pytest.fail("it painted"))
    before = set(here.iterdir())
    assert cli.main(["run", *arguments]) == 1
    assert set(here.iterdir()) == before
    return capfd.readouterr().err


def test_what_cannot_be_written_is_refused_before_painting(here, files, capfd, monkeypatch):
    photo, painting = str(files / "photo.png"), str(files / "painting.png")
    for trace, why in (("no/t.json", "the folder “no” does not exist"), (".", "a folder")):
        line = [photo, "--style", painting, "-o", "out.png", "--trace", trace]
        assert why in refused_before_painting(here, capfd, monkeypatch, *line)
    Image.fromarray(np.zeros((16, 16_500, 3), np.uint8)).save(here / "wide.png")
    Image.fromarray(np.zeros((16, 66_000), np.uint8)).save(here / "wider.png")
    for name, suffix, limit in (("wide", "webp", 16383), ("wider", "jpg", 65500)):
        line = [f"{name}.png", "--style", painting, "-o", f"out.{suffix}"]
        text = refused_before_painting(here, capfd, monkeypatch, *line)
        assert f"at most {limit} pixels" in text and "Save it as .png or .tif." in text


def test_a_picture_that_cannot_be_saved_is_kept_elsewhere(here, files, capfd, monkeypatch):
    (here / "there").mkdir()
    real = Watch.paint

    def vanish(*arguments, **more):
        result = real(*arguments, **more)
        (here / "there").rmdir()
        return result

    monkeypatch.setattr(Watch, "paint", vanish)
    line = ["run", str(files / "photo.png"), "--style", str(files / "painting.png"), *QUICK]
    assert cli.main([*line, "-o", "there/out.png"]) == 1
    text = capfd.readouterr().err
    assert "the folder “there” does not exist" in text and "styleengine-rescued.png" in text
    with Image.open(here / "styleengine-rescued.png") as image:
        assert image.size == (64, 48)


@pytest.mark.skipif(os.name == "nt", reason="needs a shell")
def test_pictures_may_come_through_pipes(env, files, tmp_path):
    words = " ".join(f"'{word}'" for word in command("run"))
    photo, painting = (f"<(cat '{files / name}.png')" for name in ("photo", "painting"))
    line = [words, photo, "--style", painting, *QUICK, "-q", "-o", f"'{tmp_path / 'out.png'}'"]
    done = subprocess.run(
        ["bash", "-c", " ".join(line)], env=env, capture_output=True, text=True,
        timeout=DEADLINE, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    whole = [files / "photo.png", "--style", files / "painting.png", *QUICK, "-q"]
    assert run_cli("run", *whole, "-o", tmp_path / "again.png", env=env).returncode == 0
    with Image.open(tmp_path / "out.png") as piped, Image.open(tmp_path / "again.png") as read:
        assert piped.tobytes() == read.tobytes()


@pytest.mark.skipif(os.name == "nt", reason="needs /dev/stdout")
def test_a_trace_may_go_to_a_pipe(env, files, tmp_path):
    done = run_cli(
        "run", files / "photo.png", "--style", files / "painting.png", *QUICK, "-q",
        "-o", tmp_path / "out.png", "--trace", "/dev/stdout", env=env,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert '"features": "thin"' in done.stdout
