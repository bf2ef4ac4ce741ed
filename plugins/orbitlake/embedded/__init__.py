"""The embedded topology: Spark, Airflow and the simulator as plain processes of one machine, on loopback."""
