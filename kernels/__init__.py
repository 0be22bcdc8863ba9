"""Farfield's physics on MPI ranks: arrays and a communicator in, arrays out."""
