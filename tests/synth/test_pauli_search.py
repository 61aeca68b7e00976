"""The greedy search of Pauli rotations: against a plain twin, step by step, and over more than one word."""

import numpy as np
import pytest

from qattn_compiler.circuit.bit_kernels import bits_set, lowest_bit
from qattn_compiler.circuit.params import Affine
from qattn_compiler.circuit.table import Builder
from qattn_compiler.passes.circuit.resynthesise_paulis import ResynthesisePaulis
from qattn_compiler.synth import pauli
from qattn_compiler.synth.pauli_search_kernels import FULL, MAX_LAYERS, TQE, TURN
from qattn_compiler.verify.words import by_words

IMAGE, FLIP, LIGHTENS, _ = pauli.tables()


def crosses(a, b):
    return sum(x != 0 and y != 0 and x != y for x, y in zip(a, b, strict=True)) % 2 == 1


class Twin:
    """The search as its docstring tells it, on lists of codes."""

    def __init__(self, form, effort):
        self.effort = effort
        self.size = form.codes.shape[1]
        self.strings = [[list(map(int, c)), int(s)] for c, s in zip(form.codes, form.signs, strict=True)]
        self.frame = [[list(map(int, c)), int(s)] for c, s in zip(form.frame, form.frame_signs, strict=True)]
        self.layer = [0] * self.size
        self.steps = []
        self.shares = []
        for level in range(MAX_LAYERS):
            share = round(FULL * effort.discount**level)
            if share == 0:
                break
            self.shares.append(share)

    def share(self, level):
        return self.shares[level] if level < len(self.shares) else 0

    def apply(self, a, b, gate):
        for string in (*self.strings, *self.frame):
            codes = string[0]
            index = 4 * codes[a] + codes[b]
            string[1] ^= int(FLIP[gate, index])
            codes[a], codes[b] = int(IMAGE[gate, index]) >> 2, int(IMAGE[gate, index]) & 3
        self.layer[a] = self.layer[b] = max(self.layer[a], self.layer[b]) + 1
        self.steps.append((TQE, a, b, gate))

    def levels(self, window):
        out = []
        for i, k in enumerate(window):
            mine = self.strings[k][0]
            below = [out[j] for j, other in enumerate(window[:i]) if crosses(mine, self.strings[other][0])]
            out.append(min(1 + max(below, default=-1), len(self.shares)))
        return out

    def score(self, window, levels, a, b, gate):
        def change(codes):
            before = 4 * codes[a] + codes[b]
            after = int(IMAGE[gate, before])
            return (after >> 2 > 0) + (after & 3 > 0) - (codes[a] > 0) - (codes[b] > 0)

        own = sum(
            self.share(level) * change(self.strings[k][0]) for k, level in zip(window, levels, strict=True)
        )
        return own + FULL * self.effort.tail * sum(change(codes) for codes, _ in self.frame)

    def run(self):
        slots = 64 * ((self.effort.window + 63) // 64)
        window, loaded = [], 0
        while True:
            if loaded < len(self.strings) and 2 * len(window) <= slots:
                more = range(loaded, min(len(self.strings), loaded + slots - len(window)))
                window, loaded = [*window, *more], more.stop
            if not window:
                break
            levels = self.levels(window)
            front = [k for k, level in zip(window, levels, strict=True) if level == 0]
            done = [k for k in front if sum(c > 0 for c in self.strings[k][0]) == 1]
            for k in done:
                codes, sign = self.strings[k]
                at = next(q for q, code in enumerate(codes) if code)
                self.steps.append((TURN, k, at, codes[at] + 4 * sign))
            if done:
                window = [k for k in window if k not in done]
                continue
            self.apply(*self.best(window, levels, front))
        self.clear()
        return self.steps

    def best(self, window, levels, front):
        weights = {k: sum(c > 0 for c in self.strings[k][0]) for k in front}
        least, chosen = 1e300, None
        for k in (k for k in front if weights[k] == min(weights.values())):
            codes = self.strings[k][0]
            support = [q for q, code in enumerate(codes) if code]
            for i, a in enumerate(support):
                for b in support[i + 1 :]:
                    for gate in range(9):
                        if not (LIGHTENS[4 * codes[a] + codes[b]] >> gate) & 1:
                            continue
                        late = FULL * self.effort.deep * max(self.layer[a], self.layer[b])
                        total = self.score(window, levels, a, b, gate) + late
                        if total < least - 1e-6:
                            least, chosen = total, (a, b, gate)
        return chosen

    def pair_cost(self, q, changed=None):
        """As in `pauli_search_kernels._pair_total`; `changed`: after a gate (a, b, gate)."""
        x, z = (list(self.frame[2 * q + i][0]) for i in range(2))
        if changed is not None:
            a, b, gate = changed
            for codes in (x, z):
                codes[a], codes[b] = divmod(int(IMAGE[gate, 4 * codes[a] + codes[b]]), 4)
        both = [(i, j) for i, j in zip(x, z, strict=True) if i or j]
        crossing = sum(bool(i and j and i != j) for i, j in both)
        return 1.5 * (crossing - 1) + len(both) - crossing

    def clear(self):
        wide, every = self.effort.wide, range(self.size)
        while True:
            costs = [self.pair_cost(q) for q in every]
            left = [q for q in every if costs[q] > 0.25]
            if not left:
                return
            pair = min(left, key=lambda q: costs[q])
            total = {
                (a, b, gate): sum(self.pair_cost(q, (a, b, gate)) for q in every) - sum(costs)
                for a in every
                for b in range(a + 1, self.size)
                for gate in range(9)
            }
            least, chosen = 1e300, None
            for (a, b, gate), score in total.items():
                if self.pair_cost(pair, (a, b, gate)) < costs[pair] - 0.25:
                    late = self.effort.deep * max(self.layer[a], self.layer[b])
                    if score + late < least - 1e-6:
                        least, chosen = score + late, (a, b, gate)
            if wide:
                freest = min(total, key=lambda key: total[key])
                chosen = freest if total[freest] < total[chosen] - 1e-6 else chosen
                wide = total[chosen] < -0.1
            self.apply(*chosen)


def random_form(rng, size, count):
    """The form of a random circuit of Clifford gates and rotations."""
    rows = []
    for _ in range(count):
        kind = int(rng.choice([0, 1, 6, 7, 9, 10, 11, 14]))
        a, b = rng.permutation(size)[:2].tolist()
        rows.append((kind, a, b if kind in (6, 7, 14) else -1))
    steps = np.array(rows, dtype=np.int64)
    angles = np.where(steps[:, 0] >= 9, rng.uniform(-3, 3, count), 0.0)
    return pauli.pull(*np.ascontiguousarray(steps.T), angles, Affine.empty(), size)


@pytest.mark.parametrize("seed", range(12))
def test_every_step_is_that_of_the_twin(seed):
    rng = np.random.default_rng(seed)
    form = random_form(rng, int(rng.integers(2, 6)), int(rng.integers(5, 220)))
    tail, deep = float(rng.choice([0.0, 0.5])), float(rng.choice([0.0, 0.25]))
    effort = pauli.Effort(float(rng.uniform(0.2, 0.9)), tail, bool(seed % 2), deep=deep, window=64)
    made = pauli.synthesise(form, effort)
    assert list(map(tuple, made.steps.tolist())) == Twin(form, effort).run()
    assert made.gates == sum(step[0] == TQE for step in made.steps.tolist())


def test_rotations_come_in_an_order_that_their_commutation_allows():
    form = random_form(np.random.default_rng(50), 5, 400)
    made = pauli.synthesise(form, pauli.Effort(0.6, 0.02, False, noise=0.4, window=64))
    order = [step[1] for step in made.steps.tolist() if step[0] == TURN]
    assert sorted(order) == list(range(len(form)))
    place = np.argsort(order)
    for later in range(len(form)):
        for earlier in range(later):
            if crosses(form.codes[earlier], form.codes[later]):
                assert place[earlier] < place[later]


@pytest.mark.parametrize("size", [63, 64, 65, 130])
def test_strings_of_several_words(size):
    rng = np.random.default_rng(size)
    builder = Builder(range(size))
    for _ in range(260):
        a, b = rng.permutation(size)[:2].tolist()
        builder.add(str(rng.choice(["cx", "cz"])), (a, b))
        name = str(rng.choice(["h", "rx", "rz", "s"]))
        angles = (float(rng.uniform(-3, 3)),) if name in ("rx", "rz") else ()
        builder.add(name, (int(rng.choice([a, b])),), angles)
    given = builder.build()
    made = ResynthesisePaulis(4, seed=1, always=True).run(given)
    assert made is not given
    here = np.arange(size)
    assert by_words(given, made, here, here).equal is True


def test_bits():
    words = [1, 2**63, 2**64 - 1, 12]
    from numba import njit

    count = njit(lambda word: (bits_set(word), lowest_bit(word)))
    assert [count(np.uint64(w)) for w in words] == [(1, 0), (1, 63), (64, 0), (2, 2)]
