"""What a store holds, as files that other programs read: potentials, tables of points, dislocation cores."""
