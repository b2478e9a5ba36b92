"""Which fields of a compiled model reshaping a link changes."""

GEOMETRY_WRITES = ("geom_size", "geom_pos", "geom_quat", "body_pos", "jnt_pos", "site_pos")
"""Fields that reshaping a link sets; which of them differ depends on the link."""

GEOMETRY_DERIVES = (
    "actuator_acc0",
    "actuator_length0",
    "body_inertia",
    "body_invweight0",
    "body_ipos",
    "body_iquat",
    "body_mass",
    "body_sameframe",
    "body_simple",
    "body_subtreemass",
    "bvh_aabb",
    "bvh_nodeid",
    "cam_pos0",
    "cam_poscom0",
    "dof_M0",
    "dof_invweight0",
    "dof_length",
    "dof_simplenum",
    "geom_aabb",
    "geom_rbound",
    "geom_sameframe",
    "key_qpos",
    "light_pos0",
    "light_poscom0",
    "qpos0",
    "qpos_spring",
    "site_sameframe",
    "stat.center",
    "stat.extent",
    "stat.meaninertia",
    "stat.meanmass",
    "stat.meansize",
    "tendon_invweight0",
    "tendon_length0",
    "tendon_lengthspring",
)
"""Fields that the compiler derives from them: masses, inertias, bounds, the start height."""
