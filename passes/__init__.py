if __name__ != "qattn_compiler.passes":
    raise ImportError(f"import qattn_compiler.passes, not {__name__}: this folder is mapped into the package")
