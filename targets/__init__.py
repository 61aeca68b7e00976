if __name__ != "qattn_compiler.targets":
    raise ImportError(f"import qattn_compiler.targets, not {__name__}: this folder is mapped into the package")
