"""Weights: what comes in is exact, and whatever is wrong with a file is a WeightError with its place."""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save, save_file

from qattn_compiler.errors import OptionError, WeightError
from qattn_compiler.frontends import from_npz, from_safetensors, weights
from qattn_compiler.frontends.weights import Weights, check_weights, load_weights, open_arrays

FILES = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
ARRAYS = {
    "Q": np.arange(6, dtype=np.float32).reshape(2, 3) / 7,
    "K": np.array([[1.5, -2.0, 3.25]]),
    "M": np.array([True, False, True]),
    "n": np.array(4, dtype=np.int16),
}


def tensor(dtype: str, shape, begin: int, end: int) -> dict:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def file_bytes(header, data: bytes = b"") -> bytes:
    """A .safetensors file with any header."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


# -- arrays of the user


def test_arrays_become_read_only_float64_copies():
    mine = np.asfortranarray(np.ones((3, 2), dtype=np.float32))
    found = check_weights({"Q": mine, "s": 2, "L": [[1, 2], [3, 4]], "M": np.array([True, False])})
    assert {name: array.shape for name, array in found.items()} == {
        "Q": (3, 2),
        "s": (),
        "L": (2, 2),
        "M": (2,),
    }
    for array in found.values():
        assert array.dtype == np.float64
        assert array.flags.c_contiguous
        assert not array.flags.writeable
    mine[:] = 7
    assert found["Q"].max() == 1
    assert found["M"].tolist() == [1.0, 0.0]
    assert found.notes == ()
    assert found.origin == "arrays"


def test_no_weights_and_weights_again():
    empty = check_weights({})
    assert len(empty) == 0
    assert check_weights(empty) is empty


def test_weights_are_a_mapping():
    found = check_weights({"Q": [1.0], "K": [2.0, 3.0]})
    assert list(found) == ["Q", "K"]
    assert "Q" in found
    assert found == check_weights({"K": [2, 3], "Q": [1]})
    assert found != check_weights({"Q": [1.0], "K": [2.0, 4.0]})
    assert found != {"Q": 1}
    assert repr(found) == "<Weights Q (1,), K (2,); arrays>"
    with pytest.raises(TypeError):
        found["Q"] = 1  # type: ignore[index]
    with pytest.raises(ValueError, match="read-only"):
        found["Q"][0] = 2
    assert pickle.loads(pickle.dumps(found)) == found


BAD_ARRAYS = {
    "nan": (
        np.array([[1, 2], [np.nan, np.inf]]),
        r"2 entries are not finite in X; the first is X\[1, 0\] = nan",
    ),
    "inf": (-np.inf, "1 entry is not finite in X; the first is X = -inf"),
    "complex": ([1j], "X is complex"),
    "text": (["a"], "X holds <U1"),
    "objects": ([None, 1.0], "X holds Python objects"),
    "huge int": ([2**70], "X holds Python objects"),
    "dates": (np.array(["2020-01-01"], dtype="M8[D]"), "X holds datetime64"),
    "records": (np.zeros(2, dtype=[("a", "f8")]), "X holds "),
    "empty": (np.zeros((0, 3)), r"X is empty: its shape is \(0, 3\)"),
    "ragged": ([[1.0], [1.0, 2.0]], "X is ragged"),
    "masked": (np.ma.array([1.0, 2.0], mask=[0, 1]), "masked entries"),
    "too large": (
        np.broadcast_to(np.float32(1), (1 << 20, 1 << 20)),
        "X\n|too large: 8.8e[+]03 GB as float64, at most",
    ),
}


@pytest.mark.parametrize(("value", "says"), BAD_ARRAYS.values(), ids=BAD_ARRAYS.keys())
def test_bad_arrays(value, says):
    with pytest.raises(WeightError, match=says):
        check_weights({"X": value})


def test_a_wide_float_that_overflows():
    wide = np.array([1.0], dtype=np.longdouble)
    if np.finfo(np.longdouble).max == np.finfo(np.float64).max:
        pytest.skip("no wider float here")
    assert "rounded" in check_weights({"X": wide}).notes[0]
    with pytest.raises(WeightError, match="not finite"):
        check_weights({"X": wide * np.longdouble("1e4000")})


@pytest.mark.parametrize("name", ["", "a.b", "2x", "for", "a b", 3, None, "x\n"])
def test_bad_names(name):
    with pytest.raises(WeightError, match="name"):
        check_weights({name: [1.0]})


def test_all_mistakes_at_once():
    with pytest.raises(WeightError) as caught:
        check_weights({"A": [np.nan], "ok": [1.0], "B": [1j], "for": 1})
    assert len(caught.value.errors) == 3


def test_the_limit_counts_all_arrays(monkeypatch):
    monkeypatch.setattr(weights, "MAX_BYTES", 80)
    assert len(check_weights({"A": np.ones(5), "B": np.ones(5)})) == 2
    with pytest.raises(WeightError, match="too large"):
        check_weights({"A": np.ones(5), "B": np.ones(6)})


@pytest.mark.parametrize("value", [None, [("Q", 1)], 3.0])
def test_weights_must_be_a_mapping(value):
    with pytest.raises(WeightError, match="mapping"):
        check_weights(value)


def test_an_array_like_that_refuses():
    class Refuses:
        def __array__(self, dtype=None, copy=None):
            raise RuntimeError("use tensor.detach()")

    with pytest.raises(WeightError, match="detach"):
        check_weights({"X": Refuses()})


def test_notes_of_conversions():
    found = check_weights(
        {"h": np.ones(2, np.float16), "i": [2**53 + 1], "f": np.ones(1, np.float32), "j": [3]}
    )
    assert len(found.notes) == 2
    assert "h was stored as float16" in found.notes[0]
    assert "i has whole numbers beyond 2**53" in found.notes[1]


# -- files that are right


@pytest.mark.parametrize("suffix", [".safetensors", ".npz", ".SafeTensors"])
def test_files_give_the_exact_arrays(tmp_path, suffix):
    path = tmp_path / f"w{suffix}"
    if suffix == ".npz":
        np.savez_compressed(path, **ARRAYS)
    else:
        save_file(ARRAYS, path)
    found = load_weights(path)
    assert found == check_weights(ARRAYS)
    assert found.origin == str(path)
    assert not found["Q"].flags.writeable
    assert load_weights(str(path), names=["Q"]).keys() == {"Q"}
    assert load_weights(path, names={"X": "K"})["X"].tolist() == [[1.5, -2.0, 3.25]]
    with pytest.raises(WeightError, match=r"no array Z; there are .*Q"):
        load_weights(path, names=["Z"])


def test_names_that_an_expression_cannot_call(tmp_path):
    save_file({"attn.q": ARRAYS["Q"], "K": ARRAYS["K"]}, tmp_path / "w.safetensors")
    with pytest.raises(WeightError, match=r"names=\{'Q': 'attn.q'\}"):
        load_weights(tmp_path / "w.safetensors")
    assert load_weights(tmp_path / "w.safetensors", names={"Q": "attn.q", "K": "K"}).keys() == {"Q", "K"}
    assert load_weights(tmp_path / "w.safetensors", names="K").keys() == {"K"}


@given(
    hnp.arrays(
        st.sampled_from(["<f8", "<f4", "<f2", "<i8", "<i4", "<i2", "i1", "<u8", "u1", "?"]),
        hnp.array_shapes(),
    )
)
@FILES
def test_every_type_is_read_as_the_library_reads_it(tmp_path, array):
    path = tmp_path / "w.safetensors"
    save_file({"X": array}, path)
    found = open_arrays(path).arrays["X"].read()
    assert found.dtype == array.dtype
    np.testing.assert_array_equal(found, array)


def test_bfloat16(tmp_path):
    path = tmp_path / "w.safetensors"
    wanted = np.array([1.0, -2.5, 0.15625, 3e38], dtype=np.float32)
    halves = (wanted.view(np.uint32) >> 16).astype("<u2")
    path.write_bytes(file_bytes({"X": tensor("BF16", [2, 2], 0, 8)}, halves.tobytes()))
    found = load_weights(path)
    np.testing.assert_array_equal(found["X"], (halves.astype(np.uint32) << 16).view(np.float32).reshape(2, 2))
    assert found["X"][0].tolist() == [1.0, -2.5]
    assert "X was stored as bfloat16" in found.notes[0]


def test_fortran_order_and_big_endian(tmp_path):
    array = np.arange(6.0).reshape(2, 3)
    np.savez(tmp_path / "w.npz", A=np.asfortranarray(array), B=array.astype(">f4"))
    found = load_weights(tmp_path / "w.npz")
    np.testing.assert_array_equal(found["A"], array)
    np.testing.assert_array_equal(found["B"], array)


def test_only_what_is_wanted_is_read(tmp_path):
    np.savez(tmp_path / "w.npz", Q=np.ones(2), bad=np.array([np.nan]))
    assert load_weights(tmp_path / "w.npz", names=["Q"]).keys() == {"Q"}
    with pytest.raises(WeightError, match="1 entry is not finite in bad") as caught:
        load_weights(tmp_path / "w.npz")
    assert caught.value.place == f"{tmp_path / 'w.npz'}: bad"


# -- files that are not there, or of another kind


def refused(path, says: str, **options) -> WeightError:
    with pytest.raises(WeightError, match=says) as caught:
        load_weights(path, **options)
    return caught.value


def test_no_such_file(tmp_path):
    save_file(ARRAYS, tmp_path / "w.safetensors")
    error = refused(tmp_path / "w", "no such file")
    assert str(tmp_path / "w.safetensors") in error.hint
    assert refused(tmp_path / "v", "no such file").hint is None
    assert refused("", "folder|no such").place is not None
    refused(tmp_path / "w.safetensors" / "x", "cannot be read")
    refused(tmp_path / "\0", "cannot be read")
    refused(tmp_path / ("x" * 5000), "cannot be read")
    refused(7, "a path was expected, not int")
    refused(b"w.npz", "a path was expected, not bytes")


def test_a_folder_and_a_device(tmp_path):
    save_file(ARRAYS, tmp_path / "model.safetensors")
    assert "model.safetensors" in refused(tmp_path, "folder").hint
    os.mkfifo(tmp_path / "pipe.npz")
    refused(tmp_path / "pipe.npz", "no ordinary file")
    refused("/dev/zero", "no ordinary file")


@pytest.mark.parametrize(
    ("name", "hint"), [("a.npy", "np.savez"), ("a.pt", "run code"), ("a.bin", "run code"), ("a", None)]
)
def test_other_suffixes(tmp_path, name, hint):
    (tmp_path / name).write_bytes(b"x")
    error = refused(tmp_path / name, r"\.safetensors or \.npz")
    assert error.hint is None if hint is None else hint in error.hint


@pytest.mark.parametrize("suffix", [".safetensors", ".npz"])
def test_a_file_that_cannot_be_opened(tmp_path, monkeypatch, suffix):
    path = tmp_path / f"w{suffix}"
    path.write_bytes(b"")

    def deny(*_args, **_kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(from_npz.zipfile, "ZipFile", deny)
    monkeypatch.setattr(type(path), "open", deny)
    refused(path, "Permission denied")


@pytest.mark.parametrize("suffix", [".safetensors", ".npz"])
def test_files_without_arrays(tmp_path, suffix):
    path = tmp_path / f"w{suffix}"
    path.write_bytes(file_bytes({})) if suffix == ".safetensors" else np.savez(path)
    refused(path, "holds no arrays")


# -- damaged safetensors

F = tensor("F32", [2], 0, 8)
LIES = {
    "empty": (b"", "cut off"),
    "short": (b"\1\0\0", "cut off"),
    "header too long": (struct.pack("<Q", 100) + b"{}", "claims 100 bytes"),
    "header huge": (struct.pack("<Q", 2**64 - 1) + b"{}", "claims"),
    "no json": (file_bytes(b"oops"), "no valid JSON"),
    "no text": (file_bytes(b"\xff\xfe"), "no valid JSON"),
    "cut json": (file_bytes(b'{"Q":'), "no valid JSON"),
    "list": (file_bytes([]), "no JSON object"),
    "deep": (file_bytes(b"[" * 200_000), "nested too deeply"),
    "deep objects": (file_bytes(b'{"a":' * 200_000), "nested too deeply"),
    "twice": (file_bytes(b'{"Q":%b,"Q":%b}' % ((json.dumps(F).encode(),) * 2), bytes(8)), "'Q' stands twice"),
    "NaN": (file_bytes(b'{"Q": NaN}'), "NaN is no JSON"),
    "long number": (file_bytes(b'{"Q": ' + b"9" * 10_000 + b"}"), "no valid JSON"),
    "entry": (file_bytes({"Q": 3}), "must have dtype"),
    "entry keys": (file_bytes({"Q": F | {"more": 1}}, bytes(8)), "nothing else"),
    "dtype": (file_bytes({"Q": F | {"dtype": "F99"}}, bytes(8)), "F99 is not read; known: F64"),
    "dtype list": (file_bytes({"Q": F | {"dtype": []}}, bytes(8)), "is not read"),
    "complex": (file_bytes({"Q": F | {"dtype": "C64"}}, bytes(8)), "C64 is not read"),
    "shape": (file_bytes({"Q": F | {"shape": [3]}}, bytes(8)), "needs 12 bytes; the entry has 8"),
    "negative": (file_bytes({"Q": F | {"shape": [-2]}}, bytes(8)), "no list of whole numbers"),
    "both negative": (file_bytes({"Q": F | {"shape": [-2, -1]}}, bytes(8)), "no list of whole numbers"),
    "fraction": (file_bytes({"Q": F | {"shape": [2.0]}}, bytes(8)), "no list of whole numbers"),
    "truth": (file_bytes({"Q": F | {"shape": [True, 2]}}, bytes(8)), "no list of whole numbers"),
    "no shape": (file_bytes({"Q": F | {"shape": None}}, bytes(8)), "no list of whole numbers"),
    "overflow": (file_bytes({"Q": F | {"shape": [2**62, 2**62, 4]}}, bytes(8)), "the entry has 8"),
    "beyond 64 bits": (file_bytes({"Q": F | {"shape": [2**64, 0]}}, bytes(8)), "no list of whole numbers"),
    "dimensions": (file_bytes({"Q": F | {"shape": [1] * 99 + [2]}}, bytes(8)), "99|100 dimensions"),
    "beyond the end": (file_bytes({"Q": tensor("F32", [4], 0, 16)}, bytes(8)), "not within the 8 bytes"),
    "backwards": (file_bytes({"Q": tensor("F32", [2], 8, 0)}, bytes(8)), "not within"),
    "three offsets": (file_bytes({"Q": F | {"data_offsets": [0, 8, 8]}}, bytes(8)), "not within"),
    "overlap": (file_bytes({"Q": F, "K": tensor("F32", [2], 4, 12)}, bytes(12)), "overlap with Q"),
    "same": (file_bytes({"Q": F, "K": F}, bytes(8)), "overlap with"),
    "gap": (file_bytes({"Q": F, "K": tensor("F32", [2], 12, 20)}, bytes(20)), "leave a gap after Q"),
    "rest": (file_bytes({"Q": F}, bytes(12)), "4 bytes at the end"),
    "metadata": (file_bytes({"__metadata__": {"a": 1}, "Q": F}, bytes(8)), "metadata"),
    "metadata list": (file_bytes({"__metadata__": [], "Q": F}, bytes(8)), "metadata"),
    "bool": (file_bytes({"Q": tensor("BOOL", [2], 0, 2)}, b"\1\2"), "neither 0 nor 1"),
    "no entries": (file_bytes({"Q": tensor("F32", [0, 3], 0, 0)}), "Q is empty"),
    "nan": (file_bytes({"Q": F}, struct.pack("<2f", 0, np.nan)), r"first is Q\[1\] = nan"),
}


@pytest.mark.parametrize(("content", "says"), LIES.values(), ids=LIES.keys())
def test_lying_safetensors(tmp_path, content, says):
    path = tmp_path / "lie.safetensors"
    path.write_bytes(content)
    error = refused(path, says)
    assert error.place.startswith(str(path))
    assert len(str(error)) < 1000


def test_many_keys_of_which_one_stands_twice(tmp_path):
    names = [*map(str, range(200_000)), "199999"]  # hopeless if each were counted
    text = "{" + ",".join(f'"{name}":0' for name in names) + "}"
    (tmp_path / "w.safetensors").write_bytes(file_bytes(text.encode()))
    refused(tmp_path / "w.safetensors", "'199999' stands twice")


def test_a_folder_that_may_not_be_looked_into(tmp_path, monkeypatch):
    def deny(_path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(tmp_path), "iterdir", deny)
    assert refused(tmp_path, "this is a folder").hint is None


def test_hostile_names_do_not_reach_the_terminal(tmp_path):
    path = tmp_path / "lie.safetensors"
    path.write_bytes(file_bytes({"\x1b[31m\ud800" + "x" * 9999: F}, bytes(8)))
    text = str(refused(path, "cannot be a name"))
    assert "\x1b" not in text
    assert text.encode()
    assert len(text) < 500


def test_a_file_that_shrinks_while_it_is_read(tmp_path):
    path = tmp_path / "w.safetensors"
    save_file(ARRAYS, path)
    file = open_arrays(path)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(WeightError, match="became shorter"):
        [file.get(key) for key in file.arrays]
    path.unlink()
    with pytest.raises(WeightError, match="cannot be read"):
        file.get("Q")


def test_too_large_is_refused_before_it_is_read(tmp_path, monkeypatch):
    save_file({"A": np.ones(8, np.float32), "B": np.ones(8, np.float32)}, tmp_path / "w.safetensors")
    np.savez_compressed(tmp_path / "w.npz", A=np.ones(8), B=np.ones(8))
    monkeypatch.setattr(weights, "MAX_BYTES", 127)
    for name in ("w.safetensors", "w.npz"):
        assert load_weights(tmp_path / name, names=["A"]).keys() == {"A"}
        refused(tmp_path / name, "too large")
    monkeypatch.setattr(from_safetensors, "MAX_HEADER", 10)
    refused(tmp_path / "w.safetensors", "at most 10 are read")


SOUND = save(ARRAYS, {"format": "np"})


@st.composite
def damage(draw, content: bytes) -> bytes:
    """Some bytes changed, more often in front, and perhaps the end cut off or grown."""
    data = bytearray(content)
    for _ in range(draw(st.integers(0, 4))):
        place = draw(st.integers(0, len(data) - 1) | st.integers(0, min(len(data), 300) - 1))
        data[place] = draw(st.integers(0, 255) | st.sampled_from(b'0123456789[]{},:"-eE '))
    if draw(st.booleans()):
        del data[draw(st.integers(0, len(data))) :]
    return bytes(data) + draw(st.binary(max_size=4))


def library(path) -> dict[str, np.ndarray] | None:
    """What the format's own library reads; None if it refuses the file."""
    try:
        with safe_open(path, framework="np") as file:
            return {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except SafetensorError:
        return None


def placed(path, read):
    """What is read; None after a WeightError, which must name the file. Nothing else may be raised."""
    try:
        return read()
    except WeightError as error:
        places = [str(e) for e in error.errors]
    assert all(str(path) in place for place in places)
    return None


@given(damage(SOUND))
@example(SOUND)
@FILES
def test_damaged_safetensors(tmp_path, content):
    path = tmp_path / "d.safetensors"
    path.write_bytes(content)
    found = placed(path, lambda: {key: entry.read() for key, entry in open_arrays(path).arrays.items()})
    if found is None:
        return
    theirs = library(path)
    assert theirs is not None, "the library refuses what we read"
    assert found.keys() == theirs.keys()
    for key, array in found.items():
        assert array.tobytes() == theirs[key].tobytes()
    placed(path, lambda: load_weights(path))


@given(st.binary(max_size=200))
@FILES
def test_noise_is_a_weight_error(tmp_path, content):
    for suffix in (".safetensors", ".npz"):
        path = tmp_path / f"noise{suffix}"
        path.write_bytes(content)
        refused(path, "file|header|arrays")


# -- damaged npz


def npz_bytes(arrays: dict, *, packed: bool) -> bytes:
    buffer = io.BytesIO()
    (np.savez_compressed if packed else np.savez)(buffer, **arrays)
    return buffer.getvalue()


NPZ = {packed: npz_bytes(ARRAYS, packed=packed) for packed in (False, True)}


@given(st.booleans().flatmap(lambda packed: damage(NPZ[packed])))
@FILES
def test_damaged_npz(tmp_path, content):
    path = tmp_path / "d.npz"
    path.write_bytes(content)
    found = placed(path, lambda: load_weights(path))
    if found is None:
        return
    wanted = {array.tobytes() for array in check_weights(ARRAYS).values()}
    for array in found.values():  # names are not under the checksum, numbers are
        assert array.tobytes() in wanted


def zip_of(path, members: dict[str, bytes], method=zipfile.ZIP_DEFLATED) -> None:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def npy_bytes(header: str, data: bytes, version=(1, 0)) -> bytes:
    size = struct.pack("<H" if version == (1, 0) else "<I", len(header))
    return b"\x93NUMPY" + bytes(version) + size + header.encode() + data


HEADER = "{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }"
LYING_NPZ = {
    "no npy": ({"readme.txt": b"hello"}, "no .npy array"),
    "no magic": ({"Q.npy": b"hello world"}, "header is damaged"),
    "empty": ({"Q.npy": b""}, "header is damaged"),
    "version": ({"Q.npy": npy_bytes(HEADER, bytes(16), (3, 0))}, "version"),
    "larger": (
        {"Q.npy": npy_bytes(HEADER.replace("2", "2000000000000"), bytes(16))},
        "needs 16000000000000 bytes",
    ),
    "negative": ({"Q.npy": npy_bytes(HEADER.replace("2", "-2"), bytes(16))}, "header is damaged"),
    "rest": ({"Q.npy": npy_bytes(HEADER, bytes(24))}, "needs 16 bytes; the member has 24"),
    "objects": ({"Q.npy": npy_bytes(HEADER.replace("<f8", "|O"), bytes(16))}, "pickled Python objects"),
    "open bracket": ({"Q.npy": npy_bytes("(", b"")}, "header is damaged"),
    "open text": ({"Q.npy": npy_bytes("'''", b"")}, "header is damaged"),
    "deep": ({"Q.npy": npy_bytes("-" * 9000 + "1", b"")}, "header is damaged"),
    "long": ({"Q.npy": npy_bytes(" " * 99_999, b"", (2, 0))}, "header is damaged"),
    "no size": ({"Q.npy": npy_bytes(HEADER.replace("<f8", "|S0"), b"")}, "header is damaged"),
    "nested": ({"Q.npy": npy_bytes(HEADER.replace("'<f8'", "('<f8', (2,))"), bytes(32))}, "damaged"),
    "text": ({"Q.npy": npy_bytes(HEADER.replace("<f8", "<U2"), bytes(16))}, "Q holds <U2"),
    "code": ({"Q.npy": npy_bytes("__import__('os').abort()", bytes(16))}, "header is damaged"),
    "complex": ({"Q.npy": npy_bytes(HEADER.replace("<f8", "<c8"), bytes(16))}, "Q is complex"),
}


@pytest.mark.parametrize(("members", "says"), LYING_NPZ.values(), ids=LYING_NPZ.keys())
def test_lying_npz(tmp_path, members, says):
    zip_of(tmp_path / "lie.npz", members)
    refused(tmp_path / "lie.npz", says)


class Bomb:
    """Fails the test where a pickle is loaded."""

    def __reduce__(self):
        return pytest.fail, ("a pickle was loaded",)


def test_pickles_are_not_loaded(tmp_path):
    np.savez(tmp_path / "w.npz", Q=np.array([Bomb()], dtype=object))
    refused(tmp_path / "w.npz", "pickled Python objects")
    (tmp_path / "v.npz").write_bytes(pickle.dumps(Bomb()))
    refused(tmp_path / "v.npz", "no readable zip")


def test_a_zip_bomb_is_not_unpacked(tmp_path):
    entries = weights.MAX_BYTES // 8 + 1
    header = HEADER.replace("(2,)", f"({entries},)").replace("<f8", "|i1")
    with zipfile.ZipFile(tmp_path / "w.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("Q.npy", npy_bytes(header, bytes(entries)))
    assert (tmp_path / "w.npz").stat().st_size < 1 << 20
    refused(tmp_path / "w.npz", "too large: 1.07 GB")


def test_a_header_is_not_unpacked_without_end(tmp_path):
    zip_of(tmp_path / "w.npz", {"Q.npy": npy_bytes(" " * (32 << 20), b"", (2, 0))})
    tracemalloc.start()
    try:
        refused(tmp_path / "w.npz", "header is damaged")
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


def test_names_that_stand_twice_and_other_packers(tmp_path):
    with zipfile.ZipFile(tmp_path / "w.npz", "w") as archive:
        archive.writestr("Q.npy", npy_bytes(HEADER, bytes(16)))
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("Q.npy", npy_bytes(HEADER, bytes(16)))
    refused(tmp_path / "w.npz", "stands twice")
    zip_of(tmp_path / "v.npz", {"Q.npy": npy_bytes(HEADER, bytes(16))}, zipfile.ZIP_LZMA)
    refused(tmp_path / "v.npz", "packed in a way")


# -- BERT-style models

HIDDEN, HEADS, D_HEAD, TOKENS = 12, 3, 4, 5
RNG = np.random.default_rng(0)
STATES = RNG.normal(size=(TOKENS, HIDDEN))


def model(prefix: str = "", layers=(0,), seed: int = 1) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    arrays = {}
    for layer in layers:
        for role in ("query", "key", "value"):
            stem = f"{prefix}encoder.layer.{layer}.attention.self.{role}"
            arrays[f"{stem}.weight"] = rng.normal(size=(HIDDEN, HIDDEN)).astype(np.float32)
            arrays[f"{stem}.bias"] = rng.normal(size=HIDDEN).astype(np.float32)
    return arrays | {"embeddings.word": np.ones((2, HIDDEN), np.float32)}


@pytest.fixture
def bert(tmp_path):
    """Writes a model and says where it is."""

    def write(arrays: dict | None = None, metadata: dict | None = None):
        path = tmp_path / "model.safetensors"
        save_file(model() if arrays is None else arrays, path, metadata)
        return path

    return write


QUERY = "encoder.layer.0.attention.self.query"


@pytest.mark.parametrize("prefix", ["", "bert.", "roberta.", "model.text."])
@pytest.mark.parametrize("suffix", [".safetensors", ".npz"])
def test_heads_are_rows_of_a_pytorch_layer(tmp_path, prefix, suffix):
    arrays = model(prefix, layers=(0, 1, 10))
    path = tmp_path / f"model{suffix}"
    save_file(arrays, path) if suffix == ".safetensors" else np.savez(path, **arrays)
    for head in range(HEADS):
        found = load_weights(path, layer=10, head=head, hidden=STATES, num_heads=HEADS)
        assert found.keys() == {"Q", "K", "V", "d"}
        assert found["d"].shape == ()
        assert found["d"] == D_HEAD
        assert found.notes == ()
        assert found.origin == f"model{suffix}, layer 10, head {head}, hidden array"
        for name, role in (("Q", "query"), ("K", "key"), ("V", "value")):
            stem = f"{prefix}encoder.layer.10.attention.self.{role}"
            whole = STATES @ arrays[f"{stem}.weight"].T.astype(float) + arrays[f"{stem}.bias"]
            np.testing.assert_allclose(found[name], whole[:, head * D_HEAD : (head + 1) * D_HEAD], atol=1e-14)
            assert found[name].flags.c_contiguous
            assert not found[name].flags.writeable


@pytest.mark.parametrize("head", [None, "all"])
def test_all_heads(bert, head):
    path = bert()
    every = load_weights(path, layer=0, head=head, hidden=STATES, num_heads=HEADS)
    assert every["Q"].shape == (HEADS, TOKENS, D_HEAD)
    assert every["Q"].flags.c_contiguous
    for h in range(HEADS):
        one = load_weights(path, layer=0, head=h, hidden=STATES, num_heads=HEADS)
        for name in "QKV":
            np.testing.assert_allclose(every[name][h], one[name], atol=1e-14)


def test_the_number_of_heads(bert, tmp_path):
    path = bert()
    error = refused(path, "number of heads is not known", layer=0, head=0, hidden=STATES)
    assert "--num-heads" in error.hint
    config = tmp_path / "config.json"
    for text, says in (
        ("{", "cannot be read"),
        ("[]", "no JSON object"),
        ("[" * 100_000, "cannot be read"),
        ("{}", "number of heads is not known"),
        ('{"num_attention_heads": null}', "num_attention_heads is None"),
        ('{"num_attention_heads": true}', "num_attention_heads is True"),
        ('{"num_attention_heads": 0}', "num_attention_heads is 0"),
        ('{"num_attention_heads": 3, "hidden_size": 99}', "another model"),
        ('{"num_attention_heads": 5}', "5 heads .* do not divide the hidden size 12"),
    ):
        config.write_text(text)
        refused(path, says, layer=0, head=0, hidden=STATES)
    config.write_text('{"num_attention_heads": 3, "hidden_size": 12}')
    found = load_weights(path, layer=0, head=0, hidden=STATES)
    assert found == load_weights(path, layer=0, head=0, hidden=STATES, num_heads=3)
    assert found.notes == ("3 heads, as config.json says",)
    assert load_weights(path, layer=0, head=0, hidden=STATES, num_heads=6)["d"] == 2


def test_the_number_of_heads_in_the_metadata(bert, tmp_path):
    options = {"layer": 0, "head": 0, "hidden": STATES}
    path = bert(None, {"num_attention_heads": "3"})
    found = load_weights(path, **options)
    assert found == load_weights(path, num_heads=3, **options)
    assert found.notes == ("3 heads, as the file's metadata says",)
    (tmp_path / "config.json").write_text('{"hidden_size": 12}')
    assert load_weights(path, **options) == found
    (tmp_path / "config.json").write_text('{"num_attention_heads": 6}')
    assert load_weights(path, **options)["d"] == 2
    (tmp_path / "config.json").unlink()
    for said in ("", "x", "0", "-3", "3.0", "9" * 5000):
        refused(bert(None, {"num_attention_heads": said}), "no number of heads", **options)


def test_layers_and_heads_that_are_not_there(bert):
    path = bert(model(layers=(0, 1, 2)))
    options = {"hidden": STATES, "num_heads": HEADS}
    refused(path, "no layer 3; there are 0 to 2", layer=3, head=0, **options)
    refused(path, "no layer -1; there are 0 to 2", layer=-1, head=0, **options)
    refused(path, "no head 3; there are 0 to 2", layer=0, head=3, **options)
    refused(path, "no head -1; there are 0 to 2", layer=0, head=-1, **options)
    for wrong in (True, 1.0, "0"):
        with pytest.raises(OptionError, match="whole number"):
            load_weights(path, layer=wrong, head=0, **options)
        with pytest.raises(OptionError, match="whole number"):
            load_weights(path, layer=0, head=wrong, **options)
    with pytest.raises(OptionError, match="num_heads"):
        load_weights(path, layer=0, head=0, hidden=STATES, num_heads=0)
    with pytest.raises(OptionError, match="names="):
        load_weights(path, names=["Q"], layer=0, head=0, **options)


@pytest.mark.parametrize("option", ["head", "hidden", "hidden_key", "num_heads"])
def test_options_of_a_model_without_its_layer(bert, option):
    error = refused(bert(), f"{option} is given, but no layer", **{option: 0})
    assert "--layer" in error.hint
    assert "layer" in refused(bert(), "head, hidden are given, but no layer", head=0, hidden=STATES).message


def test_what_is_no_model(bert):
    error = refused(bert({"Q": STATES}), "no key has the form", layer=0, head=0, hidden=STATES)
    assert "leave out" in error.hint
    refused(
        bert(model("bert.") | model("")), "prefixes '', 'bert.'", layer=0, head=0, hidden=STATES, num_heads=3
    )
    error = refused(bert(), "encoder.layer.0.attention.self.key.bias, .* cannot be names in an expression")
    assert "--hidden" in error.hint
    assert len(error.errors) == 1
    assert "--hidden" in refused(bert(), "hidden states that enter it", layer=0, head=0).hint


def test_weights_of_a_model_that_are_wrong(bert):
    options = {"layer": 0, "head": 0, "hidden": STATES, "num_heads": HEADS}
    arrays = model()
    del arrays[f"{QUERY}.bias"]
    assert load_weights(bert(arrays), **options).notes == (
        f"{QUERY}.bias is not in model.safetensors: taken as zero",
    )
    del arrays[f"{QUERY}.weight"]
    assert f"{QUERY}.weight" in refused(bert(arrays), "key is missing", **options).place
    for key, array, says in (
        ("weight", np.ones(HIDDEN), r"\(rows, hidden_size\) was expected"),
        ("weight", np.ones((HIDDEN, HIDDEN + 3)), "different shapes"),
        ("weight", np.ones((HIDDEN, 2, 3)), r"\(rows, hidden_size\) was expected"),
        ("weight", np.full((HIDDEN, HIDDEN), np.nan), "144 entries are not finite"),
        ("bias", np.ones(HIDDEN + 1), r"\(12,\) was expected"),
        ("bias", np.ones((1, HIDDEN)), r"\(12,\) was expected"),
    ):
        error = refused(bert(model() | {f"{QUERY}.{key}": array.astype(np.float32)}), says, **options)
        assert "model.safetensors: " in error.place
    both = model() | {f"{QUERY}.bias": np.ones(1), QUERY.replace("query", "key") + ".bias": np.ones(1)}
    assert len(refused(bert(both), "bias", **options).errors) == 2


def test_low_precision_is_said(bert):
    arrays = model()
    arrays[f"{QUERY}.weight"] = arrays[f"{QUERY}.weight"].astype(np.float16)
    found = load_weights(bert(arrays), layer=0, head=0, hidden=STATES, num_heads=HEADS)
    assert len(found.notes) == 1
    assert "float16" in found.notes[0]


def test_weights_that_are_not_square(bert):
    arrays = {k: a[:8] for k, a in model().items() if "self" in k}
    options = {"layer": 0, "head": 0, "hidden": STATES, "num_heads": HEADS}
    refused(bert(arrays), r"\(8, 12\); BERT's is square", **options)


def test_a_model_that_is_too_large(bert, monkeypatch):
    options = {"layer": 0, "head": 0, "hidden": STATES, "num_heads": HEADS}
    path = bert()
    monkeypatch.setattr(weights, "MAX_BYTES", 3 * (HIDDEN + 1) * HIDDEN * 8)
    load_weights(path, **options)
    monkeypatch.setattr(weights, "MAX_BYTES", 3 * (HIDDEN + 1) * HIDDEN * 8 - 1)
    refused(path, "too large", **options)


def test_a_projection_that_overflows(bert):
    arrays = model()
    arrays[f"{QUERY}.weight"] = np.full((HIDDEN, HIDDEN), 1e300)
    refused(bert(arrays), "not finite in Q", layer=0, head=0, hidden=STATES * 1e300, num_heads=HEADS)


# -- hidden states


def states_file(tmp_path, arrays: dict[str, np.ndarray], suffix: str = ".npz"):
    path = tmp_path / f"h{suffix}"
    np.savez(path, **arrays) if suffix == ".npz" else save_file(arrays, path)
    return path


def attend(bert, hidden, key=None) -> Weights:
    return load_weights(bert(), layer=0, head=1, hidden=hidden, hidden_key=key, num_heads=HEADS)


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_hidden_states_from_a_file(bert, tmp_path, suffix):
    path = states_file(tmp_path, {"anything": STATES}, suffix)
    found = attend(bert, str(path))
    assert found == attend(bert, STATES) == attend(bert, STATES.tolist())
    assert found.origin == "model.safetensors, layer 0, head 1, hidden anything"
    assert found.notes == ()


CHOICES = {
    "by name": (["hidden", "hidden_states", "layer0.x"], "hidden_states", ""),
    "by the other name": (["hidden", "layer0.x"], "hidden", ""),
    "by layer": (["layer1.tokens8", "layer0.tokens8"], "layer0.tokens8", "hidden states: layer0.tokens8"),
    "by order": (
        ["layer0.tokens16", "layer0.tokens8", "layer00.a"],
        "layer0.tokens8",
        "also there: layer0.tokens16",
    ),
    "by order without layer": (["b10", "b9"], "b9", "choose with hidden_key= / --hidden-key"),
}


@pytest.mark.parametrize(("names", "wanted", "note"), CHOICES.values(), ids=CHOICES.keys())
def test_which_hidden_states(bert, tmp_path, names, wanted, note):
    arrays = {name: STATES + i for i, name in enumerate(names)}
    path = states_file(tmp_path, arrays | {"narrow": np.ones((TOKENS, 2))})
    found = attend(bert, path)
    assert found == attend(bert, arrays[wanted])
    assert note in " ".join(found.notes)
    assert attend(bert, path, names[0]) == attend(bert, arrays[names[0]])
    assert attend(bert, path, names[0]).notes == ()


def test_weights_in_the_same_file_are_no_hidden_states(bert):
    path = bert(model() | {"states": STATES})
    found = load_weights(path, layer=0, head=1, hidden=path, num_heads=HEADS, hidden_key="states")
    assert found == attend(bert, STATES)


def test_hidden_states_that_are_wrong(bert, tmp_path):
    def wrong(hidden, says, key=None):
        with pytest.raises(WeightError, match=says) as caught:
            attend(bert, hidden, key)
        return caught.value

    batch = attend(bert, STATES[None])
    assert batch == attend(bert, STATES)
    assert batch.notes == ("the hidden states' batch axis of 1 was left out",)
    wrong(np.stack([STATES, STATES]), "a batch of 2")
    wrong(STATES[:, :5], r"\(5, 5\); \(tokens, 12\) was expected")
    wrong(STATES[0], r"\(12,\)")
    wrong(STATES * np.nan, "60 entries are not finite in hidden")
    wrong(np.zeros((0, HIDDEN)), "empty")
    wrong(tmp_path / "no.npz", "no such file")
    path = states_file(tmp_path, {"a": STATES[:, :5], "bc": STATES})
    assert wrong(path, "no array 'bcd'; there are a, bc", "bcd").hint == "did you mean bc?"
    assert wrong(path, r"\(5, 5\)", "a").place == f"{path}: a"
    wrong(states_file(tmp_path, {"a": STATES[:, :5]}), r"no array is \(tokens, 12\); there are a \(5, 5\)")
    wrong(states_file(tmp_path, {}), "holds no arrays")
    with pytest.raises(OptionError, match="hidden_key"):
        attend(bert, STATES, "a")
