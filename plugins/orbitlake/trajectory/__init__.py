"""Where an object is at any instant, by the issues of its ephemeris: needs neither Airflow nor Spark."""

from orbitlake.trajectory.arcs import Arc, arcs_of
from orbitlake.trajectory.ground import Ground, ground_of
from orbitlake.trajectory.lake_arcs import state_at, trajectory_of
from orbitlake.trajectory.states import States, Trajectory

__all__ = ["Arc", "Ground", "States", "Trajectory", "arcs_of", "ground_of", "state_at", "trajectory_of"]
