"""Passes on circuits, in the order in which a compile uses them.

    decompose          two-qubit gates over the machine's entangler
    merge_rotations    same-axis rotations, through all that commutes with them
    cancel_inverses    gates that undo each other
    absorb_swaps       SWAPs into neighbouring CZ and CX
    place, route       onto the machine's qubits and couplings
    bridge             for SWAPs that are undone after one gate
    drop_negligible    rotations below a tolerance
    fuse_single_qubit  one pulse for each single-qubit run

`base` makes each of them a Cirq transformer.
"""
