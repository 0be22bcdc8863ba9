"""Versions of the kernels whose results are kept."""

from __future__ import annotations

# Raise a number whenever that kernel, or anything it calls, gives other values: old artefacts are then made anew.
KERNEL_VERSIONS: dict[str, int] = {
    "kernels.materials:bulk_properties": 1,
    "kernels.equilibrium:rough_equilibrium": 2,
    "kernels.hessian:hessian_columns": 2,
    "kernels.equilibrium:polish_equilibrium": 2,
    "kernels.equilibrium:comparison_equilibrium": 1,
    "kernels.truncation:truncation_errors": 1,
    "kernels.own_domain:own_core": 1,
    "kernels.training:core_set": 1,
    "kernels.training:bulk_set": 1,
    "kernels.assembly:factors": 2,
    "kernels.elasticity:elastic_rows": 2,
    "kernels.response:response_map": 3,
    "kernels.own_response:own_response_map": 1,
    "kernels.force_constants:force_constant_factors": 1,
    "kernels.labelled_files:labelled_set": 1,
    "kernels.fitting:fit_block": 2,
    "kernels.blocks:estimate_block": 2,
    "kernels.blocks:transfer_block": 1,
    "kernels.points:relax_point": 3,
}
