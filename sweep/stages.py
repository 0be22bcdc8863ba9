"""The stages of a study, and which kernels work in each."""

from __future__ import annotations

#: Stages in the order of the data's flow, with the kernels that work in each.
STAGES: dict[str, tuple[str, ...]] = {
    "material": ("kernels.materials:bulk_properties",),
    "equilibria": (
        "kernels.equilibrium:rough_equilibrium",
        "kernels.hessian:hessian_columns",
        "kernels.equilibrium:polish_equilibrium",
        "kernels.equilibrium:comparison_equilibrium",
    ),
    "truncation": ("kernels.truncation:truncation_errors",),
    "training": (
        "kernels.own_domain:own_core",
        "kernels.training:core_set",
        "kernels.training:bulk_set",
        "kernels.labelled_files:labelled_set",
    ),
    "factors": ("kernels.assembly:factors", "kernels.force_constants:force_constant_factors"),
    "response": (
        "kernels.response:response_map",
        "kernels.own_response:own_response_map",
        "kernels.elasticity:elastic_rows",
    ),
    "fits": ("kernels.fitting:fit_block",),
    "estimates": ("kernels.blocks:estimate_block",),
    "transfers": ("kernels.blocks:transfer_block",),
    "relaxations": ("kernels.points:relax_point",),
}
STAGE_OF: dict[str, str] = {function: stage for stage, functions in STAGES.items() for function in functions}
