"""Airflow's side of the house: assets, defaults and Spark submission that the DAG files share."""
