"""Frames, geodesy, gravity and kinematics: numpy arrays in, numpy arrays out; units and frames are in every name."""
