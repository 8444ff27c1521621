import builtins
import subprocess
import sys

import pytest

import mmtokedu
from mmtokedu import _doctor


def test_the_report_has_everything_and_prints():
    report = mmtokedu.doctor()
    assert report.packages["numpy"] and report.python == ".".join(map(str, sys.version_info[:3]))
    assert set(report.paths) >= {"patches.patchify", "patches.unpatchify", "patches.normalize_patchify"}
    text = repr(report)
    assert "GPU:" in text and all(name in text for name in _doctor.PACKAGES)


def test_what_is_missing_is_said_with_its_remedy(monkeypatch):
    monkeypatch.setattr(_doctor, "_version", lambda name: "2.0" if name == "numpy" else None)
    report = mmtokedu.doctor()
    assert "not installed (pip install 'mmtokedu[samples]')" in repr(report)
    assert set(report.paths.values()) == {"refused: torch is not installed"}


def test_a_broken_torch_is_a_finding_not_a_crash(monkeypatch):
    real = builtins.__import__

    def broken(name, *args, **kwargs):
        if name == "torch":
            raise RuntimeError("libcuda is upside down")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", broken)
    gpu, dtypes = _doctor._gpu()
    assert "libcuda is upside down" in gpu and dtypes == ()


@pytest.mark.parametrize("capability, dtypes", [
    ((7, 5), {"float32", "float16"}),
    ((8, 0), {"float32", "float16", "bfloat16", "tf32"}),
    ((9, 0), {"float32", "float16", "bfloat16", "tf32", "float8"}),
])  # fmt: skip
def test_dtypes_follow_the_capability(monkeypatch, capability, dtypes):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "a card")
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda i: type("P", (), {"total_memory": 16 * 2**30}))
    report = mmtokedu.doctor()
    assert set(report.dtypes) == dtypes and "a card, 16 GiB" in report.gpu
    assert report.paths["patches.normalize_patchify"] == "CUDA tensors: Triton kernel"
    assert report.paths["patches.patchify"] == "CUDA tensors: torch"


LINES = ["mmtokedu.doctor()", "print(mmtokedu.doctor())", "report = mmtokedu.doctor(); print(report)"]


@pytest.fixture(scope="module")
def heard():
    """line -> what a script that has it prints there: one script with all of them."""
    script = "\nprint('==')\n".join(["import mmtokedu", *LINES])
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return dict(zip(LINES, done.stdout.split("==\n")[1:], strict=True))


@pytest.mark.parametrize("line", LINES)
def test_a_script_hears_the_doctor_once(heard, line):
    assert heard[line].count("GPU:") == 1


def test_a_program_that_keeps_the_report_hears_nothing(capsys):
    report = mmtokedu.doctor()
    assert report and capsys.readouterr().out == ""
