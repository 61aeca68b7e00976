"""Passes on expressions: Expr -> Expr, the very same object when there is nothing to do."""

from qattn_compiler.passes.symbolic.drop_dead import DropDead
from qattn_compiler.passes.symbolic.fold_constants import FoldConstants
from qattn_compiler.passes.symbolic.fuse_scales import FuseScales
from qattn_compiler.passes.symbolic.share import Share

__all__ = ["DropDead", "FoldConstants", "FuseScales", "Share"]
