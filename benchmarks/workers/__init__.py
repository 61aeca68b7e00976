"""Compilers, each in a process of its own. Files here run as scripts, by an interpreter that need not have
qattn_compiler: they import nothing of this package but what lies beside them."""
