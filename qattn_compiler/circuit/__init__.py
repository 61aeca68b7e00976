"""The circuit IR: gate table, columns, affine angles, kernels, statistics, text form."""
